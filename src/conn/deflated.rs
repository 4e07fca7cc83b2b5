//! Compression of one connection's messages (RFC 7692): who owns the contexts, and what they cost.
//!
//! ```text
//!   context kept      own Compressor, own Inflater      charged when the connection begins, or the offer is declined
//!   context dropped   the worker's Compressor           nothing
//!                     an Inflater from the worker's     charged while a message is incomplete
//! ```
//!
//! A connection that has dropped its contexts owns a few bytes while it is idle. It knows no socket; what is said is
//! written behind the frames that were said before.

use std::sync::Arc;

use crate::buf::{Ceiling, Charge};
use crate::ws::deflate::{Agreed, Compressor, Context, Inflater, Settings, WindowBits};
use crate::ws::{CloseCode, Kind, Role, Utf8Checker, encode_header};

/// How a server compresses WebSocket messages, for clients that offer it. Given to
/// [`Upgrade::deflate`](crate::Upgrade::deflate).
///
/// By default both sides forget each message (`no_context_takeover`), so that an idle connection costs nothing. Kept
/// contexts make similar messages much smaller, and cost 381 KB for each connection, 48 KB for the peer's; see
/// [`ws::deflate`](crate::ws::deflate).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deflate {
    /// What is agreed on.
    pub settings: Settings,
    /// From 1, fast, to 9, small. Default 1.
    pub level: u8,
    /// Memory for the compressor, 1 to 9. Default 8.
    pub mem_level: u8,
    /// Messages below this many bytes are sent as they are. Default 64: a shorter one hardly shrinks.
    pub bytes_min: usize,
}

impl Default for Deflate {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            level: 1,
            mem_level: 8,
            bytes_min: 64,
        }
    }
}

/// What a worker's connections share.
#[derive(Default)]
pub(crate) struct Shop {
    /// One for each form that is in use.
    compressors: Vec<(Compressor, Form)>,
    inflaters: Vec<Inflater>,
    scratch: Vec<u8>,
    /// How many frames were made to be shared, since somebody asked.
    shared_made: u64,
}

/// What messages are compressed with. Connections that forget each message may send the same bytes if it is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(super) window: WindowBits,
    pub(super) level: u8,
    pub(super) mem_level: u8,
}

/// Compressors with different terms that a worker keeps, at most.
const COMPRESSORS_MAX: usize = 7;
/// Free inflaters that a worker keeps, at most.
const INFLATERS_MAX: usize = 4;
/// Memory that one large message needed is not kept for the next.
const SCRATCH_KEPT_BYTES_MAX: usize = 256 * 1024;

impl std::fmt::Debug for Shop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shop of {} compressors", self.compressors.len())
    }
}

/// Compression on one connection.
pub(crate) struct Deflated {
    agreed: Agreed,
    terms: Deflate,
    ceiling: Arc<Ceiling>,
    /// Its own, if its context is kept.
    compressor: Option<Compressor>,
    /// Its own, or that of the message in hand.
    inflater: Option<Inflater>,
    utf8: Utf8Checker,
    /// What the own contexts cost.
    _charge: Option<Charge>,
    /// What the message in hand costs.
    message: Option<Charge>,
}

impl std::fmt::Debug for Deflated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deflated")
            .field("agreed", &self.agreed)
            .finish_non_exhaustive()
    }
}

impl Deflated {
    /// Begins as agreed. `None` if the memory for deflate does not allow the contexts that would be kept.
    pub(crate) fn new(agreed: Agreed, terms: Deflate, ceiling: &Arc<Ceiling>) -> Option<Self> {
        let sending = agreed.sending(Role::Server);
        let keeps_sent = sending.context == Context::Kept;
        let keeps_received = agreed.receiving(Role::Server).context == Context::Kept;
        let bytes = if keeps_sent {
            Compressor::bytes(sending.window, terms.mem_level)
        } else {
            0
        } + if keeps_received { Inflater::BYTES } else { 0 };
        let charge = match bytes {
            0 => None,
            bytes => Some(Ceiling::charge(ceiling, bytes)?),
        };
        Some(Self {
            agreed,
            terms,
            ceiling: ceiling.clone(),
            compressor: keeps_sent.then(|| {
                Compressor::new(Context::Kept, sending.window, terms.mem_level, terms.level)
            }),
            inflater: keeps_received.then(|| Inflater::new(Context::Kept)),
            utf8: Utf8Checker::new(),
            _charge: charge,
            message: None,
        })
    }

    /// Writes a message compressed. False if it is better sent as it is; then nothing was written.
    pub(crate) fn encode(
        &mut self,
        kind: Kind,
        payload: &[u8],
        shop: &mut Shop,
        out: &mut Vec<u8>,
    ) -> bool {
        if payload.len() < self.terms.bytes_min {
            return false;
        }
        let mut scratch = std::mem::take(&mut shop.scratch);
        scratch.clear();
        let shorter = if let Some(own) = &mut self.compressor {
            // Its context has moved on: this has to be sent, whatever its length.
            own.compress(payload, &mut scratch);
            true
        } else {
            let shared = shop.compressor(self.terms_form());
            shared.compress(payload, &mut scratch);
            scratch.len() < payload.len()
        };
        if shorter {
            let header =
                encode_header(kind.opcode(), true, None, scratch.len() as u64).compressed();
            out.extend_from_slice(header.as_ref());
            out.extend_from_slice(&scratch);
        }
        shop.keep(scratch);
        shorter
    }

    /// The form in which it sends messages of `bytes` bytes that others send too; `None`: as they are, because they are
    /// short, or because its context is kept and no other has the same.
    pub(crate) fn form(&self, bytes: usize) -> Option<Form> {
        (self.compressor.is_none() && bytes >= self.terms.bytes_min).then(|| self.terms_form())
    }

    fn terms_form(&self) -> Form {
        Form {
            window: self.agreed.sending(Role::Server).window,
            level: self.terms.level,
            mem_level: self.terms.mem_level,
        }
    }

    /// Inflates a piece of a message behind what `message` holds of it, at most `limit` bytes in all.
    ///
    /// # Errors
    /// The code and reason to close with.
    pub(crate) fn inflate(
        &mut self,
        kind: Kind,
        piece: &[u8],
        last: bool,
        limit: u64,
        shop: &mut Shop,
        message: &mut Vec<u8>,
    ) -> Result<(), (CloseCode, &'static str)> {
        let inflater = self.own_inflater(shop)?;
        let count = inflater
            .inflate(piece, last, limit, message)
            .map_err(|error| (error.close_code(), error.reason()))?;
        self.check(kind, &message[message.len() - count..], last)?;
        if last {
            self.forget_message(shop);
        }
        Ok(())
    }

    /// Inflates from the front of a piece into `room`, and gives how many bytes; fewer than `room` has say that it was all.
    ///
    /// # Errors
    /// The code and reason to close with.
    pub(crate) fn inflate_some(
        &mut self,
        kind: Kind,
        piece: &mut &[u8],
        last: bool,
        limit: u64,
        shop: &mut Shop,
        room: &mut [u8],
    ) -> Result<usize, (CloseCode, &'static str)> {
        let inflater = self.own_inflater(shop)?;
        let count = inflater
            .inflate_some(piece, last, limit, room)
            .map_err(|error| (error.close_code(), error.reason()))?;
        let ends = last && count < room.len();
        self.check(kind, &room[..count], ends)?;
        if ends {
            self.forget_message(shop);
        }
        Ok(count)
    }

    /// The inflater of the message in hand: its own, or one of the worker's.
    fn own_inflater(
        &mut self,
        shop: &mut Shop,
    ) -> Result<&mut Inflater, (CloseCode, &'static str)> {
        if self.inflater.is_none() {
            let charge = Ceiling::charge(&self.ceiling, Inflater::BYTES).ok_or((
                CloseCode::TRY_LATER,
                "the server's memory for compression is used up",
            ))?;
            self.message = Some(charge);
        }
        Ok(self.inflater.get_or_insert_with(|| shop.inflater()))
    }

    /// Checks what was inflated of a text; `ends` says that it is the end.
    fn check(
        &mut self,
        kind: Kind,
        fresh: &[u8],
        ends: bool,
    ) -> Result<(), (CloseCode, &'static str)> {
        if kind == Kind::Binary {
            return Ok(());
        }
        let checked = self
            .utf8
            .check(fresh)
            .and_then(|()| if ends { self.utf8.finish() } else { Ok(()) });
        checked.map_err(|_| (CloseCode::INVALID_PAYLOAD, "the text is not UTF-8"))
    }

    /// The message is over: an inflater of the worker's goes back.
    fn forget_message(&mut self, shop: &mut Shop) {
        self.utf8 = Utf8Checker::new();
        if self.message.take().is_some()
            && let Some(inflater) = self.inflater.take()
        {
            shop.give_back(inflater);
        }
    }
}

impl Shop {
    /// A whole frame for all connections of a form; `None` if it would not be shorter.
    pub(crate) fn encode_shared(
        &mut self,
        form: Form,
        kind: Kind,
        payload: &[u8],
    ) -> Option<Arc<[u8]>> {
        self.shared_made += 1;
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        self.compressor(form).compress(payload, &mut scratch);
        let frame = (scratch.len() < payload.len()).then(|| {
            let header =
                encode_header(kind.opcode(), true, None, scratch.len() as u64).compressed();
            [header.as_ref(), scratch.as_slice()].concat().into()
        });
        self.keep(scratch);
        frame
    }

    /// How many frames were made to be shared since this was last asked.
    pub(crate) fn take_shared_made(&mut self) -> u64 {
        std::mem::take(&mut self.shared_made)
    }

    /// The compressor for connections of a form.
    fn compressor(&mut self, form: Form) -> &mut Compressor {
        let place = self.compressors.iter().position(|(_, own)| *own == form);
        let place = place.unwrap_or_else(|| {
            if self.compressors.len() == COMPRESSORS_MAX {
                self.compressors.swap_remove(0);
            }
            let Form {
                window,
                level,
                mem_level,
            } = form;
            let made = Compressor::new(Context::Dropped, window, mem_level, level);
            self.compressors.push((made, form));
            self.compressors.len() - 1
        });
        &mut self.compressors[place].0
    }

    fn keep(&mut self, scratch: Vec<u8>) {
        if scratch.capacity() <= SCRATCH_KEPT_BYTES_MAX {
            self.scratch = scratch;
        }
    }

    fn inflater(&mut self) -> Inflater {
        self.inflaters
            .pop()
            .unwrap_or_else(|| Inflater::new(Context::Dropped))
    }

    fn give_back(&mut self, mut inflater: Inflater) {
        if self.inflaters.len() < INFLATERS_MAX {
            inflater.reset();
            self.inflaters.push(inflater);
        }
    }
}
