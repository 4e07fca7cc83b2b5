//! # 08: a protocol of one's own over TCP
//!
//! TCP is a stream of bytes without borders: what one side writes with two calls, the other may read with one or with ten.
//! So every protocol says where its units end. This one puts a length before each:
//!
//! ```text
//!   ┌────────────────┬───────────────────┐
//!   │ length, 4 bytes│ payload           │   answered by the same frame, payload reversed
//!   │ big-endian     │ at most 64 KiB    │
//!   └────────────────┴───────────────────┘
//! ```
//!
//! The loop, the backends and the limits are those of the HTTP server; a program brings a [`Protocol`].
//!
//! **Run it**, and send the frame "ahoy", whole and then in two pieces:
//!
//! ```text
//! cargo run --example 08_own_protocol -- 127.0.0.1:8008 auto
//! printf '\0\0\0\4ahoy' | nc -q1 127.0.0.1 8008 | xxd
//! (printf '\0\0'; sleep 1; printf '\0\4ahoy') | nc -q1 127.0.0.1 8008 | xxd
//! printf '\177\0\0\0' | nc -q1 127.0.0.1 8008
//! strace -e trace=network cargo run --example 08_own_protocol -- 127.0.0.1:8008 epoll
//! ```
//!
//! With `LONGSHORE_TRACE=1` in front it shows every system call on standard error (docs/TRACE.md).
//!
//! **Look at**: `received` takes only whole frames from its `Input`. What it leaves is kept by the loop and offered again
//! with more behind it: the protocol has no buffer and no state. The frame that announces two gigabytes is refused by its
//! first four bytes; nothing is ever allocated from a length that a peer announces.
//!
//! **What it leaves out**: answers that come later (`Letterbox`), output that is produced as the peer reads
//! (`Wire::await_room`), connections of our own (`EventLoop::connect`).

use std::env;
use std::error::Error;

use longshore::buf::Input;
use longshore::sys::{self, Address};
use longshore::trace::Trace;
use longshore::{ConnectionId, Errands, EventLoop, LoopOptions, Origin, Protocol, Wire};

const LENGTH_BYTES: usize = 4;
const PAYLOAD_BYTES_MAX: usize = 64 * 1024;

/// What the first bytes of a frame say.
enum Frame {
    /// Not even the length is complete.
    Short,
    /// So many bytes belong to it, length included.
    Bytes(usize),
    /// No frame of ours is so long.
    TooLong,
}

fn frame(bytes: &[u8]) -> Frame {
    let Some(length) = bytes.first_chunk::<LENGTH_BYTES>() else {
        return Frame::Short;
    };
    match u32::from_be_bytes(*length) as usize {
        payload if payload <= PAYLOAD_BYTES_MAX => Frame::Bytes(LENGTH_BYTES + payload),
        _ => Frame::TooLong,
    }
}

/// Answers frames.
#[derive(Default)]
struct Frames {
    answered: u64,
}

impl Protocol for Frames {
    /// How many frames it has sent.
    type Connection = u64;
    /// Nobody sends mail.
    type Mail = ();

    fn opened(&mut self, _: Origin, _: &mut Wire<'_, '_>) -> u64 {
        0
    }

    fn received(&mut self, sent: &mut u64, input: &mut Input<'_>, wire: &mut Wire<'_, '_>) {
        // A peer that sends frames and does not read the answers is not answered further until it does.
        while wire.wants_input() {
            match frame(input.unread()) {
                Frame::Bytes(length) if length <= input.len() => {
                    let frame = input.take(length);
                    frame[LENGTH_BYTES..].reverse();
                    wire.say(frame);
                    *sent += 1;
                    self.answered += 1;
                }
                Frame::TooLong => wire.reset(),
                // The rest is on its way.
                Frame::Short | Frame::Bytes(_) => return,
            }
        }
    }

    /// Saves a copy: only what completes the frame that was begun is put behind it, and the frames that follow are read
    /// where the kernel has put them.
    fn missing(&mut self, _: &mut u64, stored: &[u8], fresh: &[u8]) -> usize {
        match frame(stored) {
            Frame::Bytes(length) => length - stored.len(),
            _ => fresh
                .len()
                .min(LENGTH_BYTES - stored.len().min(LENGTH_BYTES)),
        }
    }

    fn closed(&mut self, id: ConnectionId, sent: u64, _: &mut Errands) {
        println!("{id:?} has left after {sent} frames");
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // Blocked before any thread starts: then a signal waits until the thread below takes it.
    let signals = [libc::SIGINT, libc::SIGTERM];
    sys::block(&signals)?;

    let address: Address = env::args()
        .nth(1)
        .unwrap_or("127.0.0.1:8008".to_owned())
        .parse()?;
    let backend = env::args().nth(2).unwrap_or("auto".to_owned()).parse()?;
    let trace = Trace::from_env()?;
    let _watched = trace.as_ref().map(Trace::watch_thread);
    let probe = trace.as_ref().map(Trace::recorder);
    let options = LoopOptions::new().backend(backend);
    let mut event_loop = EventLoop::watched(Frames::default(), &options, probe)?;
    let listening = event_loop.listen(address)?;
    println!("listening on {}", listening.address);

    let letterbox = event_loop.letterbox();
    std::thread::spawn(move || sys::wait(&signals).map(|_| letterbox.stop()));
    event_loop.run()?;
    println!("{} frames answered", event_loop.protocol().answered);
    Ok(())
}
