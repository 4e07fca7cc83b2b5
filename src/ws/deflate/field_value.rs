//! What goes behind the colon of Sec-WebSocket-Extensions, in an offer and in a reply.
//!
//! Knows how the parameters are spelt (RFC 7692 §7.1), and not which ones are wise.
#![forbid(unsafe_code)]

use core::fmt;

use super::WindowBits;
use super::parameters::Parameters;

/// The longest value: every parameter, with two digits.
const VALUE_BYTES_MAX: usize =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
    server_max_window_bits=15; client_max_window_bits=15"
        .len();

/// The value of a `Sec-WebSocket-Extensions` field: ASCII, at most 128 bytes, held without an allocation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FieldValue {
    bytes: [u8; VALUE_BYTES_MAX],
    count: usize,
}

impl FieldValue {
    /// Writes permessage-deflate with parameters. A client's window of 15 goes without its value, which a reply never
    /// names.
    pub(super) fn new(parameters: Parameters) -> Self {
        let mut value = Self {
            bytes: [0; VALUE_BYTES_MAX],
            count: 0,
        };
        value.push("permessage-deflate");
        if parameters.server_no_context_takeover {
            value.push("; server_no_context_takeover");
        }
        if parameters.client_no_context_takeover {
            value.push("; client_no_context_takeover");
        }
        if let Some(bits) = parameters.server_max_window_bits {
            value.push("; server_max_window_bits");
            value.push_number(bits);
        }
        if let Some(bits) = parameters.client_max_window_bits {
            value.push("; client_max_window_bits");
            if bits < WindowBits::MAX.number() {
                value.push_number(bits);
            }
        }
        value
    }

    /// What goes behind the field's colon.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.count]).expect("only ASCII was pushed")
    }

    fn push(&mut self, text: &str) {
        self.bytes[self.count..][..text.len()].copy_from_slice(text.as_bytes());
        self.count += text.len();
    }

    fn push_number(&mut self, bits: u8) {
        self.push("=");
        self.push(itoa::Buffer::new().format(bits));
    }
}

impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
