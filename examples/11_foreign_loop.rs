//! # 11: inside somebody else's loop
//!
//! A window system, a game, a database: many programs have a loop already, and it will not be given up for a server. So
//! this one can be a guest. The host's loop waits, for its own descriptors and for one of ours:
//!
//! ```text
//!   loop {                                     ┌ standard input
//!       poll(2), at most next_timeout() ◀──────┤
//!       if it is ours, or the time is up       └ event_loop.as_fd()
//!           event_loop.poll_once(0)
//!       if it is the host's: whatever the host does
//!   }
//! ```
//!
//! Here the host reads lines from standard input, and sends each to all clients. Lines from clients are printed.
//!
//! **Run it**, connect twice, and type:
//!
//! ```text
//! cargo run --example 11_foreign_loop -- 127.0.0.1:8011 auto
//! nc 127.0.0.1 8011
//! strace -f cargo run --example 11_foreign_loop -- 127.0.0.1:8011 io-uring
//! ```
//!
//! With `LONGSHORE_TRACE=1` in front it shows every system call on standard error (docs/TRACE.md).
//!
//! **Look at**: in the strace output, poll or ppoll is the only call that waits while the loop runs. (A ring waits in
//! `io_uring_enter` too, with a third argument of 1: before the loop for its trial, and behind it until all is cancelled.)
//! On epoll our descriptor is the epoll instance itself: pollers can be polled. On io_uring it is an eventfd(2), because a
//! ring that defers its work (`IORING_SETUP_DEFER_TASKRUN`) shows nothing until somebody enters it; the kernel writes the
//! eventfd when there is a reason to. `EventLoop::call` reaches a connection from outside of any turn.
//!
//! **What it leaves out**: HTTP is a guest in the same way: `Server::into_loop`.

use std::collections::HashSet;
use std::env;
use std::error::Error;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use longshore::buf::Input;
use longshore::sys::{self, Address, POLLHUP, POLLIN, PollFd, ThreadProbe};
use longshore::trace::{Recorder, Trace};
use longshore::{ConnectionId, Errands, EventLoop, LoopOptions, Origin, Protocol, Wire};

/// Knows who is there, and prints what they say.
#[derive(Default)]
struct Guests {
    present: HashSet<ConnectionId>,
}

impl Protocol for Guests {
    type Connection = ();
    type Mail = ();

    fn opened(&mut self, _: Origin, wire: &mut Wire<'_, '_>) {
        self.present.insert(wire.id());
        wire.say(b"welcome\n");
        // Guests may listen in silence for as long as they like.
        wire.never_expire();
        println!("{} guests", self.present.len());
    }

    fn received(&mut self, (): &mut (), input: &mut Input<'_>, _: &mut Wire<'_, '_>) {
        while let Some(end) = input.unread().iter().position(|byte| *byte == b'\n') {
            let line = input.take(end + 1);
            println!(
                "a guest says: {}",
                line.escape_ascii().to_string().trim_end_matches("\\n")
            );
        }
    }

    fn closed(&mut self, id: ConnectionId, (): (), _: &mut Errands) {
        self.present.remove(&id);
        println!("{} guests", self.present.len());
    }
}

/// A loop whose calls can be watched.
type Loop = EventLoop<Guests, Option<Recorder>>;

/// Sends a line to everybody.
fn tell_all(event_loop: &mut Loop, line: &[u8]) {
    for guest in event_loop.protocol().present.clone() {
        // `None` if it is leaving.
        let _ = event_loop.call(guest, |_, (), wire| wire.say(line));
    }
}

/// The host's loop. Ends with the standard input.
fn host(event_loop: &mut Loop) -> Result<(), Box<dyn Error>> {
    let input = io::stdin();
    let mut buf = [0; 4096];
    while !event_loop.is_finished() {
        let timeout = event_loop.next_timeout();
        let mut watched = [
            PollFd::new(event_loop.as_fd(), POLLIN),
            PollFd::new(input.as_fd(), POLLIN),
        ];
        sys::poll(&mut ThreadProbe, &mut watched, timeout)?;
        let typed = watched[1].revents() & (POLLIN | POLLHUP) != 0;
        // A turn with nothing to do costs a system call or two; asking first costs a thought.
        event_loop.poll_once(Some(Duration::ZERO))?;
        if typed {
            match sys::read(&mut ThreadProbe, input.as_fd(), &mut buf)? {
                0 => break,
                count => tell_all(event_loop, &buf[..count]),
            }
        }
    }
    event_loop.stop();
    // What was said last still has to leave: turns are made until it has.
    event_loop.run()?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let address: Address = env::args()
        .nth(1)
        .unwrap_or("127.0.0.1:8011".to_owned())
        .parse()?;
    let backend = env::args().nth(2).unwrap_or("auto".to_owned()).parse()?;
    let trace = Trace::from_env()?;
    let _watched = trace.as_ref().map(Trace::watch_thread);
    let probe = trace.as_ref().map(Trace::recorder);
    let options = LoopOptions::new().backend(backend);
    let mut event_loop = EventLoop::watched(Guests::default(), &options, probe)?;
    let listening = event_loop.listen(address)?;
    println!("listening on {}", listening.address);
    host(&mut event_loop)?;
    println!("{} turns", event_loop.turns());
    Ok(())
}
