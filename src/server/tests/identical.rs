//! On the kernel: three drivers, plain and disturbed, give the bytes of the in-memory one.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use super::application::{Simulated, masked, reactor};
use super::recorded::{Recorded, all};
use crate::driver::{self, Config, Driver, ListenOptions, Listener};
use crate::limits::Limits;
use crate::reactor::Letter;
use crate::sys::{Address, Flaky, Silent};

/// How a recording is sent.
#[derive(Clone, Copy, Debug)]
enum Cuts {
    Whole,
    Sampled(u64),
}

/// What the in-memory driver answers to the whole recording.
fn expected(recorded: &Recorded) -> String {
    let mut server = Simulated::new(0, Limits::default());
    let peer = server.connect();
    peer.write(&recorded.bytes);
    server.settle();
    peer.end();
    server.settle();
    masked(&peer.read())
}

fn ask(port: u16, recorded: &Recorded, cuts: Cuts) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    stream.set_nodelay(true).expect("TCP_NODELAY");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a timeout");
    match cuts {
        Cuts::Whole => {
            let _ = stream.write_all(&recorded.bytes);
        }
        Cuts::Sampled(seed) => {
            let size = 1 + seed as usize % 29;
            for piece in recorded.bytes.chunks(size) {
                // The server may have answered and closed its side: then the rest is for nobody.
                if stream.write_all(piece).is_err() {
                    break;
                }
                if seed % 3 == 0 {
                    thread::yield_now();
                }
            }
        }
    }
    let _ = stream.shutdown(Shutdown::Write);
    let mut reply = Vec::new();
    stream
        .read_to_end(&mut reply)
        .expect("the reply is not lost to a reset");
    masked(&reply)
}

fn check<D: Driver>(probe: impl FnOnce() -> D::Probe + Send + 'static, name: &str) {
    let (tell, told) = channel();
    let server = thread::spawn(move || {
        let config = Config {
            connections_max: 64,
            ..Config::default()
        };
        let driver = D::open(&config, probe()).expect("the driver opens");
        let mut reactor = reactor(driver, Limits::default());
        let how = ListenOptions {
            backlog: 16,
            reuse_port: false,
            options: Vec::new(),
        };
        let any: Address = "127.0.0.1:0".parse().expect("an address");
        let listener = Listener::open(&mut Silent, &any, &how).expect("a free port");
        let port = listener.address.inet().expect("an internet address").port();
        reactor.listen(listener).expect("listens");
        tell.send((port, reactor.post())).expect("the test waits");
        reactor.run(|_| ()).expect("runs");
        reactor.teardown().expect("everything in flight has ended");
    });
    let (port, post) = told.recv().expect("the server starts");
    for recorded in all() {
        let expected = expected(&recorded);
        for cuts in [
            Cuts::Whole,
            Cuts::Sampled(0),
            Cuts::Sampled(3),
            Cuts::Sampled(17),
        ] {
            let reply = ask(port, &recorded, cuts);
            assert!(
                reply == expected,
                "{name}, {}, {cuts:?}:\n{reply}\ninstead of\n{expected}",
                recorded.name
            );
        }
    }
    post.send(Letter::Stop).expect("room");
    server.join().expect("the server ended in order");
}

#[cfg(feature = "epoll")]
mod epoll {
    use super::*;

    #[test]
    fn gives_the_same_bytes() {
        check::<driver::Epoll<Silent>>(|| Silent, "epoll");
    }

    #[test]
    fn disturbed_gives_the_same_bytes() {
        check::<driver::Epoll<Flaky>>(|| Flaky::new(11).with_refusals(), "epoll, flaky");
    }

    #[test]
    fn byte_by_byte_gives_the_same_bytes() {
        check::<driver::Epoll<Flaky>>(|| Flaky::new(5).always_one_byte(), "epoll, one byte");
    }
}

#[cfg(feature = "mio")]
mod mio {
    use super::*;

    #[test]
    fn gives_the_same_bytes() {
        check::<driver::Mio<Silent>>(|| Silent, "mio");
    }

    #[test]
    fn disturbed_gives_the_same_bytes() {
        check::<driver::Mio<Flaky>>(|| Flaky::new(12), "mio, flaky");
    }

    #[test]
    fn byte_by_byte_gives_the_same_bytes() {
        check::<driver::Mio<Flaky>>(|| Flaky::new(6).always_one_byte(), "mio, one byte");
    }
}

#[cfg(feature = "io-uring")]
mod io_uring {
    use super::*;

    /// Whether this machine has rings; says so if not.
    fn usable() -> bool {
        let usable = driver::uring::available();
        if let Err(error) = &usable {
            eprintln!("SKIPPED: io_uring: {error}");
        }
        usable.is_ok()
    }

    #[test]
    fn gives_the_same_bytes() {
        if usable() {
            check::<driver::Uring<Silent>>(|| Silent, "io_uring");
        }
    }

    #[test]
    fn disturbed_gives_the_same_bytes() {
        if usable() {
            check::<driver::Uring<Flaky>>(|| Flaky::new(13), "io_uring, flaky");
        }
    }

    #[test]
    fn byte_by_byte_gives_the_same_bytes() {
        if usable() {
            check::<driver::Uring<Flaky>>(|| Flaky::new(7).always_one_byte(), "io_uring, one byte");
        }
    }
}
