//! Completions: one `io_uring_enter(2)` a turn, which submits the sends of the turn before and waits for more.
//!
//! ```text
//! enter → received in a buffer of the ring → answer → buffer back → the next: …
//!                                         end of the turn: one send for each connection that has something to say
//! ```
//!
//! Each setting is the one that was fastest: DEFER_TASKRUN, direct descriptors, multishot accept, a single receive first
//! (whoever asks one thing and goes is cheaper so), multishot from the first kept connection on, a small pool of
//! buffers, no completion for a send whose bytes live for ever.

use std::io;
use std::mem;
use std::os::fd::RawFd;

use io_uring::squeue::{Entry, Flags};
use io_uring::types::{Fd, Fixed};
use io_uring::{IoUring, cqueue, opcode};

use crate::buffers::{BufferRing, GROUP};
use crate::http;
use crate::protocol::{Answer, Protocol, RECV_BYTES};

const CONNECTIONS_MAX: u32 = 16384;
const SUBMISSIONS: u32 = 4096;
const COMPLETIONS: u32 = 16384;

const ACCEPT: u64 = 0;
const RECV: u64 = 1 << 32;
const SEND: u64 = 2 << 32;
const CLOSE: u64 = 3 << 32;

#[derive(Default)]
struct Connection {
    protocol: Option<Protocol>,
    /// Answers of this turn: so many bytes of the ready-made replies, or what was made for this peer.
    owed: usize,
    out: Vec<u8>,
    /// The kernel owns these bytes until their completion. Empty: no send is in flight.
    flying: Vec<u8>,
    dirty: bool,
    receiving: bool,
    /// No receive comes any more: close when nothing flies.
    over: bool,
    /// Send what is there, then close.
    last: bool,
}

struct Loop {
    ring: IoUring,
    listener: Fd,
    ws: bool,
    buffers: BufferRing,
    connections: Vec<Connection>,
    dirty: Vec<u32>,
    replies: Vec<u8>,
    /// Vectors of sends that are done, the warmest last: who is silent holds none.
    spare: Vec<Vec<u8>>,
}

pub(crate) fn serve(listener: RawFd, ws: bool, buffer_bytes: usize) -> io::Result<()> {
    let ring = IoUring::builder()
        .setup_cqsize(COMPLETIONS)
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_submit_all()
        .build(SUBMISSIONS)?;
    ring.submitter().register_files_sparse(CONNECTIONS_MAX)?;
    let buffers = BufferRing::register(&ring, buffer_bytes)?;
    let mut connections = Vec::new();
    connections.resize_with(CONNECTIONS_MAX as usize, Connection::default);
    // Never dropped, also not on an error: the kernel may still read or write the memory that it was given.
    let mut all = mem::ManuallyDrop::new(Loop {
        ring,
        listener: Fd(listener),
        ws,
        buffers,
        connections,
        dirty: Vec::new(),
        replies: http::replies_for(RECV_BYTES),
        spare: Vec::new(),
    });
    all.accept()?;
    all.run()
}

impl Loop {
    fn run(&mut self) -> io::Result<()> {
        let mut batch: Vec<cqueue::Entry> = Vec::with_capacity(COMPLETIONS as usize);
        loop {
            match self.ring.submit_and_wait(1) {
                Ok(_) => {}
                // EBUSY: completions did not fit. Taking some makes room.
                Err(error) if matches!(error.raw_os_error(), Some(libc::EINTR | libc::EBUSY)) => {}
                Err(error) => return Err(error),
            }
            batch.clear();
            batch.extend(self.ring.completion());
            for done in &batch {
                self.complete(done)?;
            }
            // Before the sends: what they cause may need buffers in the same call.
            self.buffers.publish();
            let mut dirty = mem::take(&mut self.dirty);
            for index in dirty.drain(..) {
                self.settle(index)?;
            }
            self.dirty = dirty;
        }
    }

    fn complete(&mut self, done: &cqueue::Entry) -> io::Result<()> {
        let index = done.user_data() as u32;
        match done.user_data() & !u64::from(u32::MAX) {
            ACCEPT => self.accepted(done),
            RECV => {
                self.received(index, done);
                Ok(())
            }
            SEND => {
                self.sent(index, done.result());
                Ok(())
            }
            // A close whose completion was wanted only if it failed.
            _ => Ok(()),
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        let accept = opcode::AcceptMulti::new(self.listener).allocate_file_index(true);
        self.push(&[accept.build().user_data(ACCEPT)])
    }

    fn accepted(&mut self, done: &cqueue::Entry) -> io::Result<()> {
        if let Ok(index) = u32::try_from(done.result()) {
            let ws = self.ws;
            let connection = &mut self.connections[index as usize];
            connection.out.clear();
            (connection.owed, connection.over, connection.last) = (0, false, false);
            connection.protocol = Some(Protocol::new(ws));
            connection.receiving = true;
            let receive = opcode::Recv::new(Fixed(index), std::ptr::null_mut(), 0)
                .buf_group(GROUP)
                .build()
                .flags(Flags::BUFFER_SELECT);
            self.push(&[receive.user_data(RECV | u64::from(index))])?;
        }
        if cqueue::more(done.flags()) {
            return Ok(());
        }
        self.accept()
    }

    fn received(&mut self, index: u32, done: &cqueue::Entry) {
        let connection = &mut self.connections[index as usize];
        connection.receiving = cqueue::more(done.flags());
        if !connection.dirty {
            connection.dirty = true;
            self.dirty.push(index);
        }
        let Some(id) = cqueue::buffer_select(done.flags()) else {
            // ENOBUFS only ended the receive; everything else, and a FIN, the connection.
            connection.over |= done.result() != -libc::ENOBUFS;
            return;
        };
        let bytes = self.buffers.bytes(id, done.result().max(0) as usize);
        if let Some(protocol) = &mut connection.protocol
            && !connection.last
        {
            if self.ws && connection.out.capacity() == 0 {
                connection.out = self.spare.pop().unwrap_or_default();
            }
            match protocol.answer(bytes, &mut connection.out) {
                Answer::Replies(count) => connection.owed += count,
                Answer::LastReply => connection.last = true,
                Answer::Appended { closing } => connection.last = closing,
                Answer::Over => connection.over = true,
            }
        }
        connection.over |= done.result() == 0;
        self.buffers.give_back(id);
    }

    /// Only sends of own bytes, and those that failed, complete.
    fn sent(&mut self, index: u32, result: i32) {
        let connection = &mut self.connections[index as usize];
        if result < 0 {
            connection.over = true;
        }
        let mut done = mem::take(&mut connection.flying);
        done.clear();
        self.spare.push(done);
        if !connection.dirty {
            connection.dirty = true;
            self.dirty.push(index);
        }
    }

    /// One send, a receive if none is there, or the end.
    fn settle(&mut self, index: u32) -> io::Result<()> {
        let connection = &mut self.connections[index as usize];
        connection.dirty = false;
        if connection.protocol.is_none() {
            return Ok(());
        }
        if connection.last && matches!(connection.protocol, Some(Protocol::Http(_))) {
            return self.send_and_close(index);
        }
        let tag = u64::from(index);
        if connection.owed > 0 {
            let bytes = &self.replies[..mem::take(&mut connection.owed)];
            let send = send(index, bytes).flags(Flags::SKIP_SUCCESS);
            self.push(&[send])?;
        } else if connection.flying.is_empty() && !connection.out.is_empty() {
            mem::swap(&mut connection.flying, &mut connection.out);
            let send = send(index, &connection.flying);
            if connection.last {
                // The receive ends by this, and the connection with it.
                let shutdown = opcode::Shutdown::new(Fixed(index), libc::SHUT_RDWR).build();
                let shutdown = shutdown.flags(Flags::SKIP_SUCCESS).user_data(CLOSE | tag);
                self.push(&[send.flags(Flags::IO_HARDLINK), shutdown])?;
            } else {
                self.push(&[send])?;
            }
        }
        let connection = &mut self.connections[index as usize];
        if connection.over {
            if connection.flying.is_empty() && !connection.receiving {
                connection.protocol = None;
                self.push(&[close(index)])?;
            }
        } else if !connection.receiving {
            connection.receiving = true;
            let receive = opcode::RecvMulti::new(Fixed(index), GROUP).build();
            self.push(&[receive.user_data(RECV | tag)])?;
        }
        Ok(())
    }

    /// The last reply, and the close linked to it: no receive is armed that would hold the socket open.
    fn send_and_close(&mut self, index: u32) -> io::Result<()> {
        let connection = &mut self.connections[index as usize];
        if connection.receiving {
            return Ok(()); // a multishot receive: the client closes, and `over` follows
        }
        connection.protocol = None;
        let send = send(index, http::LAST_REPLY).flags(Flags::IO_HARDLINK | Flags::SKIP_SUCCESS);
        self.push(&[send, close(index)])
    }

    fn push(&mut self, entries: &[Entry]) -> io::Result<()> {
        loop {
            // SAFETY: only sends carry a pointer. It is into `replies` or a constant, which live as long as the process,
            // or into `Connection::flying`, which is neither changed nor freed until the send's completion: `settle`
            // swaps it when it is empty only, and closes no connection before.
            if unsafe { self.ring.submission().push_multiple(entries) }.is_ok() {
                return Ok(());
            }
            self.ring.submit()?;
        }
    }
}

fn send(index: u32, bytes: &[u8]) -> Entry {
    opcode::Send::new(Fixed(index), bytes.as_ptr(), bytes.len() as u32)
        .flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL)
        .build()
        .user_data(SEND | u64::from(index))
}

fn close(index: u32) -> Entry {
    let close = opcode::Close::new(Fixed(index)).build();
    close
        .flags(Flags::SKIP_SUCCESS)
        .user_data(CLOSE | u64::from(index))
}
