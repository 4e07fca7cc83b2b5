//! One TCP connection as a bystander sees it: which packet is which step.
//!
//! ```text
//!   SYN ▶ SYN|ACK ▶ ACK          1/3 2/3 3/3
//!   data, ACK, keepalive …       each counted from the first SYN of its direction
//!   FIN ▶ ACK ▶ FIN ▶ ACK        1/4 2/4 3/4 4/4, numbered in the order in which they come
//!   RST                          refused, if it answers a SYN; else a reset
//! ```
//!
//! It sees packets, not the kernel's tables: it can be wrong about a packet that the capture lost. It does not know
//! addresses, time, or other connections. About 100 bytes, whatever comes.

use super::decode::Tcp;
use super::{Flags, Segment, Sequence, Side, Window};
use crate::sys::TcpState;

mod states;

/// What a packet means in the life of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// One of the three packets that open a connection (RFC 9293 §3.5): 1 asks, 2 agrees, 3 confirms.
    Handshake(u8),
    /// Payload.
    Data {
        /// How much.
        bytes: usize,
    },
    /// No payload: the receiver says what it has.
    Acknowledgement {
        /// How many bytes it confirms for the first time; 0 repeats what was said.
        bytes: u32,
    },
    /// No payload and nothing new confirmed: there is room again, or less of it.
    WindowUpdate,
    /// "Are you still there?": the number before the next one, which the peer has to answer (RFC 9293 §3.8.4).
    Keepalive,
    /// The same, of a peer that said that it has no room (RFC 9293 §3.8.6.1).
    WindowProbe,
    /// Part of the four-way close (RFC 9293 §3.6): each direction's FIN and its acknowledgement, numbered 1 to 4 in the
    /// order in which they come. One packet may be two of them.
    Close {
        /// Its number, if this packet acknowledges the peer's FIN.
        ack: Option<u8>,
        /// Its number, if this packet carries a FIN.
        fin: Option<u8>,
    },
    /// The answer to a SYN where nobody listens (RFC 9293 §3.5.1).
    Refused,
    /// The end without a farewell: what was under way is lost.
    Reset,
    /// A UDP datagram: it has no connection, so each is a step of its own.
    Datagram,
}

/// What was seen of one direction.
#[derive(Clone, Copy, Debug, Default)]
struct Half {
    /// The number that counts as 0: that of the SYN, or one before the first that was seen.
    base: Option<u32>,
    scale: Scale,
    /// The number behind everything that it sent.
    next: Option<u32>,
    /// The highest number that it acknowledged.
    acked: Option<u32>,
    /// The last window that it announced, unscaled.
    window: Option<u16>,
    fin: Option<Fin>,
}

/// What its SYN said of the scale of windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Scale {
    /// No SYN was seen.
    #[default]
    Unseen,
    NotOffered,
    Offered(u8),
}

/// A FIN that was seen.
#[derive(Clone, Copy, Debug)]
struct Fin {
    /// The number that acknowledges it.
    end: u32,
    part: u8,
    ack_part: Option<u8>,
}

impl Half {
    fn syn_seen(&self) -> bool {
        self.scale != Scale::Unseen
    }
}

/// The state of one connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Life {
    halves: [Half; 2],
    /// The index of the end that asked, once a SYN was seen.
    client: Option<usize>,
    /// How much of the handshake was seen: 0 to 3.
    opened: u8,
    /// How many events of the close were numbered.
    closed: u8,
    reset: bool,
}

/// What a segment turned out to be.
pub(super) struct Seen {
    pub(super) segment: Segment,
    pub(super) sender: Option<Side>,
    pub(super) step: Step,
    pub(super) retransmission: bool,
    /// The states of the two ends, if this segment changed one.
    pub(super) change: Option<[Option<TcpState>; 2]>,
}

impl Life {
    /// Takes the next segment, sent by end 0 or 1.
    pub(super) fn take(&mut self, from: usize, tcp: &Tcp, payload_bytes: usize) -> Seen {
        debug_assert!(from < 2, "a connection has two ends");
        let (syn, ack) = (tcp.flags.has(Flags::SYN), tcp.flags.has(Flags::ACK));
        if syn && self.begins_anew(from, tcp) {
            *self = Life::default();
        }
        let before = self.known().then(|| self.states());
        let refused = self.opened == 1 && self.client == Some(1 - from);
        if syn {
            self.client = Some(if ack {
                1 - from
            } else {
                self.client.unwrap_or(from)
            });
            self.halves[from].base = Some(tcp.seq);
            self.halves[from].scale = tcp
                .options
                .window_scale
                .map_or(Scale::NotOffered, Scale::Offered);
        }
        // As Wireshark counts where the SYN was not seen: the first byte has number 1.
        let seq = relative(&mut self.halves[from].base, tcp.seq);
        let ack_number = ack.then(|| relative(&mut self.halves[1 - from].base, tcp.ack));
        let (step, retransmission) = if tcp.flags.has(Flags::RST) {
            self.reset = true;
            let step = if refused { Step::Refused } else { Step::Reset };
            (step, false)
        } else {
            let probe = !syn && payload_bytes <= 1 && self.is_probe(from, tcp);
            let retransmission = !probe && self.sent(from, tcp, payload_bytes);
            let step = self.step(from, tcp, payload_bytes, probe);
            (step, retransmission)
        };
        if ack {
            advance(&mut self.halves[from].acked, tcp.ack);
        }
        let window = self.window(from, tcp);
        self.halves[from].window = Some(tcp.window);
        let states = self.states();
        let side = |client| {
            if client == from {
                Side::Client
            } else {
                Side::Server
            }
        };
        let segment = Segment {
            flags: tcp.flags,
            seq,
            ack: ack_number,
            window,
            options: syn.then_some(tcp.options),
        };
        Seen {
            segment,
            sender: self.client.map(side),
            step,
            retransmission,
            change: (before != Some(states)).then_some(states),
        }
    }

    /// Whether any packet of it was seen.
    fn known(&self) -> bool {
        self.halves.iter().any(|half| half.base.is_some())
    }

    /// Whether a SYN is the first of a connection that took over the five-tuple.
    fn begins_anew(&self, from: usize, tcp: &Tcp) -> bool {
        let (half, other) = (&self.halves[from], &self.halves[1 - from]);
        let again = half.syn_seen() && half.base == Some(tcp.seq);
        let answers = tcp.flags.has(Flags::ACK)
            && !half.syn_seen()
            && other.base == Some(tcp.ack.wrapping_sub(1));
        // Both may ask at once (RFC 9293 §3.5, figure 7).
        let crosses = self.opened == 1 && !half.syn_seen() && other.syn_seen();
        !(again || answers || crosses)
    }

    /// Whether it asks without sending: one number before the next, and no more than the byte that stands there.
    fn is_probe(&self, from: usize, tcp: &Tcp) -> bool {
        let next = self.halves[from].next;
        self.opened != 1
            && !tcp.flags.has(Flags::FIN)
            && next.is_some_and(|next| tcp.seq == next.wrapping_sub(1))
            // After its own FIN an end acknowledges with the number behind it, so this one is not such an answer.
            && self.halves[from].fin.is_none()
    }

    /// Notes what was sent; whether some of it was sent before.
    fn sent(&mut self, from: usize, tcp: &Tcp, payload_bytes: usize) -> bool {
        let flags = u32::from(tcp.flags.has(Flags::SYN)) + u32::from(tcp.flags.has(Flags::FIN));
        let len = (payload_bytes as u32).wrapping_add(flags);
        let next = &mut self.halves[from].next;
        let before = next.is_some_and(|next| is_before(tcp.seq, next));
        advance(next, tcp.seq.wrapping_add(len));
        before && len > 0
    }

    fn step(&mut self, from: usize, tcp: &Tcp, payload_bytes: usize, probe: bool) -> Step {
        let ack = tcp.flags.has(Flags::ACK);
        if tcp.flags.has(Flags::SYN) {
            let part = if ack { 2 } else { 1 };
            self.opened = self.opened.max(part);
            return Step::Handshake(part);
        }
        let acked_fin = if ack {
            self.acknowledges_fin(from, tcp.ack)
        } else {
            None
        };
        let fin = tcp.flags.has(Flags::FIN).then(|| {
            let end = tcp.seq.wrapping_add(payload_bytes as u32).wrapping_add(1);
            self.fin(from, end)
        });
        let confirms = self.opened == 2 && self.client == Some(from) && ack;
        if confirms {
            self.opened = 3;
        }
        if acked_fin.is_some() || fin.is_some() {
            return Step::Close {
                ack: acked_fin,
                fin,
            };
        }
        if confirms {
            return Step::Handshake(3);
        }
        if probe {
            let full = self.halves[1 - from].window == Some(0);
            return if full {
                Step::WindowProbe
            } else {
                Step::Keepalive
            };
        }
        if payload_bytes > 0 {
            return Step::Data {
                bytes: payload_bytes,
            };
        }
        let half = &self.halves[from];
        let bytes = match half.acked {
            Some(acked) if is_before(acked, tcp.ack) => tcp.ack.wrapping_sub(acked),
            _ => 0,
        };
        if bytes == 0 && half.window.is_some_and(|window| window != tcp.window) {
            return Step::WindowUpdate;
        }
        Step::Acknowledgement { bytes }
    }

    /// The number of the event, if this acknowledges the other end's FIN for the first time.
    fn acknowledges_fin(&mut self, from: usize, ack: u32) -> Option<u8> {
        let closed = &mut self.closed;
        let fin = self.halves[1 - from].fin.as_mut()?;
        if fin.ack_part.is_some() || is_before(ack, fin.end) {
            return None;
        }
        *closed += 1;
        fin.ack_part = Some(*closed);
        fin.ack_part
    }

    /// The number of a FIN: a new one, or the old one if it is sent again.
    fn fin(&mut self, from: usize, end: u32) -> u8 {
        let closed = &mut self.closed;
        let fin = self.halves[from].fin.get_or_insert_with(|| {
            *closed += 1;
            Fin {
                end,
                part: *closed,
                ack_part: None,
            }
        });
        fin.part
    }

    /// The window in bytes: scaled if both ends offered a scale, and never in a SYN (RFC 7323 §2.2).
    fn window(&self, from: usize, tcp: &Tcp) -> Window {
        let shift = match (self.halves[from].scale, self.halves[1 - from].scale) {
            _ if tcp.flags.has(Flags::SYN) || tcp.window == 0 => Some(0),
            (Scale::Offered(own), Scale::Offered(_)) => Some(own),
            (Scale::Unseen, _) | (_, Scale::Unseen) => None,
            _ => Some(0),
        };
        Window {
            raw: tcp.window,
            bytes: shift.map(|shift| u32::from(tcp.window) << shift),
        }
    }
}

fn relative(base: &mut Option<u32>, raw: u32) -> Sequence {
    let base = *base.get_or_insert(raw.wrapping_sub(1));
    Sequence {
        raw,
        relative: raw.wrapping_sub(base),
    }
}

/// Whether `one` lies before `other` on the circle of sequence numbers (RFC 9293 §3.4).
fn is_before(one: u32, other: u32) -> bool {
    one.wrapping_sub(other).cast_signed() < 0
}

fn advance(highest: &mut Option<u32>, number: u32) {
    if highest.is_none_or(|highest| is_before(highest, number)) {
        *highest = Some(number);
    }
}
