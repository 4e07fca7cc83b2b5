//! Keeps bytes of a peer from forging a line, a field, or a terminal's commands.
//!
//! ```text
//!   GET /"x\n          ──▶  GET /\x22x\x0A              text: everything but printable ASCII, `"` and `\` is hexadecimal
//!   {"k":"é"} and FF   ──▶  {\"k\":\"\u00e9\"} \ufffd   JSON (RFC 8259 §7): printable ASCII only, too
//! ```
//!
//! It does not know which field it writes.

/// The most bytes of one field that are shown, counted before escaping. What is longer is cut, and marked.
pub(super) const FIELD_BYTES_MAX: usize = 2048;

/// Stands behind a field that was cut. No field can forge it: a backslash of the peer's is always `\x5C`.
pub(super) const CUT_MARK: &[u8] = b"\\...";

const UPPER: &[u8; 16] = b"0123456789ABCDEF";
const LOWER: &[u8; 16] = b"0123456789abcdef";

/// Writes `bytes` for the text formats: `"`, `\`, control bytes and bytes above 0x7E as `\xHH`, as nginx does.
pub(super) fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    let shown = &bytes[..bytes.len().min(FIELD_BYTES_MAX)];
    let mut rest = shown;
    while let Some(at) = rest.iter().position(|byte| !is_plain(*byte)) {
        let byte = rest[at];
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(b"\\x");
        out.push(UPPER[usize::from(byte >> 4)]);
        out.push(UPPER[usize::from(byte & 15)]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    if shown.len() < bytes.len() {
        out.extend_from_slice(CUT_MARK);
    }
}

/// Writes `bytes` as a JSON string, quotes included. True if it was cut.
///
/// Characters that are not printable ASCII become `\uXXXX` (two of them above U+FFFF), and so do controls that move a
/// terminal's cursor or the direction of its text. Bytes that are not UTF-8 become `\ufffd`, one for each broken
/// sequence: a byte shown as `\u00XX` could not be told from the character of that number.
pub(super) fn json(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    let shown = &bytes[..json_end(bytes)];
    out.push(b'"');
    let plain = shown.iter().position(|byte| !is_plain(*byte));
    let (front, rest) = shown.split_at(plain.unwrap_or(shown.len()));
    out.extend_from_slice(front);
    for chunk in rest.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' | '\\' => out.extend_from_slice(&[b'\\', character as u8]),
                ' '..='~' => out.push(character as u8),
                _ => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        json_unit(out, *unit);
                    }
                }
            }
        }
        if !chunk.invalid().is_empty() {
            json_unit(out, 0xFFFD);
        }
    }
    out.push(b'"');
    shown.len() < bytes.len()
}

/// Where to cut: not inside a character, which would look as if the peer had sent broken UTF-8.
fn json_end(bytes: &[u8]) -> usize {
    let is_continuation = |byte: u8| byte & 0xC0 == 0x80;
    if bytes.len() <= FIELD_BYTES_MAX {
        return bytes.len();
    }
    // A character has at most three continuation bytes; more of them are broken anyway.
    let candidates = (FIELD_BYTES_MAX - 3)..=FIELD_BYTES_MAX;
    candidates
        .rev()
        .find(|end| !is_continuation(bytes[*end]))
        .unwrap_or(FIELD_BYTES_MAX)
}

fn json_unit(out: &mut Vec<u8>, unit: u16) {
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.push(LOWER[usize::from(unit >> shift & 15)]);
    }
}

/// Printable, and without a meaning in any of the formats.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}
