//! # 16: several reactors
//!
//! One loop uses one core. For more, run more loops: threads that share nothing. Something must spread the clients, and
//! there are two ways:
//!
//! ```text
//!   share     every loop has a listener of its own on the same port (SO_REUSEPORT):
//!             the kernel chooses by a hash of the client's address and port
//!   hand      one thread accepts, and hands the sockets round by letter: each loop adopts every n-th
//! ```
//!
//! **Run it**, once each way:
//!
//! ```text
//! cargo run --example 16_several_reactors -- 127.0.0.1:8016 share auto
//! cargo run --example 16_several_reactors -- 127.0.0.1:8016 hand auto
//! for i in $(seq 100); do echo $i | nc -q1 127.0.0.1 8016; done | sort | uniq -c
//! ```
//!
//! With `LONGSHORE_TRACE=1` in front it shows every system call on standard error (docs/TRACE.md).
//!
//! **Look at**: with `share` no loop has the same number, and nobody hands anything over: no lock, no queue, no second
//! wake-up. With `hand` the numbers are equal, and each client costs a letter and a wake-up more. Equal numbers of clients
//! are not equal work, so the server of this crate shares.
//!
//! **What it leaves out**: keeping each thread on a core of its own (`sys::pin_thread`), which `Server::pin` does.

use std::env;
use std::error::Error;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use longshore::buf::Input;
use longshore::sys::{self, Address};
use longshore::trace::Trace;
use longshore::{
    Backend, ConnectionId, Errands, EventLoop, Letterbox, Listen, LoopOptions, Origin, Protocol,
    ServerError, Wire,
};

const LOOPS: usize = 4;

/// One loop's share: says which loop it is, then echoes.
struct Share {
    number: usize,
    clients: u64,
}

impl Protocol for Share {
    type Connection = ();
    /// A client that another thread has accepted.
    type Mail = OwnedFd;

    fn opened(&mut self, _: Origin, wire: &mut Wire<'_, '_>) {
        self.clients += 1;
        wire.say(format!("loop {}\n", self.number).as_bytes());
    }

    fn received(&mut self, (): &mut (), input: &mut Input<'_>, wire: &mut Wire<'_, '_>) {
        wire.say(input.take_all());
    }

    fn letter(&mut self, client: OwnedFd, _: Option<ConnectionId>, errands: &mut Errands) {
        errands.adopt(client, 0);
    }

    fn failed(&mut self, _: u64, error: io::Error, _: &mut Errands) {
        println!("loop {} cannot take a client: {error}", self.number);
    }
}

/// What a loop tells when it is ready: where it listens, if it does, and its letterbox.
type Ready = (Option<Address>, Letterbox<OwnedFd>);

/// One loop's life, on a thread of its own. How many clients it had.
fn serve(
    number: usize,
    backend: Backend,
    listen: Option<Listen>,
    ready: &Sender<Ready>,
    trace: Option<&Trace>,
) -> Result<u64, ServerError> {
    let share = Share { number, clients: 0 };
    let _watched = trace.map(Trace::watch_thread);
    let probe = trace.map(Trace::recorder);
    let options = LoopOptions::new().backend(backend);
    let mut event_loop = EventLoop::watched(share, &options, probe)?;
    let listening = listen.map(|listen| event_loop.listen(listen)).transpose()?;
    let address = listening.map(|listening| listening.address);
    // Fails when main has ended already, for another loop's error.
    let _ = ready.send((address, event_loop.letterbox()));
    event_loop.run().map_err(ServerError::Worker)?;
    Ok(event_loop.protocol().clients)
}

/// Accepts, and hands each client to the next loop.
fn hand_round(listener: &TcpListener, boxes: &[Letterbox<OwnedFd>]) {
    for letterbox in boxes.iter().cycle() {
        let Ok((client, _)) = listener.accept() else {
            return;
        };
        if letterbox.send(client.into()).is_err() {
            return;
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // Blocked before any thread starts: then a signal waits until main takes it.
    let signals = [libc::SIGINT, libc::SIGTERM];
    sys::block(&signals)?;

    let mut address: Address = env::args()
        .nth(1)
        .unwrap_or("127.0.0.1:8016".to_owned())
        .parse()?;
    let hands = env::args().nth(2).is_some_and(|way| way == "hand");
    let backend = env::args().nth(3).unwrap_or("auto".to_owned()).parse()?;

    let trace = Trace::from_env()?;

    let (ready, readies) = channel();
    let (mut loops, mut boxes) = (Vec::new(), Vec::new());
    for number in 0..LOOPS {
        let listen = (!hands).then(|| Listen::on(address.clone()).reuse_port(true));
        let (ready, trace) = (ready.clone(), trace.clone());
        loops.push(thread::spawn(move || {
            serve(number, backend, listen, &ready, trace.as_ref())
        }));
        let Ok((bound, letterbox)) = readies.recv_timeout(std::time::Duration::from_secs(10))
        else {
            break;
        };
        // Port 0 is resolved by the first; the others listen on the same.
        address = bound.unwrap_or(address);
        boxes.push(letterbox);
    }
    if boxes.len() == LOOPS {
        if hands {
            let inet = address.inet().ok_or("an IP address is wanted")?;
            let listener = TcpListener::bind(inet)?;
            address = listener.local_addr()?.into();
            let boxes = boxes.clone();
            thread::spawn(move || hand_round(&listener, &boxes));
        }
        println!("listening on {address}");
        sys::wait(&signals)?;
    }
    for letterbox in &boxes {
        letterbox.stop();
    }
    for (number, served) in loops.into_iter().enumerate() {
        let clients = served.join().expect("a panic in a loop is a bug")?;
        println!("loop {number}: {clients} clients");
    }
    Ok(())
}
