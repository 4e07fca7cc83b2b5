//! Mail from other threads.
//!
//! The reactor announces that it is about to sleep, then looks into the box once more; a sender puts its letter in, then
//! looks whether the reactor announced. One of the two always sees the other, and the system call that wakes is made
//! only for a reactor that sleeps.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};

use crate::driver::{Token, Waker};

/// The most letters that wait. A reactor takes them all in each turn, so this many mean that it is stuck.
const LETTERS_MAX: usize = 65_536;

/// What may be in the box.
#[derive(Debug)]
pub(crate) enum Letter<M> {
    /// For one connection. Dropped if that is gone.
    To(Token, M),
    /// For the service itself.
    All(M),
    /// Stop; a second one stops at once.
    Stop,
}

/// A reactor's box.
#[derive(Debug)]
pub(crate) struct Mailbox<M> {
    letters: Mutex<Vec<Letter<M>>>,
    asleep: AtomicBool,
    /// Nobody will take letters any more.
    closed: AtomicBool,
    /// The reactor's thread. It cannot wait for itself to make room.
    owner: ThreadId,
    waker: Waker,
}

impl<M> Mailbox<M> {
    pub(crate) fn new(waker: Waker) -> Arc<Self> {
        Arc::new(Self {
            letters: Mutex::new(Vec::new()),
            asleep: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            owner: thread::current().id(),
            waker,
        })
    }

    /// Announces that the reactor is about to wait. True if it must not: there is mail.
    pub(super) fn announce_sleep(&self) -> bool {
        // SeqCst on both sides: the announcement is seen before the box is looked into, in one order for all threads.
        self.asleep.store(true, Ordering::SeqCst);
        !self
            .letters
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
    }

    /// The reactor is awake: senders need not wake it.
    pub(super) fn awake(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }

    /// Nobody will take letters any more. Those in the box are forgotten.
    pub(super) fn close(&self) {
        let mut letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
        self.closed.store(true, Ordering::SeqCst);
        let forgotten = std::mem::take(&mut *letters);
        // What they hold may be dropped only outside of the lock: it may want to send something in turn.
        drop(letters);
        drop(forgotten);
    }

    /// Moves all mail into `taken`, which is empty.
    pub(super) fn take(&self, taken: &mut Vec<Letter<M>>) {
        debug_assert!(taken.is_empty());
        std::mem::swap(
            &mut *self.letters.lock().unwrap_or_else(PoisonError::into_inner),
            taken,
        );
    }

    /// Gives back the memory of more than `places` letters, as far as none is in them.
    pub(super) fn give_back(&self, places: usize) {
        let mut letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
        letters.shrink_to(places);
    }

    fn post(&self, letter: Letter<M>) -> Result<(), Letter<M>> {
        {
            let mut letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
            // Looked at under the lock, under which `close` empties the box: nothing may lie in it for ever.
            if self.closed.load(Ordering::SeqCst) {
                return Err(letter);
            }
            // A stop is never refused, nor is mail of the reactor to itself.
            if letters.len() >= LETTERS_MAX
                && !matches!(letter, Letter::Stop)
                && thread::current().id() != self.owner
            {
                return Err(letter);
            }
            letters.push(letter);
        }
        if self.asleep.swap(false, Ordering::SeqCst) {
            self.waker.wake();
        }
        Ok(())
    }
}

/// A mailbox's address: sends from any thread.
#[derive(Debug)]
pub(crate) struct Post<M> {
    mailbox: Arc<Mailbox<M>>,
}

impl<M> Clone for Post<M> {
    fn clone(&self) -> Self {
        Self {
            mailbox: self.mailbox.clone(),
        }
    }
}

impl<M> Post<M> {
    pub(crate) fn new(mailbox: Arc<Mailbox<M>>) -> Self {
        Self { mailbox }
    }

    /// Whether the reactor has ended: a letter would never be read.
    pub(crate) fn is_closed(&self) -> bool {
        self.mailbox.closed.load(Ordering::SeqCst)
    }

    /// Leaves a letter, and wakes the reactor if it sleeps.
    ///
    /// # Errors
    /// Gives the letter back if 65,536 others wait already, or nobody will take it any more.
    pub(crate) fn send(&self, letter: Letter<M>) -> Result<(), Letter<M>> {
        self.mailbox.post(letter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn only_a_sleeping_reactor_is_woken() {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counted = wakes.clone();
        let waker = Waker::custom(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        let mailbox = Mailbox::new(waker);
        let post = Post::new(mailbox.clone());
        post.send(Letter::<u8>::Stop).expect("room");
        assert_eq!(wakes.load(Ordering::SeqCst), 0, "nobody sleeps");
        assert!(
            mailbox.announce_sleep(),
            "mail that came before the announcement is seen"
        );
        mailbox.take(&mut Vec::new());
        assert!(!mailbox.announce_sleep());
        post.send(Letter::Stop).expect("room");
        post.send(Letter::Stop).expect("room");
        assert_eq!(wakes.load(Ordering::SeqCst), 1, "one wake for one sleep");
    }

    #[test]
    fn a_full_box_refuses_mail_but_not_a_stop_nor_its_own() {
        let post = Post::new(Mailbox::new(Waker::custom(|| ())));
        let token = Token {
            index: 0,
            generation: 0,
        };
        let other = post.clone();
        let elsewhere = thread::spawn(move || {
            for _ in 0..LETTERS_MAX {
                other.send(Letter::To(token, 0_u8)).expect("room");
            }
            assert!(other.send(Letter::To(token, 0)).is_err());
            assert!(other.send(Letter::Stop).is_ok());
        });
        elsewhere.join().expect("as said");
        assert!(
            post.send(Letter::To(token, 0)).is_ok(),
            "it would wait for itself"
        );
    }
}
