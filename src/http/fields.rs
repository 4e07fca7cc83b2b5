//! The fields of a head, walked again on demand over bytes that were checked once.
//!
//! ```text
//!   Accept: a, "b,c"␍␊ X: 1␍␊ Accept: d␍␊         find("x")      → 1
//!   └────── one line ──┘                           all("accept")  → a, "b,c"   d
//!                                                  list("accept") → a   "b,c"   d
//! ```
//!
//! There is no map and no allocation: most handlers ask for one or two fields, and a walk over a browser's head costs
//! less than building anything. It does not know what a field means.
#![forbid(unsafe_code)]

use super::class::{self, TOKEN};

/// The field lines of one head; iterating yields `(name, value)` in the order of arrival.
///
/// Names keep the peer's spelling; values have no whitespace around them and hold no control byte but HTAB.
///
/// ```
/// use longshore::http::Head;
/// let head = Head::parse(b"GET / HTTP/1.1\r\nHost: a\r\nAccept: x;q=1, y\r\nACCEPT: z\r\n\r\n")?;
/// assert_eq!(head.fields.find("accept"), Some(&b"x;q=1, y"[..]));
/// assert_eq!(head.fields.all("accept").count(), 2);
/// assert!(head.fields.list("accept").eq([&b"x;q=1"[..], b"y", b"z"]));
/// assert_eq!(head.fields.clone().next(), Some((&b"Host"[..], &b"a"[..])));
/// # Ok::<(), longshore::http::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "fields are walked when the iterator is"]
pub struct Fields<'b> {
    /// Whole checked lines, each with its CRLF.
    lines: &'b [u8],
}

impl<'b> Fields<'b> {
    pub(super) const fn over(lines: &'b [u8]) -> Self {
        Self { lines }
    }

    /// The value of the first line with this name, compared without case (RFC 9110 §5.1).
    pub fn find(&self, name: impl AsRef<[u8]>) -> Option<&'b [u8]> {
        let name = name.as_ref();
        let mut rest = self.clone();
        loop {
            let (candidate, value) = Iterator::next(&mut rest)?;
            if candidate.eq_ignore_ascii_case(name) {
                return Some(value);
            }
        }
    }

    /// The values of all lines with this name, in the order of arrival.
    pub fn all<N: AsRef<[u8]>>(&self, name: N) -> All<'b, N> {
        All {
            rest: self.clone(),
            name,
        }
    }

    /// The members of a comma-separated list, over all lines with this name (RFC 9110 §5.3, §5.6.1).
    ///
    /// A comma inside a quoted string separates nothing, empty members are skipped as RFC 9110 §5.6.1.2 asks, and
    /// whitespace around a member is cut. A quoted string without an end reaches to the end of its line.
    pub fn list<N: AsRef<[u8]>>(&self, name: N) -> List<'b, N> {
        List {
            lines: self.all(name),
            members: Members::of(b""),
        }
    }
}

impl<'b> Iterator for Fields<'b> {
    type Item = (&'b [u8], &'b [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let name_end = memchr::memchr(b':', self.lines)?;
        let line_end = name_end + memchr::memchr(b'\r', &self.lines[name_end..])?;
        let field = (
            &self.lines[..name_end],
            self.lines[name_end + 1..line_end].trim_ascii(),
        );
        self.lines = &self.lines[line_end + 2..];
        Some(field)
    }
}

/// The values of the lines with one name; see [`Fields::all`].
#[derive(Clone, Debug)]
#[must_use = "fields are walked when the iterator is"]
pub struct All<'b, N> {
    rest: Fields<'b>,
    name: N,
}

impl<'b, N: AsRef<[u8]>> Iterator for All<'b, N> {
    type Item = &'b [u8];

    fn next(&mut self) -> Option<&'b [u8]> {
        let name = self.name.as_ref();
        self.rest
            .by_ref()
            .find_map(|(candidate, value)| candidate.eq_ignore_ascii_case(name).then_some(value))
    }
}

/// The members of a list; see [`Fields::list`].
#[derive(Clone, Debug)]
#[must_use = "fields are walked when the iterator is"]
pub struct List<'b, N> {
    lines: All<'b, N>,
    members: Members<'b>,
}

impl<'b, N: AsRef<[u8]>> Iterator for List<'b, N> {
    type Item = &'b [u8];

    fn next(&mut self) -> Option<&'b [u8]> {
        loop {
            if let Some(member) = self.members.next() {
                return Some(member);
            }
            self.members = Members::of(self.lines.next()?);
        }
    }
}

/// The members of the list in one value.
#[derive(Clone, Debug)]
pub(super) struct Members<'b> {
    rest: &'b [u8],
}

impl<'b> Members<'b> {
    pub(super) const fn of(value: &'b [u8]) -> Self {
        Self { rest: value }
    }
}

impl<'b> Iterator for Members<'b> {
    type Item = &'b [u8];

    fn next(&mut self) -> Option<&'b [u8]> {
        while !self.rest.is_empty() {
            let end = member_end(self.rest);
            let member = self.rest[..end].trim_ascii();
            self.rest = self.rest.get(end + 1..).unwrap_or_default();
            if !member.is_empty() {
                return Some(member);
            }
        }
        None
    }
}

/// The first comma of `list` outside quotes, or its end.
fn member_end(list: &[u8]) -> usize {
    let mut quoted = false;
    let mut at = 0;
    while let Some(&byte) = list.get(at) {
        match byte {
            b',' if !quoted => return at,
            b'"' => quoted = !quoted,
            // A quoted pair: the next byte is data, also when it is a quote (RFC 9110 §5.6.4).
            b'\\' if quoted => at += 1,
            _ => {}
        }
        at += 1;
    }
    list.len()
}

/// Whether `bytes` are a token (RFC 9110 §5.6.2).
#[inline]
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| class::is(byte, TOKEN))
}
