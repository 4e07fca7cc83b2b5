//! What each of the 256 byte values may be a part of, one table for every grammar of this folder.
//!
//! A peer's byte selects one row, a class selects one bit, so "may this byte stand here" costs one load and one test
//! whatever the byte is. It does not know grammars longer than a byte: percent-encoding, quoting and line ends are
//! decided where they stand.
#![forbid(unsafe_code)]

/// `tchar` of RFC 9110 §5.6.2: methods, field names, list members, codings.
pub(super) const TOKEN: u8 = 1;
/// A byte of a field value, RFC 9110 §5.5: HTAB, SP, VCHAR and obs-text.
pub(super) const VALUE: u8 = 1 << 1;
/// A byte of a request target that needs no second look: RFC 3986 §2 without `%` and `?`.
pub(super) const TARGET: u8 = 1 << 2;
/// A byte of a registered name without `%`: unreserved or sub-delims, RFC 3986 §3.2.2. The comma is left out: no name
/// server knows such names, and it is what remains of two Host lines that somebody joined.
pub(super) const REG_NAME: u8 = 1 << 3;
/// `qdtext` of RFC 9110 §5.6.4: what stands in a quoted string without a backslash before it.
pub(super) const QUOTED: u8 = 1 << 4;
/// A hexadecimal digit in either case.
pub(super) const HEX: u8 = 1 << 5;
/// A decimal digit.
pub(super) const DIGIT: u8 = 1 << 6;

static CLASSES: [u8; 256] = build();

/// Whether `byte` belongs to `class`.
#[inline(always)]
pub(super) const fn is(byte: u8, class: u8) -> bool {
    CLASSES[byte as usize] & class != 0
}

/// Whether `bytes` spell `lower`, whose letters are lower case, in either case.
///
/// For bytes of tokens and field values only: setting the case bit folds letters and leaves digits and `-` alone, but
/// would turn the control byte CR into `-`. All bytes are compared without a branch, which a compiler makes one or two
/// vector comparisons of.
#[inline(always)]
pub(super) fn spells<const N: usize>(bytes: &[u8], lower: &[u8; N]) -> bool {
    let Ok(bytes) = <&[u8; N]>::try_from(bytes) else {
        return false;
    };
    let mut difference = 0;
    for at in 0..N {
        difference |= (bytes[at] | 0x20) ^ lower[at];
    }
    difference == 0
}

/// The value of a hexadecimal digit.
#[inline]
pub(super) fn hex_value(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Whether the byte at `at` is a `%` that two hexadecimal digits follow (RFC 3986 §2.1).
pub(super) fn percent_encoded(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at..at + 3), Some([b'%', high, low]) if is(*high, HEX) && is(*low, HEX))
}

const fn build() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    loop {
        classes[byte as usize] = classes_of(byte);
        if byte == u8::MAX {
            return classes;
        }
        byte += 1;
    }
}

const fn classes_of(byte: u8) -> u8 {
    let sub_delim = matches!(
        byte,
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'='
    );
    let unreserved = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let mut classes = 0;
    if byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
    {
        classes |= TOKEN;
    }
    if matches!(byte, b'\t' | 0x20..=0x7e | 0x80..) {
        classes |= VALUE;
        if !matches!(byte, b'"' | b'\\') {
            classes |= QUOTED;
        }
    }
    if unreserved || sub_delim {
        classes |= TARGET;
        if byte != b',' {
            classes |= REG_NAME;
        }
    }
    // Brackets are URI characters, and browsers send them unencoded in queries.
    if matches!(byte, b':' | b'@' | b'/' | b'[' | b']') {
        classes |= TARGET;
    }
    if byte.is_ascii_hexdigit() {
        classes |= HEX;
    }
    if byte.is_ascii_digit() {
        classes |= DIGIT;
    }
    classes
}
