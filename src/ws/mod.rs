//! Layer 4, WebSocket (RFC 6455): frames, messages in pieces, the two handshakes.
//!
//! ```text
//!           Uri ──▶ handshake ──▶ GET ─┐                      a client's (§3)
//!   HTTP fields ──▶ handshake ──▶ 101 ─┤                      opening (§4)
//!                                      ▼
//!   lent bytes ──▶ Decoder ──▶ Event::{Data, Ping, Pong, Close}
//!                  │ frame    header rules, in wire order     (§5.2)
//!                  │ unmask   payload where it lies           (§5.3)
//!                  │ utf8     text across pieces              (§8.1)
//!                  └ close    codes and reasons               (§7.4)
//!   encode_* ──▶ bytes appended to what leaves next           (§5)
//!   Session      who has closed, what may still be sent       (§7)
//! ```
//!
//! State machines over bytes. They know no socket, clock, thread, memory for messages, nor the HTTP parser: the
//! handshake takes an iterator of fields. `Decoder` serves both sides; [`Role`] says which frames must be masked.
//!
//! ```
//! use longshore::{buf::Input, ws};
//!
//! let mut decoder = ws::Decoder::new(ws::Role::Server);
//! let mut out = Vec::new(); // an echo: what comes in goes out again
//! let mut lent = *b"\x82\x83\x01\x02\x03\x04\x60\x60\x60\x89\x80\x00\x00\x00\x00";
//! let mut input = Input::new(&mut lent);
//! while let Some(event) = decoder.next(&mut input, &ws::Limits::default())? {
//!     match event {
//!         ws::Event::Data(piece) if piece.first && piece.last => {
//!             ws::encode_message(&mut out, piece.kind, piece.bytes);
//!         }
//!         ws::Event::Ping(payload) => ws::encode_pong(&mut out, payload),
//!         ws::Event::Close(code, _) => ws::encode_close(&mut out, code, ""),
//!         _ => {}
//!     }
//! }
//! assert_eq!(out, b"\x82\x03abc\x8a\x00");
//! # Ok::<(), ws::Error>(())
//! ```

// Every file below forbids `unsafe`, except `unmask_simd`, which a `forbid` here would reach.
mod close;
mod decode;
#[cfg(feature = "deflate")]
pub mod deflate;
mod encode;
mod error;
mod frame;
mod handshake;
mod session;
mod unmask;
mod unmask_simd;
mod uri;
mod utf8;

pub use close::CloseCode;
pub use decode::{Decoder, Event, Limits, Piece};
pub use encode::{
    HeaderBytes, encode_close, encode_frame, encode_header, encode_masked_close,
    encode_masked_message, encode_message, encode_ping, encode_pong,
};
pub use error::Error;
pub use frame::Opcode;
pub use handshake::{
    Accept, Agreement, OFFERS_MAX, Offers, Refusal, Reply, ReplyError, RequestError,
    RequestOptions, accept, accept_key, check_reply, encode_101, encode_key, encode_request,
    is_extension_list,
};
pub use session::{SendClose, Session, State};
pub use unmask::unmask;
pub use uri::{Host, HostField, OtherScheme, ResourceName, Uri, UriError};
pub use utf8::{InvalidUtf8, Utf8Checker};

/// Which side of the connection this endpoint is (RFC 6455 §5.1): a client masks its frames, a server does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Expects masked frames.
    Server,
    /// Expects frames without mask.
    Client,
}

/// What a message is made of (RFC 6455 §5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Bytes.
    Binary,
}

impl Kind {
    /// The opcode of the message's first frame.
    pub const fn opcode(self) -> Opcode {
        match self {
            Self::Text => Opcode::Text,
            Self::Binary => Opcode::Binary,
        }
    }
}
