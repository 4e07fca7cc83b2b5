//! Frames in, packets out: the connections that are under way, each with its [`Life`].
//!
//! It does not know where the frames come from, and reads no clock.

use super::decode::{Decoded, decode};
use super::life::{Life, Seen, Step};
use super::{FiveTuple, Frame, Packet, Protocol, States, Transport};
use std::collections::{BTreeMap, HashMap};

/// How many TCP connections a [`Tracker`] remembers: beyond it the one that was silent for longest is forgotten.
///
/// A forgotten connection goes on as one whose beginning was not seen. It bounds the memory (under 1 MiB) against a
/// peer that opens ports without end.
pub const CONNECTIONS_MAX: usize = 4096;

/// Turns frames into [`Packet`]s, and knows for each connection what came before.
///
/// ```
/// use longshore::trace::packets::{Frame, Step, Tracker};
/// use std::time::SystemTime;
///
/// // Ethernet, IPv4 and UDP headers by hand: 127.0.0.1:4000 → 127.0.0.1:53, payload "ahoy".
/// let mut bytes = vec![0; 12];
/// bytes.extend([8, 0, 0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
/// bytes.extend([0x0f, 0xa0, 0, 53, 0, 12, 0, 0]);
/// bytes.extend(b"ahoy");
///
/// let mut tracker = Tracker::new(&[53]);
/// let frame = Frame { at: SystemTime::UNIX_EPOCH, bytes: &bytes, wire_bytes: bytes.len() };
/// let packet = tracker.read(&frame).expect("it is UDP");
/// assert_eq!((packet.step, packet.payload_bytes), (Step::Datagram, 4));
/// assert_eq!(packet.to_string(), "127.0.0.1:4000 → 127.0.0.1:53  UDP  datagram 4 bytes");
/// assert!(tracker.read(&Frame { bytes: &bytes[..30], ..frame }).is_none(), "cut within a header");
/// ```
#[derive(Debug)]
pub struct Tracker {
    ports: Vec<u16>,
    lives: HashMap<FiveTuple, (u64, Life)>,
    /// The same connections by when they were last heard of.
    order: BTreeMap<u64, FiveTuple>,
    read: u64,
}

impl Tracker {
    /// Begins with no connection. `ports` are the traced ones, which decide what is local.
    pub fn new(ports: &[u16]) -> Self {
        Tracker {
            ports: ports.to_vec(),
            lives: HashMap::new(),
            order: BTreeMap::new(),
            read: 0,
        }
    }

    /// Reads one frame; `None` for every frame that is neither TCP nor UDP in its first fragment, or that was cut within
    /// its headers.
    pub fn read(&mut self, frame: &Frame<'_>) -> Option<Packet> {
        let decoded = decode(frame)?;
        let tuple = self.tuple(&decoded);
        let from = usize::from(decoded.from != tuple.local);
        let seen: Option<Seen> = decoded
            .tcp
            .map(|tcp| self.life(tuple).take(from, &tcp, decoded.payload_bytes));
        let seen = seen.as_ref();
        Some(Packet {
            at: frame.at,
            from: decoded.from,
            to: decoded.to,
            tuple,
            payload_bytes: decoded.payload_bytes,
            sender: seen.and_then(|seen| seen.sender),
            transport: seen.map_or(Transport::Udp, |seen| Transport::Tcp(seen.segment)),
            step: seen.map_or(Step::Datagram, |seen| seen.step),
            states: seen
                .and_then(|seen| seen.change)
                .map(|[local, remote]| States { local, remote }),
            retransmission: seen.is_some_and(|seen| seen.retransmission),
        })
    }

    /// How many connections are remembered.
    pub fn connections(&self) -> usize {
        self.lives.len()
    }

    fn tuple(&self, decoded: &Decoded) -> FiveTuple {
        let (from, to) = (decoded.from, decoded.to);
        let traced = |port| self.ports.contains(&port);
        // With two traced ports, or none, the smaller address counts as local: both directions must agree.
        let from_is_local = match (traced(from.port()), traced(to.port())) {
            (true, false) => true,
            (false, true) => false,
            _ => from < to,
        };
        let (local, remote) = if from_is_local {
            (from, to)
        } else {
            (to, from)
        };
        FiveTuple {
            protocol: decoded.protocol,
            local,
            remote,
        }
    }

    /// The connection, moved to the end of those that may be forgotten.
    fn life(&mut self, tuple: FiveTuple) -> &mut Life {
        debug_assert_eq!(tuple.protocol, Protocol::Tcp, "a datagram has no life");
        self.read += 1;
        let now = self.read;
        if let Some((last, _)) = self.lives.get(&tuple) {
            self.order.remove(last);
        } else if self.lives.len() >= CONNECTIONS_MAX
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.lives.remove(&oldest);
        }
        self.order.insert(now, tuple);
        let (last, life) = self.lives.entry(tuple).or_default();
        *last = now;
        life
    }
}
