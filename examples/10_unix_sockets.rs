//! # 10: sockets of the Unix family
//!
//! The same verbs without a network: both ends are on this machine, and the kernel copies from one buffer to the other. Two
//! things are different. An address is a name: a path, or an *abstract* name (`@…`) that needs no file and goes with its
//! socket. And the kernel knows who is at the other end, which no peer can forge:
//!
//! ```text
//!   stream    accept ─▶ SO_PEERCRED: process, user, group ─▶ a letter to the loop ─▶ adopt ─▶ lines are echoed
//!   datagram  a path or abstract name beside it: borders are kept, and nothing is lost in order
//! ```
//!
//! **Run it**, and talk to it:
//!
//! ```text
//! cargo run --example 10_unix_sockets -- unix:/tmp/longshore-10.sock auto
//! nc -U /tmp/longshore-10.sock
//! printf ahoy | socat - UNIX-SENDTO:/tmp/longshore-10.sock.datagrams,bind=/tmp/me
//! cargo run --example 10_unix_sockets -- unix:@longshore-10
//! ss -xap | grep longshore
//! ```
//!
//! With `LONGSHORE_TRACE=1` in front it shows every system call on standard error (docs/TRACE.md).
//!
//! **Look at**: `ls -l` shows the socket as a file of type `s`, whose permission bits say who may connect; it stays behind
//! after a crash, and the next start removes it because nobody listens there. The thread that accepts hands each socket to
//! the loop: a descriptor is a number of the *process*, so any thread may go on with it.
//!
//! **What it leaves out**: passing descriptors between processes (`SCM_RIGHTS`, unix(7)).

use std::collections::HashMap;
use std::env;
use std::error::Error;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use longshore::buf::Input;
use longshore::sys::{
    self, Address, Credentials, Family, Kind, Mode, Silent, ThreadProbe, UnixName,
};
use longshore::trace::Trace;
use longshore::{
    Datagram, Errands, EventLoop, Letterbox, LoopOptions, Origin, Protocol, SocketId, Wire,
};

/// A client, as the accepting thread hands it over.
struct Visitor {
    stream: OwnedFd,
    who: Credentials,
}

/// Greets by name, then echoes.
#[derive(Default)]
struct Doorman {
    /// Who comes next, by the key of its adoption.
    expected: HashMap<u64, Credentials>,
    adopted: u64,
    datagrams: u64,
}

impl Protocol for Doorman {
    type Connection = ();
    type Mail = Visitor;

    fn letter(
        &mut self,
        visitor: Visitor,
        _: Option<longshore::ConnectionId>,
        errands: &mut Errands,
    ) {
        let key = self.adopted;
        self.adopted += 1;
        self.expected.insert(key, visitor.who);
        errands.adopt(visitor.stream, key);
    }

    fn opened(&mut self, origin: Origin, wire: &mut Wire<'_, '_>) {
        let Origin::Adopted { key } = origin else {
            return;
        };
        if let Some(Credentials { pid, uid, gid }) = self.expected.remove(&key) {
            let greeting = format!("you are process {pid} of user {uid}, group {gid}\n");
            wire.say(greeting.as_bytes());
        }
    }

    fn received(&mut self, (): &mut (), input: &mut Input<'_>, wire: &mut Wire<'_, '_>) {
        wire.say(input.take_all());
    }

    fn failed(&mut self, key: u64, error: io::Error, _: &mut Errands) {
        self.expected.remove(&key);
        println!("a client could not be taken over: {error}");
    }

    fn datagram(&mut self, datagram: Datagram<'_>, errands: &mut Errands) {
        self.datagrams += 1;
        if datagram.from == Address::Unix(UnixName::Unnamed) {
            println!(
                "a datagram from nobody: its sender has no name, so there is nowhere to answer"
            );
            return;
        }
        // Refused only if thousands wait: it is a datagram, and may be lost.
        let _ = errands.send_to(datagram.socket, &datagram.from, datagram.bytes);
    }

    fn undelivered(&mut self, _: SocketId, error: io::Error, _: &mut Errands) {
        println!("a datagram was not delivered: {error}");
    }
}

/// Blocks in accept4(2), asks who it is, and hands the socket over.
fn accept(listener: &OwnedFd, letterbox: &Letterbox<Visitor>) -> io::Result<()> {
    let probe = &mut Silent;
    loop {
        let stream = sys::accept4(probe, listener.as_fd(), Mode::Nonblocking)?;
        let who = sys::peer_credentials(probe, stream.as_fd())?;
        if letterbox.send(Visitor { stream, who }).is_err() {
            return Ok(());
        }
    }
}

/// The datagram socket's name, beside the stream's.
fn beside(name: &UnixName) -> Address {
    Address::Unix(match name {
        UnixName::Path(path) => {
            let mut name = path.clone().into_os_string();
            name.push(".datagrams");
            UnixName::Path(name.into())
        }
        UnixName::Abstract(name) => UnixName::Abstract([name, &b".datagrams"[..]].concat()),
        UnixName::Unnamed => UnixName::Unnamed,
    })
}

/// Removes a socket's path, which a crash leaves behind. Any other file stays. (`EventLoop::listen` does this with more
/// care: it asks first whether somebody listens there.)
fn remove_socket(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path),
        _ => Ok(()),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // Blocked before any thread starts: then a signal waits until the thread below takes it.
    let signals = [libc::SIGINT, libc::SIGTERM];
    sys::block(&signals)?;

    let address = env::args()
        .nth(1)
        .unwrap_or("unix:/tmp/longshore-10.sock".to_owned());
    let backend = env::args().nth(2).unwrap_or("auto".to_owned()).parse()?;
    let Address::Unix(name) = address.parse()? else {
        return Err("an address of the Unix family is wanted: unix:/path or unix:@name".into());
    };
    let trace = Trace::from_env()?;
    let _watched = trace.as_ref().map(Trace::watch_thread);
    let probe = trace.as_ref().map(Trace::recorder);
    let options = LoopOptions::new().backend(backend);
    let mut event_loop = EventLoop::watched(Doorman::default(), &options, probe)?;
    let datagrams = event_loop.bind_datagram(&beside(&name))?;

    let probe = &mut ThreadProbe;
    let listener = sys::socket(probe, Family::Unix, Kind::Stream, Mode::Blocking)?;
    if let UnixName::Path(path) = &name {
        remove_socket(path)?;
    }
    sys::bind(probe, listener.as_fd(), &Address::Unix(name.clone()))?;
    sys::listen(probe, listener.as_fd(), 128)?;
    println!("listening on {address}");
    println!("datagrams to {}", datagrams.address);

    let letterbox = event_loop.letterbox();
    std::thread::spawn(move || accept(&listener, &letterbox));
    let letterbox = event_loop.letterbox();
    std::thread::spawn(move || sys::wait(&signals).map(|_| letterbox.stop()));
    event_loop.run()?;
    if let UnixName::Path(path) = &name {
        remove_socket(path)?;
    }
    let Doorman {
        adopted, datagrams, ..
    } = event_loop.protocol();
    println!("{adopted} clients, {datagrams} datagrams");
    Ok(())
}
