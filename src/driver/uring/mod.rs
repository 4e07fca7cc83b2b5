//! The io_uring driver: one ring, one system call per turn.
//!
//! ```text
//!   send / close / re-arm ──▶ submission queue ─┐
//!                                               ├─ io_uring_enter, once per turn
//!   next_event ◀── completions ◀────────────────┘
//!        └─ lends bytes in a provided buffer, until the next call; a buffer that is full goes back then
//! ```
//!
//! Accepted sockets are *direct descriptors*: entries of the ring's own table, which neither cost a descriptor of the
//! process nor a lookup. The first receive on a connection is single-shot, and from the second on it is multishot: one
//! submission, many completions. (Multishot from the start lost 12 % where each connection carries one request, and won
//! 5 % on kept ones.) Nothing waits for a connection's memory: buffers are chosen when bytes arrive.
//!
//! A send is one operation at a time: its bytes, then pieces of its file, read into memory and sent (`send`). Small ones
//! leave together, with the call that waits; a large one leaves at once.
//!
//! A closed connection's slot lives until the kernel has answered everything that is in flight (`close`).
//!
//! Needs Linux 6.1. It does not know protocols, limits, or who is served first.
#![allow(unsafe_code)] // submissions point to memory; each push says who keeps it alive

mod accept;
mod available;
mod buffers;
mod close;
mod complete;
mod datagram;
mod op;
mod outside;
mod pause;
mod peer;
mod ring;
mod send;
mod slots;
mod stage;
mod teardown;
mod told;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use accept::Listening;
pub(crate) use available::{available, explain};
use buffers::Buffers;
use datagram::Datagrams;
use ring::Ring;
use send::Sending;
use slots::{Flags, Slots, State};
use stage::Stages;

use super::{Config, Driver, Event, Listener, ListenerId, Op, Submit, Token, Waker};
use crate::buf::{FileSlice, SendBuf};
use crate::sys::{self, Address, Aside, Kind, Mode, Probe, SocketOption, ToldFd};

/// The group that streams receive into.
const STREAMS: u16 = 0;
/// A receive that is not multishot brings at most this many bytes: who was left without a buffer shares them fairly.
const SINGLE_BYTES_MAX: u32 = 32 * 1024;
/// A send of at least this many bytes is submitted at once, with whatever else waits. Its memory is then used again by the
/// next one, while it is in the cache: with 100 messages of 16 KB in a turn that outweighs a system call for each.
const AT_ONCE_BYTES_MIN: usize = 8 * 1024;

/// The bytes that the last event lent.
struct Lend {
    token: Token,
    /// Where they lie in the memory of all buffers, without those that were shown already.
    rest: Range<usize>,
    /// The buffers that end in them. The kernel gets these back.
    buffers: Range<u16>,
}

/// A driver on io_uring, watched by probe `P`.
pub(crate) struct Uring<P: Probe> {
    // The ring is dropped first: after that the kernel writes to none of the memory below.
    ring: Ring,
    probe: P,
    slots: Slots,
    /// Memory for the files of sends that have none yet.
    stages: Stages,
    buffers: Buffers,
    listeners: Vec<Option<Listening>>,
    /// Answers that were known at once. They come before anything new.
    queued: VecDeque<Event<'static>>,
    /// Connections to receive on again before the next wait.
    rearm: Vec<Token>,
    /// As `rearm`, for those for which no buffer was left. They come first.
    starved: Vec<Token>,
    /// Those whose first send has just begun: they are received from one turn later, if they are still there then.
    answered: Vec<Token>,
    lend: Option<Lend>,
    datagrams: Option<Datagrams>,
    /// Addresses that connect(2) reads, by slot.
    connecting: HashMap<u32, Box<socket2::SockAddr>>,
    /// Addresses that the kernel writes, by slot.
    peers: HashMap<u32, Box<peer::PeerName>>,
    /// File reads in flight, by slot.
    reads: HashMap<u32, complete::Reading>,
    wake: Arc<ToldFd>,
    wake_count: Box<[u8; 8]>,
    /// Operations that the kernel has not finished.
    in_flight: u32,
    retry_at: Option<Instant>,
    /// What loops outside wait for.
    bell: Option<Arc<ToldFd>>,
    /// Whether the kernel writes it.
    rings: bool,
}

impl<P: Probe> Uring<P> {
    /// Submits one operation on a socket and counts it.
    ///
    /// # Safety
    /// As [`Ring::push`]: what the entry points to stays until its completion was taken.
    unsafe fn submit(&mut self, token: Token, operation: u8, entry: io_uring::squeue::Entry) {
        if let Some(slot) = self.slots.known(token) {
            slot.in_flight += 1;
        }
        self.in_flight += 1;
        let entry = op::tag(entry, operation, token);
        // SAFETY: passed on to the caller.
        unsafe { self.ring.push(&mut self.probe, &entry) };
    }

    /// How many operations the kernel has not finished.
    #[cfg(test)]
    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// How many pieces of files stand in memory.
    #[cfg(test)]
    pub(super) fn stages_lent(&self) -> usize {
        self.stages.lent
    }

    /// Receives on a connection again before the next wait, if it is still wanted then. One that is paused is watched.
    fn receive_again(&mut self, token: Token) {
        if let Some(slot) = self.slots.open(token)
            && !slot.flags.has(Flags::QUEUED)
        {
            slot.flags.set(Flags::QUEUED);
            self.rearm.push(token);
        }
    }

    /// As [`receive_again`](Self::receive_again), for a connection that found no buffer: it comes before those that had
    /// one, and brings [`SINGLE_BYTES_MAX`] at first. Otherwise a peer that never stops sending would have all the memory,
    /// turn by turn.
    fn receive_first(&mut self, token: Token) {
        if let Some(slot) = self.slots.open(token)
            && !slot.flags.has(Flags::QUEUED)
        {
            slot.flags.set(Flags::QUEUED);
            slot.flags.clear(Flags::STAYS);
            self.starved.push(token);
        }
    }

    /// Submits the receives that are wanted, those first that went without. By now every buffer that is full and was shown
    /// is back.
    fn arm_receives(&mut self) {
        let mut starved = std::mem::take(&mut self.starved);
        let mut rearm = std::mem::take(&mut self.rearm);
        let mut answered = std::mem::take(&mut self.answered);
        for token in starved.drain(..) {
            self.arm_receive(token);
        }
        for token in answered.drain(..) {
            self.arm_receive(token);
        }
        self.answered = answered;
        for token in rearm.drain(..) {
            if self.may_go(token) {
                self.answered.push(token);
            } else {
                self.arm_receive(token);
            }
        }
        // Keep the lists' memory. Arming queues nothing.
        (self.starved, self.rearm) = (starved, rearm);
    }

    /// Whether a connection has asked for the first time and is being answered. Often it is closed then: a receive that
    /// was armed meanwhile would have to be cancelled and waited for.
    fn may_go(&mut self, token: Token) -> bool {
        let Some(slot) = self.slots.open(token) else {
            return false;
        };
        if !slot.flags.has(Flags::STAYS) || slot.flags.has(Flags::KNOWN) {
            return false;
        }
        slot.flags.set(Flags::KNOWN);
        slot.send.is_some()
    }

    fn arm_receive(&mut self, token: Token) {
        let target = self.slots.target(token);
        let Some(slot) = self.slots.open(token) else {
            return;
        };
        slot.flags.clear(Flags::QUEUED);
        let flags = slot.flags;
        if slot.state != State::Open || flags.has(Flags::ENDED) {
            return;
        }
        if !flags.has(Flags::READING) {
            self.watch(token);
            return;
        }
        if flags.has(Flags::ARMED) {
            return;
        }
        slot.flags.set(Flags::ARMED);
        if flags.has(Flags::DATAGRAM) {
            self.arm_datagrams(token);
            return;
        }
        let entry = if flags.has(Flags::STAYS) {
            op::recv_multishot(target, STREAMS)
        } else {
            op::recv(target, STREAMS, SINGLE_BYTES_MAX)
        };
        // SAFETY: the entry points to nothing; the kernel takes a buffer of the group, which lives as long as the ring.
        unsafe { self.submit(token, op::RECEIVE, entry) };
    }

    fn arm_waker(&mut self) {
        let entry = op::read(
            self.wake.as_raw_fd(),
            self.wake_count.as_mut_ptr(),
            8,
            u64::MAX,
        );
        let entry = op::tag(
            entry,
            op::WAKE,
            Token {
                index: 0,
                generation: 0,
            },
        );
        self.in_flight += 1;
        // SAFETY: `wake_count` is boxed and dropped only after the ring.
        unsafe { self.ring.push(&mut self.probe, &entry) };
    }

    /// FIN behind what the kernel has taken so far.
    fn end_now(&mut self, token: Token) {
        let entry = op::shutdown(self.slots.target(token), libc::SHUT_WR);
        // SAFETY: the entry points to nothing.
        unsafe { self.submit(token, op::SHUTDOWN, entry) };
    }
}

impl<P: Probe> Driver for Uring<P> {
    type Probe = P;

    fn open(config: &Config, mut probe: P) -> io::Result<Self> {
        let ring = Ring::open(&mut probe, config.ring_entries, config.ring_completions)?;
        // Sparse: the kernel fills the table as it accepts. It may be as long as RLIMIT_NOFILE, for each ring anew.
        ring.register_table(&mut probe, config.connections_max)?;
        let buffers = buffers::for_streams(&mut probe, &ring, config)?;
        let wake = Arc::new(ToldFd::from(sys::eventfd(&mut probe)?));
        // The ring waits for it, and a non-blocking file would answer EAGAIN instead.
        sys::set_mode(&mut probe, wake.as_fd(), Mode::Blocking)?;
        let mut driver = Self {
            ring,
            probe,
            slots: Slots::new(config.connections_max),
            stages: Stages::default(),
            buffers,
            listeners: Vec::new(),
            queued: VecDeque::new(),
            rearm: Vec::new(),
            starved: Vec::new(),
            answered: Vec::new(),
            lend: None,
            datagrams: None,
            connecting: HashMap::new(),
            peers: HashMap::new(),
            reads: HashMap::new(),
            wake,
            wake_count: Box::new([0; 8]),
            in_flight: 0,
            retry_at: None,
            bell: None,
            rings: false,
        };
        driver.arm_waker();
        Ok(driver)
    }

    fn listen(&mut self, listener: Listener) -> io::Result<ListenerId> {
        self.start_listening(listener)
    }

    fn stop_listening(&mut self, listener: ListenerId) {
        self.stop_accepting(listener);
    }

    fn close_listener(&mut self, listener: ListenerId) {
        self.close_without_accepting(listener);
    }

    fn connect(&mut self, to: &Address, from: Option<&Address>) -> io::Result<Token> {
        let fd = sys::socket(&mut self.probe, to.family(), Kind::Stream, Mode::Blocking)?;
        let fd = ToldFd::from(fd);
        if let Some(from) = from {
            if !from.is_unix() {
                sys::setsockopt(
                    &mut self.probe,
                    fd.as_fd(),
                    &SocketOption::BindAddressNoPort(true),
                )?;
            }
            sys::bind(&mut self.probe, fd.as_fd(), from)?;
        }
        let address = Box::new(to.to_sockaddr()?);
        let token = self.slots.occupy_plain(fd, State::Connecting);
        let entry = op::connect(
            self.slots.target(token),
            address.as_ptr().cast(),
            address.len(),
        );
        self.connecting.insert(token.index, address);
        // SAFETY: the address is boxed and stays in `connecting` until the completion was taken.
        unsafe { self.submit(token, op::CONNECT, entry) };
        Ok(token)
    }

    fn adopt(&mut self, stream: OwnedFd) -> io::Result<Token> {
        let stream = ToldFd::from(stream);
        sys::set_mode(&mut self.probe, stream.as_fd(), Mode::Blocking)?;
        let token = self.slots.occupy_plain(stream, State::Open);
        self.receive_again(token);
        Ok(token)
    }

    fn send(&mut self, token: Token, buf: SendBuf) -> Submit {
        let Some(slot) = self.slots.open(token) else {
            return Submit::Failed(buf, io::ErrorKind::NotConnected.into());
        };
        assert!(
            slot.send.is_none(),
            "at most one send is in flight per connection"
        );
        let whole = Sending::fits_one(&buf).then(|| buf.remaining());
        self.go_on_sending(token, Sending::new(buf));
        if let Some(bytes) = whole.filter(|bytes| *bytes >= AT_ONCE_BYTES_MIN)
            && let Some(buf) = self.sent_at_once(token, bytes)
        {
            return Submit::Done(buf);
        }
        Submit::InFlight
    }

    fn unsent(&self, token: Token) -> usize {
        self.slots
            .peek(token)
            .and_then(|slot| slot.send.as_ref())
            .map_or(0, |sending| sending.buf.remaining())
    }

    fn read_file(&mut self, token: Token, file: FileSlice, buf: Vec<u8>) {
        self.start_read(token, file, buf);
    }

    fn bind_datagram(&mut self, socket: OwnedFd) -> io::Result<Token> {
        self.start_datagrams(socket)
    }

    fn send_to(&mut self, socket: Token, to: &Address, buf: SendBuf) -> Submit {
        self.send_datagram(socket, to, buf)
    }

    fn pause_recv(&mut self, token: Token) {
        self.pause(token);
    }

    fn resume_recv(&mut self, token: Token) {
        self.resume(token);
    }

    fn pause_accept(&mut self, listener: ListenerId) {
        self.hold_accept(listener, true);
    }

    fn resume_accept(&mut self, listener: ListenerId) {
        self.hold_accept(listener, false);
    }

    fn shutdown_write(&mut self, token: Token) {
        let Some(slot) = self.slots.open(token) else {
            return;
        };
        if slot.send.is_some() {
            slot.flags.set(Flags::ENDING);
        } else {
            self.end_now(token);
        }
    }

    fn close(&mut self, token: Token) {
        self.start_close(token);
    }

    fn reset(&mut self, token: Token) {
        self.refuse_linger(token);
        self.start_close(token);
    }

    fn ask_peer(&mut self, token: Token) {
        self.start_peer_name(token);
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        // A turn that was broken off may leave bytes that were not shown.
        if self.lend.as_ref().is_none_or(|lend| lend.rest.is_empty()) {
            self.return_lend();
        }
        self.arm_receives();
        self.arm_accepts();
        let idle = self.queued.is_empty() && self.lend.is_none() && self.answered.is_empty();
        let timeout = if idle {
            self.until_retry(timeout)
        } else {
            Some(Duration::ZERO)
        };
        self.ring.submit_and_wait(&mut self.probe, timeout)
    }

    fn next_event(&mut self) -> Option<Event<'_>> {
        if let Some((token, range)) = self.next_of_lend() {
            return Some(Event::Received {
                token,
                bytes: self.buffers.lend(range),
            });
        }
        loop {
            if let Some(event) = self.queued.pop_front() {
                if let Event::Closed { token, .. } = event {
                    self.slots.free(token);
                } else if event
                    .dies_with()
                    .is_some_and(|token| self.slots.open(token).is_none())
                {
                    continue;
                }
                return Some(event);
            }
            let completion = self.ring.next(&mut self.probe)?;
            match self.complete(completion) {
                complete::Outcome::Nothing => {}
                complete::Outcome::Event(event) => self.queued.push_back(event),
                complete::Outcome::Received => {
                    let (token, range) = self.next_of_lend()?;
                    return Some(Event::Received {
                        token,
                        bytes: self.buffers.lend(range),
                    });
                }
                complete::Outcome::Datagram {
                    socket,
                    from,
                    truncated,
                    range,
                } => {
                    let bytes = self.datagrams.as_mut()?.lend(range);
                    return Some(Event::Datagram {
                        socket,
                        from,
                        bytes,
                        truncated,
                    });
                }
            }
        }
    }

    fn waker(&self) -> Waker {
        self.make_waker()
    }

    fn give_back(&mut self) {
        self.slots.give_back();
    }

    fn teardown(&mut self, limit: Duration) -> io::Result<()> {
        self.finish(limit)
    }

    fn probe(&mut self) -> &mut P {
        &mut self.probe
    }
}
