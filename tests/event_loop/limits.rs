//! The limits of a raw protocol: what a peer cannot make the loop keep, or wait for.

use std::time::Duration;

use longshore::{EventLoop, Limits};

use super::{BACKENDS, Peer, Script, Seen, listen, listening, options, until};

#[test]
fn a_unit_without_end_is_reset() {
    for backend in BACKENDS {
        let options = options(backend).input_bytes_max(1000);
        let mut event_loop = EventLoop::with_options(Script::default(), &options).unwrap();
        let address = listen(&mut event_loop);
        let mut peer = Peer::connect(&address);
        peer.write(&mut event_loop, &[b'a'; 999]);
        peer.write(&mut event_loop, b"\n");
        assert_eq!(peer.read(&mut event_loop, 1000).len(), 1000);
        peer.write(&mut event_loop, &[b'a'; 1001]);
        assert!(peer.read_to_end(&mut event_loop).1, "{backend}");
        until(&mut event_loop, "the memory back", |event_loop| {
            event_loop.held_bytes() == 0
        });
    }
}

#[test]
fn who_does_not_read_is_not_read_from() {
    for backend in BACKENDS {
        let limits = Limits {
            outbox_bytes_max: 64 << 20,
            ..Limits::default()
        };
        let (mut event_loop, address) = listening(backend, limits);
        let mut peer = Peer::connect(&address);
        // More than the kernel's buffers hold, so that something is left to wait.
        let floods = 30;
        peer.write(&mut event_loop, &b"flood 1000000\n".repeat(floods));
        for _ in 0..50 {
            event_loop.poll_once(Some(Duration::ZERO)).unwrap();
        }
        let obeyed = event_loop.protocol().seen.len() - 1;
        assert!(obeyed < floods, "{backend}: all {obeyed} were obeyed");
        let most = event_loop.protocol().waiting_bytes_max;
        assert!(most < 64 * 1024 + 2_000_000, "{backend}: {most} waited");
        let step = super::script::STEP_BYTES;
        let expected = floods * 1_000_000usize.div_ceil(step) * step;
        assert_eq!(peer.read(&mut event_loop, expected).len(), expected);
        assert_eq!(
            event_loop.protocol().seen.len() - 1,
            floods,
            "all in the end"
        );
    }
}

#[test]
fn writable_comes_when_there_is_room() {
    for backend in BACKENDS {
        let (mut event_loop, address) = listening(backend, Limits::default());
        let mut peer = Peer::connect(&address);
        let total = 20_000_000;
        peer.write(&mut event_loop, format!("produce {total}\n").as_bytes());
        for _ in 0..200 {
            event_loop.poll_once(Some(Duration::ZERO)).unwrap();
        }
        let calls = |event_loop: &EventLoop<Script>| {
            let seen = event_loop.protocol().seen.iter();
            seen.filter(|seen| **seen == Seen::Writable).count()
        };
        let before = calls(&event_loop);
        assert!(before < total / super::script::STEP_BYTES, "{before} calls");
        assert_eq!(peer.read(&mut event_loop, total).len(), total);
        assert!(calls(&event_loop) > before, "{backend}");
        let most = event_loop.protocol().waiting_bytes_max;
        let bound = 16 * 1024 + super::script::STEP_BYTES;
        assert!(most <= bound, "{backend}: {most} bytes waited");
    }
}

#[test]
fn who_is_sent_too_much_is_disconnected() {
    for backend in BACKENDS {
        let (mut event_loop, address) = listening(backend, Limits::default());
        let mut peer = Peer::connect(&address);
        peer.write(&mut event_loop, b"a\n");
        peer.read(&mut event_loop, 2);
        let id = event_loop.protocol().open[0];
        let mut calls = 0;
        // Each call's bytes are their own send: one may be in flight, and the rest is more than 1 MiB at some time.
        until(&mut event_loop, "the disconnection", |event_loop| {
            calls += 1;
            event_loop
                .call(id, |_, _, wire| wire.say(&vec![0; 500_000]))
                .is_none()
        });
        assert!(calls > 3, "{backend}: {calls}");
        until(&mut event_loop, "the memory back", |event_loop| {
            event_loop.held_bytes() == 0 && event_loop.connections() == 0
        });
    }
}

#[test]
fn at_the_memory_ceiling_connections_end() {
    for backend in BACKENDS {
        let limits = Limits {
            memory_bytes_max: 256 * 1024,
            ..Limits::default()
        };
        let (mut event_loop, address) = listening(backend, limits);
        let mut peers: Vec<_> = (0..8).map(|_| Peer::connect(&address)).collect();
        for peer in &mut peers {
            peer.write(&mut event_loop, &vec![b'a'; 60_000]);
        }
        until(&mut event_loop, "a refusal", |event_loop| {
            let closed = |seen: &&Seen| matches!(seen, Seen::Closed(_));
            event_loop.protocol().seen.iter().filter(closed).count() >= 2
        });
        let held = event_loop.held_bytes();
        assert!(held < 512 * 1024, "{backend}: {held}");
        assert!(event_loop.connections() >= 1, "not all of them");
    }
}

#[test]
fn silence_ends_a_connection_and_talk_does_not() {
    for backend in BACKENDS {
        let limits = Limits {
            first_byte_timeout: Duration::from_millis(300),
            idle_timeout: Duration::from_millis(300),
            ..Limits::default()
        };
        let (mut event_loop, address) = listening(backend, limits);
        let mut silent = Peer::connect(&address);
        let mut busy = Peer::connect(&address);
        let mut exempt = Peer::connect(&address);
        exempt.write(&mut event_loop, b"never\n");
        let mut talk = 0;
        until(&mut event_loop, "silence to end", |event_loop| {
            if event_loop.connections() == 3 {
                busy.0.set_nonblocking(true).unwrap();
                talk += usize::from(std::io::Write::write(&mut busy.0, b"x\n").is_ok());
            }
            event_loop.protocol().saw(&Seen::Idle)
        });
        assert_eq!(silent.read_to_end(&mut event_loop), (Vec::new(), false));
        assert!(talk > 3, "{backend}: {talk}");
        busy.write(&mut event_loop, b"still\n");
        let heard = Seen::Line("still".into());
        until(&mut event_loop, "the busy one", |event_loop| {
            event_loop.protocol().saw(&heard)
        });
        until(&mut event_loop, "the busy one's silence", |event_loop| {
            event_loop.connections() == 1
        });
        exempt.write(&mut event_loop, b"me too\n");
        assert_eq!(exempt.read(&mut event_loop, 7), b"me too\n");
    }
}

#[test]
fn a_peer_that_reads_nothing_of_what_waits_is_disconnected() {
    for backend in BACKENDS {
        let limits = Limits {
            write_stall_timeout: Duration::from_millis(200),
            outbox_bytes_max: 64 << 20,
            ..Limits::default()
        };
        let (mut event_loop, address) = listening(backend, limits);
        let mut peer = Peer::connect(&address);
        peer.write(&mut event_loop, b"flood 30000000\n");
        until(&mut event_loop, "the stall's end", |event_loop| {
            event_loop.accepted() == 1 && event_loop.connections() == 0
        });
        assert!(!event_loop.protocol().saw(&Seen::Idle), "{backend}");
    }
}

#[test]
fn at_the_most_connections_clients_wait() {
    for backend in BACKENDS {
        let options = options(backend).connections_max(2);
        let mut event_loop = EventLoop::with_options(Script::default(), &options).unwrap();
        let address = listen(&mut event_loop);
        let mut peers: Vec<_> = (0..3).map(|_| Peer::connect(&address)).collect();
        until(&mut event_loop, "two of them", |event_loop| {
            event_loop.connections() == 2
        });
        event_loop.connect(address.clone());
        let failed = matches!(event_loop.protocol().seen.last(), Some(Seen::Failed(0, _)));
        assert!(failed, "{backend}: there is no room for one of our own");
        peers[2].write(&mut event_loop, b"patient\n");
        drop(peers.remove(0));
        assert_eq!(peers[1].read(&mut event_loop, 8), b"patient\n");
    }
}
