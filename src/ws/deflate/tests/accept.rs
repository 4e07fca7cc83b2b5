//! The server's choice, row by row (RFC 7692 §5, §7.1).

use super::Context::{Dropped, Kept};
use super::*;

/// A server that wants nothing: what a reply says, the offer asked for.
const OPEN: Settings = Settings {
    server_context: Context::Kept,
    client_context: Context::Kept,
    server_window: WindowBits::MAX,
    client_window: WindowBits::MAX,
};

/// Short forms, so that a row is a line.
fn long(short: &str) -> String {
    let mut text = String::new();
    for word in short.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let end = word
            .trim_end_matches(|c: char| !c.is_ascii_alphanumeric())
            .len();
        let (word, mark) = word.split_at(end);
        text += match word {
            "pmd" => "permessage-deflate",
            "snct" => "server_no_context_takeover",
            "cnct" => "client_no_context_takeover",
            "smwb" => "server_max_window_bits",
            "cmwb" => "client_max_window_bits",
            word => word,
        };
        text += mark;
    }
    text
}

/// What is replied to one line of offers, in long form; empty for nothing.
fn reply(settings: Settings, line: &str) -> String {
    let line = long(line);
    settings
        .accept([line.as_bytes()])
        .map_or(String::new(), |accepted| accepted.reply.as_str().to_owned())
}

fn check(settings: Settings, rows: &[(&str, &str)]) {
    for (offer, expected) in rows {
        assert_eq!(reply(settings, offer), long(expected), "{offer}");
    }
}

#[test]
fn good_offers() {
    check(
        OPEN,
        &[
            ("pmd", "pmd"),
            (" pmd ", "pmd"),
            ("pmd; snct", "pmd; snct"),
            ("pmd; cnct", "pmd; cnct"),
            ("pmd; snct; cnct", "pmd; snct; cnct"),
            ("pmd; cnct; snct", "pmd; snct; cnct"),
            ("pmd;cnct;snct", "pmd; snct; cnct"),
            ("pmd; smwb=9", "pmd; smwb=9"),
            ("pmd; smwb=10", "pmd; smwb=10"),
            ("pmd; smwb=11", "pmd; smwb=11"),
            ("pmd; smwb=12", "pmd; smwb=12"),
            ("pmd; smwb=13", "pmd; smwb=13"),
            ("pmd; smwb=14", "pmd; smwb=14"),
            ("pmd; smwb=15", "pmd; smwb=15"), // named, because it was
            ("pmd; smwb = 10", "pmd; smwb=10"),
            ("pmd; smwb=\"10\"", "pmd; smwb=10"), // RFC 6455 §9.1: the same as without quotes
            ("pmd; smwb=\"1\\0\"", "pmd; smwb=10"),
            ("pmd; cmwb", "pmd"),
            ("pmd; cmwb=8", "pmd"), // its choice; we read it, and never ask for it
            ("pmd; cmwb=9", "pmd"),
            ("pmd; cmwb=10", "pmd"),
            ("pmd; cmwb=15", "pmd"),
            ("pmd; cmwb=\"15\"", "pmd"),
            (
                "pmd; snct; cnct; smwb=12; cmwb=10",
                "pmd; snct; cnct; smwb=12",
            ),
            ("pmd; cmwb; smwb=12; cnct; snct", "pmd; snct; cnct; smwb=12"),
        ],
    );
}

#[test]
fn offers_with_a_fault_are_declined() {
    let faults = [
        // out of range
        "pmd; smwb=0",
        "pmd; smwb=1",
        "pmd; smwb=7",
        "pmd; smwb=16",
        "pmd; smwb=20",
        "pmd; smwb=99",
        "pmd; smwb=100",
        "pmd; smwb=150",
        "pmd; smwb=4294967306",
        "pmd; cmwb=0",
        "pmd; cmwb=7",
        "pmd; cmwb=16",
        "pmd; cmwb=100",
        // zlib cannot
        "pmd; smwb=8",
        "pmd; smwb=\"8\"",
        // no such number
        "pmd; smwb=09",
        "pmd; smwb=010",
        "pmd; smwb=0x9",
        "pmd; smwb=+9",
        "pmd; smwb=-9",
        "pmd; smwb=9.0",
        "pmd; smwb=1e1",
        "pmd; smwb=ten",
        "pmd; smwb=1O",
        "pmd; cmwb=08",
        "pmd; cmwb=010",
        "pmd; cmwb=+9",
        "pmd; cmwb=x",
        "pmd; smwb=\"010\"",
        "pmd; smwb=\" 10\"",
        "pmd; smwb=\"10 \"",
        "pmd; smwb=\"10",
        "pmd; smwb='10'",
        // a value where none may be, none where one must be
        "pmd; smwb",
        "pmd; smwb=",
        "pmd; smwb=\"\"",
        "pmd; cmwb=",
        "pmd; cmwb=\"\"",
        "pmd; snct=1",
        "pmd; snct=",
        "pmd; snct=true",
        "pmd; snct=\"\"",
        "pmd; cnct=1",
        "pmd; cnct=",
        "pmd; cnct=15",
        // repeated
        "pmd; snct; snct",
        "pmd; cnct; cnct",
        "pmd; smwb=10; smwb=10",
        "pmd; smwb=10; smwb=11",
        "pmd; cmwb; cmwb",
        "pmd; cmwb; cmwb=10",
        "pmd; cmwb=10; cmwb",
        "pmd; cmwb=10; cmwb=10",
        "pmd; snct; cnct; smwb=9; cmwb; snct",
        // unknown
        "pmd; x",
        "pmd; x=1",
        "pmd; snct; x",
        "pmd; Snct",
        "pmd; SERVER_no_context_takeover",
        "pmd; mode=1",
        "pmd; c2s_max_window_bits",
        "pmd; s2c_no_context_takeover",
        "pmd; snct2",
        // against the grammar
        "pmd;",
        "pmd; ",
        "pmd;; snct",
        "pmd; =9",
        "pmd; snct cnct",
        "pmd snct",
        "pmd; smwb=9 9",
        "pmd; smwb=9=9",
        "pmd=1",
        // not this extension
        "",
        ",",
        "x",
        "deflate",
        "Permessage-Deflate",
        "PERMESSAGE-DEFLATE",
        "pmd2",
        "\"pmd\"",
        "permessage-bzip2",
        "x-webkit-deflate-frame",
        "permessage-compress; method=deflate",
    ];
    for offer in faults {
        assert_eq!(reply(OPEN, offer), "", "{offer}");
        assert_eq!(reply(Settings::default(), offer), "", "{offer}");
        // It is passed over, and the next is tried; unless a quote swallowed it.
        if offer.matches('"').count() % 2 == 0 {
            let both = format!("{offer}, pmd; smwb=11, pmd; smwb=12");
            assert_eq!(reply(OPEN, &both), long("pmd; smwb=11"), "{both}");
        }
    }
}

#[test]
fn autobahn_12_and_13() {
    // Groups 12 and 13 of the test suite: what its client offers with (no context takeover, window bits) asked of us.
    let rows = [
        ("pmd; cnct; cmwb", "pmd; cnct"), // 12.*, 13.1: (False, 0)
        ("pmd; cnct; cmwb; snct", "pmd; snct; cnct"), // 13.2: (True, 0)
        ("pmd; cnct; cmwb; smwb=9", "pmd; cnct; smwb=9"), // 13.3: (False, 9)
        ("pmd; cnct; cmwb; smwb=15", "pmd; cnct; smwb=15"), // 13.4: (False, 15)
        ("pmd; cnct; cmwb; snct; smwb=9", "pmd; snct; cnct; smwb=9"), // 13.5: (True, 9)
        ("pmd; cnct; cmwb; snct; smwb=15", "pmd; snct; cnct; smwb=15"), // 13.6: (True, 15)
        (
            "pmd; cnct; cmwb; snct; smwb=9, pmd; cnct; cmwb; snct, pmd; cnct; cmwb",
            "pmd; snct; cnct; smwb=9", // 13.7: three offers
        ),
        (
            "pmd; cnct; cmwb; snct; smwb=8, pmd; cnct; cmwb; snct, pmd; cnct; cmwb",
            "pmd; snct; cnct", // an older 13.7
        ),
    ];
    check(OPEN, &rows);
}

#[test]
fn the_servers_own_wishes() {
    check(
        Settings::default(),
        &[
            ("pmd", "pmd; snct; cnct"), // may be said without being asked (§7.1.1)
            ("pmd; cmwb", "pmd; snct; cnct"),
            ("pmd; smwb=10; cmwb=9", "pmd; snct; cnct; smwb=10"),
        ],
    );
    let forgetful = Settings {
        server_context: Context::Dropped,
        ..OPEN
    };
    check(
        forgetful,
        &[
            ("pmd", "pmd; snct"),
            ("pmd; cnct", "pmd; snct; cnct"),
            ("pmd; snct", "pmd; snct"),
        ],
    );
    let asking = Settings {
        client_context: Context::Dropped,
        ..OPEN
    };
    check(
        asking,
        &[("pmd", "pmd; cnct"), ("pmd; snct", "pmd; snct; cnct")],
    );
    let small = Settings {
        server_window: window(12),
        ..OPEN
    };
    check(
        small,
        &[
            ("pmd", "pmd; smwb=12"), // may be said without being asked (§7.1.2.1)
            ("pmd; smwb=15", "pmd; smwb=12"),
            ("pmd; smwb=12", "pmd; smwb=12"),
            ("pmd; smwb=9", "pmd; smwb=9"),
            ("pmd; smwb=8", ""),
        ],
    );
    let small = Settings {
        client_window: window(12),
        ..OPEN
    };
    check(
        small,
        &[
            ("pmd", "pmd"), // must not be said without being asked (§7.1.2.2)
            ("pmd; cmwb", "pmd; cmwb=12"),
            ("pmd; cmwb=15", "pmd; cmwb=12"),
            ("pmd; cmwb=13", "pmd; cmwb=12"),
            ("pmd; cmwb=12", "pmd"),
            ("pmd; cmwb=11", "pmd"),
            ("pmd; cmwb=8", "pmd"),
        ],
    );
}

#[test]
fn what_is_agreed_is_what_was_said() {
    let agreed = |settings: Settings, offer: &str| {
        let Agreed { server, client } = settings
            .accept([long(offer).as_bytes()])
            .expect("accepted")
            .agreed;
        (
            server.context,
            server.window.number(),
            client.context,
            client.window.number(),
        )
    };
    assert_eq!(agreed(OPEN, "pmd"), (Kept, 15, Kept, 15));
    assert_eq!(agreed(OPEN, "pmd; snct; smwb=9"), (Dropped, 9, Kept, 15));
    assert_eq!(agreed(OPEN, "pmd; cnct; cmwb=10"), (Kept, 15, Dropped, 10));
    assert_eq!(agreed(OPEN, "pmd; cmwb=8"), (Kept, 15, Kept, 9));
    assert_eq!(
        agreed(Settings::default(), "pmd"),
        (Dropped, 15, Dropped, 15)
    );
    let small = Settings {
        server_window: window(11),
        client_window: window(10),
        ..OPEN
    };
    assert_eq!(agreed(small, "pmd"), (Kept, 11, Kept, 15));
    assert_eq!(agreed(small, "pmd; smwb=10; cmwb"), (Kept, 10, Kept, 10));
    let both = small
        .accept([long("pmd; cmwb").as_bytes()])
        .expect("accepted")
        .agreed;
    assert_eq!(both.sending(Role::Server), both.receiving(Role::Client));
    assert_eq!(both.sending(Role::Client), both.receiving(Role::Server));
    assert_eq!(both.sending(Role::Server).window, window(11));
}

#[test]
fn offers_stand_in_any_line() {
    let lines: [&[u8]; 4] = [
        b"",
        b"x-own; a=\"b, permessage-deflate\"",
        b"permessage-deflate; x",
        b"permessage-deflate",
    ];
    assert!(OPEN.accept(lines).is_some());
    assert!(OPEN.accept(lines[..3].iter().copied()).is_none());
}

#[test]
fn only_so_many_offers_are_looked_at() {
    let list = |others: usize| format!("{}permessage-deflate", "x, ".repeat(others));
    assert!(OPEN.accept([list(OFFERS_MAX - 1).as_bytes()]).is_some());
    assert!(OPEN.accept([list(OFFERS_MAX).as_bytes()]).is_none());
    let line: &[u8] = b"permessage-deflate; x";
    let lines = core::iter::repeat_n(line, OFFERS_MAX).chain([&b"permessage-deflate"[..]]);
    assert!(OPEN.accept(lines).is_none());
}
