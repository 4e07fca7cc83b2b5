//! Which event a client has come to, as its request says it.

use std::borrow::Cow;

/// Why an answer is impossible, in words for whoever wrote the request.
pub(super) const NUMBER_WANTED: &str = "after, and Last-Event-ID, must be the number of an event, given once: digits alone, below 2^64.";

/// The number in `after=…` of a query; 0 without one. Other names are other people's. What need not be percent-encoded may
/// be, and is the same then (RFC 3986 §6.2.2.2).
///
/// # Errors
/// It is no number, or comes twice: nobody could tell which one was meant.
pub(super) fn after(query: &[u8]) -> Result<u64, ()> {
    let query = unreserved(query);
    let mut values =
        query
            .split(|byte| *byte == b'&')
            .filter_map(|pair| match pair.strip_prefix(b"after") {
                Some(b"") => Some(&b""[..]),
                Some(rest) => rest.strip_prefix(b"="),
                None => None,
            });
    match (values.next(), values.next()) {
        (None, _) => Ok(0),
        (Some(value), None) => number(value),
        (Some(_), Some(_)) => Err(()),
    }
}

/// The number that an event stream goes on behind: a browser repeats the address that it was given first, and says in
/// `Last-Event-ID` how far it has come since (WHATWG HTML §9.2.4).
///
/// # Errors
/// What counts of the two is no number, or the field comes twice.
pub(super) fn last_event<'a>(
    mut fields: impl Iterator<Item = &'a [u8]>,
    query: &[u8],
) -> Result<u64, ()> {
    match (fields.next(), fields.next()) {
        (Some(_), Some(_)) => Err(()),
        (Some(id), None) if !id.is_empty() => number(id),
        _ => after(query),
    }
}

/// A query in which no letter, digit, `-`, `.`, `_` or `~` is percent-encoded any more.
fn unreserved(query: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'%', query) else {
        return Cow::Borrowed(query);
    };
    let (begin, mut rest) = query.split_at(first);
    let mut plain = begin.to_vec();
    while let Some((&byte, behind)) = rest.split_first() {
        let encoded = match behind {
            [high, low, ..] if byte == b'%' => hexadecimal(*high, *low),
            _ => None,
        };
        let encoded = encoded.filter(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(byte));
        plain.push(encoded.unwrap_or(byte));
        rest = &rest[if encoded.is_some() { 3 } else { 1 }..];
    }
    Cow::Owned(plain)
}

fn hexadecimal(high: u8, low: u8) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

fn number(digits: &[u8]) -> Result<u64, ()> {
    // `parse` would take a sign, too.
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(());
    }
    let digits = std::str::from_utf8(digits).map_err(|_| ())?;
    digits.parse().map_err(|_| ())
}
