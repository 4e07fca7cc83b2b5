//! What the poller is told of each socket.
//!
//! ```text
//!   connect, adopt ──▶ add                         what is wanted changes ──▶ change
//!   accept ──▶ first receive ──▶ still there? ──▶ add, before the next wait
//! ```
//!
//! It does not know what is done with a socket that is ready.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::AsFd;

use super::poller::{Interest, Poller};
use super::slots::Flags;
use super::{Event, ListenerId, Op, Probe, Readiness, Token, key};
use crate::sys::ToldFd;

impl<L: Poller, P: Probe> Readiness<L, P> {
    /// Registers a socket that is connected, or about to be.
    pub(super) fn register(
        &mut self,
        fd: ToldFd,
        flags: Flags,
        interest: Interest,
    ) -> io::Result<Token> {
        let token = self.slots.vacant();
        self.poller.add(
            &mut self.probe,
            fd.as_fd(),
            token.pack(key::SOCKET),
            interest,
        )?;
        self.slots.occupy(token, fd, flags, interest);
        Ok(token)
    }

    /// Takes an accepted socket in, whose poller is told of it before the next wait, if it still exists then: whoever
    /// asks one thing and goes costs no epoll_ctl(2). A level-triggered poller reports what has come meanwhile.
    pub(super) fn register_late(&mut self, listener: ListenerId, fd: ToldFd) -> Token {
        let token = self.slots.vacant();
        let flags = Flags::READING.and(Flags::READABLE).and(Flags::LATE);
        self.slots.occupy(token, fd, flags, Interest::NONE);
        self.late.push((token, listener));
        token
    }

    /// Tells the poller of those that are still there. Where the kernel has no room for one (ENOSPC, ENOMEM), it is
    /// tried again before the next wait, and accepting rests: nobody is turned away.
    pub(super) fn register_those_left(&mut self) {
        let mut refused = None;
        let Self {
            late,
            slots,
            poller,
            probe,
            ..
        } = self;
        late.retain(|&(token, listener)| {
            let Some(slot) = slots.open_mut(token) else {
                return false;
            };
            let interest = slot.interest();
            let watched = slot
                .fd
                .as_ref()
                .filter(|_| !slot.flags.has(Flags::DETACHED));
            let key = token.pack(key::SOCKET);
            let added = watched.map(|fd| poller.add(probe, fd.as_fd(), key, interest));
            if let Some(Err(error)) = added {
                refused = Some((listener, error));
                return true;
            }
            slot.flags.clear(Flags::LATE);
            slot.registered = interest;
            false
        });
        if let Some((listener, error)) = refused {
            let event = self.exhausted(listener, Some(error));
            self.queued.extend(event);
        }
    }

    /// Tells a level-triggered poller what is wanted of a socket now. An edge-triggered one was told everything once.
    pub(super) fn update_interest(&mut self, token: Token) {
        if L::EDGE {
            return;
        }
        let Some(slot) = self.slots.open_mut(token) else {
            return;
        };
        let interest = slot.interest();
        let is_watched = !slot.flags.has(Flags::DETACHED) && !slot.flags.has(Flags::LATE);
        if interest == slot.registered || !is_watched {
            return;
        }
        slot.registered = interest;
        if let Some(fd) = slot.fd.as_ref()
            && let Err(error) = self.poller.change(
                &mut self.probe,
                fd.as_fd(),
                token.pack(key::SOCKET),
                interest,
            )
        {
            self.queued.push_back(Event::Failed {
                token,
                op: Op::Receive,
                error,
            });
        }
    }
}
