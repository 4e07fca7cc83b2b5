//! Nothing stays for ever: deadlines after every kind of reply, stops, and limits that were set oddly.

use std::thread;
use std::time::{Duration, Instant};

use super::application::{Client, Simulated, masked};
use crate::limits::Limits;
use crate::reactor::Letter;

const TICKS: Duration = Duration::from_millis(100);

/// Makes turns until `done`, for ten seconds at most.
fn turn_until(server: &mut Simulated, mut done: impl FnMut(&mut Simulated) -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(10) {
        server.settle();
        if done(server) {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    false
}

#[test]
fn a_connection_is_idle_after_any_reply() {
    let limits = Limits {
        idle_timeout: TICKS,
        linger_timeout: TICKS,
        ..Limits::default()
    };
    let mut server = Simulated::new(0, limits);
    for path in ["/small", "/large", "/later"] {
        let peer = server.connect();
        peer.write(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        server.settle();
        assert!(peer.read().starts_with(b"HTTP/1.1 200 "), "{path}");
        assert!(server.reactor.next_timeout().is_some(), "{path}");
        assert!(
            turn_until(&mut server, |server| server.reactor.live() == 0),
            "{path}"
        );
    }
}

#[test]
fn who_says_close_and_sends_no_more_is_not_waited_for() {
    const LAST: &[u8] = b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let cases: [(&[&[u8]], usize); 7] = [
        (&[LAST], 0),
        (&[b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n", LAST], 0),
        (
            &[b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"],
            0,
        ),
        (
            &[b"HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"],
            0,
        ),
        // Where close is what the version means, nobody has promised anything.
        (&[b"GET /x HTTP/1.0\r\nHost: a\r\n\r\n"], 1),
        // What came behind it would be answered with a reset, which may cost it the reply (RFC 9112 §9.6).
        (&[LAST, b"x"], 1),
        // So would a body of which a part is still on its way.
        (
            &[b"POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"],
            1,
        ),
    ];
    for (pieces, lingering) in cases {
        let mut server = Simulated::new(0, Limits::default());
        let peer = server.connect();
        peer.write(&pieces.concat());
        server.settle();
        let mut reply = peer.read();
        server.settle();
        reply.extend(peer.read());
        assert!(reply.starts_with(b"HTTP/1.1 200 "), "{pieces:?}");
        assert!(peer.is_ended(), "{pieces:?}");
        assert_eq!(server.reactor.live(), lingering, "{pieces:?}");
    }
}

#[test]
fn who_goes_on_behind_its_close_is_waited_for() {
    let mut server = Simulated::new(0, Limits::default());
    let peer = server.connect();
    peer.set_window(1000);
    peer.write(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    server.settle();
    peer.write(b"x");
    server.settle();
    peer.set_window(usize::MAX);
    while !peer.is_ended() {
        peer.read();
        server.settle();
    }
    assert_eq!(server.reactor.live(), 1, "its reply is not put at risk");
    peer.end();
    server.settle();
    assert_eq!(server.reactor.live(), 0);
}

#[test]
fn a_reply_that_is_still_being_read_is_not_idle() {
    let limits = Limits {
        idle_timeout: TICKS,
        linger_timeout: TICKS,
        ..Limits::default()
    };
    let mut server = Simulated::new(0, limits);
    let peer = server.connect();
    peer.set_window(1000);
    peer.write(&b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2));
    let mut received = Vec::new();
    let complete = |_: &mut Simulated| {
        received.extend(peer.read());
        received.len() > 200_000
    };
    assert!(turn_until(&mut server, complete), "slowly, but all of it");
}

#[test]
fn a_low_mark_above_the_high_one_stops_nothing() {
    let mut server = Simulated::new(
        0,
        Limits {
            outbox_high_bytes: 8 * 1024,
            ..Limits::default()
        },
    );
    let peer = server.connect();
    peer.set_window(1000);
    peer.write(&b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000));
    server.settle();
    peer.set_window(usize::MAX);
    let mut replies = 0;
    let all = |_: &mut Simulated| {
        replies += masked(&peer.read()).matches("HTTP/1.1 200").count();
        replies == 1000
    };
    assert!(turn_until(&mut server, all));
}

#[test]
fn a_stop_ends_also_those_who_come_while_the_queue_is_emptied() {
    for stops in [1, 2] {
        let limits = Limits {
            stop_timeout: TICKS,
            ..Limits::default()
        };
        let mut server = Simulated::with_table(1, limits);
        let (first, second) = (server.connect(), server.connect());
        for peer in [&first, &second] {
            peer.write(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
        }
        server.settle();
        assert_eq!(server.reactor.live(), 1);
        for _ in 0..stops {
            server
                .reactor
                .post()
                .send(Letter::Stop)
                .expect("a stop is never refused");
        }
        let finished = turn_until(&mut server, |server| server.reactor.is_finished());
        assert!(finished, "{stops} stops");
        // The first kept the only place for as long as it could.
        assert_eq!(server.reactor.figures().accepted, 1, "{stops} stops");
    }
}

#[test]
fn a_stop_answers_what_has_been_read_of_a_pipeline() {
    let mut server = Simulated::new(0, Limits::default());
    let peer = server.connect();
    peer.set_window(1000);
    peer.write(&b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n".repeat(4));
    server.settle();
    let answered = server.reactor.service().requests;
    server.reactor.stop();
    peer.set_window(usize::MAX);
    let mut received = Vec::new();
    let finished = turn_until(&mut server, |server| {
        received.extend(peer.read());
        peer.end();
        server.reactor.is_finished()
    });
    assert!(finished);
    let replies = masked(&received);
    assert_eq!(
        replies.matches("HTTP/1.1 200").count() as u64,
        answered + 1,
        "one more, and it says that it is the last"
    );
    assert_eq!(replies.matches("Connection: close").count(), 1);
}

#[test]
fn a_deferred_reply_remembers_that_it_closes() {
    let mut server = Simulated::new(0, Limits::default());
    let peer = server.connect();
    peer.write(b"GET /last HTTP/1.1\r\nHost: a\r\n\r\nGET /never HTTP/1.1\r\nHost: a\r\n\r\n");
    server.settle();
    let reply = masked(&peer.read());
    assert!(
        reply.contains("Connection: close") && !reply.contains("never"),
        "{reply}"
    );
}

#[test]
fn the_ceiling_holds_for_output_too() {
    let mut server = Simulated::new(
        0,
        Limits {
            memory_bytes_max: 256 * 1024,
            ..Limits::default()
        },
    );
    let peers: Vec<_> = (0..50).map(|_| server.connect()).collect();
    for peer in &peers {
        peer.set_window(10);
        peer.write(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
        server.settle();
    }
    let small = server.connect();
    small.write(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    server.settle();
    assert!(
        small.read().starts_with(b"HTTP/1.1 200 "),
        "whoever asks for little is answered"
    );
    // Three replies of 100 KB pass 256 KiB; those after them are refused.
    for peer in &peers {
        peer.set_window(usize::MAX);
    }
    server.settle();
    let replies = peers.iter().map(Client::read);
    let refused = replies
        .filter(|reply| reply.starts_with(b"HTTP/1.1 503 "))
        .count();
    assert!((45..50).contains(&refused), "{refused}");
    drop(peers);
    server.settle();
    let late = server.connect();
    late.write(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    server.settle();
    assert!(
        late.read().starts_with(b"HTTP/1.1 200 "),
        "what they held is free again"
    );
}

#[test]
fn continue_is_said_only_if_nothing_of_the_body_is_there() {
    let request =
        b"POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc";
    for cut in 1..request.len() {
        let mut server = Simulated::new(0, Limits::default());
        let peer = server.connect();
        peer.write(&request[..cut]);
        server.settle();
        peer.write(&request[cut..]);
        server.settle();
        let reply = masked(&peer.read());
        let waits = cut == request.len() - 3;
        assert_eq!(
            reply.starts_with("HTTP/1.1 100 Continue\r\n\r\n"),
            waits,
            "cut at {cut}: {reply}"
        );
        assert!(reply.ends_with("abc"), "cut at {cut}: {reply}");
    }
}
