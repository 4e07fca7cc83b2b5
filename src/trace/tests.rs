//! The recorder, the queue and the sinks, on socket pairs and with made-up completions.

use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::*;
use crate::sys::{Aside, Probe, SUBMISSION_BYTES, Submission};

mod ends;
mod quiet;

/// Keeps events and bytes where the test can see them.
#[derive(Clone, Default)]
struct Kept {
    events: Arc<Mutex<Vec<Event>>>,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Sink for Kept {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.events.lock().unwrap().push(event.clone());
        Ok(())
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Kept {
    fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes.lock().unwrap().clone()).unwrap()
    }
}

/// Runs `story` with a recorder; the events and the lines.
fn told(options: Options, story: impl FnOnce(&mut Recorder)) -> (Vec<Event>, String) {
    let kept = Kept::default();
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(kept.clone()), Box::new(Text::new(kept.clone()))];
    let trace = Trace::start(sinks, options).unwrap();
    let mut recorder = trace.recorder();
    story(&mut recorder);
    drop(recorder);
    trace.finish().unwrap();
    (kept.events(), kept.text())
}

/// The lines without time and thread.
fn said(text: &str) -> Vec<&str> {
    let begin = |line: &str| {
        let connections = [" #", " -    "].into_iter();
        connections
            .filter_map(|mark| line.find(mark))
            .min()
            .unwrap()
            + 1
    };
    text.lines().map(|line| &line[begin(line)..]).collect()
}

/// The five facts: a stream's protocol follows from its address, that of datagrams from what was asked of socket(2).
#[test]
fn a_connection_is_named_with_its_protocol() {
    let inet: Address = "127.0.0.1:8080".parse().unwrap();
    let unix: Address = "unix:@longshore-trace-test".parse().unwrap();
    let (_, text) = told(Options::default(), |probe| {
        let mut accept = |fd, from| {
            let flags = 0;
            probe.after(
                &sys::Call::Accept4 { fd, flags, from },
                Ok(fd as usize + 10),
            );
        };
        accept(1, Some(&inet));
        accept(2, Some(&unix));
        accept(3, None);
        let named = sys::Call::Getsockname {
            fd: 13,
            address: Some(&inet),
        };
        probe.after(&named, Ok(0));
        for (fd, family) in [(20, libc::AF_INET6), (21, libc::AF_UNIX)] {
            let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
            let call = sys::Call::Socket {
                family,
                kind,
                protocol: 0,
            };
            probe.after(&call, Ok(fd));
        }
        let bound = sys::Call::Bind {
            fd: 20,
            address: &inet,
        };
        probe.after(&bound, Ok(0));
    });
    let facts: Vec<_> = said(&text)
        .into_iter()
        .filter(|line| line.contains(" <-> "))
        .collect();
    let expected = [
        "#1    opened by accept4: tcp ? <-> 127.0.0.1:8080",
        "#2    opened by accept4: unix ? <-> unix:@longshore-trace-test",
        "#3    opened by accept4: ? <-> ?",
        "#3    named: tcp 127.0.0.1:8080 <-> ?",
        "#4    opened by socket: udp ? <-> ?",
        "#5    opened by socket: unix ? <-> ?",
        "#4    named: udp 127.0.0.1:8080 <-> ?",
    ];
    assert_eq!(facts, expected, "{text}");
}

#[test]
fn calls_connections_and_meaning_in_order() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let (events, text) = told(Options::default(), |probe| {
        sys::send(probe, ours.as_fd(), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        sys::recv(probe, theirs.as_fd(), &mut [0; 64]).unwrap();
        sys::set_mode(probe, theirs.as_fd(), sys::Mode::Nonblocking).unwrap();
        assert!(sys::recv(probe, theirs.as_fd(), &mut [0; 64]).is_err());
        sys::close(probe, theirs.into()).unwrap();
    });
    let kinds: Vec<_> = events
        .iter()
        .map(|event| {
            let number = event
                .connection
                .as_ref()
                .map(|connection| connection.number);
            let kind = match &event.kind {
                Kind::Call(call) => call.name,
                Kind::Opened { .. } => "opened",
                Kind::Closed => "closed",
                Kind::Protocol(_) => "protocol",
                _ => "?",
            };
            (number, kind)
        })
        .collect();
    let expected = [
        (1, "send"),
        (1, "opened"),
        (1, "protocol"),
        (2, "recv"),
        (2, "opened"),
        (2, "protocol"),
        (2, "fcntl"),
        (2, "fcntl"),
        (2, "recv"),
        (2, "close"),
        (2, "closed"),
    ];
    assert_eq!(
        kinds,
        expected.map(|(number, kind)| (Some(number), kind)),
        "{text}"
    );
    assert!(events.is_sorted_by_key(|event| event.at));
    assert!(events[8].is_error() && events[8].took.is_some());
    assert!(
        events
            .iter()
            .all(|event| event.thread.id > 0 && event.turn == 0)
    );
    let eagain = "#2    recv(";
    assert!(said(&text)[8].starts_with(eagain), "{text}");
    assert!(
        said(&text)[8]
            .contains(", \"\", 64, 0) = -1 EAGAIN (Resource temporarily unavailable)  <0.")
    );
    ours.flush().unwrap();
}

#[test]
fn a_number_that_is_used_again_is_another_connection() {
    let (events, _) = told(Options::default(), |probe| {
        let (ours, theirs) = UnixStream::pair().unwrap();
        sys::send(probe, ours.as_fd(), b"a").unwrap();
        // Closed where nobody sees it; accept4 then answers with the same number.
        let fd = ours.as_raw_fd();
        let call = crate::sys::Call::Accept4 {
            fd: theirs.as_raw_fd(),
            from: None,
            flags: 0,
        };
        probe.before(&call);
        probe.after(&call, Ok(fd as usize));
    });
    let numbers: Vec<_> = events
        .iter()
        .map(|event| event.connection.as_ref().unwrap().number)
        .collect();
    assert_eq!(numbers, [1, 1, 1, 2, 2]);
    assert!(matches!(events[2].kind, Kind::Closed));
    assert!(matches!(events[4].kind, Kind::Opened { by: "accept4" }));
}

#[test]
fn a_turn_begins_with_its_wait() {
    let (events, text) = told(Options::default(), |probe| {
        let epoll = sys::epoll_create1(probe).unwrap();
        let mut ready = [sys::EpollEvent::new(0, 0); 4];
        for _ in 0..2 {
            sys::epoll_wait(probe, epoll.as_fd(), &mut ready, Some(Duration::ZERO)).unwrap();
        }
    });
    let turns: Vec<_> = events.iter().map(|event| event.turn).collect();
    assert_eq!(turns, [0, 1, 1, 2, 2]);
    assert_eq!(
        said(&text)[4],
        "-     ── turn 2: epoll_wait gave 0 events ──"
    );
}

/// An entry for the ring, byte by byte: opcode, flags, ioprio, descriptor.
fn entry(opcode: u8, flags: u8, ioprio: u8, fd: i32, user_data: u64) -> [u8; SUBMISSION_BYTES] {
    let mut bytes = [0; SUBMISSION_BYTES];
    (bytes[0], bytes[1], bytes[2]) = (opcode, flags, ioprio);
    bytes[4..8].copy_from_slice(&fd.to_ne_bytes());
    bytes[32..40].copy_from_slice(&user_data.to_ne_bytes());
    bytes
}

fn submit(
    probe: &mut Recorder,
    name: &'static str,
    bytes: &[u8; SUBMISSION_BYTES],
    slot: Option<u32>,
) {
    let mut submission = Submission::read(bytes);
    submission.slot = slot;
    let call = crate::sys::Call::Ring {
        name,
        submission: &submission,
    };
    probe.submitted(&call, submission.user_data());
}

const ACCEPT: u8 = 13;
const RECV: u8 = 27;
const CLOSE: u8 = 19;
const CANCEL: u8 = 14;
const DIRECT: u8 = 1;
const SELECTS: u8 = 1 << 5;
const SKIPS: u8 = 1 << 6;
const MORE: u32 = 2;

#[test]
fn a_ring_ties_completions_to_submissions() {
    let (events, text) = told(Options::default(), |probe| {
        submit(probe, "accept", &entry(ACCEPT, 0, 1, 5, 100), None);
        probe.aside(&Aside::Turn {
            source: "io_uring_enter",
            events: 1,
        });
        probe.completed("accept", 100, 12, MORE);
        submit(
            probe,
            "recv",
            &entry(RECV, DIRECT | SELECTS, 2, 12, 200),
            Some(12),
        );
        // Buffer 3, which the kernel keeps, and more to come.
        probe.completed("recv", 200, 26, MORE | 1 | 1 << 4 | 3 << 16);
        let bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        probe.aside(&Aside::Lent {
            user_data: 200,
            bytes,
        });
        submit(probe, "cancel", &entry(CANCEL, SKIPS, 0, -1, 0), None);
        probe.completed("recv", 200, -libc::ECANCELED, 0);
        let mut close = entry(CLOSE, 0, 0, 0, 300);
        close[44] = 13;
        submit(probe, "close", &close, Some(12));
        probe.completed("close", 300, 0, 0);
        // Nobody has asked for this one.
        probe.completed("recv", 200, 1, 0);
    });
    let expected = [
        "-     [sqe] accept(5, multishot)",
        "-     ── turn 1: io_uring_enter gave 1 completion ──",
        "#1    [cqe] accept = 12, more",
        "#1    opened by accept: ? <-> ?",
        "#1    [sqe] recv(slot 12, group 0, multishot)",
        "#1    [cqe] recv = 26, buffer 3 stays, more",
        r#"#1    [lend] "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27 bytes"#,
        "#1    << GET /",
        "-     [sqe] cancel(0x0, answers only a failure)",
        "#1    [cqe] recv = -125 ECANCELED (Operation canceled)",
        "#1    [sqe] close(slot 12)",
        "#1    [cqe] close = 0",
        "#1    closed",
        "-     [cqe] recv = 1",
    ];
    assert_eq!(said(&text), expected);
    let operations: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.kind {
            Kind::Submitted(submitted) => Some((submitted.operation, submitted.multishot)),
            Kind::Completed(completed) => Some((completed.operation.unwrap_or(0), completed.more)),
            _ => None,
        })
        .collect();
    let expected = [
        (1, true),
        (1, true),
        (2, true),
        (2, true),
        (3, false),
        (2, false),
        (4, false),
        (4, false),
        (0, false),
    ];
    assert_eq!(operations, expected);
}

#[test]
fn a_full_queue_waits_and_loses_nothing() {
    let options = Options {
        queue_events: 1,
        ..Options::default()
    };
    let kept = Kept::default();
    let trace = Trace::start(vec![Box::new(kept.clone())], options).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut probe = trace.recorder();
                for _ in 0..50 {
                    sys::eventfd(&mut probe).unwrap();
                }
            });
        }
    });
    trace.finish().unwrap();
    let events = kept.events();
    assert_eq!(events.len(), 200);
    assert!(events.is_sorted_by_key(|event| event.at));
}

/// Fails from the second event on.
struct Breaks(u32);

impl Sink for Breaks {
    fn event(&mut self, _: &Event) -> io::Result<()> {
        self.0 += 1;
        if self.0 > 1 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(())
    }
}

#[test]
fn a_sink_that_fails_takes_nobody_with_it() {
    let kept = Kept::default();
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(Breaks(0)), Box::new(kept.clone())];
    let trace = Trace::start(sinks, Options::default()).unwrap();
    let mut probe = trace.recorder();
    for _ in 0..5 {
        sys::eventfd(&mut probe).unwrap();
    }
    drop(probe);
    let error = trace.finish().expect_err("one of them failed");
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    trace.finish().expect("it is told once");
    assert_eq!(kept.events().len(), 5);
}

/// Panics at once.
struct Panics;

impl Sink for Panics {
    fn event(&mut self, _: &Event) -> io::Result<()> {
        panic!("a sink of the test's");
    }
}

#[test]
fn a_sink_that_panics_stops_nobody() {
    let options = Options {
        queue_events: 1,
        ..Options::default()
    };
    let trace = Trace::start(vec![Box::new(Panics)], options).unwrap();
    let mut probe = trace.recorder();
    for _ in 0..20 {
        sys::eventfd(&mut probe).unwrap();
    }
    trace.finish().unwrap();
}

#[test]
fn what_is_told_late_finds_its_place() {
    let kept = Kept::default();
    let options = Options {
        hold: Duration::from_secs(3600),
        ..Options::default()
    };
    let trace = Trace::start(vec![Box::new(kept.clone())], options).unwrap();
    let before = SystemTime::now();
    let mut probe = trace.recorder();
    sys::eventfd(&mut probe).unwrap();
    drop(probe);
    let text = "earlier".to_owned();
    trace.tell(before, None, Kind::Note(text));
    trace.finish().unwrap();
    let events = kept.events();
    assert!(matches!(events[0].kind, Kind::Note(_)), "{events:?}");
    assert!(matches!(events[1].kind, Kind::Call(_)));
}

#[test]
fn filters_pass_what_passes_all_tests() {
    let options = Options {
        filter: Filter::default().calls(["recv"]).errors_only(true),
        ..Options::default()
    };
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (events, text) = told(options, |probe| {
        sys::send(probe, ours.as_fd(), b"x").unwrap();
        sys::recv(probe, theirs.as_fd(), &mut [0; 8]).unwrap();
        sys::set_mode(probe, theirs.as_fd(), sys::Mode::Nonblocking).unwrap();
        assert!(sys::recv(probe, theirs.as_fd(), &mut [0; 8]).is_err());
        assert!(
            sys::shutdown(
                probe,
                sys::eventfd(&mut sys::Silent).unwrap().as_fd(),
                sys::How::Both
            )
            .is_err()
        );
    });
    assert_eq!(events.len(), 1, "{text}");
    assert!(said(&text)[0].starts_with("#2    recv("), "{text}");
}

#[test]
fn colours_are_for_terminals() {
    let kept = Kept::default();
    let text = Text::new(kept.clone()).colours(true);
    let trace = Trace::start(vec![Box::new(text)], Options::default()).unwrap();
    sys::eventfd(&mut trace.recorder()).unwrap();
    trace.finish().unwrap();
    assert!(
        kept.text().contains("\x1b[1meventfd2\x1b[0m("),
        "{}",
        kept.text()
    );
}

#[test]
fn a_thread_is_watched_as_long_as_it_says() {
    let kept = Kept::default();
    let trace = Trace::start(vec![Box::new(kept.clone())], Options::default()).unwrap();
    let watched = trace.watch_thread();
    sys::eventfd(&mut sys::ThreadProbe).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| sys::eventfd(&mut sys::ThreadProbe).unwrap());
    });
    drop(watched);
    sys::eventfd(&mut sys::ThreadProbe).unwrap();
    trace.finish().unwrap();
    assert_eq!(kept.events().len(), 1);
}
