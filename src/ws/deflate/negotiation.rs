//! Who compresses how: the client offers, the server chooses, the client judges (RFC 7692 §5, §7.1).
//!
//! ```text
//!   client                                                    server
//!   Settings::offer  ── permessage-deflate; a; b, … ────────▶ Settings::accept   the first offer that suits
//!   Settings::judge  ◀── permessage-deflate; a; c=10 ─────────┘                  or no such field: uncompressed
//! ```
//!
//! The server's word binds both. A server may decline anything, and then messages travel as they are; a client that
//! gets a reply it cannot keep must fail the connection.
//!
//! It does not know the handshake: `accept` takes the values of the fields, wherever they come from.
#![forbid(unsafe_code)]

use core::fmt;

use super::field_value::FieldValue;
use super::list::elements;
use super::parameters::{NAME, Parameters, Spoken};
use super::{Agreed, Context, Direction, WindowBits};

/// The most offers that are looked at, over all field lines: 16. Browsers send one, the test suites up to five. What
/// stands behind them is not negotiated.
pub const OFFERS_MAX: usize = 16;

/// What an endpoint wants of a connection's compression, as server or as client.
///
/// ```
/// use longshore::ws::deflate::{Context, Settings, WindowBits};
/// let small = Settings {
///     server_window: WindowBits::new(12).unwrap(),
///     ..Settings::default()
/// };
/// assert_eq!(small.client_context, Context::Dropped);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    /// `Dropped`, the default: the server forgets each message, asked or not. `Kept`: it forgets when the client asks.
    pub server_context: Context,
    /// `Dropped`, the default: the client must forget each message. `Kept`: it forgets if it wants to.
    pub client_context: Context,
    /// The largest window that the server may use, 15 bits by default. Clients may ask for less.
    pub server_window: WindowBits,
    /// The largest window that the client shall use, 15 bits by default. A server can ask only clients that know how to
    /// do it; from others anything up to 15 comes, which an [`Inflater`](super::Inflater) always can read.
    pub client_window: WindowBits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server_context: Context::Dropped,
            client_context: Context::Dropped,
            server_window: WindowBits::MAX,
            client_window: WindowBits::MAX,
        }
    }
}

/// A server's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// What counts on this connection from now on.
    pub agreed: Agreed,
    /// The value for the reply's `Sec-WebSocket-Extensions`.
    pub reply: FieldValue,
}

/// Why a server's reply is not taken. The client must fail the connection (RFC 7692 §5.1, RFC 6455 §9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReplyFault {
    /// The server chose an extension that was not offered.
    Foreign,
    /// The server chose permessage-deflate more than once.
    Repeated,
    /// A parameter is unknown, repeated, out of range, or has a value where none may be or none where one must be.
    Parameter,
    /// What we asked of the server is not confirmed: that it drops its context, or a window of at most our size.
    Unconfirmed,
    /// The client shall compress with a window of 8 bits, which zlib cannot do.
    Window8,
}

impl fmt::Display for ReplyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foreign => "the server chose an extension that was not offered",
            Self::Repeated => "the server chose permessage-deflate twice",
            Self::Parameter => "a parameter of permessage-deflate is wrong",
            Self::Unconfirmed => "the server does not confirm what was asked of it",
            Self::Window8 => "a window of 8 bits was asked of us",
        })
    }
}

impl core::error::Error for ReplyFault {}

impl Settings {
    /// The server's part: takes the first of the client's offers that suits, and says what to reply.
    ///
    /// `lines` are the values of all `Sec-WebSocket-Extensions` fields, in their order, which is the client's order of
    /// preference; [`Accept::extensions`](crate::ws::Accept::extensions) yields them. Offers of other extensions, and
    /// those that are wrong in any parameter, are passed over; at most [`OFFERS_MAX`] are looked at. `None`: send no
    /// such field, and no compressed message.
    ///
    /// An offer with `server_max_window_bits=8` is declined. `client_max_window_bits` is never answered with 8.
    ///
    /// ```
    /// use longshore::ws::deflate::Settings;
    /// let lines: [&[u8]; 2] = [
    ///     b"x-webkit-deflate-frame",
    ///     b"permessage-deflate; server_max_window_bits=010, permessage-deflate; server_max_window_bits=10",
    /// ];
    /// let accepted = Settings::default().accept(lines).unwrap();
    /// assert_eq!(
    ///     accepted.reply.as_str(),
    ///     "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10"
    /// );
    /// assert_eq!(accepted.agreed.server.window.number(), 10);
    /// ```
    pub fn accept<'b>(&self, lines: impl IntoIterator<Item = &'b [u8]>) -> Option<Accepted> {
        lines
            .into_iter()
            .flat_map(elements)
            .take(OFFERS_MAX)
            .filter(|element| element.name() == NAME)
            .find_map(|element| self.suits(Parameters::parse(element, Spoken::Offer)?))
    }

    /// The server's answer to one offer.
    fn suits(self, offer: Parameters) -> Option<Accepted> {
        let asked = offer
            .server_max_window_bits
            .map_or(Some(WindowBits::MAX), WindowBits::new);
        let server_window = self.server_window.min(asked?);
        // What a client that never heard of the parameter does, and what this one does if nothing is asked of it.
        let usual = offer
            .client_max_window_bits
            .map_or(WindowBits::MAX, at_least_9);
        let client_window = match offer.client_max_window_bits {
            Some(_) => self.client_window.min(usual),
            None => usual,
        };
        let server_context = dropped_if(offer.server_no_context_takeover, self.server_context);
        let client_context = dropped_if(offer.client_no_context_takeover, self.client_context);
        let reply = Parameters {
            server_no_context_takeover: server_context == Context::Dropped,
            client_no_context_takeover: client_context == Context::Dropped,
            // §7.1.2.1: an offer that names it is accepted by naming it; without, 15 goes without saying.
            server_max_window_bits: (offer.server_max_window_bits.is_some()
                || server_window < WindowBits::MAX)
                .then_some(server_window.number()),
            client_max_window_bits: (client_window < usual).then_some(client_window.number()),
        };
        Some(Accepted {
            agreed: Agreed {
                server: Direction {
                    context: server_context,
                    window: server_window,
                },
                client: Direction {
                    context: client_context,
                    window: client_window,
                },
            },
            reply: FieldValue::new(reply),
        })
    }

    /// The client's first part: the value of its `Sec-WebSocket-Extensions`, a single offer.
    ///
    /// It always says that the server may limit the client's window. A server that cannot do what is asked of it declines,
    /// and messages travel uncompressed.
    ///
    /// ```
    /// use longshore::ws::deflate::Settings;
    /// assert_eq!(
    ///     Settings::default().offer().as_str(),
    ///     "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits"
    /// );
    /// ```
    pub fn offer(&self) -> FieldValue {
        FieldValue::new(Parameters {
            server_no_context_takeover: self.server_context == Context::Dropped,
            client_no_context_takeover: self.client_context == Context::Dropped,
            server_max_window_bits: (self.server_window < WindowBits::MAX)
                .then_some(self.server_window.number()),
            client_max_window_bits: Some(self.client_window.number()),
        })
    }

    /// The client's second part: what the reply to [`offer`](Self::offer) means. `Ok(None)`: the server declined.
    ///
    /// `reply` is the value of the reply's `Sec-WebSocket-Extensions`, as [`Reply`](crate::ws::Reply) has it. A server may
    /// limit itself, and our window, further than we asked.
    ///
    /// # Errors
    /// [`ReplyFault`]: fail the connection.
    ///
    /// ```
    /// use longshore::ws::deflate::{ReplyFault, Settings};
    /// let settings = Settings::default();
    /// let reply: &[u8] = b"permessage-deflate; server_no_context_takeover; client_max_window_bits=12";
    /// let agreed = settings.judge(Some(reply))?.expect("the server agreed");
    /// assert_eq!(agreed.client.window.number(), 12);
    /// assert_eq!(settings.judge(None), Ok(None));
    /// assert_eq!(settings.judge(Some(b"x-own")), Err(ReplyFault::Foreign));
    /// # Ok::<(), ReplyFault>(())
    /// ```
    pub fn judge(&self, reply: Option<&[u8]>) -> Result<Option<Agreed>, ReplyFault> {
        let mut chosen = None;
        for element in reply.into_iter().flat_map(elements) {
            if element.name() != NAME {
                return Err(ReplyFault::Foreign);
            }
            if chosen.replace(element).is_some() {
                return Err(ReplyFault::Repeated);
            }
        }
        let Some(element) = chosen else {
            return Ok(None);
        };
        let reply = Parameters::parse(element, Spoken::Reply).ok_or(ReplyFault::Parameter)?;
        self.keeps(reply).map(Some)
    }

    /// Whether a reply keeps to our offer, and what it makes of it.
    fn keeps(self, reply: Parameters) -> Result<Agreed, ReplyFault> {
        let server_window = reply
            .server_max_window_bits
            .map_or(WindowBits::MAX, at_least_9);
        let server_context = dropped_if(reply.server_no_context_takeover, Context::Kept);
        if server_window > self.server_window
            || (self.server_context == Context::Dropped && server_context == Context::Kept)
        {
            return Err(ReplyFault::Unconfirmed);
        }
        let asked = reply
            .client_max_window_bits
            .map_or(Some(WindowBits::MAX), WindowBits::new);
        let client_window = self.client_window.min(asked.ok_or(ReplyFault::Window8)?);
        Ok(Agreed {
            server: Direction {
                context: server_context,
                window: server_window,
            },
            client: Direction {
                // Said in the offer, so it binds us even if the server does not repeat it (§7.1.1.2).
                context: dropped_if(reply.client_no_context_takeover, self.client_context),
                window: client_window,
            },
        })
    }
}

const fn dropped_if(asked: bool, otherwise: Context) -> Context {
    if asked { Context::Dropped } else { otherwise }
}

/// The window of a compressor that may use 8 bits too: whoever reads it needs one of 9 at most.
fn at_least_9(bits: u8) -> WindowBits {
    WindowBits::new(bits).unwrap_or(WindowBits::MIN)
}
