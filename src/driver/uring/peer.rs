//! Who is at the other end of a direct descriptor.
//!
//! getpeername(2) needs a descriptor of the process. getsockopt(2) SO_PEERNAME works through the ring, but refuses a
//! length above the address's own, and cuts the address at any length below without saying so. The family says how
//! long an IP address is; the length of a Unix name is found by halving.
//!
//! ```text
//!   16 ─ fits ──▶ IPv4: done     IPv6 ─▶ 28: done     Unix ─▶ between 16 and 110
//!   └─ refused ─▶ 2 ─ fits ─▶ Unix: 3 ─ refused ─▶ no name: done
//! ```

use std::os::fd::AsFd;

use super::complete::Outcome;
use super::ring::Completion;
use super::{Address, Aside, Event, Probe, Token, Uring, op, sys};

const IPV6: u32 = size_of::<libc::sockaddr_in6>() as u32;
const IPV4: u32 = size_of::<libc::sockaddr_in>() as u32;
/// A Unix socket without a name: the family alone.
const UNNAMED: u32 = size_of::<libc::sa_family_t>() as u32;
/// No address of ours is as long as this.
const TOO_LONG: u32 = size_of::<libc::sockaddr_un>() as u32 + 1;

/// The kernel writes a peer's address here.
pub(super) struct PeerName {
    storage: libc::sockaddr_storage,
    asked: u32,
    /// The greatest length that was not refused; 0 as long as all were.
    fits: u32,
    /// The smallest length that was refused.
    refused: u32,
}

impl PeerName {
    fn new() -> Box<Self> {
        // SAFETY: all zeros is a valid sockaddr_storage: no family, no bytes.
        let storage = unsafe { std::mem::zeroed() };
        Box::new(Self {
            storage,
            asked: IPV4,
            fits: 0,
            refused: TOO_LONG,
        })
    }

    /// What to ask next; `None` when the length is known.
    fn next(&self) -> Option<u32> {
        match (self.fits, i32::from(self.storage.ss_family)) {
            (0, _) => (UNNAMED < self.refused).then_some(UNNAMED),
            (IPV4, libc::AF_INET6) => Some(IPV6),
            // Most Unix clients have no name: that takes one more question and not four.
            (UNNAMED, libc::AF_UNIX) if self.refused == IPV4 => Some(UNNAMED + 1),
            (fits, libc::AF_UNIX) if fits + 1 < self.refused => Some(fits.midpoint(self.refused)),
            _ => None,
        }
    }
}

impl<P: Probe> Uring<P> {
    pub(super) fn start_peer_name(&mut self, token: Token) {
        let Some(slot) = self.slots.open(token) else {
            return;
        };
        if let Some(fd) = slot.fd.as_ref() {
            let address = sys::getpeername(&mut self.probe, fd.as_fd()).ok();
            self.queued.push_back(Event::Peer { token, address });
        } else if !self.peers.contains_key(&token.index) {
            self.ask_peer_name(token, PeerName::new());
        }
    }

    fn ask_peer_name(&mut self, token: Token, mut name: Box<PeerName>) {
        let target = self.slots.target(token);
        let entry = op::peer_name(target, &raw mut name.storage, name.asked);
        self.peers.insert(token.index, name);
        // SAFETY: the address is boxed and stays in `peers` until the completion was taken.
        unsafe { self.submit(token, op::PEER, entry) };
    }

    pub(super) fn peer_name(&mut self, token: Token, completion: Completion) -> Outcome {
        let Some(mut name) = self.peers.remove(&token.index) else {
            return Outcome::Nothing;
        };
        match completion.outcome() {
            Ok(_) => name.fits = name.asked,
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => name.refused = name.asked,
            Err(_) => {
                let address = None;
                return Outcome::Event(Event::Peer { token, address });
            }
        }
        if let Some(asked) = name.next() {
            name.asked = asked;
            self.ask_peer_name(token, name);
            return Outcome::Nothing;
        }
        let address = Address::from_raw(&name.storage, name.fits);
        if P::ACTIVE
            && let Some(address) = &address
        {
            let user_data = completion.user_data;
            self.probe.aside(&Aside::Peer { user_data, address });
        }
        Outcome::Event(Event::Peer { token, address })
    }
}
