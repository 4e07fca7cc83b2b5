//! A probe that makes the kernel behave as badly as it may.
//!
//! Everything that it does is legal: a call on a byte stream may move fewer bytes than asked, and a signal may interrupt
//! any call. Programs that break under it break one day in production. The same seed does the same to the same calls.
//!
//! What it never touches, because something would hang or be lost that a real kernel does not lose:
//!
//! - calls that wait or wake (`epoll_wait`, `poll`, eventfd) and those that register: a lost wake-up is for ever;
//! - `accept4`, `connect`, `shutdown`, `close`, options: they happen once, nobody repeats them;
//! - datagrams: a shortened datagram is a damaged one (`recvfrom` and `sendto`; a probe cannot see that the socket of a
//!   `send` is one for datagrams).
#![forbid(unsafe_code)]

use super::{Call, Probe, Verdict};
use std::io;

/// One data call of so many is interrupted.
const INTERRUPT_ONE_IN: u64 = 16;
/// One data call of so many is refused, if refusals are on.
const REFUSE_ONE_IN: u64 = 8;

/// Shortens and interrupts data calls, by a seed.
///
/// By default a `recv`, `send`, `read`, `write`, `writev`, `sendmsg`, `pread` or `sendfile` moves 1 byte up to all, one of
/// 16 is interrupted (EINTR, which [`sys`](crate::sys) retries as a real one, so that callers never see it), and on a ring
/// [`Probe::shorten`] answers 1 byte up to all.
///
/// ```
/// use longshore::sys::{self, Flaky};
/// use std::os::fd::AsFd;
/// use std::os::unix::net::UnixStream;
///
/// # fn main() -> std::io::Result<()> {
/// let (ours, theirs) = UnixStream::pair()?;
/// let mut flaky = Flaky::new(1).always_one_byte();
/// assert_eq!(sys::send(&mut flaky, ours.as_fd(), b"ahoy")?, 1);
/// assert_eq!(sys::recv(&mut flaky, theirs.as_fd(), &mut [0; 16])?, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Flaky {
    state: u64,
    one_byte: bool,
    refusals: bool,
    /// The last data call was interrupted; the next is not, so that a retry ends.
    interrupted: bool,
}

impl Flaky {
    /// Shortens and interrupts as the seed says.
    pub fn new(seed: u64) -> Self {
        Flaky {
            state: seed,
            one_byte: false,
            refusals: false,
            interrupted: false,
        }
    }

    /// Lets every data call move one byte: the slowest legal kernel.
    #[must_use]
    pub fn always_one_byte(self) -> Self {
        Flaky {
            one_byte: true,
            ..self
        }
    }

    /// Also refuses one data call of eight with EAGAIN, as if the socket were not ready.
    ///
    /// Only for non-blocking descriptors on a *level-triggered* poller, which will say "ready" again. An edge-triggered
    /// one (mio, `EPOLLET`) has said it already: the connection would hang. A blocking descriptor never answers EAGAIN,
    /// so its caller need not expect it. `pread` is not refused: files are always ready.
    #[must_use]
    pub fn with_refusals(self) -> Self {
        Flaky {
            refusals: true,
            ..self
        }
    }

    /// The next number (`SplitMix64`: any seed is good, and every state follows).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.next().is_multiple_of(chances)
    }

    /// From 1 to `len`. Sizes are drawn by their number of bits: drawn evenly, nearly all of 65536 would be large, and
    /// the cuts that hurt are at the first bytes.
    fn at_most(&mut self, len: usize) -> usize {
        if len <= 1 || self.one_byte {
            return len.min(1);
        }
        let bits = self.next() % u64::from(len.ilog2() + 2);
        let below = 1u64 << bits;
        let drawn = 1 + self.next() % below;
        usize::try_from(drawn).unwrap_or(len).min(len)
    }
}

impl Probe for Flaky {
    const ACTIVE: bool = true;

    fn before(&mut self, call: &Call<'_>) -> Verdict {
        let Some(len) = call.stream_bytes() else {
            return Verdict::Go;
        };
        self.interrupted = !self.interrupted && self.one_in(INTERRUPT_ONE_IN);
        if self.interrupted {
            return Verdict::Refuse(libc::EINTR);
        }
        let may_wait = !matches!(call, Call::Pread { .. });
        if self.refusals && may_wait && self.one_in(REFUSE_ONE_IN) {
            return Verdict::Refuse(libc::EAGAIN);
        }
        Verdict::Shorten(self.at_most(len).max(1))
    }

    fn after(&mut self, _call: &Call<'_>, _result: Result<usize, &io::Error>) {}

    fn shorten(&mut self, len: usize) -> usize {
        self.at_most(len)
    }
}
