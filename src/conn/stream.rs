//! What every connection keeps, whatever it speaks: 24 bytes, and a box while it is busy.

use super::tick::Tick;
use super::transport::Transport;
use crate::buf::{Inbox, Outbox};

/// Where a connection stands in its life.
///
/// ```text
///   Open ──finish──▶ Flushing ──all sent, our FIN──▶ Lingering ──peer's FIN, or a limit──▶ Over
///     │                   └───── the peer has said that it will send no more ─────────────▲
///     └───────────────────────── abort, reset ────────────────────────────────────────────▲
/// ```
///
/// Lingering exists because close(2) answers unread input with a reset. That throws away what waits to be sent, makes the
/// peer's sends fail, and may erase a reply that it has not read yet (RFC 9112 §9.6; not on Linux). A peer that sends
/// nothing behind its request needs none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Bytes go to the service.
    Open,
    /// What waits is sent; input is forgotten.
    Flushing,
    /// FIN is sent; input is forgotten until the peer's FIN.
    Lingering,
    /// To be closed now.
    Over,
    /// The driver was told to close.
    Closing,
}

/// What is known of a stream, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(u16);

impl Flags {
    /// A send is in flight.
    pub(crate) const IN_FLIGHT: Self = Self(1);
    /// The driver was told to stop receiving.
    pub(crate) const PAUSED: Self = Self(1 << 1);
    /// The service wants no input for now.
    pub(crate) const HELD: Self = Self(1 << 2);
    /// Input was left unread because the peer does not read or the service holds it, not because it is unfinished.
    pub(crate) const WAITING: Self = Self(1 << 3);
    /// The peer's FIN was taken.
    pub(crate) const ENDED: Self = Self(1 << 4);
    /// The service was told of it.
    pub(crate) const END_TOLD: Self = Self(1 << 5);
    /// The service has more to say when there is room.
    pub(crate) const PRODUCES: Self = Self(1 << 6);
    /// It has said enough in this turn: the loop comes back to it in the next.
    pub(crate) const AGAIN: Self = Self(1 << 7);
    /// It is to end with a reset.
    pub(crate) const RESETS: Self = Self(1 << 8);
    /// The peer has said that it will send no more: it is closed behind what waits to be sent, without lingering.
    pub(crate) const PEER_DONE: Self = Self(1 << 9);
    /// It says nothing more and still listens: our FIN is to follow what waits.
    pub(crate) const HALF_CLOSES: Self = Self(1 << 10);
    /// That FIN is sent.
    pub(crate) const HALF_CLOSED: Self = Self(1 << 11);

    #[inline]
    pub(crate) fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }

    #[inline]
    pub(crate) fn set(&mut self, flag: Self) {
        self.0 |= flag.0;
    }

    #[inline]
    pub(crate) fn clear(&mut self, flag: Self) {
        self.0 &= !flag.0;
    }
}

/// What only a busy connection has. Boxes are used again, so that becoming busy seldom allocates.
#[derive(Debug, Default)]
pub(crate) struct Busy {
    /// Received, not understood yet.
    pub(crate) inbox: Inbox,
    /// Said, not sent yet.
    pub(crate) outbox: Outbox,
    /// The message that is being put together: a request with its body, or the fragments of a WebSocket message.
    pub(crate) message: Vec<u8>,
    /// Bytes of memory that the send in flight holds, if they are many enough to be charged.
    pub(crate) in_flight: usize,
    /// Bytes of memory that producing a body holds.
    pub(crate) producing: usize,
    /// What the memory ceiling was charged for this connection.
    pub(crate) charged: usize,
}

impl Busy {
    /// Whether the box can go back.
    pub(crate) fn is_idle(&self) -> bool {
        self.inbox.is_empty()
            && self.outbox.is_empty()
            && self.message.is_empty()
            && self.in_flight == 0
            && self.producing == 0
    }

    /// The bytes that this connection makes the server keep.
    pub(crate) fn held_bytes(&self) -> usize {
        self.inbox.capacity()
            + self.outbox.held_bytes()
            + self.message.capacity()
            + self.in_flight
            + self.producing
    }
}

/// The input and output of one connection.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) busy: Option<Box<Busy>>,
    /// When the service wants to be told.
    pub(crate) due: Tick,
    /// When the send in flight counts as stalled.
    pub(crate) stall: Tick,
    /// While a send is in flight: how much of it the kernel had not taken when we last looked. While lingering: how
    /// much input was forgotten.
    pub(crate) count: u32,
    pub(crate) life: Life,
    pub(crate) flags: Flags,
    /// Plain, until there is TLS.
    pub(crate) transport: Transport,
}

const _: () = assert!(
    size_of::<Stream>() <= 24,
    "the record of an idle connection stays small"
);

impl Stream {
    pub(crate) fn new() -> Self {
        Self {
            busy: None,
            due: Tick::NEVER,
            stall: Tick::NEVER,
            count: 0,
            life: Life::Open,
            flags: Flags::default(),
            transport: Transport::default(),
        }
    }

    /// Ends the connection at once, unless that is under way already.
    pub(crate) fn end(&mut self) {
        if self.life != Life::Closing {
            self.life = Life::Over;
        }
    }

    /// Whether it is open, and nothing is kept, under way or to be remembered: as it is between requests.
    #[inline]
    pub(crate) fn is_quiet(&self) -> bool {
        self.life == Life::Open && self.flags == Flags::default() && self.busy.is_none()
    }

    /// Received bytes that wait to be understood.
    pub(crate) fn inbox_len(&self) -> usize {
        self.busy.as_ref().map_or(0, |busy| busy.inbox.len())
    }

    /// Bytes in flight that the kernel had not taken when we last looked.
    #[inline]
    pub(crate) fn in_flight(&self) -> usize {
        if self.flags.has(Flags::IN_FLIGHT) {
            self.count as usize
        } else {
            0
        }
    }

    /// Bytes that the peer has not taken: those in flight, as far as is known, and those behind them.
    #[inline]
    pub(crate) fn unsent(&self) -> usize {
        self.in_flight() + self.outbox_len()
    }

    /// Bytes that wait for the send in flight to end.
    #[inline]
    pub(crate) fn outbox_len(&self) -> usize {
        self.busy.as_ref().map_or(0, |busy| busy.outbox.len())
    }

    /// The next moment at which something has to be done.
    #[inline]
    pub(crate) fn deadline(&self) -> Tick {
        self.due.min(self.stall)
    }
}
