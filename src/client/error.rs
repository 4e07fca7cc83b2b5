//! Everything that can go wrong for a client, and what helps.

use std::{fmt, io};

use super::{HeadError, Refused};
#[cfg(feature = "deflate")]
use crate::ws::deflate::{InflateError, ReplyFault};
use crate::ws::{self, ReplyError, RequestError, UriError};

/// Why a WebSocket could not be opened, or cannot go on. Its text says what happened; [`advice`](Self::advice) what helps.
///
/// Only [`Timeout`](Self::Timeout) and the faults of the caller ([`Unfinished`](Self::Unfinished),
/// [`NotUtf8`](Self::NotUtf8), [`TooLong`](Self::TooLong)) leave the connection as it was.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The address is no WebSocket URI.
    Uri(UriError),
    /// The address is `wss`, and this client opens no TLS connection itself.
    Tls,
    /// The options hold what must not stand in a request.
    Request(RequestError),
    /// The host's name cannot be resolved.
    Resolve(io::Error),
    /// No address of the host took the TCP connection; the last one's error.
    Connect(io::Error),
    /// The server's reply came not or not whole within `handshake_timeout`.
    HandshakeTimeout,
    /// The connection ended before the server's reply was complete.
    HandshakeEnded,
    /// What the server sent is no HTTP reply.
    Head(HeadError),
    /// The server answered with another status than 101.
    Refused(Refused),
    /// The server answered 101, and not by the rules (RFC 6455 §4.1).
    Reply(ReplyError),
    /// The server's answer to the offer of compression breaks RFC 7692, or asks what we cannot do.
    #[cfg(feature = "deflate")]
    Extension(ReplyFault),
    /// Nothing came within `read_timeout`. Nothing is lost: call again.
    Timeout,
    /// The server broke the protocol. It was told with the fault's close code.
    Protocol(ws::Error),
    /// A compressed message is corrupt, or inflates to more than `message_bytes_max`. The server was told with the fault's
    /// close code.
    #[cfg(feature = "deflate")]
    Inflate(InflateError),
    /// The TCP connection ended without a Close, which the WebSocket API calls 1006.
    Ended,
    /// The server did not answer our Close within `close_timeout`.
    CloseTimeout,
    /// The connection is closing, or over: nothing can be sent, or nothing more comes.
    Closed,
    /// A fragmented message was begun and not finished; only its fragments and pings can be sent now.
    Unfinished,
    /// A text message of ours is not UTF-8.
    NotUtf8,
    /// A ping of ours has more than 125 bytes.
    TooLong,
    /// The system gave no random bytes (getrandom(2)).
    Random(io::Error),
    /// Reading from the stream failed.
    Read(io::Error),
    /// Writing to the stream failed, or took longer than `write_timeout`. Half a frame may have left, so nothing more can be
    /// sent; the server's reason may still be received.
    Write(io::Error),
}

impl Error {
    /// What may help, in one sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Uri(_) => "Write it as ws://host:port/path.",
            Self::Tls => {
                "Use ws://, or hand a stream that is encrypted already to WebSocket::handshake."
            }
            Self::Request(_) => "Correct the option that is named.",
            Self::Resolve(_) => "Check the name, or use an IP address.",
            Self::Connect(_) => "Check that the server runs and listens on this port.",
            Self::HandshakeTimeout => {
                "Check that the port speaks HTTP; a TLS port waits for TLS, and says nothing."
            }
            Self::HandshakeEnded => "The server hung up on the handshake; look at its log.",
            Self::Head(_) => "Check that the port speaks HTTP without TLS.",
            Self::Refused(refused) => match refused.status() {
                300..=399 => "If you trust the address in Location, connect there.",
                401 | 407 => "Send credentials, in an Authorization field.",
                403 => "The server may want another Origin, or none.",
                404 | 405 | 426 => "Check the path: this one is no WebSocket.",
                200..=299 => "The server ignored the upgrade: check the path.",
                500..=599 => "The server, or a proxy before it, failed; try again later.",
                _ => "The status is the server's reason; look at its log.",
            },
            Self::Reply(_) => "The server, or a proxy before it, does not speak RFC 6455.",
            #[cfg(feature = "deflate")]
            Self::Extension(_) => "Offer something else, or nothing: leave deflate at None.",
            Self::Timeout => "Call next again, or ping to find out whether the server lives.",
            Self::Protocol(ws::Error::MessageTooBig) => "Raise message_bytes_max.",
            #[cfg(feature = "deflate")]
            Self::Inflate(InflateError::TooBig) => {
                "If you trust the server, raise message_bytes_max."
            }
            #[cfg(feature = "deflate")]
            Self::Inflate(InflateError::Corrupt) => {
                "The server's compression is broken: report it there, and offer none."
            }
            Self::Protocol(_) => "The server's frames break RFC 6455: report it there.",
            Self::Ended => "The server died or was cut off; connect again.",
            Self::CloseTimeout => "Drop the connection: the server does not close.",
            Self::Closed => "Connect again.",
            Self::Unfinished => "Send the last fragment first.",
            Self::NotUtf8 => "Send it as a binary message.",
            Self::TooLong => "Shorten it: control frames have at most 125 bytes.",
            Self::Random(_) => "Allow getrandom(2) in the process's filter.",
            Self::Read(_) | Self::Write(_) => "The connection is lost; connect again.",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uri(error) => return write!(f, "this is no WebSocket address: {error}"),
            Self::Tls => "wss:// needs TLS, which this client does not have yet",
            Self::Request(error) => return write!(f, "the request cannot be written: {error}"),
            Self::Resolve(error) => return write!(f, "the host cannot be resolved: {error}"),
            Self::Connect(error) => return write!(f, "the host cannot be reached: {error}"),
            Self::HandshakeTimeout => "the server did not answer in time",
            Self::HandshakeEnded => "the connection ended before the server's reply",
            Self::Head(error) => return write!(f, "the server's reply cannot be read: {error}"),
            Self::Refused(refused) => {
                let status = refused.status();
                write!(f, "the server answered {status} instead of 101")?;
                return match refused.field("Location") {
                    Some(to) => write!(f, ", Location: {}", to.escape_ascii()),
                    None => Ok(()),
                };
            }
            Self::Reply(error) => return write!(f, "the handshake failed: {error}"),
            #[cfg(feature = "deflate")]
            Self::Extension(error) => return write!(f, "the handshake failed: {error}"),
            Self::Timeout => "nothing came in time",
            Self::Protocol(error) => {
                let code = error.close_code();
                return write!(
                    f,
                    "the server broke the protocol: {error} (close code {code})"
                );
            }
            #[cfg(feature = "deflate")]
            Self::Inflate(error) => {
                let code = error.close_code();
                return write!(f, "a message cannot be taken: {error} (close code {code})");
            }
            Self::Ended => "the connection ended without a Close",
            Self::CloseTimeout => "the server did not answer our Close",
            Self::Closed => "the connection is closed, or closing",
            Self::Unfinished => "a fragmented message is not finished",
            Self::NotUtf8 => "the text is not UTF-8",
            Self::TooLong => "the ping is longer than 125 bytes",
            Self::Random(error) => return write!(f, "there are no random bytes: {error}"),
            Self::Read(error) => return write!(f, "reading failed: {error}"),
            Self::Write(error) => return write!(f, "writing failed: {error}"),
        })
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Uri(error) => Some(error),
            Self::Request(error) => Some(error),
            Self::Head(error) => Some(error),
            Self::Reply(error) => Some(error),
            Self::Protocol(error) => Some(error),
            #[cfg(feature = "deflate")]
            Self::Extension(error) => Some(error),
            #[cfg(feature = "deflate")]
            Self::Inflate(error) => Some(error),
            Self::Resolve(error)
            | Self::Connect(error)
            | Self::Random(error)
            | Self::Read(error)
            | Self::Write(error) => Some(error),
            _ => None,
        }
    }
}

impl From<UriError> for Error {
    fn from(error: UriError) -> Self {
        Self::Uri(error)
    }
}

impl From<RequestError> for Error {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<HeadError> for Error {
    fn from(error: HeadError) -> Self {
        Self::Head(error)
    }
}

impl From<ReplyError> for Error {
    fn from(error: ReplyError) -> Self {
        Self::Reply(error)
    }
}
