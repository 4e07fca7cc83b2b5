//! The value of Sec-WebSocket-Extensions, taken apart (RFC 6455 §9.1).
//!
//! ```text
//!   permessage-deflate; server_max_window_bits="10"; client_max_window_bits , x-other
//!   └──────────────────────────── element ───────────────────────────────┘   └─────┘
//!        name             parameter          value        parameter
//! ```
//!
//! Knows the grammar, and no extension. One pass over the bytes to find where an element ends, one to read it; nothing
//! is allocated, and a quoted string is compared without being copied out.
#![forbid(unsafe_code)]

use super::{is_token, trimmed};

/// The elements of a list; empty ones, which a sender may leave (RFC 9110 §5.6.1.2), are left out. A comma in a quoted
/// string separates nothing.
pub(in crate::ws) fn elements(list: &[u8]) -> impl Iterator<Item = Element<'_>> {
    pieces(list, b',')
        .filter(|piece| !piece.is_empty())
        .map(|text| Element { text })
}

/// Whether a value of `Sec-WebSocket-Extensions` is what the grammar asks for: at least one extension, names and
/// parameters that are tokens, quoted values that would be tokens without their quotes.
///
/// RFC 6455 §9.1 wants a handshake refused where this is false, and [`accept()`](super::accept()) refuses it.
///
/// ```
/// use longshore::ws::is_extension_list;
/// assert!(is_extension_list(b"permessage-deflate; client_max_window_bits, x-own; a=\"b\""));
/// assert!(!is_extension_list(b"permessage-deflate; client_max_window_bits="));
/// ```
pub fn is_extension_list(value: &[u8]) -> bool {
    let mut any = false;
    for element in elements(value) {
        any = true;
        if !is_token(element.name()) || element.parameters().any(|one| one.is_err()) {
            return false;
        }
    }
    any
}

/// One extension with its parameters.
#[derive(Clone, Copy, Debug)]
pub(in crate::ws) struct Element<'b> {
    text: &'b [u8],
}

impl<'b> Element<'b> {
    /// What stands before the first semicolon. Not checked to be a token: one compares it with what one knows.
    pub(in crate::ws) fn name(self) -> &'b [u8] {
        split(self.text, b';').0
    }

    /// The parameters, in their order; an error where one is against the grammar.
    pub(in crate::ws) fn parameters(
        self,
    ) -> impl Iterator<Item = Result<(&'b [u8], Option<Value<'b>>), Malformed>> {
        pieces(self.text, b';').skip(1).map(parameter)
    }
}

/// Not a token, or not the value of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ws) struct Malformed;

/// A parameter's value: a token, or a quoted string that holds one.
#[derive(Clone, Copy, Debug)]
pub(in crate::ws) struct Value<'b> {
    /// Without the quotes, with the backslashes.
    text: &'b [u8],
    quoted: bool,
}

impl<'b> Value<'b> {
    /// RFC 6455 §9.1: after unescaping, a quoted string must be a token too, so both forms mean the same.
    fn parse(text: &'b [u8]) -> Result<Self, Malformed> {
        let value = match text {
            [b'"', inside @ .., b'"'] => Self {
                text: inside,
                quoted: true,
            },
            text => Self {
                text,
                quoted: false,
            },
        };
        let mut any = false;
        for byte in value.bytes() {
            any = true;
            if !is_token(&[byte]) {
                return Err(Malformed);
            }
        }
        any.then_some(value).ok_or(Malformed)
    }

    /// What is meant: a backslash in quotes stands for the byte behind it (RFC 9110 §5.6.4).
    pub(in crate::ws) fn bytes(self) -> impl Iterator<Item = u8> {
        let mut rest = self.text.iter().copied();
        core::iter::from_fn(move || match rest.next()? {
            // One that escapes nothing stays, and is no token.
            b'\\' if self.quoted => rest.next().or(Some(b'\\')),
            byte => Some(byte),
        })
    }
}

fn parameter(text: &[u8]) -> Result<(&[u8], Option<Value<'_>>), Malformed> {
    let (name, value) = match text.iter().position(|&byte| byte == b'=') {
        Some(at) => (trimmed(&text[..at]), Some(trimmed(&text[at + 1..]))),
        None => (text, None),
    };
    if !is_token(name) {
        return Err(Malformed);
    }
    Ok((name, value.map(Value::parse).transpose()?))
}

/// The pieces between separators, trimmed. Always at least one.
fn pieces(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    core::iter::from_fn(move || {
        let (piece, behind) = split(rest?, separator);
        rest = behind;
        Some(piece)
    })
}

/// Cuts at the first separator outside of quotes. A quote that never closes takes everything.
fn split(text: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    let (mut quoted, mut escaped) = (false, false);
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            byte if byte == separator && !quoted => {
                return (trimmed(&text[..at]), Some(&text[at + 1..]));
            }
            _ => {}
        }
    }
    (trimmed(text), None)
}
