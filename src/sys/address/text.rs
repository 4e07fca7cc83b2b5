//! How an address prints, and the escapes that make every name printable.
//!
//! A Unix name may hold any byte. What is not printable text is written as `\xNN` and a backslash as `\\`, so that
//! reading the text gives the same bytes again.
#![forbid(unsafe_code)]

use super::{Address, AddressError, UnixName};
use std::fmt::{self, Display, Formatter, Write};
use std::os::unix::ffi::OsStrExt;

impl Display for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Address::Inet(address) => address.fmt(f),
            Address::Unix(name) => {
                f.write_str("unix:")?;
                name.fmt(f)
            }
        }
    }
}

impl Display for UnixName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            UnixName::Path(path) => match path.as_os_str().as_bytes() {
                // Unescaped, a file called "@x" would read as the abstract name "x".
                [b'@', rest @ ..] => {
                    f.write_str("\\x40")?;
                    escape(f, rest)
                }
                bytes => escape(f, bytes),
            },
            UnixName::Abstract(name) => {
                f.write_char('@')?;
                escape(f, name)
            }
            UnixName::Unnamed => Ok(()),
        }
    }
}

fn escape(f: &mut Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                c if c.is_control() || misleads(c) => {
                    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                        write!(f, "\\x{byte:02x}")?;
                    }
                }
                c => f.write_char(c)?,
            }
        }
        for byte in chunk.invalid() {
            write!(f, "\\x{byte:02x}")?;
        }
    }
    Ok(())
}

/// The bytes that an escaped name stands for.
pub(super) fn unescape(text: &str) -> Result<Vec<u8>, AddressError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'\\' {
            bytes.push(first);
            continue;
        }
        match tail {
            [b'\\', after @ ..] => {
                bytes.push(b'\\');
                rest = after;
            }
            [b'x', high, low, after @ ..] => {
                let (Some(high), Some(low)) = (digit(*high), digit(*low)) else {
                    return Err(AddressError::BadEscape(text.to_owned()));
                };
                bytes.push(high << 4 | low);
                rest = after;
            }
            _ => return Err(AddressError::BadEscape(text.to_owned())),
        }
    }
    Ok(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|digit| digit as u8)
}

/// Ends of lines and marks that turn the direction of what follows (Unicode Standard Annexes 14 and 9): a path is chosen by a
/// stranger, and shall not pose as another in a log.
fn misleads(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
