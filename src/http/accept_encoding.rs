//! Which content codings a peer takes, and how gladly (RFC 9110 §12.5.3).
//!
//! ```text
//!   Accept-Encoding: br;q=0.5, gzip, *;q=0     gzip 1000   br 500   all others 0
//! ```
//!
//! It does not know how anything is compressed, or whether compressed content is at hand: the caller says which codings
//! it could send.
#![forbid(unsafe_code)]

use super::Fields;

/// A content coding that this crate can name (RFC 9110 §8.4.1 and the registry of HTTP content codings).
///
/// No coding at all, which the field calls `identity`, is not among them: it is what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContentCoding {
    /// `gzip`, also spelled `x-gzip` (RFC 9110 §8.4.1.3).
    Gzip,
    /// `deflate`, the zlib format (RFC 9110 §8.4.1.2).
    Deflate,
    /// `br` (RFC 7932).
    Brotli,
    /// `zstd` (RFC 8878).
    Zstd,
}

impl ContentCoding {
    const ALL: [Self; 4] = [Self::Gzip, Self::Deflate, Self::Brotli, Self::Zstd];

    /// The token for Content-Encoding.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// The coding that a token names, in any case.
    ///
    /// ```
    /// use longshore::http::ContentCoding;
    /// assert_eq!(ContentCoding::of(b"X-GZIP"), Some(ContentCoding::Gzip));
    /// assert_eq!(ContentCoding::of(b"identity"), None);
    /// ```
    pub fn of(token: &[u8]) -> Option<Self> {
        if token.eq_ignore_ascii_case(b"x-gzip") {
            return Some(Self::Gzip);
        }
        Self::ALL
            .into_iter()
            .find(|coding| token.eq_ignore_ascii_case(coding.name().as_bytes()))
    }
}

/// What a request's Accept-Encoding says, without the request.
///
/// Weights are in thousandths, from 0, refused, to 1000. Several lines count as one list. A member that is malformed is
/// ignored, and of two members for one coding the first counts.
///
/// ```
/// use longshore::http::{AcceptEncoding, ContentCoding::{Brotli, Gzip}, Head};
/// let head = Head::parse(b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip, br;q=0.9\r\n\r\n")?;
/// let accepted = AcceptEncoding::of(&head.fields);
/// assert_eq!(accepted.choose(&[Brotli, Gzip]), Some(Gzip));
/// assert_eq!(accepted.choose(&[Brotli]), Some(Brotli));
/// assert_eq!(accepted.choose(&[]), None);
/// assert_eq!(accepted.weight(Brotli), 900);
/// # Ok::<(), longshore::http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptEncoding {
    /// Whether there is such a field at all, even an empty one.
    present: bool,
    codings: [Option<u16>; ContentCoding::ALL.len()],
    identity: Option<u16>,
    /// `*`: all that is not named.
    others: Option<u16>,
}

impl AcceptEncoding {
    /// Reads all Accept-Encoding lines of a head.
    pub fn of(fields: &Fields<'_>) -> Self {
        let mut accepted = Self {
            present: fields.find("accept-encoding").is_some(),
            codings: [None; ContentCoding::ALL.len()],
            identity: None,
            others: None,
        };
        for (token, weight) in fields.list("accept-encoding").filter_map(member) {
            let slot = match token {
                b"*" => &mut accepted.others,
                _ if token.eq_ignore_ascii_case(b"identity") => &mut accepted.identity,
                _ => match ContentCoding::of(token) {
                    Some(coding) => &mut accepted.codings[coding as usize],
                    None => continue,
                },
            };
            slot.get_or_insert(weight);
        }
        accepted
    }

    /// How gladly the peer takes a coding, 0 to 1000. Without the field it takes every coding (RFC 9110 §12.5.3).
    pub fn weight(&self, coding: ContentCoding) -> u16 {
        let otherwise = if self.present { 0 } else { 1000 };
        self.codings[coding as usize]
            .or(self.others)
            .unwrap_or(otherwise)
    }

    /// Whether the peer refuses content without a coding: `identity;q=0`, or `*;q=0` and no word of identity.
    pub fn refuses_identity(&self) -> bool {
        self.identity.or(self.others) == Some(0)
    }

    /// The coding to send, of those that the server could send, the best for the server first; `None` for no coding.
    ///
    /// The highest weight wins, and among equals the server's order. Two decisions stand behind `None`:
    ///
    /// - *Without the field* RFC 9110 §12.5.3 calls every coding acceptable. Whoever does not mention codings is most
    ///   often a program that cannot undo one, so it gets none.
    /// - *When everything is refused*, identity too, it gets no coding all the same, as if nothing were negotiated:
    ///   RFC 9110 §12.5.3 only asks not to (a SHOULD), and content that can be read serves better than 406. Who
    ///   decides otherwise asks [`refuses_identity`](Self::refuses_identity).
    ///
    /// A coding that the peer likes less than an identity that it names is not chosen.
    pub fn choose(&self, available: &[ContentCoding]) -> Option<ContentCoding> {
        if !self.present {
            return None;
        }
        // An identity that is not named is the fallback and competes with nothing.
        let (mut best, mut chosen) = (self.identity.unwrap_or(0), None);
        for &coding in available {
            let weight = self.weight(coding);
            let wins = match chosen {
                None => weight > 0 && weight >= best,
                Some(_) => weight > best,
            };
            if wins {
                (best, chosen) = (weight, Some(coding));
            }
        }
        chosen
    }
}

/// `codings [ OWS ";" OWS "q=" qvalue ]`, or `None` if malformed.
fn member(member: &[u8]) -> Option<(&[u8], u16)> {
    let Some(semicolon) = member.iter().position(|&byte| byte == b';') else {
        return Some((member, 1000));
    };
    let (token, parameter) = (&member[..semicolon], &member[semicolon + 1..]);
    let (name, value) = parameter.trim_ascii().split_at_checked(2)?;
    if !name.eq_ignore_ascii_case(b"q=") {
        return None;
    }
    Some((token.trim_ascii_end(), qvalue(value)?))
}

/// RFC 9110 §12.4.2: 0 to 1 with at most three decimals, here in thousandths.
fn qvalue(value: &[u8]) -> Option<u16> {
    let (&whole, rest) = value.split_first()?;
    let decimals = match rest {
        [] => rest,
        [b'.', decimals @ ..] if decimals.len() <= 3 => decimals,
        _ => return None,
    };
    let mut thousandths = 0;
    for place in 0..3 {
        let digit = decimals.get(place).copied().unwrap_or(b'0');
        if !digit.is_ascii_digit() {
            return None;
        }
        thousandths = thousandths * 10 + u16::from(digit - b'0');
    }
    match whole {
        b'0' => Some(thousandths),
        b'1' if thousandths == 0 => Some(1000),
        _ => None,
    }
}
