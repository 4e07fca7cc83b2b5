//! One connection's life: input at every cut, ends of either side, deadlines, calls, panics.

use std::net::Shutdown;

use longshore::{Limits, Origin};

use super::{BACKENDS, Peer, Script, Seen, listening, until};

const INPUT: &[u8] = b"one\ntwo\n\nthree four\n";

#[test]
fn input_cut_anywhere_is_the_same_lines() {
    for backend in BACKENDS {
        let (mut event_loop, address) = listening(backend, Limits::default());
        for cut in 0..=INPUT.len() {
            *event_loop.protocol_mut() = Script::default();
            let mut peer = Peer::connect(&address);
            peer.write(&mut event_loop, &INPUT[..cut]);
            until(&mut event_loop, "the first part", |event_loop| {
                event_loop.protocol().offered_bytes == cut
            });
            peer.write(&mut event_loop, &INPUT[cut..]);
            assert_eq!(peer.read(&mut event_loop, INPUT.len()), INPUT, "{cut}");
            let lines = event_loop.protocol().seen.iter();
            let lines: Vec<_> = lines
                .filter_map(|seen| match seen {
                    Seen::Line(line) => Some(line.as_str()),
                    _ => None,
                })
                .collect();
            assert_eq!(lines, ["one", "two", "", "three four"], "{backend} {cut}");
            drop(peer);
            until(&mut event_loop, "its end", |event_loop| {
                event_loop.connections() == 0
            });
            assert_eq!(event_loop.held_bytes(), 0, "an idle loop keeps nothing");
        }
    }
}

#[test]
fn byte_by_byte() {
    for backend in BACKENDS {
        let (mut event_loop, address) = listening(backend, Limits::default());
        let mut peer = Peer::connect(&address);
        for (sent, byte) in INPUT.iter().enumerate() {
            peer.write(&mut event_loop, &[*byte]);
            until(&mut event_loop, "the byte", |event_loop| {
                event_loop.protocol().offered_bytes == sent + 1
            });
        }
        assert_eq!(peer.read(&mut event_loop, INPUT.len()), INPUT);
    }
}

#[test]
fn a_half_closed_peer_still_hears_the_answer() {
    for backend in BACKENDS {
        let (mut event_loop, address) = listening(backend, Limits::default());
        let mut peer = Peer::connect(&address);
        peer.write(&mut event_loop, b"last words\nand a rest");
        peer.0.shutdown(Shutdown::Write).unwrap();
        let (answer, reset) = peer.read_to_end(&mut event_loop);
        assert_eq!((&answer[..], reset), (&b"last words\n"[..], false));
        assert!(event_loop.protocol().saw(&Seen::Ended { unfinished: true }));
        until(&mut event_loop, "the end", |event_loop| {
            event_loop.connections() == 0
        });
    }
}

#[test]
fn our_half_close_leaves_the_other_direction_open() {
    for backend in BACKENDS {
        let (mut event_loop, address) = listening(backend, Limits::default());
        let mut peer = Peer::connect(&address);
        peer.write(&mut event_loop, b"half\n");
        let (answer, reset) = peer.read_to_end(&mut event_loop);
        assert_eq!((&answer[..], reset), (&b"half\n"[..], false), "then FIN");
        peer.write(&mut event_loop, b"heard\n");
        let heard = Seen::Line("heard".to_owned());
        until(&mut event_loop, "a line behind our FIN", |event_loop| {
            event_loop.protocol().saw(&heard)
        });
        assert_eq!(event_loop.connections(), 1, "{backend}");
        peer.0.shutdown(Shutdown::Write).unwrap();
        until(&mut event_loop, "the end", |event_loop| {
            event_loop.connections() == 0
        });
    }
}

#[test]
fn finish_sends_what_waits_and_reset_does_not_pretend() {
    for backend in BACKENDS {
        let (mut event_loop, address) = listening(backend, Limits::default());
        let mut peer = Peer::connect(&address);
        peer.write(&mut event_loop, b"flood 500000\nfinish\nnever read\n");
        let (answer, reset) = peer.read_to_end(&mut event_loop);
        assert!(answer.len() >= 500_000 && !reset, "{}", answer.len());
        assert!(!event_loop.protocol().saw(&Seen::Line("never read".into())));

        let mut peer = Peer::connect(&address);
        peer.write(&mut event_loop, b"reset\n");
        let reset = peer.read_to_end(&mut event_loop).1;
        // Before Linux 6.7 a ring cannot reset an accepted socket.
        assert!(reset, "{backend}");
    }
}

#[test]
fn a_deadline_of_its_own_comes_and_held_input_waits() {
    for backend in BACKENDS {
        let (mut event_loop, address) = listening(backend, Limits::default());
        let mut peer = Peer::connect(&address);
        peer.write(&mut event_loop, b"hold 60\nbehind\n");
        assert_eq!(peer.read(&mut event_loop, 15), b"expired\nbehind\n");
        let behind = Seen::Line("behind".to_owned());
        let seen = &event_loop.protocol().seen;
        let place = |what| seen.iter().position(|seen| seen == what).unwrap();
        assert!(place(&Seen::Expired) < place(&behind), "{seen:?}");
    }
}

#[test]
fn peers_are_asked_for_and_others_are_called() {
    for backend in BACKENDS {
        let (mut event_loop, address) = listening(backend, Limits::default());
        event_loop.protocol_mut().greets_with = Some(|wire| {
            wire.hold_input();
            wire.ask_peer();
        });
        let mut first = Peer::connect(&address);
        let mut second = Peer::connect(&address);
        first.write(&mut event_loop, b"wake\n");
        assert_eq!(first.read(&mut event_loop, 7), b"called\n");
        assert_eq!(second.read(&mut event_loop, 7), b"called\n");
        let known = Seen::Peer(Some(first.0.local_addr().unwrap().into()));
        let seen = &event_loop.protocol().seen;
        let place = |what: &Seen| seen.iter().position(|seen| seen == what);
        assert!(
            place(&known) < place(&Seen::Line("wake".into())),
            "{seen:?}"
        );
        let calls = seen.iter().filter(|seen| **seen == Seen::Called).count();
        assert_eq!(calls, 2, "asked for twice, called once: {backend}");
    }
}

#[test]
fn a_panic_costs_one_connection() {
    for backend in BACKENDS {
        let (mut event_loop, address) = listening(backend, Limits::default());
        let mut other = Peer::connect(&address);
        let mut peer = Peer::connect(&address);
        peer.write(&mut event_loop, b"panic\n");
        assert!(peer.read_to_end(&mut event_loop).1, "reset: {backend}");
        other.write(&mut event_loop, b"still here\n");
        assert_eq!(other.read(&mut event_loop, 11), b"still here\n");
    }
}

#[test]
fn every_connection_is_opened_and_closed_once() {
    for backend in BACKENDS {
        let (mut event_loop, address) = listening(backend, Limits::default());
        let mut peers: Vec<_> = (0..20).map(|_| Peer::connect(&address)).collect();
        for peer in &mut peers {
            peer.write(&mut event_loop, b"a\n");
            peer.read(&mut event_loop, 2);
        }
        assert_eq!((event_loop.accepted(), event_loop.connections()), (20, 20));
        drop(peers);
        until(&mut event_loop, "all ends", |event_loop| {
            event_loop.connections() == 0
        });
        let seen = &event_loop.protocol().seen;
        let opened = Seen::Opened(Origin::Accepted { listener: 0 });
        assert_eq!(seen.iter().filter(|seen| **seen == opened).count(), 20);
        let mut closed: Vec<_> = seen
            .iter()
            .filter_map(|seen| match seen {
                Seen::Closed(id) => Some(*id),
                _ => None,
            })
            .collect();
        assert_eq!(closed.len(), 20, "{backend}");
        closed.dedup();
        assert_eq!(closed.len(), 20, "each by its own name");
    }
}
