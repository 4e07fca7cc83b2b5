//! Stopping a server from any thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::ws::CloseCode;

/// Stops a server from any thread. Clones stop the same server.
///
/// ```
/// # use longshore::{Handler, Replied, Reply, Request, Server};
/// # struct Hello;
/// # impl Handler for Hello {
/// #     type Connection = ();
/// #     fn request(&mut self, _: Request<'_>, reply: Reply<'_>, _: &mut ()) -> Replied { reply.text("") }
/// # }
/// let bound = Server::new().listen("127.0.0.1:0".parse()?).bind()?;
/// let stopper = bound.stopper();
/// std::thread::spawn(move || stopper.restart()); // another process takes over: WebSocket peers hear 1012
/// bound.run(|_worker| Hello)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Stopper {
    workers: Arc<Mutex<Workers>>,
    farewell: Farewell,
}

/// Who is to be told of a stop.
#[derive(Default)]
struct Workers {
    /// How often a stop was asked for.
    asked: u32,
    tell: Vec<Box<dyn Fn() + Send>>,
}

impl Stopper {
    /// Stops accepting, lets connections finish what they have begun for at most `stop_timeout` (10 s), then closes
    /// them. WebSocket peers get close code 1001 (going away). A second call, of this or [`restart`](Self::restart),
    /// closes at once.
    pub fn stop(&self) {
        self.ask(false);
    }

    /// As [`stop`](Self::stop), but WebSocket peers get close code 1012 (service restart), which asks them to come back
    /// after a moment (IANA registry "WebSocket Close Code Number"). The first call of either decides the code.
    pub fn restart(&self) {
        self.ask(true);
    }

    fn ask(&self, comes_back: bool) {
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        if workers.asked == 0 {
            self.farewell
                .comes_back
                .store(comes_back, Ordering::Release);
        }
        workers.asked += 1;
        for tell in &workers.tell {
            tell();
        }
    }

    /// Adds a worker. One that comes after a stop is told at once.
    pub(super) fn register(&self, tell: Box<dyn Fn() + Send>) {
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..workers.asked {
            tell();
        }
        workers.tell.push(tell);
    }

    /// What peers are to be told.
    pub(super) fn farewell(&self) -> Farewell {
        self.farewell.clone()
    }
}

/// What WebSocket peers are told at a stop. Settled before any worker hears of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Farewell {
    comes_back: Arc<AtomicBool>,
}

impl Farewell {
    /// The close code and its reason.
    pub(super) fn words(&self) -> (CloseCode, &'static str) {
        if self.comes_back.load(Ordering::Acquire) {
            (CloseCode::RESTART, "the server restarts")
        } else {
            (CloseCode::GOING_AWAY, "the server stops")
        }
    }
}
