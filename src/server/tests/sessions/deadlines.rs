//! Deadlines of a WebSocket: each is hit while all others are far away, so that no other can stand in for it.

use std::time::Duration;

use super::super::application::Simulated;
use super::{CLOSE, PING, PONG, TEXT, Talk, close, frame, handshake, turn_until};
use crate::limits::Limits;

const SOON: Duration = Duration::from_millis(200);
const NEVER: Duration = Duration::from_secs(3600);

/// Nothing happens by itself.
fn patient() -> Limits {
    Limits {
        ping_interval: NEVER,
        ping_timeout: NEVER,
        close_timeout: NEVER,
        write_stall_timeout: NEVER,
        linger_timeout: NEVER,
        ..Limits::default()
    }
}

/// The code of the Close that is among the frames.
fn close_code(frames: &[(u8, Vec<u8>)]) -> Option<u16> {
    let (_, payload) = frames.iter().find(|(first, _)| *first == CLOSE)?;
    payload.first_chunk().map(|code| u16::from_be_bytes(*code))
}

#[test]
fn who_does_not_answer_a_ping_is_cut() {
    let limits = Limits {
        ping_interval: SOON,
        ping_timeout: SOON,
        ..patient()
    };
    let mut server = Simulated::new(0, limits);
    let mut talk = Talk::open(&mut server, "/ws");
    let mut frames = Vec::new();
    let gone = turn_until(&mut server, |server| {
        frames.extend(talk.heard());
        server.reactor.live() == 0
    });
    assert!(gone);
    assert_eq!(frames, [(PING, Vec::new())], "one ping, and no Close");
}

#[test]
fn the_idle_time_counts_messages_and_not_pongs() {
    let limits = Limits {
        ping_interval: Duration::from_millis(100),
        websocket_idle_timeout: 10 * SOON,
        ..patient()
    };
    let mut server = Simulated::new(0, limits);
    let mut alive = Talk::open(&mut server, "/ws");
    let mut talking = Talk::open(&mut server, "/ws");
    let (mut pings, mut code, mut busy) = (0, None, Vec::new());
    let closed = turn_until(&mut server, |_| {
        talking.say(&frame(TEXT, b"still here"));
        busy.extend(talking.heard());
        let frames = alive.heard();
        for _ in frames.iter().filter(|(first, _)| *first == PING) {
            alive.say(&frame(PONG, b""));
            pings += 1;
        }
        code = close_code(&frames);
        code.is_some()
    });
    assert!(closed && pings > 0, "{pings} pings were answered");
    assert_eq!(code, Some(1001));
    assert_eq!(close_code(&busy), None, "who sends messages stays");
}

#[test]
fn a_lifetime_ends_even_who_is_busy() {
    let limits = Limits {
        websocket_lifetime_max: 2 * SOON,
        websocket_idle_timeout: NEVER,
        ..patient()
    };
    let mut server = Simulated::new(0, limits);
    let mut busy = Talk::open(&mut server, "/ws");
    let mut code = None;
    let closed = turn_until(&mut server, |_| {
        busy.say(&frame(TEXT, b"still here").repeat(10));
        code = code.or(close_code(&busy.heard()));
        code.is_some()
    });
    assert!(closed);
    assert_eq!(code, Some(1001));
    busy.say(&close(1001));
    server.settle();
    busy.heard();
    assert!(busy.peer.is_ended(), "the server ends first");
}

#[test]
fn an_unanswered_ping_delays_neither_lifetime_nor_idle_time() {
    for lives in [true, false] {
        let soon = 2 * SOON;
        let limits = Limits {
            ping_interval: SOON / 2,
            websocket_lifetime_max: if lives { soon } else { NEVER },
            websocket_idle_timeout: if lives { NEVER } else { soon },
            ..patient()
        };
        let mut server = Simulated::new(0, limits);
        let mut silent = Talk::open(&mut server, "/ws");
        let mut frames = Vec::new();
        let closed = turn_until(&mut server, |_| {
            frames.extend(silent.heard());
            close_code(&frames).is_some()
        });
        assert!(closed, "lifetime: {lives}");
        assert_eq!(frames[0].0, PING);
        assert_eq!(close_code(&frames), Some(1001));
    }
}

#[test]
fn a_close_that_is_never_answered_ends_and_traffic_does_not_move_it() {
    for talks in [false, true] {
        let limits = Limits {
            close_timeout: SOON,
            linger_timeout: SOON,
            ..patient()
        };
        let mut server = Simulated::new(0, limits);
        let mut talk = Talk::open(&mut server, "/ws");
        talk.say(&frame(TEXT, b"!close"));
        server.settle();
        assert_eq!(close_code(&talk.heard()), Some(1000));
        let gone = turn_until(&mut server, |server| {
            if talks {
                talk.say(&frame(TEXT, b"was sent before it read the Close"));
            }
            server.reactor.live() == 0
        });
        assert!(gone, "talks: {talks}");
    }
}

#[test]
fn after_the_peers_close_the_server_ends_first_and_waits_for_the_peer() {
    let mut server = Simulated::new(0, patient());
    let mut talk = Talk::open(&mut server, "/ws");
    talk.say(&close(3000));
    // In flight when the peer reads our Close: read and forgotten, so that it is not answered by a reset.
    talk.say(&frame(TEXT, &vec![b'x'; 60_000]).repeat(4));
    server.settle();
    assert_eq!(talk.heard(), [(CLOSE, 3000_u16.to_be_bytes().to_vec())]);
    assert!(talk.peer.is_ended() && !talk.peer.is_reset());
    assert_eq!(server.reactor.live(), 1, "it waits for the peer's FIN");
    talk.peer.end();
    server.settle();
    assert_eq!(server.reactor.live(), 0);
}

#[test]
fn after_the_servers_close_messages_still_count_until_the_answer() {
    let mut server = Simulated::new(0, patient());
    let mut talk = Talk::open(&mut server, "/ws");
    talk.say(&frame(TEXT, b"!close"));
    talk.say(&frame(PING, b"late"));
    talk.say(&frame(TEXT, b"a message that crossed it"));
    server.settle();
    assert_eq!(server.reactor.service().messages, 2);
    let frames = talk.heard();
    assert_eq!(frames.len(), 2, "a Close, then no message: {frames:?}");
    assert_eq!(frames[1], (PONG, b"late".to_vec()), "RFC 6455 §5.5.2");
    assert!(!server.reactor.is_finished());
    talk.say(&close(1000));
    server.settle();
    assert!(talk.heard().is_empty());
    assert!(talk.peer.is_ended());
}

#[test]
fn a_stop_says_whether_to_come_back() {
    for (restarts, code) in [(false, 1001), (true, 1012)] {
        let mut server = Simulated::new(0, patient());
        let mut talk = Talk::open(&mut server, "/ws");
        let late = server.connect();
        late.write(&handshake("/ws").as_bytes()[..30]);
        server.settle();
        if restarts {
            server.stopper.restart();
        } else {
            server.stopper.stop();
        }
        server.settle();
        assert_eq!(close_code(&talk.heard()), Some(code));
        talk.say(&close(code));
        // Also who becomes a WebSocket while the server stops.
        late.write(&handshake("/ws").as_bytes()[30..]);
        server.settle();
        assert!(talk.peer.is_ended());
        let reply = late.read();
        let end = reply.windows(4).position(|four| four == b"\r\n\r\n");
        let frames = &reply[end.expect("a head") + 4..];
        assert_eq!(
            frames[..4],
            [&[CLOSE, frames[1]], &code.to_be_bytes()[..]].concat()
        );
    }
}
