//! Ending a ring: cancel, take every answer, then free. Never the other way round.
//!
//! Until an operation has completed, the kernel may write into its memory. So everything is cancelled and waited for,
//! up to a limit; past the limit the memory is leaked. Leaking is safe, freeing is not.

use std::io;
use std::time::{Duration, Instant};

use super::{Probe, Token, Uring, op};

/// How long a ring waits for the answers to its last cancellations.
const TEARDOWN: Duration = Duration::from_secs(5);
/// How long until cancelling is repeated: an operation on a worker thread may have come back to the ring meanwhile.
const REPEAT: Duration = Duration::from_millis(100);

impl<P: Probe> Uring<P> {
    /// Cancels whatever is in flight and takes the answers.
    ///
    /// # Errors
    /// `TimedOut` if operations were still in flight at the limit: their memory must be leaked.
    pub(super) fn finish(&mut self, limit: Duration) -> io::Result<()> {
        let deadline = Instant::now() + limit;
        self.return_lend();
        while self.in_flight > 0 {
            let entry = op::cancel_everything();
            // SAFETY: the entry points to nothing.
            unsafe { self.ring.push_quietly(&mut self.probe, entry) };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!(
                        "{} ring operations did not finish; their buffers are leaked",
                        self.in_flight
                    ),
                ));
            }
            self.ring
                .submit_and_wait(&mut self.probe, Some(left.min(REPEAT)))?;
            while let Some(completion) = self.ring.next(&mut self.probe) {
                let (operation, _) = Token::unpack(completion.user_data);
                if operation != op::NOBODY && !completion.more() {
                    self.in_flight -= 1;
                }
            }
        }
        Ok(())
    }
}

impl<P: Probe> Drop for Uring<P> {
    fn drop(&mut self) {
        if self.finish(TEARDOWN).is_ok() {
            return;
        }
        // The kernel may still write to all of this.
        self.buffers.leak();
        std::mem::forget(std::mem::take(&mut self.wake_count));
        std::mem::forget(std::mem::take(&mut self.connecting));
        std::mem::forget(std::mem::take(&mut self.peers));
        std::mem::forget(std::mem::take(&mut self.reads));
        std::mem::forget(std::mem::replace(&mut self.slots, super::Slots::new(0)));
        if let Some(mut datagrams) = self.datagrams.take() {
            datagrams.leak();
            std::mem::forget(datagrams);
        }
    }
}
