//! Close codes and the payload of a Close frame (RFC 6455 §5.5.1, §7.4).
//!
//! ```text
//!   payload   ┌────────┬───────────────────┐
//!   0 bytes   │ code   │ reason, UTF-8     │   0 bytes: no code given
//!   or 2–125  │ 2, BE  │ 0–123 bytes       │   1 byte:  half a code, an error
//!             └────────┴───────────────────┘
//! ```
//!
//! Knows which codes may travel. It does not know who closes first; that is [`Session`](super::Session).
#![forbid(unsafe_code)]

use core::fmt;

use super::Error;

/// A status code that may stand in a Close frame (RFC 6455 §7.4, IANA registry "WebSocket Close Code Number").
///
/// 1005, 1006 and 1015 describe endings in which no code travelled; this type cannot hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server stops, or the browser leaves the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of data (text or binary) that this endpoint does not take.
    pub const UNSUPPORTED: Self = Self(1003);
    /// 1007: text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a message breaks this endpoint's policy; for when no other code fits.
    pub const POLICY: Self = Self(1008);
    /// 1009: a message is too big.
    pub const TOO_BIG: Self = Self(1009);
    /// 1010: the server did not agree to an extension that the client needs.
    pub const EXTENSION_NEEDED: Self = Self(1010);
    /// 1011: the endpoint met an error of its own.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts.
    pub const RESTART: Self = Self(1012);
    /// 1013: the service is overloaded, try again later.
    pub const TRY_LATER: Self = Self(1013);
    /// 1014: a gateway got a bad answer from behind.
    pub const BAD_GATEWAY: Self = Self(1014);

    /// Takes a number that may travel: 1000–1003, 1007–1014 and 3000–4999.
    ///
    /// `None` for the rest: 1004, 1005, 1006 and 1015 are reserved (§7.4.1), below 1000 unused, 1016–2999 unassigned,
    /// from 5000 undefined (§7.4.2).
    ///
    /// ```
    /// use longshore::ws::CloseCode;
    /// assert_eq!(CloseCode::new(1000), Some(CloseCode::NORMAL));
    /// assert_eq!(CloseCode::new(1006), None);
    /// ```
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number on the wire.
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Reads an unmasked Close payload: the code, if there is one, and the reason.
///
/// # Errors
/// [`Error::CloseLength`], [`Error::CloseCode`], [`Error::InvalidUtf8`], checked in this order.
pub(super) fn parse(payload: &[u8]) -> Result<(Option<CloseCode>, &str), Error> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() {
            Ok((None, ""))
        } else {
            Err(Error::CloseLength)
        };
    };
    let code = CloseCode::new(u16::from_be_bytes(*code)).ok_or(Error::CloseCode)?;
    let reason = core::str::from_utf8(reason).map_err(|_| Error::InvalidUtf8)?;
    Ok((Some(code), reason))
}

#[cfg(test)]
mod tests;
