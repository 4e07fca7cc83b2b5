//! The client's half: did the server really agree (RFC 6455 §4.1, second list)?
#![forbid(unsafe_code)]

use core::fmt;

use super::{Once, accept_key, contains, elements, is_token, trimmed};

/// A server's agreement. [`check_offers`](Self::check_offers) says whether it is one to what was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'b> {
    /// The subprotocol that the server chose.
    pub protocol: Option<&'b str>,
    /// The extensions that the server chose, unparsed.
    pub extensions: Option<&'b [u8]>,
}

impl Reply<'_> {
    /// Compares the server's choice with what the request offered (§4.1, steps 5 and 6). Of extensions only the names:
    /// whoever offered one reads its parameters.
    ///
    /// # Errors
    /// [`ReplyError::UnofferedExtension`], [`ReplyError::UnofferedProtocol`]: the connection must be failed.
    ///
    /// ```
    /// use longshore::ws::{Reply, ReplyError};
    /// let reply = Reply { protocol: Some("chat"), extensions: Some(b"permessage-deflate; x=1") };
    /// assert_eq!(reply.check_offers(&["chat"], &["permessage-deflate"]), Ok(()));
    /// assert_eq!(reply.check_offers(&["chat"], &[]), Err(ReplyError::UnofferedExtension));
    /// ```
    pub fn check_offers(&self, protocols: &[&str], extensions: &[&str]) -> Result<(), ReplyError> {
        // The grammar of §9.1 lets no comma into a quoted parameter, so commas separate extensions and nothing else.
        let offered = |chosen: &[u8]| {
            let mut names = extensions.iter().map(|offer| name(offer.as_bytes()));
            names.any(|offer| offer == name(chosen))
        };
        if !elements(self.extensions.unwrap_or_default()).all(offered) {
            return Err(ReplyError::UnofferedExtension);
        }
        match self.protocol {
            Some(chosen) if !protocols.contains(&chosen) => Err(ReplyError::UnofferedProtocol),
            _ => Ok(()),
        }
    }
}

/// An extension's name, in front of its parameters.
fn name(extension: &[u8]) -> &[u8] {
    let end = extension.iter().position(|&byte| byte == b';');
    trimmed(&extension[..end.unwrap_or(extension.len())])
}

/// Why the reply opens no WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReplyError {
    /// Not 101: the server refused, redirects or wants a password. The reply is ordinary HTTP.
    Status(u16),
    /// `Upgrade` is missing, or is not `websocket` alone.
    Upgrade,
    /// `Connection` does not name `upgrade`.
    Connection,
    /// `Sec-WebSocket-Accept` is missing, repeated, or not the answer to our key.
    Accept,
    /// `Sec-WebSocket-Protocol` is repeated, or not one token.
    Protocol,
    /// `Sec-WebSocket-Extensions` is repeated; one line can hold every extension.
    Extensions,
    /// An extension that was not offered.
    UnofferedExtension,
    /// A subprotocol that was not offered.
    UnofferedProtocol,
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status(status) => {
                return write!(f, "the server answered {status} instead of 101");
            }
            Self::Upgrade => "the server does not upgrade to websocket",
            Self::Connection => "Upgrade is not named in Connection",
            Self::Accept => "Sec-WebSocket-Accept does not answer our key",
            Self::Protocol => "Sec-WebSocket-Protocol is not one token",
            Self::Extensions => "Sec-WebSocket-Extensions is repeated",
            Self::UnofferedExtension => "the server chose an extension that was not offered",
            Self::UnofferedProtocol => "the server chose a subprotocol that was not offered",
        })
    }
}

impl core::error::Error for ReplyError {}

/// Judges a server's reply to a handshake with the `Sec-WebSocket-Key` value `key`.
///
/// # Errors
/// [`ReplyError`], in the order of its variants up to the offers, which it does not know.
///
/// ```
/// use longshore::ws;
/// let fields: [(&[u8], &[u8]); 3] = [
///     (b"upgrade", b"websocket"),
///     (b"connection", b"Upgrade"),
///     (b"sec-websocket-accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
/// ];
/// let reply = ws::check_reply(fields.into_iter(), 101, b"dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(reply, Ok(ws::Reply { protocol: None, extensions: None }));
/// ```
pub fn check_reply<'b>(
    fields: impl Iterator<Item = (&'b [u8], &'b [u8])>,
    status: u16,
    key: &[u8],
) -> Result<Reply<'b>, ReplyError> {
    if status != 101 {
        return Err(ReplyError::Status(status));
    }
    let mut upgrade = Once::Absent;
    let mut connection = false;
    let (mut accept, mut protocol, mut extensions) = (Once::Absent, Once::Absent, Once::Absent);
    for (name, value) in fields {
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        if is("Upgrade") {
            upgrade.see(value);
        } else if is("Connection") {
            connection |= contains(value, b"upgrade");
        } else if is("Sec-WebSocket-Accept") {
            accept.see(value);
        } else if is("Sec-WebSocket-Protocol") {
            protocol.see(value);
        } else if is("Sec-WebSocket-Extensions") {
            extensions.see(value);
        }
    }
    if !matches!(upgrade, Once::Single(value) if value.eq_ignore_ascii_case(b"websocket")) {
        return Err(ReplyError::Upgrade);
    }
    if !connection {
        return Err(ReplyError::Connection);
    }
    if !matches!(accept, Once::Single(value) if value == accept_key(trimmed(key))) {
        return Err(ReplyError::Accept);
    }
    let protocol = match protocol {
        Once::Absent => None,
        Once::Single(value) if is_token(value) => core::str::from_utf8(value).ok(),
        _ => return Err(ReplyError::Protocol),
    };
    let extensions = match extensions {
        Once::Single(value) if !value.is_empty() => Some(value),
        Once::Absent | Once::Single(_) => None,
        Once::Repeated => return Err(ReplyError::Extensions),
    };
    Ok(Reply {
        protocol,
        extensions,
    })
}
