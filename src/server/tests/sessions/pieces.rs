//! Messages in pieces, both ways.

use super::super::application::Simulated;
use super::{BEGIN, CLOSE, LAST, MORE, PING, PONG, TEXT, Talk, close, frame, understood};
use crate::limits::Limits;

#[test]
fn pieces_make_the_message_however_they_are_cut() {
    let stream = [
        frame(TEXT, "gän".as_bytes()),
        frame(BEGIN, "ze \u{fc}".as_bytes()),
        frame(PING, b"in between"),
        frame(MORE, b""),
        frame(MORE, &"\u{1f980}".as_bytes()[..3]),
        frame(LAST, &"\u{1f980}".as_bytes()[3..]),
        frame(TEXT, b""),
        frame(BEGIN, b""),
        frame(LAST, b""),
    ]
    .concat();
    let play = |seed: u64, pieces: &[&[u8]]| {
        let mut server = Simulated::new(seed, Limits::default());
        let mut talk = Talk::open(&mut server, "/pieces");
        for piece in pieces {
            talk.say(piece);
        }
        server.settle();
        let messages = server.reactor.service().messages;
        let mut said = understood(&talk.heard());
        // Whether a ping that came inside of a message is answered before or behind a piece of it, is all that may differ.
        said.sort();
        (said, messages)
    };
    let expected = ["", "", "g\u{e4}n", "pong in between", "ze \u{fc}\u{1f980}"];
    let expected = (expected.map(str::to_owned).to_vec(), 4);
    assert_eq!(play(0, &[&stream]), expected);
    for cut in 1..stream.len() {
        let (front, back) = stream.split_at(cut);
        assert_eq!(play(0, &[front, back]), expected, "cut at {cut}");
    }
    let single: Vec<&[u8]> = stream.chunks(1).collect();
    for seed in 0..8 {
        assert_eq!(play(seed, &single), expected, "seed {seed}");
    }
}

#[test]
fn pieces_are_shown_before_the_message_is_whole() {
    let mut server = Simulated::new(0, Limits::default());
    let mut talk = Talk::open(&mut server, "/pieces");
    talk.say(&frame(BEGIN, b"the beginning"));
    server.settle();
    assert_eq!(talk.heard(), [(BEGIN, b"the beginning".to_vec())]);
    assert_eq!(server.reactor.held_bytes(), 0, "nothing is put together");
    // Also of one frame.
    talk.say(&frame(LAST, &[b'x'; 1000])[..500]);
    server.settle();
    let (first, payload) = talk.heard().remove(0);
    assert_eq!((first, payload.len()), (MORE, 500 - 8));
    // Bad text fails in the piece that has it.
    talk.say(b"\xff");
    server.settle();
    assert_eq!(
        understood(&[(BEGIN, Vec::new()), talk.heard().remove(0)]),
        ["close 1007"]
    );
}

#[test]
fn messages_in_pieces_have_a_limit_of_their_own() {
    let limits = || Limits {
        message_bytes_max: 10,
        streamed_message_bytes_max: 100,
        ..Limits::default()
    };
    let ask = |path: &str, frames: &[Vec<u8>]| {
        let mut server = Simulated::new(0, limits());
        let mut talk = Talk::open(&mut server, path);
        talk.say(&frames.concat());
        server.settle();
        understood(&talk.heard())
    };
    assert_eq!(ask("/ws", &[frame(TEXT, &[b'x'; 11])]), ["close 1009"]);
    assert_eq!(
        ask("/pieces", &[frame(TEXT, &[b'x'; 100])]),
        ["x".repeat(100)]
    );
    assert_eq!(ask("/pieces", &[frame(TEXT, &[b'x'; 101])]), ["close 1009"]);
    let split = |rest: usize| [frame(BEGIN, &[b'x'; 60]), frame(LAST, &vec![b'x'; rest])];
    assert_eq!(ask("/pieces", &split(40)), ["x".repeat(100)]);
    assert_eq!(ask("/pieces", &split(41)), ["close 1009"]);
}

#[test]
fn a_handler_chooses_pieces_between_messages() {
    let limits = Limits {
        message_bytes_max: 20,
        streamed_message_bytes_max: 100,
        ..Limits::default()
    };
    let mut server = Simulated::new(0, limits);
    let mut talk = Talk::open(&mut server, "/ws");
    talk.say(&[frame(TEXT, b"!take pieces"), frame(BEGIN, &[b'x'; 50])].concat());
    server.settle();
    assert_eq!(talk.heard(), [(BEGIN, vec![b'x'; 50])]);
    // One that has begun goes on as it began, under the same limit.
    let mut talk = Talk::open(&mut server, "/pieces");
    talk.say(&frame(BEGIN, b"!take whole"));
    server.settle();
    talk.say(&frame(LAST, &[b'x'; 50]));
    talk.say(&[frame(BEGIN, b"one, "), frame(LAST, b"two")].concat());
    server.settle();
    let frames = talk.heard();
    let firsts: Vec<u8> = frames.iter().map(|(first, _)| *first).collect();
    assert_eq!(firsts, [BEGIN, LAST, TEXT], "the next one is put together");
    talk.say(&frame(TEXT, &[b'x'; 21]));
    server.settle();
    assert_eq!(understood(&talk.heard()), ["close 1009"]);
}

#[test]
fn whole_messages_wait_behind_one_in_pieces_and_control_frames_do_not() {
    for slow in [&b"!drop newest"[..], b""] {
        let mut server = Simulated::new(0, Limits::default());
        let mut talk = Talk::open(&mut server, "/ws");
        if !slow.is_empty() {
            talk.say(&frame(TEXT, slow));
        }
        talk.say(&frame(TEXT, b"!piece:one "));
        talk.say(&frame(TEXT, b"first"));
        talk.say(&frame(PING, b"now"));
        talk.say(&frame(TEXT, b"!piece:message"));
        talk.say(&frame(TEXT, b"second"));
        server.settle();
        let begun = talk.heard();
        let firsts: Vec<u8> = begun.iter().map(|(first, _)| *first).collect();
        assert_eq!(firsts, [BEGIN, PONG, MORE]);
        talk.say(&frame(TEXT, b"!last:."));
        talk.say(&frame(TEXT, b"third"));
        server.settle();
        let frames = [begun, talk.heard()].concat();
        let said = understood(&frames);
        assert_eq!(
            said,
            ["pong now", "one message.", "first", "second", "third"]
        );
        assert_eq!(server.reactor.held_bytes(), 0, "nothing is left");
        // The next one begins anew.
        talk.say(&[frame(TEXT, b"!piece:a"), frame(TEXT, b"!last:b")].concat());
        server.settle();
        assert_eq!(understood(&talk.heard()), ["ab"]);
    }
}

#[test]
fn a_close_cuts_a_message_in_pieces_off() {
    let mut server = Simulated::new(0, Limits::default());
    let mut talk = Talk::open(&mut server, "/ws");
    for order in [
        "!piece:begun",
        "waits",
        "!close",
        "!piece:more",
        "!last:end",
    ] {
        talk.say(&frame(TEXT, order.as_bytes()));
    }
    server.settle();
    let firsts: Vec<u8> = talk.heard().iter().map(|(first, _)| *first).collect();
    assert_eq!(firsts, [BEGIN, CLOSE], "nothing follows a Close");
    talk.say(&close(1000));
    server.settle();
    assert!(talk.peer.is_ended());
}

#[test]
fn a_message_in_pieces_is_dropped_whole_or_not_at_all() {
    let limits = Limits {
        outbox_high_bytes: 1000,
        outbox_low_bytes: 500,
        ..Limits::default()
    };
    let mut server = Simulated::new(0, limits);
    let mut talk = Talk::open(&mut server, "/ws");
    talk.say(&frame(TEXT, b"!drop newest"));
    server.settle();
    talk.peer.set_window(0);
    // Begun while the peer reads, and too much from the second piece on.
    let large = format!("!piece:{}", "x".repeat(900));
    let orders = [&large, &large, "!last:end of the first"];
    talk.say(&orders.map(|order| frame(TEXT, order.as_bytes())).concat());
    server.settle();
    talk.peer.set_window(usize::MAX);
    for _ in 0..10 {
        server.settle();
    }
    let said = understood(&talk.heard());
    assert_eq!(said, ["x".repeat(1800) + "end of the first"]);
}

#[test]
fn a_message_that_may_not_begin_is_dropped_to_its_last_piece() {
    for (slow, expected) in [
        ("!drop newest", &["ab", "waits", "cd"][..]),
        ("hello", &["hello", "ab", "waits", "dropped, or not", "cd"]),
    ] {
        let mut server = Simulated::new(0, Limits::default());
        let mut talk = Talk::open(&mut server, "/ws");
        // In one dispatch, so that what waits behind the first message still waits when the second would begin.
        let orders = [
            slow,
            "!piece:a",
            "waits",
            "!last:b",
            "!piece:dropped, ",
            "!piece:or ",
            "!last:not",
        ];
        talk.say(&orders.map(|order| frame(TEXT, order.as_bytes())).concat());
        server.settle();
        talk.say(&[frame(TEXT, b"!piece:c"), frame(TEXT, b"!last:d")].concat());
        server.settle();
        assert_eq!(understood(&talk.heard()), expected, "{slow}");
    }
}

#[test]
fn too_much_behind_an_unfinished_message_ends_the_connection() {
    let limits = Limits {
        outbox_bytes_max: 1000,
        ..Limits::default()
    };
    let mut server = Simulated::new(0, limits);
    let mut talk = Talk::open(&mut server, "/ws");
    talk.say(&frame(TEXT, b"!piece:begun"));
    for _ in 0..20 {
        talk.say(&frame(TEXT, &[b'x'; 100]));
    }
    server.settle();
    let firsts: Vec<u8> = talk.heard().iter().map(|(first, _)| *first).collect();
    assert_eq!(firsts, [BEGIN, CLOSE]);
    assert!(talk.peer.is_ended());
}
