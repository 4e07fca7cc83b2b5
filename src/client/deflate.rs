//! What a client offers about compression (RFC 7692), and how it compresses if the server agrees.
//!
//! It knows the terms, and nothing of how they are spelt: that is [`Settings`].

use crate::ws::deflate::{Context, Settings, WindowBits};

/// An offer of permessage-deflate, and what becomes of messages if the server accepts it. Given to
/// [`Options::deflate`](super::Options::deflate).
///
/// By default it offers what browsers offer: both sides may refer to earlier messages, with windows of up to 32 KiB, and
/// the server may ask for less. A connection then owns up to 381 KB for sending and 48 KB for receiving, each from the
/// first compressed message on.
///
/// Do not compress what mixes a secret with the words of a stranger: the length of the message tells him about the
/// secret, guess by guess (RFC 7692 §8). [`send_uncompressed`](super::WebSocket::send_uncompressed) is for such messages.
///
/// ```
/// use longshore::client::{Deflate, Options};
/// use longshore::ws::deflate::{Context, Settings, WindowBits};
///
/// // "permessage-deflate; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits"
/// let small = Settings {
///     server_context: Context::Dropped,
///     server_window: WindowBits::new(10).unwrap(),
///     ..Deflate::default().settings
/// };
/// let options = Options {
///     deflate: Some(Deflate { settings: small, ..Deflate::default() }),
///     ..Options::default()
/// };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deflate {
    /// What is offered, and what a reply may say to it. A server that does not confirm what is asked of it fails the
    /// handshake; one that cannot do it declines, and messages travel as they are.
    pub settings: Settings,
    /// From 1, fast, to 9, small. Default 1.
    pub level: u8,
    /// Memory for the compressor, 1 to 9. Default 8.
    pub mem_level: u8,
    /// Messages below this many bytes are sent as they are. Default 64: a shorter one hardly shrinks. Of a message in
    /// fragments, the first decides.
    pub bytes_min: usize,
}

impl Default for Deflate {
    fn default() -> Self {
        Self {
            settings: Settings {
                server_context: Context::Kept,
                client_context: Context::Kept,
                server_window: WindowBits::MAX,
                client_window: WindowBits::MAX,
            },
            level: 1,
            mem_level: 8,
            bytes_min: 64,
        }
    }
}
