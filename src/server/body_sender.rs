//! A reply's body from other threads, with backpressure.
//!
//! ```text
//!   any thread ── BodySender::send ──▶ queue (bounded) ──▶ BodyReceiver: a Source ──▶ the connection
//!                      ▲ waits while it is full                    │ Later, until a Wake
//!                      └──────────── room ◀────────────────────────┘
//! ```

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::Wake;
use crate::conn::outgoing::{Produced, Source};

/// How many bytes may wait in the queue before a sender waits. One larger piece may stand in it alone.
const QUEUED_BYTES_MAX: usize = 64 * 1024;

/// Why a piece was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The connection has gone: nothing of this body is wanted any more.
    Gone,
    /// 64 KiB wait already. Here is the piece again.
    Full(Vec<u8>),
}

impl std::fmt::Display for SendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Gone => "the connection has gone",
            Self::Full(_) => "the peer does not read",
        })
    }
}

impl std::error::Error for SendError {}

/// How a body ends.
#[derive(Debug)]
enum End {
    /// As it should, with these trailers.
    Complete(Vec<(String, Vec<u8>)>),
    /// Its sender was dropped.
    Abandoned,
}

#[derive(Debug, Default)]
struct Queue {
    pieces: VecDeque<Vec<u8>>,
    bytes: usize,
    end: Option<End>,
    /// The receiving side found nothing and must be woken.
    asleep: bool,
    /// Nobody receives any more.
    gone: bool,
}

#[derive(Debug, Default)]
struct Pipe {
    queue: Mutex<Queue>,
    room: Condvar,
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends the body of a reply from any thread. Made by [`ReplyFields::channel`](super::ReplyFields::channel) and
/// [`Ticket::stream`](super::Ticket::stream).
///
/// End it with [`finish`](Self::finish). If it is dropped before, the connection is cut, so that the peer does not take
/// half a body for a whole one.
///
/// ```
/// use longshore::{Handler, Replied, Reply, Request, http::Status};
///
/// struct Clock;
///
/// impl Handler for Clock {
///     type Connection = ();
///     fn request(&mut self, _: Request<'_>, reply: Reply<'_>, _: &mut ()) -> Replied {
///         let (replied, body) = reply.status(Status::OK).channel();
///         std::thread::spawn(move || {
///             for tick in 0..10 {
///                 if body.send(format!("{tick}\n")).is_err() {
///                     return; // the peer has gone
///                 }
///             }
///             body.finish();
///         });
///         replied
///     }
/// }
/// ```
#[derive(Debug)]
pub struct BodySender {
    pipe: Arc<Pipe>,
    wake: Wake,
}

/// The other end of a [`BodySender`].
pub(super) struct BodyReceiver {
    pipe: Arc<Pipe>,
    trailers: Vec<(String, Vec<u8>)>,
}

/// A sender and its receiver.
pub(super) fn channel(wake: Wake) -> (BodySender, BodyReceiver) {
    let pipe = Arc::new(Pipe::default());
    let receiver = BodyReceiver {
        pipe: pipe.clone(),
        trailers: Vec::new(),
    };
    (BodySender { pipe, wake }, receiver)
}

impl BodySender {
    /// Sends a piece; waits while 64 KiB wait already because the peer does not read. Not for the reactor's own thread,
    /// which would wait for itself: use [`try_send`](Self::try_send) there.
    ///
    /// # Errors
    /// [`SendError::Gone`].
    pub fn send(&self, piece: impl Into<Vec<u8>>) -> Result<(), SendError> {
        let full = |queue: &mut Queue| !queue.gone && queue.bytes >= QUEUED_BYTES_MAX;
        let queue = self
            .pipe
            .room
            .wait_while(self.pipe.lock(), full)
            .unwrap_or_else(PoisonError::into_inner);
        self.push(queue, piece.into())
    }

    /// Sends a piece if there is room.
    ///
    /// # Errors
    /// [`SendError::Full`] and [`SendError::Gone`].
    pub fn try_send(&self, piece: impl Into<Vec<u8>>) -> Result<(), SendError> {
        let queue = self.pipe.lock();
        if !queue.gone && queue.bytes >= QUEUED_BYTES_MAX {
            return Err(SendError::Full(piece.into()));
        }
        self.push(queue, piece.into())
    }

    /// Whether the connection has gone, so that the work can be given up.
    pub fn is_gone(&self) -> bool {
        self.pipe.lock().gone
    }

    /// Ends the body.
    pub fn finish(self) {
        self.finish_with(Vec::new());
    }

    /// Ends the body with trailer fields, as [`Source::trailers`] would give them.
    pub fn finish_with(self, trailers: Vec<(String, Vec<u8>)>) {
        self.end(End::Complete(trailers));
    }

    fn push(&self, mut queue: MutexGuard<'_, Queue>, piece: Vec<u8>) -> Result<(), SendError> {
        if queue.gone {
            return Err(SendError::Gone);
        }
        queue.bytes += piece.len();
        queue.pieces.push_back(piece);
        self.wake(queue);
        Ok(())
    }

    fn end(&self, end: End) {
        let mut queue = self.pipe.lock();
        queue.end.get_or_insert(end);
        self.wake(queue);
    }

    fn wake(&self, mut queue: MutexGuard<'_, Queue>) {
        let asleep = std::mem::take(&mut queue.asleep);
        drop(queue);
        if asleep {
            self.wake.wake();
        }
    }
}

impl Drop for BodySender {
    fn drop(&mut self) {
        self.end(End::Abandoned);
    }
}

impl Source for BodyReceiver {
    fn produce(&mut self, out: &mut Vec<u8>) -> Produced {
        let mut queue = self.pipe.lock();
        let Some(piece) = queue.pieces.pop_front() else {
            return match queue.end.take() {
                Some(End::Complete(trailers)) => {
                    self.trailers = trailers;
                    Produced::End
                }
                Some(End::Abandoned) => Produced::Failed,
                None => {
                    queue.asleep = true;
                    Produced::Later
                }
            };
        };
        queue.bytes -= piece.len();
        drop(queue);
        self.pipe.room.notify_one();
        out.extend_from_slice(&piece);
        Produced::More
    }

    fn trailers(&mut self) -> Vec<(String, Vec<u8>)> {
        std::mem::take(&mut self.trailers)
    }
}

impl Drop for BodyReceiver {
    fn drop(&mut self) {
        self.pipe.lock().gone = true;
        self.pipe.room.notify_all();
    }
}
