//! The network between the in-memory driver and the test.

use std::cell::{RefCell, RefMut};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use crate::buf::SendBuf;
use crate::driver::ListenerId;

/// One connection, or one datagram socket.
#[derive(Default)]
pub(super) struct Pipe {
    /// Each element is one lend.
    pub(super) to_server: VecDeque<Vec<u8>>,
    /// The peer has ended its side.
    pub(super) fin: bool,
    /// The peer has reset the connection.
    pub(super) reset: bool,
    to_peer: Vec<u8>,
    /// How many more bytes the server may send before the peer reads; `None`: any number.
    window: Option<usize>,
    pub(super) server_fin: bool,
    closed: bool,
}

/// Everything that both sides share.
pub(super) struct Net {
    pipes: Vec<Pipe>,
    /// For each listener: who waits to be accepted.
    waiting: Vec<VecDeque<usize>>,
    /// Connections that the server began.
    outgoing: VecDeque<usize>,
    refuses: bool,
    /// 0: no chance at all.
    random: u64,
}

impl Net {
    /// The next number of the seed's sequence (xorshift64).
    fn next(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// True for about half of the calls; never with seed 0.
    pub(super) fn chance(&mut self) -> bool {
        self.random != 0 && self.next() & 1 == 0
    }

    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        if self.random == 0 {
            return;
        }
        for end in (1..list.len()).rev() {
            let other = self.next() as usize % (end + 1);
            list.swap(end, other);
        }
    }

    pub(super) fn add_listener(&mut self) {
        self.waiting.push(VecDeque::new());
    }

    pub(super) fn waiting(&self, listener: ListenerId) -> usize {
        self.waiting[listener.0 as usize].len()
    }

    pub(super) fn next_waiting(&mut self, listener: ListenerId) -> Option<usize> {
        self.waiting[listener.0 as usize].pop_front()
    }

    pub(super) fn refuse_waiting(&mut self, listener: ListenerId) {
        for pipe in std::mem::take(&mut self.waiting[listener.0 as usize]) {
            self.pipes[pipe].closed = true;
        }
    }

    pub(super) fn connect_out(&mut self) -> (usize, bool) {
        self.pipes.push(Pipe::default());
        let pipe = self.pipes.len() - 1;
        if !self.refuses {
            self.outgoing.push_back(pipe);
        }
        (pipe, self.refuses)
    }

    pub(super) fn pipe(&mut self, pipe: usize) -> &mut Pipe {
        &mut self.pipes[pipe]
    }

    /// The kernel takes what the peer's window and the seed allow.
    pub(super) fn take_output(&mut self, pipe: usize, buf: &mut SendBuf) -> io::Result<()> {
        let most = if self.chance() {
            1 + self.next() as usize % 1000
        } else {
            usize::MAX
        };
        self.take_at_most(pipe, buf, most)
    }

    pub(super) fn take_all_output(&mut self, pipe: usize, buf: &mut SendBuf) -> io::Result<()> {
        self.take_at_most(pipe, buf, usize::MAX)
    }

    fn take_at_most(&mut self, pipe: usize, buf: &mut SendBuf, most: usize) -> io::Result<()> {
        let pipe = &mut self.pipes[pipe];
        if pipe.reset || pipe.server_fin {
            return Err(io::Error::from_raw_os_error(libc::EPIPE));
        }
        let count = buf
            .remaining()
            .min(most)
            .min(pipe.window.unwrap_or(usize::MAX));
        let bytes: Vec<u8> = buf.pieces().flatten().take(count).copied().collect();
        pipe.to_peer.extend_from_slice(&bytes);
        if let Some(window) = pipe.window.as_mut() {
            *window -= count;
        }
        buf.advance(count);
        Ok(())
    }

    pub(super) fn close(&mut self, pipe: usize) {
        let pipe = &mut self.pipes[pipe];
        pipe.closed = true;
        // close(2) with unread input resets the connection, and the peer may lose what it has not read.
        if !pipe.to_server.is_empty() {
            pipe.reset = true;
        }
    }
}

/// The test's handle on the whole network.
#[derive(Clone)]
pub(crate) struct SimNet {
    net: Rc<RefCell<Net>>,
}

impl SimNet {
    pub(super) fn new(seed: u64) -> Self {
        let net = Net {
            pipes: Vec::new(),
            waiting: Vec::new(),
            outgoing: VecDeque::new(),
            refuses: false,
            random: seed,
        };
        Self {
            net: Rc::new(RefCell::new(net)),
        }
    }

    pub(super) fn lock(&self) -> RefMut<'_, Net> {
        self.net.borrow_mut()
    }

    /// Connects to the driver's listener number `listener`.
    pub(crate) fn connect(&self, listener: u32) -> SimPeer {
        let mut net = self.lock();
        net.pipes.push(Pipe::default());
        let pipe = net.pipes.len() - 1;
        net.waiting[listener as usize].push_back(pipe);
        SimPeer {
            net: self.clone(),
            pipe,
        }
    }

    /// The other side of the oldest connection that the driver began, or of a socket that it adopted or bound.
    pub(crate) fn connected_out(&self) -> Option<SimPeer> {
        let pipe = self.lock().outgoing.pop_front()?;
        Some(SimPeer {
            net: self.clone(),
            pipe,
        })
    }

    /// How many lends have not been taken by the driver.
    pub(crate) fn lends_waiting(&self) -> usize {
        self.lock()
            .pipes
            .iter()
            .map(|pipe| pipe.to_server.len())
            .sum()
    }

    /// Refuses connections that the driver begins from now on.
    pub(crate) fn refuse_connections(&self) {
        self.lock().refuses = true;
    }
}

/// The test's side of one connection.
pub(crate) struct SimPeer {
    net: SimNet,
    pipe: usize,
}

impl SimPeer {
    fn with<R>(&self, look: impl FnOnce(&mut Pipe) -> R) -> R {
        look(self.net.lock().pipe(self.pipe))
    }

    /// Sends bytes that the driver will lend in one piece. Nothing is sent for an empty slice.
    pub(crate) fn write(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.with(|pipe| pipe.to_server.push_back(bytes.to_vec()));
        }
    }

    /// Ends this side; the other may go on.
    pub(crate) fn end(&self) {
        self.with(|pipe| pipe.fin = true);
    }

    /// Resets the connection: what is on its way is lost.
    pub(crate) fn reset(&self) {
        self.with(|pipe| {
            pipe.reset = true;
            pipe.to_server.clear();
        });
    }

    /// Lets the server send only `bytes` more, as a peer that does not read.
    pub(crate) fn set_window(&self, bytes: usize) {
        self.with(|pipe| pipe.window = Some(bytes));
    }

    /// Takes everything that has come from the server.
    pub(crate) fn read(&self) -> Vec<u8> {
        self.with(|pipe| std::mem::take(&mut pipe.to_peer))
    }

    /// Whether the server sends nothing more: its FIN came, or it closed.
    pub(crate) fn is_ended(&self) -> bool {
        self.with(|pipe| pipe.server_fin || pipe.closed)
    }

    /// Whether the server has closed the connection.
    pub(crate) fn is_closed(&self) -> bool {
        self.with(|pipe| pipe.closed)
    }

    /// Whether the connection was reset, by either side.
    pub(crate) fn is_reset(&self) -> bool {
        self.with(|pipe| pipe.reset)
    }
}
