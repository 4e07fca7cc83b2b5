//! A loop inside somebody else's poll(2): its descriptor is readable when there is something to do, and only then.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixDatagram;
use std::thread;
use std::time::{Duration, Instant};

use longshore::sys::{self, POLLIN, PollFd, Silent};
use longshore::{Connect, EventLoop, Limits};

use super::{BACKENDS, PATIENCE, Script, Seen, listening, options};

/// Whether the loop's descriptor becomes readable within `timeout`.
fn readable(event_loop: &EventLoop<Script>, timeout: Duration) -> bool {
    let mut watched = [PollFd::new(event_loop.as_fd(), POLLIN)];
    sys::poll(&mut Silent, &mut watched, Some(timeout)).unwrap() == 1
}

/// The outer loop, as its documentation says. Panics if nothing happens for long.
fn outer_until(event_loop: &mut EventLoop<Script>, mut done: impl FnMut(&Script) -> bool) {
    let began = Instant::now();
    while !done(event_loop.protocol()) {
        assert!(began.elapsed() < PATIENCE, "the outer loop did not wake");
        let due = event_loop.next_timeout().unwrap_or(PATIENCE).min(PATIENCE);
        let woken = readable(event_loop, due);
        assert!(woken || due < PATIENCE, "the outer loop slept on something");
        event_loop.poll_once(Some(Duration::ZERO)).unwrap();
    }
}

/// Makes turns until the loop would sleep.
fn calm(event_loop: &mut EventLoop<Script>) {
    for turns in 0.. {
        assert!(turns < 100, "there is always something to do");
        event_loop.poll_once(Some(Duration::ZERO)).unwrap();
        if event_loop.next_timeout() != Some(Duration::ZERO)
            && !readable(event_loop, Duration::from_millis(20))
        {
            return;
        }
    }
}

#[test]
fn the_outer_loop_wakes_for_clients_and_bytes() {
    for backend in BACKENDS {
        let (mut event_loop, address) = listening(backend, Limits::default());
        calm(&mut event_loop);
        let mut stream = TcpStream::connect(address.inet().unwrap()).unwrap();
        assert!(readable(&event_loop, PATIENCE), "{backend}: a client");
        calm(&mut event_loop);
        for round in 0..50 {
            // Only the outer poll waits: a turn itself never does.
            calm_quickly(&mut event_loop);
            stream.write_all(format!("{round}\n").as_bytes()).unwrap();
            assert!(readable(&event_loop, PATIENCE), "{backend}: bytes");
            let line = Seen::Line(round.to_string());
            outer_until(&mut event_loop, |script| script.saw(&line));
            let mut answer = vec![0; round.to_string().len() + 1];
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            // The answer has left although no further turn was made.
            stream.read_exact(&mut answer).unwrap();
        }
    }
}

#[test]
fn an_idle_loop_is_not_readable_for_ever() {
    for backend in BACKENDS {
        let (mut event_loop, address) = listening(backend, Limits::default());
        let mut stream = TcpStream::connect(address.inet().unwrap()).unwrap();
        stream.write_all(b"half a line").unwrap();
        outer_until(&mut event_loop, |script| script.offered_bytes == 11);
        calm(&mut event_loop);
        let before = event_loop.turns();
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(300) {
            let due = event_loop.next_timeout().expect("an idle deadline is set");
            if readable(&event_loop, due.min(Duration::from_millis(300))) {
                event_loop.poll_once(Some(Duration::ZERO)).unwrap();
            }
        }
        let turns = event_loop.turns() - before;
        assert!(
            turns <= 2,
            "{backend}: {turns} turns without anything to do"
        );
    }
}

#[test]
fn mail_from_another_thread_wakes_the_outer_loop() {
    for backend in BACKENDS {
        let (mut event_loop, _) = listening(backend, Limits::default());
        for round in 0..20 {
            calm_quickly(&mut event_loop);
            let letterbox = event_loop.letterbox();
            let other = thread::spawn(move || letterbox.send(round).unwrap());
            outer_until(&mut event_loop, |script| {
                script.saw(&Seen::Letter(round, None))
            });
            other.join().unwrap();
        }
    }
}

/// As [`calm`], without the proof.
fn calm_quickly(event_loop: &mut EventLoop<Script>) {
    while event_loop.next_timeout() == Some(Duration::ZERO) || readable(event_loop, Duration::ZERO)
    {
        event_loop.poll_once(Some(Duration::ZERO)).unwrap();
    }
}

#[test]
fn deadlines_come_without_anything_readable() {
    for backend in BACKENDS {
        let (mut event_loop, address) = listening(backend, Limits::default());
        let mut stream = TcpStream::connect(address.inet().unwrap()).unwrap();
        stream.write_all(b"expire 80\n").unwrap();
        outer_until(&mut event_loop, |script| script.saw(&Seen::Expired));
    }
}

#[test]
fn what_was_asked_for_between_turns_is_done() {
    for backend in BACKENDS {
        let (mut event_loop, address) = listening(backend, Limits::default());
        calm(&mut event_loop);
        event_loop.connect(Connect::to(address.clone()).key(3));
        assert_eq!(event_loop.next_timeout(), Some(Duration::ZERO), "{backend}");
        outer_until(&mut event_loop, |script| script.open.len() == 2);
        calm(&mut event_loop);
        let id = event_loop.protocol().open[0];
        let said = event_loop.call(id, |_, _, wire| wire.say(b"between turns\n"));
        assert!(said.is_some());
        // The other end is a connection of this very loop.
        let line = Seen::Line("between turns".into());
        outer_until(&mut event_loop, |script| script.saw(&line));
    }
}

#[test]
fn datagrams_wake_the_outer_loop() {
    for backend in BACKENDS {
        let mut event_loop = EventLoop::with_options(Script::default(), &options(backend)).unwrap();
        let bound = event_loop
            .bind_datagram(&"unix:".parse().unwrap_or(unnamed()))
            .unwrap();
        calm(&mut event_loop);
        let sender = UnixDatagram::unbound().unwrap();
        let longshore::sys::Address::Unix(longshore::sys::UnixName::Abstract(name)) =
            &bound.address
        else {
            panic!("the kernel chooses an abstract name: {}", bound.address)
        };
        let to = std::os::unix::net::SocketAddr::from_abstract_name(name).unwrap();
        for round in 0..40 {
            calm_quickly(&mut event_loop);
            sender.send_to_addr(b"ping", &to).unwrap();
            assert!(readable(&event_loop, PATIENCE), "{backend}");
            outer_until(&mut event_loop, |script| script.payloads.len() == round + 1);
        }
        calm(&mut event_loop);
    }
}

fn unnamed() -> longshore::sys::Address {
    longshore::sys::Address::Unix(longshore::sys::UnixName::Unnamed)
}

#[test]
fn a_stopping_loop_ends_inside_the_outer_one() {
    for backend in BACKENDS {
        let (mut event_loop, address) = listening(backend, Limits::default());
        let mut streams: Vec<_> = (0..3)
            .map(|_| TcpStream::connect(address.inet().unwrap()).unwrap())
            .collect();
        outer_until(&mut event_loop, |script| script.open.len() == 3);
        event_loop.stop();
        let mut closed = 0;
        let began = Instant::now();
        while !event_loop.is_finished() {
            assert!(began.elapsed() < PATIENCE, "{backend}: it does not end");
            let due = event_loop.next_timeout().unwrap_or(PATIENCE);
            let woken = readable(&event_loop, due);
            assert!(woken || due < PATIENCE, "the outer loop slept on something");
            event_loop.poll_once(Some(Duration::ZERO)).unwrap();
            if closed < 3 && event_loop.protocol().saw(&Seen::Stopping) {
                // Who is told hangs up, one after the other.
                let mut last = String::new();
                streams.pop().unwrap().read_to_string(&mut last).unwrap();
                assert_eq!(last, "stopping\n");
                closed += 1;
            }
        }
    }
}
