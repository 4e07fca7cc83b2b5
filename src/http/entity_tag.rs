//! Entity tags, and lists of them (RFC 9110 §8.8.3).
//!
//! ```text
//!   If-None-Match: "xyzzy", W/"r2d2", "a,b\"        three tags; a comma or backslash inside one means nothing
//! ```
//!
//! It does not know what a list decides: that is the preconditions' business.
#![forbid(unsafe_code)]

use super::Fields;
use core::fmt;

/// An entity tag: an opaque name of one representation, weak or strong.
///
/// ```
/// use longshore::http::EntityTag;
/// let (strong, weak) = (EntityTag::strong("r2d2"), EntityTag::parse(b"W/\"r2d2\"").expect("a tag"));
/// assert!(strong.weak_eq(&weak) && !strong.strong_eq(&weak) && !weak.strong_eq(&weak));
/// assert_eq!((strong.to_string(), weak.to_string()), ("\"r2d2\"".into(), "W/\"r2d2\"".into()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityTag<'b> {
    weak: bool,
    opaque: &'b [u8],
}

impl<'b> EntityTag<'b> {
    /// A strong tag from the text between its quotes.
    ///
    /// # Panics
    /// If the text holds a quote, a space or a control byte: it comes from the program.
    pub fn strong(opaque: &'b str) -> Self {
        let opaque = opaque.as_bytes();
        assert!(
            opaque.iter().all(|&byte| is_etagc(byte)),
            "an entity tag holds no quote, space or control byte"
        );
        Self {
            weak: false,
            opaque,
        }
    }

    /// Reads exactly one tag: `"x"` or `W/"x"`. The `W` is upper case.
    pub fn parse(value: &'b [u8]) -> Option<Self> {
        match Self::take(value)? {
            (tag, []) => Some(tag),
            _ => None,
        }
    }

    /// Whether the tag promises only that the meaning is the same, not every byte.
    pub const fn is_weak(&self) -> bool {
        self.weak
    }

    /// Strong comparison: both are strong and say the same (RFC 9110 §8.8.3.2).
    pub fn strong_eq(&self, other: &EntityTag<'_>) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// Weak comparison: both say the same (RFC 9110 §8.8.3.2).
    pub fn weak_eq(&self, other: &EntityTag<'_>) -> bool {
        self.opaque == other.opaque
    }

    /// The tag at the start, and what follows it.
    fn take(bytes: &'b [u8]) -> Option<(Self, &'b [u8])> {
        let (weak, quoted) = match bytes.strip_prefix(b"W/") {
            Some(quoted) => (true, quoted),
            None => (false, bytes),
        };
        let inside = quoted.strip_prefix(b"\"")?;
        let len = inside.iter().position(|&byte| !is_etagc(byte))?;
        let rest = inside[len..].strip_prefix(b"\"")?;
        let opaque = &inside[..len];
        Some((Self { weak, opaque }, rest))
    }
}

impl fmt::Display for EntityTag<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = if self.weak { "W/" } else { "" };
        write!(f, "{prefix}\"{}\"", String::from_utf8_lossy(self.opaque))
    }
}

/// `etagc`: neither a quote nor a space nor a control byte. A backslash escapes nothing here, unlike in a quoted string.
const fn is_etagc(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x7e | 0x80..)
}

/// What a field says that holds `*` or a list of tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    /// There is no such field.
    Absent,
    /// `*`.
    Any,
    /// A tag of the list fits.
    Matched,
    /// None does.
    Unmatched,
    /// Neither `*` alone nor a list of at least one tag.
    Malformed,
}

/// Reads all lines of a field with tags as one list (RFC 9110 §5.3). Empty members are skipped (§5.6.1.2).
pub(super) fn listed(
    fields: &Fields<'_>,
    name: &str,
    fits: impl Fn(&EntityTag<'_>) -> bool,
) -> Listed {
    let (mut lines, mut stars, mut tags, mut matched) = (0_usize, 0_usize, 0_usize, false);
    for line in fields.all(name) {
        lines += 1;
        if line == b"*" {
            stars += 1;
            continue;
        }
        let mut rest = trim_separators(line);
        while !rest.is_empty() {
            let Some((tag, behind)) = EntityTag::take(rest) else {
                return Listed::Malformed;
            };
            tags += 1;
            matched |= fits(&tag);
            rest = trim_separators(behind);
            if !rest.is_empty() && !separated(behind) {
                return Listed::Malformed;
            }
        }
    }
    match (lines, stars, tags) {
        (0, _, _) => Listed::Absent,
        (1, 1, _) => Listed::Any,
        (_, 1.., _) | (_, _, 0) => Listed::Malformed,
        _ if matched => Listed::Matched,
        _ => Listed::Unmatched,
    }
}

/// What is left behind commas and whitespace.
fn trim_separators(bytes: &[u8]) -> &[u8] {
    let start = bytes
        .iter()
        .position(|&byte| !matches!(byte, b',' | b' ' | b'\t'));
    &bytes[start.unwrap_or(bytes.len())..]
}

/// Whether a comma comes first, but for whitespace.
fn separated(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .find(|byte| !matches!(byte, b' ' | b'\t'))
        .is_some_and(|&byte| byte == b',')
}
