//! What stands between the socket's bytes and the protocol's.
//!
//! ```text
//!   driver ──lent bytes──▶ Transport ──plaintext──▶ inbox, service
//!   driver ◀──── sent ──── Transport ◀── said ───── cork
//! ```
//!
//! Today every connection is plain, and both directions pass through untouched. TLS will stand here as a second variant:
//! its records come in as a mutable slice, of which plaintext remains, and go out in a vector that takes the place of the one
//! that was said. It knows neither the protocol above nor the driver below.

/// How a connection's bytes are carried. It takes no room while there is one variant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Transport {
    /// As they are.
    #[default]
    Plain,
}

impl Transport {
    /// Takes received bytes off their transport, where they lie.
    #[inline]
    pub(crate) fn received<'b>(&mut self, bytes: &'b mut [u8]) -> &'b mut [u8] {
        match self {
            Self::Plain => bytes,
        }
    }

    /// Makes what was said ready to be sent. To be called once for all bytes.
    #[inline]
    pub(crate) fn said(&mut self, bytes: &mut Vec<u8>) {
        match self {
            Self::Plain => {
                let _ = bytes;
            }
        }
    }
}
