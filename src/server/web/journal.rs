//! What is told of a request when it is over: a line of the access log, and an event.
//!
//! ```text
//!   head ──note──▶ handler ──▶ complete: tell
//!                     └──────▶ later, or piece by piece: keep ──▶ … ──▶ over
//! ```
//!
//! A request is told once, when its reply is completely encoded or was given up. Without a log nothing is noted, and
//! nothing is copied.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use crate::buf::Slab;
use crate::events;
use crate::http::{Head, Status};
use crate::server::access::{AccessLines, Entry};
use crate::sys::Address;

/// What stands in the log for a reply that was never given, because the peer had gone before. No status of RFC 9110;
/// other servers write it too.
const GONE: u16 = 499;

/// A request whose handler has it in hand.
pub(super) struct Noted<'b> {
    head: Head<'b>,
    began: Instant,
}

/// A request whose reply is not complete.
struct Kept {
    request_line: Vec<u8>,
    referer: Option<Vec<u8>>,
    user_agent: Option<Vec<u8>>,
    began: Instant,
    status: u16,
}

/// What is told of one request.
struct Told<'t> {
    request_line: &'t [u8],
    status: u16,
    bytes: u64,
    referer: Option<&'t [u8]>,
    user_agent: Option<&'t [u8]>,
    duration: Option<Duration>,
}

/// One worker's journal.
#[derive(Default)]
pub(in crate::server) struct Journal {
    lines: Option<AccessLines>,
    /// Who the peers are, by the connections' indices; nothing unless somebody asks for them.
    peers: Option<Slab<Option<Address>>>,
    /// Requests whose bodies are on their way, and since when.
    arriving: HashMap<u32, Instant>,
    kept: HashMap<u32, Kept>,
}

impl Journal {
    /// Writes to `lines`, if there are any. Peers are known if they are logged, or asked for.
    pub(in crate::server) fn new(lines: Option<AccessLines>, peer_addresses: bool) -> Self {
        let peers = (peer_addresses || lines.is_some()).then(Slab::default);
        Self {
            lines,
            peers,
            ..Self::default()
        }
    }

    /// Whether anybody wants to know of requests.
    #[inline]
    fn is_on(&self) -> bool {
        self.lines.is_some() || cfg!(feature = "tracing")
    }

    /// Whether every connection's peer shall be asked for.
    pub(super) fn wants_peers(&self) -> bool {
        self.peers.is_some()
    }

    /// Who the peer is.
    pub(super) fn set_peer(&mut self, index: u32, address: Option<Address>) {
        if let Some(peers) = &mut self.peers {
            peers.reach(index);
            if let Some(place) = peers.at_mut(index) {
                *place = address;
            }
        }
    }

    /// Who the peer is, if that is known.
    #[inline]
    pub(super) fn peer(&self, index: u32) -> Option<&Address> {
        self.peers.as_ref()?.at(index)?.as_ref()
    }

    /// Gives back the memory of addresses that nobody has.
    pub(super) fn give_back(&mut self) {
        if let Some(peers) = &mut self.peers {
            peers.give_back(|places| places.iter().all(Option::is_none));
        }
        self.arriving.shrink_to_fit();
        self.kept.shrink_to_fit();
    }

    /// Notes a request before its handler takes it. `None` if nobody wants to know.
    #[inline]
    pub(super) fn note<'b>(&mut self, index: u32, head: &Head<'b>) -> Option<Noted<'b>> {
        if !self.is_on() {
            return None;
        }
        let began = self.arriving.remove(&index).unwrap_or_else(Instant::now);
        Some(Noted {
            head: head.clone(),
            began,
        })
    }

    /// A head has come whose body has not.
    pub(super) fn body_follows(&mut self, index: u32) {
        if self.is_on() {
            self.arriving.insert(index, Instant::now());
        }
    }

    /// The reply to a noted request is complete.
    pub(super) fn tell(&mut self, index: u32, noted: &Noted<'_>, status: Status, bytes: u64) {
        let fields = &noted.head.fields;
        let told = Told {
            request_line: first_line(noted.head.raw),
            status: status.code(),
            bytes,
            referer: fields.find("referer"),
            user_agent: fields.find("user-agent"),
            duration: Some(noted.began.elapsed()),
        };
        self.write(index, &told);
    }

    /// The reply to a noted request comes later, with this status if that is known.
    pub(super) fn keep(&mut self, index: u32, noted: &Noted<'_>, status: Option<Status>) {
        let fields = &noted.head.fields;
        let kept = Kept {
            request_line: first_line(noted.head.raw).to_vec(),
            referer: fields.find("referer").map(<[u8]>::to_vec),
            user_agent: fields.find("user-agent").map(<[u8]>::to_vec),
            began: noted.began,
            status: status.map_or(GONE, Status::code),
        };
        self.kept.insert(index, kept);
    }

    /// The status of a kept request is known now.
    pub(super) fn status(&mut self, index: u32, status: Status) {
        if let Some(kept) = self.kept.get_mut(&index) {
            kept.status = status.code();
        }
    }

    /// A kept request is over: `bytes` of content were encoded.
    pub(super) fn over(&mut self, index: u32, bytes: u64) {
        let Some(kept) = self.kept.remove(&index) else {
            return;
        };
        let told = Told {
            request_line: &kept.request_line,
            status: kept.status,
            bytes,
            referer: kept.referer.as_deref(),
            user_agent: kept.user_agent.as_deref(),
            duration: Some(kept.began.elapsed()),
        };
        self.write(index, &told);
    }

    /// A request was refused before a handler saw it. `head` begins with its request line, as far as that came.
    pub(super) fn refused(&mut self, index: u32, head: &[u8], status: Status, bytes: u64) {
        self.arriving.remove(&index);
        let told = Told {
            request_line: first_line(head),
            status: status.code(),
            bytes,
            referer: None,
            user_agent: None,
            duration: None,
        };
        self.write(index, &told);
    }

    /// The connection is over; `bytes` were encoded of a reply that was not complete.
    pub(super) fn closed(&mut self, index: u32, bytes: u64) {
        if self.is_on() {
            self.arriving.remove(&index);
            self.over(index, bytes);
        }
        if self.peers.is_some() {
            self.set_peer(index, None);
        }
    }

    /// A turn is over.
    #[inline]
    pub(super) fn turned(&mut self) {
        if let Some(lines) = &mut self.lines {
            lines.hand_over();
        }
    }

    fn write(&mut self, index: u32, told: &Told<'_>) {
        let mut words = told.request_line.splitn(3, |byte| *byte == b' ');
        let method = words.next().unwrap_or_default();
        let target = words.next().unwrap_or_default();
        if told.status == Status::SWITCHING_PROTOCOLS.code() {
            events::upgraded(index, target);
        } else {
            let (status, bytes) = (told.status, told.bytes);
            events::answered(index, method, target, status, bytes, told.duration);
        }
        let peers = self.peers.as_ref();
        let peer = peers.and_then(|peers| peers.at(index)?.as_ref());
        if let Some(lines) = &mut self.lines {
            lines.record(&Entry {
                time: SystemTime::now(),
                peer,
                request_line: (!told.request_line.is_empty()).then_some(told.request_line),
                status: told.status,
                body_bytes: told.bytes,
                referer: told.referer,
                user_agent: told.user_agent,
                duration: told.duration,
            });
        }
    }
}

/// The request line at the start of a head, without its line end.
fn first_line(head: &[u8]) -> &[u8] {
    let end = memchr::memchr2(b'\r', b'\n', head).unwrap_or(head.len());
    &head[..end]
}
