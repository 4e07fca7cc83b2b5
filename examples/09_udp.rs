//! # 09: UDP, one to one and one to many
//!
//! UDP carries datagrams: each arrives whole or not at all, perhaps twice, perhaps before one that was sent earlier. There is
//! no connection, so one socket talks to everybody:
//!
//! ```text
//!   "join"        the sender becomes a member, and is told how many there are
//!   "leave"       no more
//!   "all: words"  goes to every member               one to many
//!   anything      comes back to its sender           one to one
//! ```
//!
//! **Run it**, and talk to it from several terminals:
//!
//! ```text
//! cargo run --example 09_udp -- 127.0.0.1:8009 auto
//! nc -u 127.0.0.1 8009
//! ```
//!
//! With `LONGSHORE_TRACE=1` in front it shows every system call on standard error (docs/TRACE.md).
//!
//! **Look at**: the first lines that it prints: what does not fit into the receiver's buffer is lost, and only `MSG_TRUNC`
//! tells; an empty datagram is a datagram and not an end. `Errands::send_to` never waits: where the kernel has no room a
//! datagram is dropped and `undelivered` is told, because waiting for one receiver would hold all. The number of members
//! is bounded: senders are free to lie about who they are, and without a bound an attacker would fill the memory or make
//! this program shout at a victim. (A real one would let a member prove its address first, as QUIC does.)
//!
//! **What it leaves out**: order, repetition and acknowledgement, which is what TCP adds.

use std::collections::HashSet;
use std::env;
use std::error::Error;
use std::io;
use std::os::fd::AsFd;

use longshore::buf::Input;
use longshore::sys::{self, Address, Family, Kind, Mode, Silent};
use longshore::trace::Trace;
use longshore::{Datagram, Errands, EventLoop, LoopOptions, Origin, Protocol, SocketId, Wire};

const MEMBERS_MAX: usize = 64;

/// Echoes and forwards.
#[derive(Default)]
struct Board {
    members: HashSet<Address>,
    taken: u64,
    lost: u64,
}

impl Protocol for Board {
    type Connection = ();
    type Mail = ();

    fn datagram(&mut self, datagram: Datagram<'_>, errands: &mut Errands) {
        self.taken += 1;
        let Datagram {
            socket,
            from,
            bytes,
            truncated,
        } = datagram;
        assert!(
            !truncated,
            "the loop's buffer takes the longest UDP datagram"
        );
        let words = bytes.trim_ascii_end();
        let answer = match words {
            b"join" if self.members.len() == MEMBERS_MAX => b"the board is full\n".to_vec(),
            b"join" => {
                self.members.insert(from.clone());
                format!("{} members\n", self.members.len()).into_bytes()
            }
            b"leave" => {
                self.members.remove(&from);
                b"farewell\n".to_vec()
            }
            _ if words.starts_with(b"all: ") => return self.forward(socket, &bytes[5..], errands),
            _ => bytes.to_vec(),
        };
        self.send(socket, &from, &answer, errands);
    }

    fn undelivered(&mut self, _: SocketId, error: io::Error, _: &mut Errands) {
        println!("a datagram was lost: {error}");
        self.lost += 1;
    }

    // There are no connections here.
    fn opened(&mut self, _: Origin, _: &mut Wire<'_, '_>) {}
    fn received(&mut self, (): &mut (), _: &mut Input<'_>, wire: &mut Wire<'_, '_>) {
        wire.reset();
    }
}

impl Board {
    fn forward(&mut self, socket: SocketId, bytes: &[u8], errands: &mut Errands) {
        for member in self.members.clone() {
            self.send(socket, &member, bytes, errands);
        }
    }

    fn send(&mut self, socket: SocketId, to: &Address, bytes: &[u8], errands: &mut Errands) {
        self.lost += u64::from(errands.send_to(socket, to, bytes).is_err());
    }
}

/// Two sockets and the calls alone: borders are kept, and what does not fit is lost.
fn show_borders() -> io::Result<()> {
    let probe = &mut Silent;
    let any: Address = "127.0.0.1:0".parse().expect("a literal");
    let sender = sys::socket(probe, Family::Inet, Kind::Datagram, Mode::Blocking)?;
    let receiver = sys::socket(probe, Family::Inet, Kind::Datagram, Mode::Blocking)?;
    sys::bind(probe, receiver.as_fd(), &any)?;
    let to = sys::getsockname(probe, receiver.as_fd())?;
    let mut buf = [0; 6];
    for payload in ["four", "", "twelve bytes"] {
        sys::sendto(probe, sender.as_fd(), payload.as_bytes(), &to)?;
        let received = sys::recvfrom(probe, receiver.as_fd(), &mut buf)?;
        let text = String::from_utf8_lossy(&buf[..received.bytes]);
        let truncated = received.truncated;
        println!(
            "sent {:2} bytes, received {:?} into {} bytes, truncated: {truncated}",
            payload.len(),
            text,
            buf.len()
        );
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    // Blocked before any thread starts: then a signal waits until the thread below takes it.
    let signals = [libc::SIGINT, libc::SIGTERM];
    sys::block(&signals)?;

    let address: Address = env::args()
        .nth(1)
        .unwrap_or("127.0.0.1:8009".to_owned())
        .parse()?;
    let backend = env::args().nth(2).unwrap_or("auto".to_owned()).parse()?;
    let trace = Trace::from_env()?;
    let _watched = trace.as_ref().map(Trace::watch_thread);
    let probe = trace.as_ref().map(Trace::recorder);
    let options = LoopOptions::new().backend(backend);
    let mut event_loop = EventLoop::watched(Board::default(), &options, probe)?;
    let bound = event_loop.bind_datagram(&address)?;
    println!("listening on {}", bound.address);
    show_borders()?;

    let letterbox = event_loop.letterbox();
    std::thread::spawn(move || sys::wait(&signals).map(|_| letterbox.stop()));
    event_loop.run()?;
    let Board { taken, lost, .. } = event_loop.protocol();
    println!("{taken} datagrams taken, {lost} lost");
    Ok(())
}
