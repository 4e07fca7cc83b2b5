//! What a client says and how long it waits.

use std::time::Duration;

#[cfg(feature = "deflate")]
use super::Deflate;

/// The terms of a connection; the default has every limit on.
///
/// ```
/// use longshore::client::Options;
/// let options = Options {
///     protocols: &["chat"],
///     fields: &[("Authorization", b"Bearer abc")],
///     ..Options::default()
/// };
/// assert_eq!(options.message_bytes_max, 16 << 20);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Options<'o> {
    /// The subprotocols on offer, most preferred first. None by default.
    pub protocols: &'o [&'o str],
    /// The page that opens the connection, for servers that look at it (RFC 6455 §10.2). None by default.
    pub origin: Option<&'o str>,
    /// Further fields of the handshake, as Cookie or Authorization. None by default.
    pub fields: &'o [(&'o str, &'o [u8])],
    /// For the TCP connection, over all addresses of a name; 10 s by default. Asking for the addresses takes as long as
    /// the system's resolver does.
    pub connect_timeout: Duration,
    /// From the request to the end of the server's reply; 10 s by default.
    pub handshake_timeout: Duration,
    /// For each wait for bytes of the server; 60 s by default, `None` waits for ever. Passing it is no end: the next call
    /// goes on where this one stopped. In the handshake and behind our Close the times for these hold instead.
    pub read_timeout: Option<Duration>,
    /// For each write that the server does not take; 30 s by default, `None` waits for ever. After it nothing can
    /// be sent, because half a frame may have left.
    pub write_timeout: Option<Duration>,
    /// From our Close to the server's, and as long again until it closes the TCP connection (RFC 6455 §7.1.1); 5 s by
    /// default.
    pub close_timeout: Duration,
    /// The longest message that is taken, in bytes over all its fragments; 16 MiB by default. A longer one is refused with
    /// 1009 when its header says so, a compressed one when it has inflated to more.
    pub message_bytes_max: u64,
    /// The compression on offer (permessage-deflate). None by default.
    #[cfg(feature = "deflate")]
    pub deflate: Option<Deflate>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            protocols: &[],
            origin: None,
            fields: &[],
            connect_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
            read_timeout: Some(Duration::from_secs(60)),
            write_timeout: Some(Duration::from_secs(30)),
            close_timeout: Duration::from_secs(5),
            message_bytes_max: 16 << 20,
            #[cfg(feature = "deflate")]
            deflate: None,
        }
    }
}
