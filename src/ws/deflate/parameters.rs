//! The four parameters of permessage-deflate (RFC 7692 §7.1), read strictly.
//!
//! ```text
//!                                 in an offer             in a reply
//!   server_no_context_takeover    no value                no value
//!   client_no_context_takeover    no value                no value
//!   server_max_window_bits        8 to 15                 8 to 15
//!   client_max_window_bits        none, or 8 to 15        8 to 15
//! ```
//!
//! Each at most once, nothing else, numbers without leading zeros: one fault, and the whole element is not taken (§5.1).
//! Knows what is well said, not what is acceptable.
#![forbid(unsafe_code)]

use super::list::{Element, Value};

/// The extension's name (RFC 7692 §7). Names of extensions are compared as they stand.
pub(super) const NAME: &[u8] = b"permessage-deflate";

/// Who speaks decides about one of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    /// By a client: `client_max_window_bits` may come without a value.
    Offer,
    /// By a server: it names its choice.
    Reply,
}

/// What one element says. A window is 8 to 15.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) server_no_context_takeover: bool,
    pub(super) client_no_context_takeover: bool,
    pub(super) server_max_window_bits: Option<u8>,
    /// 15 if it came without a value, which says the same: the client knows the parameter, and has no wish.
    pub(super) client_max_window_bits: Option<u8>,
}

impl Parameters {
    /// Reads the parameters of an element called [`NAME`]; `None` at the first fault. At most five are looked at: the
    /// fifth is unknown, or repeated.
    pub(super) fn parse(element: Element<'_>, spoken: Spoken) -> Option<Self> {
        let mut seen = Self::default();
        for parameter in element.parameters() {
            let (name, value) = parameter.ok()?;
            match (name, value) {
                (b"server_no_context_takeover", None) => {
                    once(&mut seen.server_no_context_takeover)?;
                }
                (b"client_no_context_takeover", None) => {
                    once(&mut seen.client_no_context_takeover)?;
                }
                (b"server_max_window_bits", Some(value)) => {
                    once_with(&mut seen.server_max_window_bits, bits(value)?)?;
                }
                (b"client_max_window_bits", Some(value)) => {
                    once_with(&mut seen.client_max_window_bits, bits(value)?)?;
                }
                (b"client_max_window_bits", None) if spoken == Spoken::Offer => {
                    once_with(&mut seen.client_max_window_bits, 15)?;
                }
                _ => return None,
            }
        }
        Some(seen)
    }
}

fn once(seen: &mut bool) -> Option<()> {
    (!core::mem::replace(seen, true)).then_some(())
}

fn once_with(seen: &mut Option<u8>, bits: u8) -> Option<()> {
    seen.replace(bits).is_none().then_some(())
}

/// RFC 7692 §7.1.2.1: a decimal number from 8 to 15 without leading zeros.
fn bits(value: Value<'_>) -> Option<u8> {
    let mut digits = value.bytes();
    let bits = match (digits.next()?, digits.next()) {
        (digit @ b'8'..=b'9', None) => digit - b'0',
        (b'1', Some(digit @ b'0'..=b'5')) => 10 + (digit - b'0'),
        _ => return None,
    };
    digits.next().is_none().then_some(bits)
}
