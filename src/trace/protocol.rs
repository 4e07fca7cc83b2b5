//! What bytes mean to HTTP and WebSocket, as somebody reads them who only sees the wire.

use std::fmt::{self, Display, Formatter};

use crate::ws::Opcode;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the peer to us.
    Received,
    /// From us to the peer.
    Sent,
}

/// Something of a protocol, and which way it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// Which way.
    pub direction: Direction,
    /// What.
    pub what: What,
}

/// A unit of HTTP/1.1 or WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// The head of a request.
    Request {
        /// Method and target, the target shortened: `GET /index.html`.
        line: String,
        /// It asks for another protocol (RFC 9110 §7.8).
        upgrade: bool,
    },
    /// The head of a reply.
    Reply {
        /// The request that it answers, as [`What::Request`] had it; empty if that was not seen.
        request: String,
        /// The status code.
        status: u16,
        /// How long its body is.
        body: BodyLength,
    },
    /// A reply whose end was not known at its head has ended.
    ReplyEnded {
        /// How many bytes its body had.
        bytes: u64,
    },
    /// The connection speaks WebSocket from here on.
    Upgraded {
        /// The request that asked for it.
        request: String,
    },
    /// The header of a WebSocket frame (RFC 6455 §5.2).
    Frame {
        /// What it is.
        opcode: Opcode,
        /// How many bytes of payload it announces.
        bytes: u64,
        /// It is masked, as a client's must be.
        masked: bool,
        /// It ends its message.
        fin: bool,
        /// It says that its message is compressed (RFC 7692).
        compressed: bool,
        /// The code of a Close that has one.
        close_code: Option<u16>,
    },
    /// Bytes that break the rules. This direction is followed no further.
    Broken {
        /// Which rule.
        why: String,
    },
}

/// How long a body is, as its head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// So many bytes.
    Bytes(u64),
    /// In chunks.
    Chunked,
    /// Until the connection ends.
    UntilClose,
}

/// The name of an opcode in a trace.
pub(super) fn opcode_name(opcode: Opcode) -> &'static str {
    match opcode {
        Opcode::Continuation => "continuation",
        Opcode::Text => "text",
        Opcode::Binary => "binary",
        Opcode::Close => "close",
        Opcode::Ping => "ping",
        Opcode::Pong => "pong",
    }
}

impl Display for Protocol {
    /// `GET /ws`, `GET /ws → upgrade`, `GET / → 200, 13 bytes`, `text 5 bytes, masked, fin`, `close 1000`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Request { line, upgrade } => {
                f.write_str(line)?;
                f.write_str(if *upgrade { ", asks to upgrade" } else { "" })
            }
            What::Reply {
                request,
                status,
                body,
            } => {
                let space = if request.is_empty() { "" } else { " " };
                write!(f, "{request}{space}→ {status}, ")?;
                match body {
                    BodyLength::Bytes(1) => f.write_str("1 byte"),
                    BodyLength::Bytes(bytes) => write!(f, "{bytes} bytes"),
                    BodyLength::Chunked => f.write_str("chunked"),
                    BodyLength::UntilClose => f.write_str("until it closes"),
                }
            }
            What::ReplyEnded { bytes } => write!(f, "→ end of the body, {bytes} bytes"),
            What::Upgraded { request } => write!(f, "{request} → upgrade to WebSocket"),
            What::Frame {
                opcode,
                bytes,
                masked,
                fin,
                compressed,
                close_code,
            } => {
                f.write_str(opcode_name(*opcode))?;
                match close_code {
                    Some(code) => write!(f, " {code}")?,
                    None if *opcode == Opcode::Close => f.write_str(" without a code")?,
                    None if *bytes == 1 => f.write_str(" 1 byte")?,
                    None => write!(f, " {bytes} bytes")?,
                }
                let words = [
                    (*compressed, ", compressed"),
                    (*masked, ", masked"),
                    (*fin, ", fin"),
                ];
                for (_, word) in words.into_iter().filter(|(holds, _)| *holds) {
                    f.write_str(word)?;
                }
                Ok(())
            }
            What::Broken { why } => write!(f, "breaks the rules: {why}"),
        }
    }
}
