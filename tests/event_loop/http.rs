//! HTTP in a foreign loop.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use longshore::sys::{self, Count, POLLIN, PollFd, Silent};
use longshore::{Handler, Replied, Reply, Request, Server, ServerLoop};

use super::{BACKENDS, PATIENCE};

struct Counts(u32);

impl Handler for Counts {
    type Connection = ();

    fn request(&mut self, _: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        self.0 += 1;
        reply.text("Hello, World!")
    }
}

fn outer<W: sys::Probe>(
    server: &mut ServerLoop<Counts, W>,
    mut done: impl FnMut(&ServerLoop<Counts, W>) -> bool,
) {
    let began = Instant::now();
    while !done(server) {
        assert!(began.elapsed() < PATIENCE, "waited in vain");
        let timeout = server.next_timeout().unwrap_or(PATIENCE);
        let mut watched = [PollFd::new(server.as_fd(), POLLIN)];
        sys::poll(&mut Silent, &mut watched, Some(timeout)).unwrap();
        server.poll_once(Some(Duration::ZERO)).unwrap();
    }
}

#[test]
fn requests_are_answered_by_poll_once() {
    for backend in BACKENDS {
        let address = "127.0.0.1:0".parse().unwrap();
        let server = Server::new().listen(address).backend(backend);
        let mut server = server.into_watched_loop(Counts(0), Count::new()).unwrap();
        let address = server.addresses().next().unwrap().inet().unwrap();
        let client = thread::spawn(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            for _ in 0..20 {
                stream
                    .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                    .unwrap();
                let mut reply = Vec::new();
                while !reply.ends_with(b"Hello, World!") {
                    let mut buf = [0; 4096];
                    let count = stream.read(&mut buf).unwrap();
                    assert!(count > 0);
                    reply.extend_from_slice(&buf[..count]);
                }
            }
        });
        outer(&mut server, |server| server.handler().0 == 20);
        client.join().unwrap();

        let (ours, mut theirs) = UnixStream::pair().unwrap();
        server.adopt(ours.into()).unwrap();
        theirs
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .unwrap();
        outer(&mut server, |server| server.handler().0 == 21);
        let stopper = server.stopper();
        thread::spawn(move || stopper.stop()).join().unwrap();
        outer(&mut server, ServerLoop::is_finished);
        let mut reply = String::new();
        theirs.read_to_string(&mut reply).unwrap();
        assert!(reply.ends_with("Hello, World!"), "{backend}: {reply}");
        let figures = server.ledger().figures();
        assert_eq!((figures.requests, figures.connections), (21, 0));
        assert!(server.probe().counts().calls_total() > 0);
    }
}
