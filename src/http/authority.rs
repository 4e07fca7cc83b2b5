//! A host with an optional port, as Host and two forms of target carry it (RFC 9110 §4.2, RFC 3986 §3.2).
//!
//! ```text
//!   example.org:8080      192.0.2.7       [2001:db8::1]:443
//!   └─ host ──┘ └port     └─ host ─┘      └── host ───┘ └port
//! ```
//!
//! It does not know whether the host exists or is ours, and it decodes nothing. User information (`user@`) has no
//! place in HTTP (RFC 9110 §4.2.4) and fails like any other foreign byte.
#![forbid(unsafe_code)]

use core::net::Ipv6Addr;
use core::str;

use super::class::{self, REG_NAME};
use super::scan;

/// A checked authority.
pub(super) struct Authority<'b> {
    /// Without the colon and the port, with the brackets of an address literal. May be empty.
    pub(super) host: &'b [u8],
    pub(super) port: Port,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Port {
    /// No colon.
    Absent,
    /// A colon and no digit: the default port (RFC 3986 §3.2.3).
    Empty,
    Number(u16),
}

impl<'b> Authority<'b> {
    /// Checks every byte. `None` if one of them does not fit the grammar or the port exceeds 65535.
    pub(super) fn parse(bytes: &'b [u8]) -> Option<Self> {
        let host_len = match bytes {
            [b'[', ..] => literal(bytes)?,
            _ => reg_name(bytes)?,
        };
        let (host, rest) = bytes.split_at(host_len);
        Some(Self {
            host,
            port: port(rest)?,
        })
    }
}

/// The length of the bracketed address at the start of `bytes`.
fn literal(bytes: &[u8]) -> Option<usize> {
    let close = memchr::memchr(b']', bytes)?;
    let inside = &bytes[1..close];
    let valid = match inside {
        [b'v' | b'V', future @ ..] => ip_future(future),
        // The standard parser follows RFC 4291 §2.2 and takes no zone, as RFC 3986 wants it.
        _ => str::from_utf8(inside).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok()),
    };
    valid.then_some(close + 1)
}

/// `1*HEXDIG "." 1*( unreserved / sub-delims / ":" )`: an address version that does not exist yet.
fn ip_future(bytes: &[u8]) -> bool {
    let Some(dot) = memchr::memchr(b'.', bytes) else {
        return false;
    };
    let (version, address) = (&bytes[..dot], &bytes[dot + 1..]);
    !version.is_empty()
        && version.iter().all(|&byte| class::is(byte, class::HEX))
        && !address.is_empty()
        && address
            .iter()
            .all(|&byte| byte == b':' || class::is(byte, REG_NAME))
}

/// The length of the registered name at the start of `bytes`, up to a colon. IPv4 addresses are such names.
fn reg_name(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at = scan::run_end(bytes, at, REG_NAME);
        match bytes.get(at) {
            None | Some(b':') => return Some(at),
            Some(b'%') if class::percent_encoded(bytes, at) => at += 3,
            Some(_) => return None,
        }
    }
}

fn port(rest: &[u8]) -> Option<Port> {
    match rest {
        [] => Some(Port::Absent),
        [b':'] => Some(Port::Empty),
        [b':', digits @ ..] => {
            let number = digits.iter().try_fold(0_u16, |number, &digit| {
                let value = digit.is_ascii_digit().then(|| u16::from(digit - b'0'))?;
                number.checked_mul(10)?.checked_add(value)
            });
            number.map(Port::Number)
        }
        _ => None,
    }
}
