//! # 04: `io_uring` by hand, completions instead of readiness
//!
//! epoll says "you may ask now", and then every question is a system call. Here the questions are written into a ring in
//! memory that we share with the kernel (the submission queue), the answers are read from another (the completion
//! queue), and one call, `io_uring_enter(2)`, hands over a whole turn's questions and waits for answers.
//!
//! ```text
//!   submission queue                                      completion queue
//!   accept, multishot  ──► kernel: "until I say stop"  ──► a connection, a connection, a connection …
//!   recv, multishot    ──► kernel takes a buffer of ours ► 83 bytes in buffer 7; 41 bytes in buffer 12 …
//!   send               ──► kernel sends all of it      ──► done, the memory is yours again
//!   shutdown ═► close  ──► in this order               ──► closed
//!
//!   buffer ring        ◄── we put a buffer back as soon as its bytes are read
//! ```
//!
//! **Run it**, load it, and count the calls:
//!
//! ```text
//! cargo run --release --example 04_io_uring_by_hand -- 127.0.0.1:8080
//! wrk -c 64 -t 1 -d 3 http://127.0.0.1:8080/
//! strace -c target/release/examples/04_io_uring_by_hand 127.0.0.1:8080 --once 1
//! ```
//!
//! strace shows the three calls of `io_uring` and nothing of what goes on inside the rings.
//!
//! **Look at**: *who owns a byte*. Memory that is lent to the kernel must not move or change until its completion comes:
//! a send's bytes live in `Connection::sending`, received bytes in the `BufferRing`. Only one send is in flight per
//! connection (two may overtake each other). A completion can arrive after its connection is gone: the generation in
//! `user_data` tells. Connections are *direct descriptors*, entries in a table of the ring, not numbers of the process.
//!
//! **What it leaves out**: the making of the listener (02 and 03 show it); timeouts; IPv6; everything about HTTP but the
//! blank line that ends a head; a count of free table slots (a multishot accept accepts *before* it looks for one, so
//! with a full table clients are turned away). Needs Linux 6.1, and a system that permits `io_uring`: many containers
//! do not.

use std::mem::ManuallyDrop;
use std::net::{SocketAddrV4, TcpListener};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU16, Ordering};
use std::{env, io, mem, ptr, slice};

use io_uring::squeue::{Entry, Flags};
use io_uring::types::{BufRingEntry, CancelBuilder, Fd, Fixed};
use io_uring::{IoUring, cqueue, opcode};

const REPLY: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";
/// Connections at the same time: the size of the ring's own descriptor table.
const CONNECTIONS_MAX: u32 = 4096;
const SUBMISSIONS: u32 = 256;
/// A multishot request completes many times, so there is more room for answers than for questions.
const COMPLETIONS: u32 = 4096;
/// Few and small: 512 KiB stay in the cache. A power of two, as the kernel asks.
const BUFFERS: u16 = 256;
const BUFFER_BYTES: usize = 2048;
const BUFFER_GROUP: u16 = 0;
/// A head that is larger than this ends its connection: without a limit, a peer could send one for ever.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// With more unsent replies than this, we stop receiving until the peer has read some.
const UNSENT_BYTES_HIGH: usize = 256 * 1024;

fn main() -> io::Result<()> {
    let (address, once) = arguments()?;
    let listener = TcpListener::bind(address)?;
    send_at_once(&listener)?;
    let ring = open_ring().map_err(|error| {
        io::Error::new(error.kind(), format!("io_uring is refused here: {error}"))
    })?;
    // Never dropped: on an early return the kernel may still read or write memory that it owns, and leaking is safe.
    let mut server = ManuallyDrop::new(Loop::open(ring, &listener)?);
    println!("listening on {}", listener.local_addr()?);
    server.run(once)
}

/// `TCP_NODELAY`, which accepted sockets inherit: a reply does not wait for the acknowledgement of the one before.
fn send_at_once(listener: &TcpListener) -> io::Result<()> {
    let (fd, yes) = (listener.as_raw_fd(), ptr::from_ref(&1_i32).cast());
    // SAFETY: a constant lives for ever, and 4 is its size.
    match unsafe { libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, yes, 4) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// `io_uring_setup(2)` and `io_uring_register(2)`.
fn open_ring() -> io::Result<IoUring> {
    let ring = IoUring::builder()
        .setup_cqsize(COMPLETIONS)
        // One thread submits, so the kernel needs no lock (6.0+) …
        .setup_single_issuer()
        // … and finishes work inside our `io_uring_enter(2)` instead of interrupting us (6.1+).
        .setup_defer_taskrun()
        // One bad entry does not hold up those behind it (5.18+).
        .setup_submit_all()
        .build(SUBMISSIONS)?;
    ring.submitter().register_files_sparse(CONNECTIONS_MAX)?;
    Ok(ring)
}

/// One connection: what a thread's stack remembered in 02.
#[derive(Default)]
struct Connection {
    heads: Heads,
    /// The kernel owns these bytes from the send's submission to its completion. Empty: no send is in flight.
    sending: Vec<u8>,
    sent: usize,
    /// Replies that wait for the send before them.
    unsent: Vec<u8>,
    receive: Receive,
    /// Nothing more is wanted of this peer: close as soon as all replies are sent.
    ended: bool,
}

/// The multishot receive of a connection.
#[derive(Default, PartialEq)]
enum Receive {
    #[default]
    Off,
    Armed,
    /// Still armed, but we have asked for its end.
    Cancelling,
}

/// An entry of our table, at the index that the kernel uses in its own.
#[derive(Default)]
struct Slot {
    generation: u32,
    connection: Option<Connection>,
}

struct Loop {
    ring: IoUring,
    listener: Fd,
    buffers: BufferRing,
    slots: Vec<Slot>,
    open: u64,
    closed: u64,
    /// The kernel's table was full, so accepting goes on after the next close.
    accept_waits: bool,
}

impl Loop {
    fn open(ring: IoUring, listener: &TcpListener) -> io::Result<Self> {
        Ok(Self {
            buffers: BufferRing::register(&ring)?,
            ring,
            listener: Fd(listener.as_raw_fd()),
            slots: (0..CONNECTIONS_MAX).map(|_| Slot::default()).collect(),
            open: 0,
            closed: 0,
            accept_waits: false,
        })
    }

    fn run(&mut self, once: u64) -> io::Result<()> {
        self.accept()?;
        while self.closed < once {
            // The one system call of a turn: submits what the last turn pushed and sleeps until there is an answer.
            match self.ring.submit_and_wait(1) {
                Ok(_) => {}
                // EBUSY: answers did not fit into the queue. Taking some makes room.
                Err(error) if matches!(error.raw_os_error(), Some(libc::EINTR | libc::EBUSY)) => {}
                Err(error) => return Err(error),
            }
            while let Some(done) = { self.ring.completion().next() } {
                self.complete(&done)?;
            }
        }
        Ok(())
    }

    fn complete(&mut self, done: &cqueue::Entry) -> io::Result<()> {
        let tag = Tag(done.user_data());
        match tag.op() {
            Op::Accept => self.accepted(done.result(), cqueue::more(done.flags())),
            Op::Recv => self.received(tag, done.result(), done.flags()),
            Op::Send => self.sent(tag, done.result()),
            Op::Close => self.closed(),
            // A shutdown of a connection that the peer has reset fails, and so does the cancelling of a receive that has
            // just ended by itself. Both are as good as done.
            Op::Shutdown | Op::Cancel => Ok(()),
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        let accept = opcode::AcceptMulti::new(self.listener).allocate_file_index(true);
        let entry = Tag::new(Op::Accept, 0, 0).on(accept.build());
        push(&mut self.ring, &[entry])
    }

    fn accepted(&mut self, result: i32, more: bool) -> io::Result<()> {
        if let Ok(index) = u32::try_from(result) {
            let slot = &mut self.slots[index as usize];
            // The last completions of the one before, even its close, may come after this one: they will not match.
            slot.generation = (slot.generation + 1) & Tag::GENERATION_MASK;
            debug_assert!(
                slot.connection.is_none(),
                "a slot is free before it is used again"
            );
            slot.connection = Some(Connection::default());
            let generation = slot.generation;
            self.open += 1;
            self.settle(Tag::new(Op::Recv, generation, index))?;
        } else {
            eprintln!("accept: {}", reason(result));
        }
        self.accept_waits = !more && result == -libc::ENFILE && self.open > 0;
        if more || self.accept_waits {
            return Ok(());
        }
        self.accept()
    }

    fn received(&mut self, tag: Tag, result: i32, flags: u32) -> io::Result<()> {
        let buffer = cqueue::buffer_select(flags);
        if let Some(connection) = find(&mut self.slots, tag)
            && !connection.ended
        {
            if !cqueue::more(flags) {
                connection.receive = Receive::Off;
            }
            match (usize::try_from(result), buffer) {
                (Ok(0), _) => connection.ended = true, // the peer's FIN
                (Ok(count), Some(id)) => connection.answer(self.buffers.bytes(id, count)),
                (Ok(_), None) => connection.fail("a receive without a buffer"),
                // ENOBUFS: the buffer ring ran dry and the receive ended; nothing is lost, `settle` arms it again. By the
                // time that the kernel sees this, the buffers of the completions before it are back.
                _ if result == -libc::ENOBUFS || result == -libc::ECANCELED => {}
                _ => connection.fail(&reason(result)),
            }
        }
        if let Some(id) = buffer {
            self.buffers.give_back(id); // also when the connection is gone
        }
        self.settle(tag)
    }

    fn sent(&mut self, tag: Tag, result: i32) -> io::Result<()> {
        let connection = find(&mut self.slots, tag).expect("a connection outlives its send");
        if let Ok(count) = usize::try_from(result) {
            connection.sent += count;
        } else {
            connection.fail(&reason(result));
            connection.sent = connection.sending.len();
        }
        if connection.sent < connection.sending.len() {
            let rest = connection.send(tag); // rare with MSG_WAITALL
            return push(&mut self.ring, &[rest]);
        }
        connection.sending.clear();
        connection.sending.shrink_to(BUFFER_BYTES);
        self.settle(tag)
    }

    fn closed(&mut self) -> io::Result<()> {
        self.open -= 1;
        self.closed += 1;
        if mem::take(&mut self.accept_waits) {
            return self.accept();
        }
        Ok(())
    }

    /// The one place where a connection's state becomes requests to the kernel.
    fn settle(&mut self, tag: Tag) -> io::Result<()> {
        let ring = &mut self.ring;
        let Some(connection) = find(&mut self.slots, tag) else {
            return Ok(());
        };
        if connection.sending.is_empty() && !connection.unsent.is_empty() {
            mem::swap(&mut connection.sending, &mut connection.unsent);
            connection.sent = 0;
            push(ring, &[connection.send(tag)])?;
        }
        if connection.ended {
            if connection.sending.is_empty() {
                // For us it is gone now; what still completes for it finds nobody.
                push(ring, &close(tag))?;
                self.slots[tag.slot() as usize].connection = None;
            }
            return Ok(());
        }
        let full = connection.unsent.len() > UNSENT_BYTES_HIGH;
        if full && connection.receive == Receive::Armed {
            connection.receive = Receive::Cancelling;
            let receive = CancelBuilder::user_data(tag.with(Op::Recv).0);
            let entry = opcode::AsyncCancel2::new(receive).build();
            push(ring, &[tag.with(Op::Cancel).on(entry)])?;
        } else if !full && connection.receive == Receive::Off {
            connection.receive = Receive::Armed;
            let entry = opcode::RecvMulti::new(Fixed(tag.slot()), BUFFER_GROUP).build();
            push(ring, &[tag.with(Op::Recv).on(entry)])?;
        }
        Ok(())
    }
}

/// Closing a descriptor does not end a receive that is armed on it: the request holds the socket, and the peer would
/// never see our FIN. So first shut down both ways; then close, whether or not that worked (a *hard* link).
fn close(tag: Tag) -> [Entry; 2] {
    let shutdown = opcode::Shutdown::new(Fixed(tag.slot()), libc::SHUT_RDWR).build();
    let close = opcode::Close::new(Fixed(tag.slot())).build();
    let first = tag.with(Op::Shutdown).on(shutdown);
    let second = tag.with(Op::Close).on(close);
    [first.flags(Flags::IO_HARDLINK), second]
}

/// A completion's negative result is an errno.
fn reason(result: i32) -> String {
    io::Error::from_raw_os_error(-result).to_string()
}

/// Writes entries into the submission queue, all or none: a link must not be cut by the end of a submission.
fn push(ring: &mut IoUring, entries: &[Entry]) -> io::Result<()> {
    debug_assert!(entries.len() <= SUBMISSIONS as usize, "would never fit");
    loop {
        // SAFETY: only sends carry a pointer. It is into `Connection::sending`, which is neither changed nor freed until
        // the send's completion, kept true by `sent` and by `settle`, which closes no connection before.
        if unsafe { ring.submission().push_multiple(entries) }.is_ok() {
            return Ok(());
        }
        ring.submit()?;
    }
}

/// The connection that a completion is about, if it is still the one that asked.
fn find(slots: &mut [Slot], tag: Tag) -> Option<&mut Connection> {
    let slot = &mut slots[tag.slot() as usize];
    let same = slot.generation == tag.generation();
    slot.connection.as_mut().filter(|_| same)
}

impl Connection {
    fn answer(&mut self, bytes: &[u8]) {
        match self.heads.count(bytes) {
            Some(complete) => (0..complete).for_each(|_| self.unsent.extend_from_slice(REPLY)),
            None => self.fail("a request's head is larger than 16 KiB"),
        }
    }

    /// Lends `sending` to the kernel, as far as it is not sent yet.
    fn send(&self, tag: Tag) -> Entry {
        let bytes = &self.sending[self.sent..];
        let entry = opcode::Send::new(Fixed(tag.slot()), bytes.as_ptr(), bytes.len() as u32)
            // WAITALL: the kernel goes on after a short send. NOSIGNAL: a peer that is gone is an error, not a signal.
            .flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL)
            .build();
        tag.with(Op::Send).on(entry)
    }

    fn fail(&mut self, why: &str) {
        eprintln!("connection: {why}");
        self.unsent.clear();
        self.ended = true;
    }
}

/// Finds where request heads end, in a stream of bytes that may be cut anywhere. The same lines as in 02 and 03.
#[derive(Default)]
struct Heads {
    /// The last four bytes, the newest lowest.
    window: u32,
    /// Length of the unfinished head.
    bytes: usize,
}

impl Heads {
    /// How many heads end in `bytes`; `None` when one is larger than [`HEAD_BYTES_MAX`].
    fn count(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut complete = 0;
        for byte in bytes {
            self.window = self.window << 8 | u32::from(*byte);
            self.bytes += 1;
            if self.window == u32::from_be_bytes(*b"\r\n\r\n") {
                complete += 1;
                *self = Self::default();
            } else if self.bytes >= HEAD_BYTES_MAX {
                return None;
            }
        }
        Some(complete)
    }
}

#[derive(Clone, Copy)]
#[rustfmt::skip]
enum Op { Accept, Recv, Send, Cancel, Shutdown, Close }

#[rustfmt::skip]
const OPS: [Op; 6] = [Op::Accept, Op::Recv, Op::Send, Op::Cancel, Op::Shutdown, Op::Close];

/// What `user_data` says, the 64 bits that come back with each completion: operation (8), generation (24), slot (32).
/// Never a pointer: a completion may outlive what it would point to.
#[derive(Clone, Copy)]
struct Tag(u64);

impl Tag {
    const GENERATION_MASK: u32 = 0x00ff_ffff;

    fn new(op: Op, generation: u32, slot: u32) -> Self {
        Self((op as u64) << 56 | u64::from(generation) << 32 | u64::from(slot))
    }

    fn op(self) -> Op {
        OPS[(self.0 >> 56) as usize]
    }

    fn generation(self) -> u32 {
        (self.0 >> 32) as u32 & Self::GENERATION_MASK
    }

    fn slot(self) -> u32 {
        self.0 as u32
    }

    /// The same connection, another operation.
    fn with(self, op: Op) -> Self {
        Self::new(op, self.generation(), self.slot())
    }

    fn on(self, entry: Entry) -> Entry {
        entry.user_data(self.0)
    }
}

/// Buffers that the kernel picks from when bytes arrive (5.19+): no connection holds one while its peer is silent.
///
/// The first page is a ring of entries (address, length, id). We write at `tail`, the kernel takes from its own head. The
/// tail itself stands in a field of the first entry that entries do not use.
struct BufferRing {
    entries: *mut BufRingEntry,
    bytes: *mut u8,
    tail: u16,
}

impl BufferRing {
    fn register(ring: &IoUring) -> io::Result<Self> {
        let entries_bytes = BUFFERS as usize * mem::size_of::<BufRingEntry>();
        let length = entries_bytes + BUFFERS as usize * BUFFER_BYTES;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new anonymous mapping touches no memory of ours. It is page-aligned, as the ring has to be.
        let base = unsafe { libc::mmap(ptr::null_mut(), length, protection, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let submitter = ring.submitter();
        // SAFETY: the mapping starts with room for `BUFFERS` entries and is never unmapped, kept so by having no Drop.
        unsafe { submitter.register_buf_ring_with_flags(base as u64, BUFFERS, BUFFER_GROUP, 0)? };
        let mut buffers = Self {
            entries: base.cast(),
            // SAFETY: the buffers follow the entries inside the mapping.
            bytes: unsafe { base.cast::<u8>().add(entries_bytes) },
            tail: 0,
        };
        (0..BUFFERS).for_each(|id| buffers.give_back(id));
        Ok(buffers)
    }

    /// The first `count` bytes of a buffer that a completion has named.
    fn bytes(&self, id: u16, count: usize) -> &[u8] {
        debug_assert!(id < BUFFERS && count <= BUFFER_BYTES);
        // SAFETY: inside the mapping; ours to read from its completion until `give_back`, which the borrow keeps away.
        unsafe { slice::from_raw_parts(self.bytes.add(id as usize * BUFFER_BYTES), count) }
    }

    /// Hands a buffer to the kernel.
    fn give_back(&mut self, id: u16) {
        debug_assert!(id < BUFFERS, "not a buffer of ours");
        let index = self.tail & (BUFFERS - 1);
        // SAFETY: inside the mapping, and the kernel does not look at an entry beyond the tail, which is published below.
        unsafe {
            let entry = &mut *self.entries.add(index as usize);
            entry.set_addr(self.bytes.add(id as usize * BUFFER_BYTES) as u64);
            entry.set_len(BUFFER_BYTES as u32);
            entry.set_bid(id);
        }
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the tail is an aligned u16 inside the mapping, and is only written here, atomically. Release: whoever
        // sees the new tail also sees the entry.
        unsafe {
            let tail = BufRingEntry::tail(self.entries).cast_mut();
            AtomicU16::from_ptr(tail).store(self.tail, Ordering::Release);
        }
    }
}

/// `[ADDR] [--once N]`: where to listen, and after how many connections to end.
fn arguments() -> io::Result<(SocketAddrV4, u64)> {
    let words: Vec<String> = env::args().skip(1).collect();
    let flag = words.iter().position(|word| word == "--once");
    let (address, once) = words.split_at(flag.unwrap_or(words.len()));
    let address = address.first().map_or("127.0.0.1:0", String::as_str);
    let once = once.get(1).map_or(Ok(u64::MAX), |count| count.parse());
    Ok((
        address.parse().map_err(io::Error::other)?,
        once.map_err(io::Error::other)?,
    ))
}
