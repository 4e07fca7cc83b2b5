//! Datagrams: a buffer group of their own, because a datagram is received whole or cut, never in pieces.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};

use io_uring::types::RecvMsgOut;

use super::buffers::{Buffers, Filling};
use super::complete::Outcome;
use super::ring::{Completion, Ring};
use super::send::Sending;
use super::slots::{Flags, State};
use super::{
    Address, Aside, Event, Mode, Op, Probe, SendBuf, Submit, Token, ToldFd, Uring, op, sys,
};

const DATAGRAMS: u16 = 1;
/// A UDP datagram has at most 65,507 bytes of payload over IPv4; the rest is the header and the sender's address.
const BUFFER_BYTES: u32 = 68 * 1024;
const BUFFERS: u16 = 16;

/// What datagram sockets need. Made when the first one is bound.
pub(super) struct Datagrams {
    buffers: Buffers,
    /// Tells the kernel how much room to leave for the sender's address. It reads it while a receive is in flight.
    template: Box<libc::msghdr>,
    lend: Option<u16>,
    /// Sends in flight, by the index in their names.
    sends: Vec<Option<(Token, Box<Sending>)>>,
}

impl Datagrams {
    fn new<P: Probe>(probe: &mut P, ring: &Ring) -> io::Result<Self> {
        // SAFETY: all zeros is a valid msghdr: null pointers with zero lengths.
        let mut template: Box<libc::msghdr> = Box::new(unsafe { std::mem::zeroed() });
        template.msg_namelen = size_of::<libc::sockaddr_storage>() as u32;
        let buffers =
            Buffers::register(probe, ring, DATAGRAMS, BUFFERS, BUFFER_BYTES, Filling::Once)?;
        Ok(Self {
            buffers,
            template,
            lend: None,
            sends: Vec::new(),
        })
    }

    pub(super) fn lend(&mut self, range: Range<usize>) -> &mut [u8] {
        self.buffers.lend(range)
    }

    pub(super) fn leak(&mut self) {
        self.buffers.leak();
    }

    pub(super) fn return_lend(&mut self) {
        if let Some(buffer) = self.lend.take() {
            self.buffers.give_back(buffer);
        }
    }
}

impl<P: Probe> Uring<P> {
    pub(super) fn start_datagrams(&mut self, socket: OwnedFd) -> io::Result<Token> {
        let socket = ToldFd::from(socket);
        if self.datagrams.is_none() {
            self.datagrams = Some(Datagrams::new(&mut self.probe, &self.ring)?);
        }
        sys::set_mode(&mut self.probe, socket.as_fd(), Mode::Blocking)?;
        let token = self.slots.occupy_plain(socket, State::Open);
        if let Some(slot) = self.slots.open(token) {
            slot.flags.set(Flags::DATAGRAM);
        }
        self.receive_again(token);
        Ok(token)
    }

    pub(super) fn arm_datagrams(&mut self, token: Token) {
        let target = self.slots.target(token);
        let Some(datagrams) = self.datagrams.as_ref() else {
            return;
        };
        let entry = op::recvmsg_multishot(target, &raw const *datagrams.template, DATAGRAMS);
        // SAFETY: the template is boxed and lives in `datagrams`, which is dropped after the ring.
        unsafe { self.submit(token, op::DATAGRAM, entry) };
    }

    pub(super) fn received_datagram(&mut self, socket: Token, completion: Completion) -> Outcome {
        let Some(datagrams) = self.datagrams.as_mut() else {
            return Outcome::Nothing;
        };
        datagrams.return_lend();
        let outcome = completion.outcome();
        let lent = completion.buffer().map(|buffer| {
            datagrams.lend = Some(buffer);
            let len = *outcome.as_ref().unwrap_or(&0);
            datagrams.buffers.received(buffer, len, false)
        });
        let Some(slot) = self.slots.known(socket) else {
            return Outcome::Nothing;
        };
        if !completion.more() {
            slot.in_flight -= 1;
            slot.flags.clear(Flags::ARMED);
            slot.flags.clear(Flags::CANCELLING);
        }
        if slot.state == State::Draining {
            if slot.in_flight == 0 {
                self.close_now(socket);
            }
            return Outcome::Nothing;
        }
        if !completion.more() {
            self.receive_again(socket);
        }
        match (outcome, lent) {
            (Ok(_), Some(lent)) => self.parse_datagram(socket, lent),
            (Err(error), _)
                if !matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::ECANCELED)) =>
            {
                Outcome::Event(Event::Failed {
                    token: socket,
                    op: Op::Receive,
                    error,
                })
            }
            _ => Outcome::Nothing,
        }
    }

    fn parse_datagram(&mut self, socket: Token, lent: Range<usize>) -> Outcome {
        let Some(datagrams) = self.datagrams.as_mut() else {
            return Outcome::Nothing;
        };
        let at = lent.start;
        let bytes = datagrams.buffers.lend(lent);
        let start = bytes.as_ptr();
        let Ok(parsed) = RecvMsgOut::parse(bytes, &datagrams.template) else {
            return Outcome::Nothing;
        };
        let payload = parsed.payload_data();
        let offset = at + (payload.as_ptr() as usize - start as usize);
        let range = offset..offset + payload.len();
        let truncated = parsed.is_payload_truncated();
        if P::ACTIVE {
            let user_data = socket.pack(op::DATAGRAM);
            let bytes = payload;
            self.probe.aside(&Aside::Lent { user_data, bytes });
        }
        let from = address_of(parsed.name_data(), parsed.incoming_name_len());
        Outcome::Datagram {
            socket,
            from,
            truncated,
            range,
        }
    }

    pub(super) fn send_datagram(&mut self, socket: Token, to: &Address, buf: SendBuf) -> Submit {
        debug_assert!(buf.file_left().is_none(), "a datagram has no file");
        let target = self.slots.target(socket);
        let address = match to.to_sockaddr() {
            Ok(address) if self.slots.open(socket).is_some() => address,
            Ok(_) => return Submit::Failed(buf, io::ErrorKind::NotConnected.into()),
            Err(error) => return Submit::Failed(buf, error),
        };
        let Some(datagrams) = self.datagrams.as_mut() else {
            return Submit::Failed(buf, io::ErrorKind::NotConnected.into());
        };
        let mut sending = Sending::to(buf, Some(address));
        let entry = sending.entry(&mut self.probe, target);
        let index = datagrams
            .sends
            .iter()
            .position(Option::is_none)
            .unwrap_or_else(|| {
                datagrams.sends.push(None);
                datagrams.sends.len() - 1
            });
        datagrams.sends[index] = Some((socket, sending));
        if let Some(slot) = self.slots.open(socket) {
            slot.in_flight += 1;
        }
        self.in_flight += 1;
        let entry = op::tag(
            entry,
            op::SEND_TO,
            Token {
                index: index as u32,
                generation: 0,
            },
        );
        // SAFETY: buffer, header and address are boxed and stay in `sends` until the completion was taken.
        unsafe { self.ring.push(&mut self.probe, &entry) };
        Submit::InFlight
    }

    pub(super) fn sent_datagram(&mut self, name: Token, completion: Completion) -> Outcome {
        let place = self
            .datagrams
            .as_mut()
            .and_then(|datagrams| datagrams.sends.get_mut(name.index as usize));
        let Some((socket, sending)) = place.and_then(Option::take) else {
            return Outcome::Nothing;
        };
        let Some(slot) = self.slots.known(socket) else {
            return Outcome::Nothing;
        };
        slot.in_flight -= 1;
        if slot.state == State::Draining {
            if slot.in_flight == 0 {
                self.close_now(socket);
            }
            return Outcome::Nothing;
        }
        let result = completion.outcome().map(drop);
        Outcome::Event(Event::Sent {
            token: socket,
            buf: sending.buf,
            result,
        })
    }
}

/// Reads the sender's address out of the buffer. Its length is the kernel's; a Unix sender may have none.
fn address_of(name: &[u8], len: u32) -> Address {
    // SAFETY: all zeros is a valid sockaddr_storage: no family, no bytes.
    let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let count = name.len().min(size_of::<libc::sockaddr_storage>());
    // SAFETY: `count` bytes fit into both, and they do not overlap; any bytes are valid in a sockaddr_storage.
    unsafe { std::ptr::copy_nonoverlapping(name.as_ptr(), (&raw mut storage).cast::<u8>(), count) };
    Address::from_raw(&storage, len.min(count as u32))
        .unwrap_or(Address::Unix(sys::UnixName::Unnamed))
}
