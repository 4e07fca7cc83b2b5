//! What a loop does beside accepting: connecting, adopting, mail, stopping.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use longshore::buf::Input;
use longshore::sys::{Address, Count};
use longshore::{
    Connect, ConnectionId, Errands, EventLoop, Limits, Listen, MailError, Origin, Protocol, Wire,
};

use super::{BACKENDS, Peer, Script, Seen, listen, listening, options, until};

#[test]
fn a_connection_of_our_own_talks() {
    for backend in BACKENDS {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address: Address = listener.local_addr().unwrap().into();
        let mut event_loop = EventLoop::with_options(Script::default(), &options(backend)).unwrap();
        event_loop.protocol_mut().greets_with = Some(|wire| wire.say(b"hello\n"));
        let local: Address = "127.0.0.1:0".parse().unwrap();
        event_loop.connect(Connect::to(address).from(local).key(7));
        let opened = Seen::Opened(Origin::Connected { key: 7 });
        until(&mut event_loop, "the connection", |event_loop| {
            event_loop.protocol().saw(&opened)
        });
        let (mut stream, _) = listener.accept().unwrap();
        let mut greeting = [0; 6];
        stream.read_exact(&mut greeting).unwrap();
        assert_eq!(&greeting, b"hello\n");
        stream.write_all(b"ahoy\n").unwrap();
        let line = Seen::Line("ahoy".into());
        until(&mut event_loop, "a line", |event_loop| {
            event_loop.protocol().saw(&line)
        });
    }
}

#[test]
fn what_refuses_or_does_not_answer_is_told() {
    for backend in BACKENDS {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap();
        let address: Address = closed.local_addr().unwrap().into();
        drop(closed);
        let mut event_loop = EventLoop::with_options(Script::default(), &options(backend)).unwrap();
        event_loop.connect(Connect::to(address).key(1));
        let refused = Seen::Failed(1, ErrorKind::ConnectionRefused);
        until(&mut event_loop, "the refusal", |event_loop| {
            event_loop.protocol().saw(&refused)
        });
        let nobody: Address = "unix:@longshore-nobody-listens-here".parse().unwrap();
        event_loop.connect(Connect::to(nobody).key(2));
        let refused = Seen::Failed(2, ErrorKind::ConnectionRefused);
        until(&mut event_loop, "the refusal", |event_loop| {
            event_loop.protocol().saw(&refused)
        });
        assert_eq!(event_loop.connections(), 0);
    }
}

#[test]
fn a_connection_that_takes_too_long_is_given_up() {
    for backend in BACKENDS {
        // A listener whose queue is full answers no SYN: the client's kernel goes on trying.
        let listener =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
        listener.bind(&any.into()).unwrap();
        listener.listen(0).unwrap();
        let address: Address = listener.local_addr().unwrap().as_socket().unwrap().into();
        let mut event_loop = EventLoop::with_options(Script::default(), &options(backend)).unwrap();
        for key in 0..4 {
            let connect = Connect::to(address.clone()).timeout(Duration::from_millis(100));
            event_loop.connect(connect.key(key));
        }
        until(&mut event_loop, "one that is given up", |event_loop| {
            let seen = event_loop.protocol().seen.iter();
            let late = |seen: &&Seen| matches!(seen, Seen::Failed(_, ErrorKind::TimedOut));
            seen.filter(late).count() >= 1
        });
        event_loop.stop();
        until(&mut event_loop, "the end", |event_loop| {
            event_loop.is_finished()
        });
    }
}

#[test]
fn an_adopted_socket_is_a_connection() {
    for backend in BACKENDS {
        let mut event_loop = EventLoop::with_options(Script::default(), &options(backend)).unwrap();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        event_loop.adopt(ours.into(), 9).unwrap();
        assert!(
            event_loop
                .protocol()
                .saw(&Seen::Opened(Origin::Adopted { key: 9 }))
        );
        theirs.write_all(b"over a pair\n").unwrap();
        theirs.set_nonblocking(true).unwrap();
        let mut answer = [0; 12];
        until(&mut event_loop, "the answer", |_| {
            theirs.read_exact(&mut answer).is_ok()
        });
        assert_eq!(&answer, b"over a pair\n");
    }
}

#[test]
fn mail_reaches_its_connection_or_the_protocol() {
    for backend in BACKENDS {
        let (mut event_loop, address) = listening(backend, Limits::default());
        let mut peer = Peer::connect(&address);
        peer.write(&mut event_loop, b"a\n");
        peer.read(&mut event_loop, 2);
        let id = event_loop.protocol().open[0];
        let letterbox = event_loop.letterbox();
        thread::spawn(move || {
            letterbox.send_to(id, 5).unwrap();
            letterbox.send(6).unwrap();
        })
        .join()
        .unwrap();
        assert_eq!(peer.read(&mut event_loop, 7), b"mail 5\n");
        assert!(event_loop.protocol().saw(&Seen::Letter(6, None)));
        drop(peer);
        until(&mut event_loop, "the end", |event_loop| {
            event_loop.connections() == 0
        });
        let letterbox = event_loop.letterbox();
        letterbox.send_to(id, 7).unwrap();
        let lost = Seen::Letter(7, Some(id));
        until(&mut event_loop, "what was lost", |event_loop| {
            event_loop.protocol().saw(&lost)
        });
        drop(event_loop);
        assert_eq!(letterbox.send(8), Err(MailError::Closed(8)));
    }
}

#[test]
fn a_full_letterbox_says_so() {
    let (mut event_loop, _) = listening(BACKENDS[0], Limits::default());
    let letterbox = event_loop.letterbox();
    let refused = thread::spawn(move || (0..70_000).find_map(|mail| letterbox.send(mail).err()))
        .join()
        .unwrap();
    assert_eq!(refused, Some(MailError::Full(65_536)));
    until(&mut event_loop, "the last letter", |event_loop| {
        event_loop.protocol().saw(&Seen::Letter(65_535, None))
    });
}

#[test]
fn a_stop_lets_connections_finish() {
    for backend in BACKENDS {
        let (mut event_loop, address) = listening(backend, Limits::default());
        let mut peer = Peer::connect(&address);
        peer.write(&mut event_loop, b"a\n");
        peer.read(&mut event_loop, 2);
        peer.write(&mut event_loop, b"stop\n");
        let (last, reset) = peer.read_to_end(&mut event_loop);
        assert_eq!((&last[..], reset), (&b"stopping\n"[..], false), "{backend}");
        drop(peer);
        event_loop.run().unwrap();
        assert!(event_loop.is_finished() && event_loop.connections() == 0);
        assert!(std::net::TcpStream::connect(address.inet().unwrap()).is_err());
    }
}

#[test]
fn a_stop_from_another_thread_ends_run() {
    for backend in BACKENDS {
        let (mut event_loop, _) = listening(backend, Limits::default());
        let letterbox = event_loop.letterbox();
        let other = thread::spawn(move || letterbox.stop());
        event_loop.run().unwrap();
        other.join().unwrap();
        assert!(event_loop.is_finished());
    }
}

#[test]
fn a_loop_can_be_dropped_with_data_in_flight() {
    for backend in BACKENDS {
        let limits = Limits {
            outbox_bytes_max: 64 << 20,
            ..Limits::default()
        };
        let (mut event_loop, address) = listening(backend, limits);
        let mut peers: Vec<_> = (0..5).map(|_| Peer::connect(&address)).collect();
        for peer in &mut peers {
            peer.write(&mut event_loop, b"flood 8000000\n");
        }
        until(&mut event_loop, "output that waits", |event_loop| {
            event_loop.protocol().seen.len() == 10
        });
        assert!(event_loop.held_bytes() > 0, "{backend}");
        drop(event_loop);
        // What the kernel had taken still comes, and then an end.
        for peer in &mut peers {
            peer.0.set_nonblocking(false).unwrap();
            peer.0.set_read_timeout(Some(super::PATIENCE)).unwrap();
            let mut bytes = Vec::new();
            let end = peer.0.read_to_end(&mut bytes);
            assert!(!bytes.is_empty() && bytes.len() < 8_000_000, "{end:?}");
        }
    }
}

#[test]
fn a_second_stop_does_not_wait() {
    for backend in BACKENDS {
        let limits = Limits {
            outbox_bytes_max: 64 << 20,
            stop_timeout: Duration::from_secs(3600),
            linger_timeout: Duration::from_secs(3600),
            write_stall_timeout: Duration::from_secs(3600),
            ..Limits::default()
        };
        let (mut event_loop, address) = listening(backend, limits);
        let mut peer = Peer::connect(&address);
        peer.write(&mut event_loop, b"flood 20000000\n");
        until(&mut event_loop, "the flood", |event_loop| {
            event_loop.protocol().seen.len() == 2
        });
        event_loop.stop();
        for _ in 0..20 {
            event_loop.poll_once(Some(Duration::ZERO)).unwrap();
        }
        assert!(!event_loop.is_finished(), "the peer may still read");
        event_loop.stop();
        until(&mut event_loop, "the end", |event_loop| {
            event_loop.is_finished()
        });
    }
}

#[test]
fn system_calls_can_be_watched() {
    for backend in BACKENDS {
        let mut event_loop =
            EventLoop::watched(Script::default(), &options(backend), Count::new()).unwrap();
        let address = listen(&mut event_loop);
        let mut stream = std::net::TcpStream::connect(address.inet().unwrap()).unwrap();
        stream.write_all(b"count me\n").unwrap();
        let line = Seen::Line("count me".into());
        until(&mut event_loop, "the line", |event_loop| {
            event_loop.protocol().saw(&line)
        });
        let counts = event_loop.probe().counts();
        let received = match backend {
            longshore::Backend::IoUring => counts.ring_operations().count(),
            _ => counts.call("recv").calls as usize,
        };
        assert!(received > 0, "{backend}: {counts:?}");
    }
}

/// Connects again whenever a connection is over or does not come about.
struct Stubborn {
    to: Address,
    failed: u32,
    heard_of_the_stop: bool,
}

impl Stubborn {
    fn again(&self) -> Connect {
        Connect::to(self.to.clone()).key(1)
    }
}

impl Protocol for Stubborn {
    type Connection = ();
    type Mail = ();

    fn opened(&mut self, _: Origin, wire: &mut Wire<'_, '_>) {
        wire.errands().connect(self.again());
        wire.errands().stop();
    }

    fn received(&mut self, (): &mut (), input: &mut Input<'_>, _: &mut Wire<'_, '_>) {
        input.take_all();
    }

    fn closed(&mut self, _: ConnectionId, (): (), errands: &mut Errands) {
        errands.connect(self.again());
    }

    fn failed(&mut self, _: u64, error: std::io::Error, errands: &mut Errands) {
        assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
        self.failed += 1;
        self.heard_of_the_stop |= errands.is_stopping();
        let (ours, _) = UnixStream::pair().unwrap();
        errands.adopt(ours.into(), 1);
        errands.connect(self.again());
    }
}

#[test]
fn a_stop_ends_a_protocol_that_always_connects_again() {
    for backend in BACKENDS {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let protocol = Stubborn {
            to: listener.local_addr().unwrap().into(),
            failed: 0,
            heard_of_the_stop: false,
        };
        let limits = Limits {
            linger_timeout: Duration::from_millis(50),
            ..Limits::default()
        };
        let mut event_loop =
            EventLoop::with_options(protocol, &options(backend).limits(limits)).unwrap();
        let again = event_loop.protocol().again();
        event_loop.connect(again);
        event_loop.run().unwrap();
        assert!(event_loop.is_finished(), "{backend}");
        // The one asked for together with the stop, and the one asked for by `closed`.
        assert_eq!(event_loop.protocol().failed, 2, "{backend}");
        assert!(event_loop.protocol().heard_of_the_stop, "{backend}");

        let (ours, _theirs) = UnixStream::pair().unwrap();
        let refused = event_loop.adopt(ours.into(), 2).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionAborted);
        let again = event_loop.protocol().again();
        event_loop.connect(again);
        assert_eq!(
            event_loop.protocol().failed,
            3,
            "answered at once, and once"
        );
    }
}

/// Panics where it is asked how much is missing, and where a letter comes.
struct Fragile;

impl Protocol for Fragile {
    type Connection = ();
    type Mail = ();

    fn opened(&mut self, _: Origin, _: &mut Wire<'_, '_>) {}

    fn received(&mut self, (): &mut (), input: &mut Input<'_>, wire: &mut Wire<'_, '_>) {
        if input.unread().ends_with(b"\n") {
            wire.say(input.take_all());
        }
    }

    fn missing(&mut self, (): &mut (), stored: &[u8], _: &[u8]) -> usize {
        panic!("a protocol's bug, on purpose, behind {stored:?}");
    }

    fn letter(&mut self, (): (), _: Option<ConnectionId>, _: &mut Errands) {
        panic!("a protocol's bug, on purpose");
    }
}

#[test]
fn a_panic_where_nothing_can_be_said_costs_no_more_than_a_connection() {
    for backend in BACKENDS {
        let mut event_loop = EventLoop::with_options(Fragile, &options(backend)).unwrap();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        event_loop.adopt(ours.into(), 1).unwrap();
        theirs.write_all(b"half ").unwrap();
        until(&mut event_loop, "the first half", |event_loop| {
            event_loop.held_bytes() > 0
        });
        theirs.write_all(b"a line\n").unwrap();
        until(&mut event_loop, "the reset", |event_loop| {
            event_loop.connections() == 0
        });
        let answer = theirs.read(&mut [0; 16]);
        assert!(!matches!(answer, Ok(1..)), "{backend}: {answer:?}");

        event_loop.letterbox().send(()).unwrap();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        event_loop.adopt(ours.into(), 2).unwrap();
        theirs.write_all(b"alive\n").unwrap();
        let mut answer = [0; 6];
        until(&mut event_loop, "an answer", |_| {
            theirs.read_exact(&mut answer).is_ok()
        });
    }
}

#[test]
fn the_longest_backlog_is_no_trouble() {
    for backend in BACKENDS {
        let mut event_loop = EventLoop::with_options(Script::default(), &options(backend)).unwrap();
        let any: Address = "127.0.0.1:0".parse().unwrap();
        let listen = Listen::on(any).backlog(u32::MAX);
        let listening = event_loop.listen(listen).unwrap();
        let mut peer = Peer::connect(&listening.address);
        peer.write(&mut event_loop, b"a\n");
        assert_eq!(peer.read(&mut event_loop, 2), b"a\n");
        event_loop.stop_listening(listening.listener);
    }
}
