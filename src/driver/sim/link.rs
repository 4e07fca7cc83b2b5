//! One simulated connection, as the kernel would hold it: two directions, and what has become of them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::FileExt;
use std::rc::Rc;

use crate::buf::SendBuf;
use crate::sys::Address;

/// How many bytes wait for a peer that does not read, until sends no longer fit.
const WINDOW_BYTES: usize = 256 * 1024;
/// The most bytes of a file that one call takes.
const FILE_TURN_BYTES: usize = 64 * 1024;

/// A connection that both sides hold.
pub(super) type Shared = Rc<RefCell<Link>>;

#[derive(Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent facts about two directions"
)]
pub(super) struct Link {
    /// What the peer wrote, one lend each, unless cut.
    pub(super) to_driver: VecDeque<Vec<u8>>,
    /// The peer has sent FIN.
    pub(super) peer_ended: bool,
    /// The peer has closed.
    pub(super) peer_gone: bool,
    /// The peer has sent RST.
    pub(super) peer_reset: bool,
    /// What the driver sent and the peer has not read.
    pub(super) to_peer: VecDeque<u8>,
    pub(super) driver_ended: bool,
    pub(super) driver_reset: bool,
    /// The most bytes that one send takes.
    pub(super) per_send: usize,
    /// The most bytes that wait for the peer.
    pub(super) window: usize,
    /// Nothing is taken until released.
    pub(super) held: bool,
    pub(super) peer_address: Address,
    pub(super) driver_address: Address,
}

impl Link {
    pub(super) fn new(peer_address: Address, driver_address: Address) -> Shared {
        Rc::new(RefCell::new(Self {
            to_driver: VecDeque::new(),
            peer_ended: false,
            peer_gone: false,
            peer_reset: false,
            to_peer: VecDeque::new(),
            driver_ended: false,
            driver_reset: false,
            per_send: usize::MAX,
            window: WINDOW_BYTES,
            held: false,
            peer_address,
            driver_address,
        }))
    }

    /// Whether a receive would answer something.
    pub(super) fn is_readable(&self) -> bool {
        !self.to_driver.is_empty() || self.peer_ended || self.peer_reset
    }

    /// What a send(2) would do, and a sendfile(2) behind it: takes at most `limit` bytes and what there is room for.
    pub(super) fn take(&mut self, buf: &mut SendBuf, limit: usize) -> io::Result<()> {
        if self.peer_reset || self.driver_ended {
            return Err(io::Error::from_raw_os_error(libc::EPIPE));
        }
        if self.peer_gone {
            // Nobody is there to read it: that is answered by RST, which the next call will meet.
            self.peer_reset = true;
            buf.advance(buf.remaining());
            return Ok(());
        }
        let room = self.window.saturating_sub(self.to_peer.len());
        let mut left = if self.held {
            0
        } else {
            room.min(self.per_send).min(limit)
        };
        let mut count = 0;
        for piece in buf.pieces() {
            let taken = piece.len().min(left);
            self.to_peer.extend(&piece[..taken]);
            left -= taken;
            count += taken;
        }
        buf.advance(count);
        if buf.bytes_left() == 0 && left > 0 {
            self.take_file(buf, left)?;
        }
        Ok(())
    }

    /// One piece of the file.
    fn take_file(&mut self, buf: &mut SendBuf, limit: usize) -> io::Result<()> {
        let Some(slice) = buf.file_left() else {
            return Ok(());
        };
        let mut piece = vec![0; slice.wanted(limit.min(FILE_TURN_BYTES))];
        let count = slice.file.read_at(&mut piece, slice.range.start)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.to_peer.extend(&piece[..count]);
        buf.advance(count);
        Ok(())
    }

    /// close(2) on the driver's side. With bytes that nobody read, the kernel says RST instead of FIN, and the peer may
    /// lose what it had not read (RFC 2525 §2.17). Here it always does.
    pub(super) fn close(&mut self) {
        if self.to_driver.is_empty() {
            self.driver_ended = true;
        } else {
            self.driver_reset = true;
            self.to_peer.clear();
        }
    }

    /// close(2) with SO_LINGER of zero: RST, and what the peer had not read may be lost. Here it always is. A Unix socket
    /// knows no RST, and a peer that has heard our FIN and sent its own needs none.
    pub(super) fn reset(&mut self) {
        if self.peer_address.is_unix() || (self.driver_ended && self.peer_ended) {
            self.close();
        } else {
            self.driver_reset = true;
            self.to_peer.clear();
        }
    }
}
