//! Which event a client has come to, as its request says it.

/// Why an answer is impossible, in words for whoever wrote the request.
pub(super) const NUMBER_WANTED: &str = "after, and Last-Event-ID, must be the number of an event, given once: digits alone, below 2^64.";

/// The number in `after=…` of a query; 0 without one. Other names are other people's.
///
/// # Errors
/// It is no number, or comes twice: nobody could tell which one was meant.
pub(super) fn after(query: &[u8]) -> Result<u64, ()> {
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
/// What counts of the two is no number.
pub(super) fn last_event(field: Option<&[u8]>, query: &[u8]) -> Result<u64, ()> {
    match field {
        Some(id) if !id.is_empty() => number(id),
        _ => after(query),
    }
}

fn number(digits: &[u8]) -> Result<u64, ()> {
    // `parse` would take a sign, too.
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(());
    }
    let digits = std::str::from_utf8(digits).map_err(|_| ())?;
    digits.parse().map_err(|_| ())
}
