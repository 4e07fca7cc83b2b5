//! Makes a stranger's bytes harmless for a terminal.
//!
//! ```text
//!   "h\xc3" "\xbc\x1b[2J\r\n"  ──▶  "hü\x1b[2J" CRLF      the ESC is shown as four characters
//! ```
//!
//! A terminal obeys control characters: they move the cursor, overwrite what was said before, set the window's title and
//! in some even answer as if the user had typed. So a control character (C0 but HTAB and LF, DEL, C1), bytes that are no
//! UTF-8, and marks that reorder text are shown as what they are. CR stays only in front of LF. It does not know whether
//! there is a terminal.

use std::io::Write as _;

/// Escapes a stream piece by piece; characters may be cut anywhere.
#[derive(Debug, Default)]
pub(super) struct Escaper {
    /// The beginning of a character whose end has not come, at most three bytes; or a CR.
    rest: Vec<u8>,
}

impl Escaper {
    /// Appends what `bytes` look like to `out`.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut whole = std::mem::take(&mut self.rest);
        whole.extend_from_slice(bytes);
        let mut chunks = whole.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            let is_last = chunks.peek().is_none();
            self.text(chunk.valid(), is_last && chunk.invalid().is_empty(), out);
            let unfinished = std::str::from_utf8(chunk.invalid())
                .is_err_and(|error| error.error_len().is_none());
            if is_last && unfinished {
                self.rest.extend_from_slice(chunk.invalid());
            } else {
                chunk.invalid().iter().for_each(|&byte| hex(byte, out));
            }
        }
    }

    /// Nothing more comes.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        self.rest.drain(..).for_each(|byte| hex(byte, out));
    }

    fn text(&mut self, text: &str, is_last: bool, out: &mut Vec<u8>) {
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\n' | '\t' => out.push(character as u8),
                '\r' if characters.peek() == Some(&'\n') => out.push(b'\r'),
                '\r' if is_last && characters.peek().is_none() => self.rest.push(b'\r'),
                _ if character.is_control() => {
                    let mut bytes = [0; 4];
                    let bytes = character.encode_utf8(&mut bytes).bytes();
                    bytes.for_each(|byte| hex(byte, out));
                }
                _ if reorders(character) => {
                    // Writing to a Vec cannot fail.
                    let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
                }
                _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
}

/// A whole text at once.
pub(super) fn escaped(bytes: &[u8]) -> String {
    let (mut escaper, mut out) = (Escaper::default(), Vec::new());
    escaper.push(bytes, &mut out);
    escaper.finish(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// A text that becomes part of a line of our own: line ends and tabs are shown too, so that a stranger cannot begin
/// another line, which would look like one of ours.
pub(super) fn escaped_line(bytes: &[u8]) -> String {
    let mut line = Vec::new();
    for byte in escaped(bytes).bytes() {
        // In UTF-8 such a byte is no part of another character.
        match byte {
            b'\n' | b'\r' | b'\t' => hex(byte, &mut line),
            other => line.push(other),
        }
    }
    String::from_utf8_lossy(&line).into_owned()
}

fn hex(byte: u8, out: &mut Vec<u8>) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "\\x{byte:02x}");
}

/// Marks that turn the direction of what follows (Unicode Standard Annex 9): with them one line can pose as another.
fn reorders(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests;
