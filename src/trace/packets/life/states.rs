//! The state that each end must be in, from the packets alone (RFC 9293 §3.3.2, figure 5).
//!
//! ```text
//!              asks   SYN-SENT ────────┐                ┌──────── SYN-RECEIVED   answers
//!                                      ▼                ▼
//!                                        ESTABLISHED
//!   closes first  FIN-WAIT-1 ◀───────────┘      └───────────▶ CLOSE-WAIT   hears the FIN
//!                     │ its FIN is acknowledged                    │ closes too
//!                 FIN-WAIT-2     (both at once: CLOSING)       LAST-ACK
//!                     │ the other FIN                              │ its FIN is acknowledged
//!                 TIME-WAIT                                     CLOSED
//! ```
//!
//! It is what the packet makes of the two ends once it has arrived. The kernel can be asked too, but its answer is that of
//! a later moment: on loopback a handshake is over before anybody could ask.

use super::{Half, Life};
use crate::sys::TcpState;

impl Life {
    /// The state of end 0 and end 1; `None` for an end that has not shown itself.
    pub(super) fn states(&self) -> [Option<TcpState>; 2] {
        [self.state(0), self.state(1)]
    }

    fn state(&self, end: usize) -> Option<TcpState> {
        let (own, peer) = (&self.halves[end], &self.halves[1 - end]);
        if self.reset {
            return Some(TcpState::Close);
        }
        match (self.opened, self.client == Some(end)) {
            (1, true) => return Some(TcpState::SynSent),
            // Whether anybody listens shows in the answer.
            (1, false) if !own.syn_seen() => return None,
            (1 | 2, false) => return Some(TcpState::SynReceived),
            _ => {}
        }
        Some(closing(own, peer))
    }
}

/// The state of an end whose handshake is over.
fn closing(own: &Half, peer: &Half) -> TcpState {
    let Some(fin) = own.fin else {
        let heard = peer.fin.is_some();
        return if heard {
            TcpState::CloseWait
        } else {
            TcpState::Established
        };
    };
    let acknowledged = fin.ack_part.is_some();
    let Some(theirs) = peer.fin else {
        return if acknowledged {
            TcpState::FinWait2
        } else {
            TcpState::FinWait1
        };
    };
    // It had acknowledged the peer's FIN before it sent its own: it was the second to close.
    let second = theirs.ack_part.is_some_and(|part| part <= fin.part);
    match (second, acknowledged) {
        (true, false) => TcpState::LastAck,
        (true, true) => TcpState::Close,
        (false, false) => TcpState::Closing,
        (false, true) => TcpState::TimeWait,
    }
}
