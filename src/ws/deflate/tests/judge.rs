//! The client's part: its offer, and what it makes of a reply (RFC 7692 §7.1).

use super::*;

const OPEN: Settings = Settings {
    server_context: Context::Kept,
    client_context: Context::Kept,
    server_window: WindowBits::MAX,
    client_window: WindowBits::MAX,
};

fn judge(settings: Settings, reply: &str) -> Result<Option<Agreed>, ReplyFault> {
    settings.judge(Some(reply.as_bytes()))
}

#[test]
fn an_offer_says_what_is_wanted() {
    assert_eq!(
        OPEN.offer().as_str(),
        "permessage-deflate; client_max_window_bits"
    );
    let small = Settings {
        server_window: window(10),
        client_window: window(9),
        ..Settings::default()
    };
    assert_eq!(
        small.offer().to_string(),
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; \
         client_max_window_bits=9"
    );
    assert_eq!(
        format!("{:?}", OPEN.offer()),
        "\"permessage-deflate; client_max_window_bits\""
    );
}

#[test]
fn replies_that_keep_to_the_offer() {
    use Context::{Dropped, Kept};
    let rows = [
        ("permessage-deflate", (Kept, 15, Kept, 15)),
        (
            "permessage-deflate; server_no_context_takeover",
            (Dropped, 15, Kept, 15),
        ), // may come unasked
        (
            "permessage-deflate; client_no_context_takeover",
            (Kept, 15, Dropped, 15),
        ), // so may this
        (
            "permessage-deflate; server_max_window_bits=15",
            (Kept, 15, Kept, 15),
        ),
        (
            "permessage-deflate; server_max_window_bits=9",
            (Kept, 9, Kept, 15),
        ), // and this
        (
            "permessage-deflate; server_max_window_bits=8",
            (Kept, 9, Kept, 15),
        ), // an inflater reads it
        (
            "permessage-deflate; client_max_window_bits=15",
            (Kept, 15, Kept, 15),
        ),
        (
            "permessage-deflate; client_max_window_bits=9",
            (Kept, 15, Kept, 9),
        ),
        (
            "permessage-deflate; client_max_window_bits=\"9\"",
            (Kept, 15, Kept, 9),
        ),
        (
            ", permessage-deflate;client_max_window_bits=10;server_max_window_bits=11;client_no_context_takeover",
            (Kept, 11, Dropped, 10),
        ),
    ];
    for (reply, expected) in rows {
        let Agreed { server, client } = judge(OPEN, reply).expect(reply).expect(reply);
        let got = (
            server.context,
            server.window.number(),
            client.context,
            client.window.number(),
        );
        assert_eq!(got, expected, "{reply}");
    }
    assert_eq!(OPEN.judge(None), Ok(None));
    assert_eq!(judge(OPEN, ""), Ok(None));
    assert_eq!(judge(OPEN, " ,"), Ok(None));
}

#[test]
fn replies_that_do_not() {
    let rows = [
        ("x-own", ReplyFault::Foreign),
        ("permessage-deflate, x-own", ReplyFault::Foreign),
        ("Permessage-deflate", ReplyFault::Foreign),
        ("\"permessage-deflate\"", ReplyFault::Foreign),
        (
            "permessage-deflate, permessage-deflate",
            ReplyFault::Repeated,
        ),
        ("permessage-deflate; x", ReplyFault::Parameter),
        (
            "permessage-deflate; server_max_window_bits",
            ReplyFault::Parameter,
        ),
        (
            "permessage-deflate; server_max_window_bits=7",
            ReplyFault::Parameter,
        ),
        (
            "permessage-deflate; server_max_window_bits=16",
            ReplyFault::Parameter,
        ),
        (
            "permessage-deflate; server_max_window_bits=010",
            ReplyFault::Parameter,
        ),
        (
            "permessage-deflate; client_max_window_bits",
            ReplyFault::Parameter,
        ), // a reply must say how many
        (
            "permessage-deflate; client_max_window_bits=",
            ReplyFault::Parameter,
        ),
        (
            "permessage-deflate; client_max_window_bits=16",
            ReplyFault::Parameter,
        ),
        (
            "permessage-deflate; client_max_window_bits=9; client_max_window_bits=9",
            ReplyFault::Parameter,
        ),
        (
            "permessage-deflate; server_no_context_takeover=1",
            ReplyFault::Parameter,
        ),
        (
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            ReplyFault::Parameter,
        ),
        ("permessage-deflate;", ReplyFault::Parameter),
        (
            "permessage-deflate; client_max_window_bits=8",
            ReplyFault::Window8,
        ),
    ];
    for (reply, fault) in rows {
        assert_eq!(judge(OPEN, reply), Err(fault), "{reply}");
        assert!(!fault.to_string().is_empty());
    }
}

#[test]
fn what_was_asked_must_be_confirmed() {
    let forget = Settings {
        server_context: Context::Dropped,
        ..OPEN
    };
    assert_eq!(
        judge(forget, "permessage-deflate"),
        Err(ReplyFault::Unconfirmed)
    );
    assert!(judge(forget, "permessage-deflate; server_no_context_takeover").is_ok());
    let small = Settings {
        server_window: window(10),
        ..OPEN
    };
    assert_eq!(
        judge(small, "permessage-deflate"),
        Err(ReplyFault::Unconfirmed)
    );
    assert_eq!(
        judge(small, "permessage-deflate; server_max_window_bits=11"),
        Err(ReplyFault::Unconfirmed)
    );
    assert!(judge(small, "permessage-deflate; server_max_window_bits=10").is_ok());
    assert!(judge(small, "permessage-deflate; server_max_window_bits=9").is_ok());
    // What we promised binds us without being repeated, and no reply widens it.
    let modest = Settings {
        client_context: Context::Dropped,
        client_window: window(10),
        ..OPEN
    };
    let replies = [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits=12",
    ];
    for client in replies.map(|reply| judge(modest, reply).expect("kept").expect("agreed").client) {
        assert_eq!(
            (client.context, client.window.number()),
            (Context::Dropped, 10)
        );
    }
}

#[test]
fn both_sides_understand_each_other() {
    for server in every_setting() {
        for client in every_setting() {
            let offer = client.offer();
            let accepted = server
                .accept([offer.as_str().as_bytes()])
                .expect("every offer of ours suits");
            let agreed = judge(client, accepted.reply.as_str())
                .expect("kept")
                .expect("agreed");
            assert_eq!(agreed, accepted.agreed, "{server:?} {client:?}");
        }
    }
}

fn every_setting() -> impl Iterator<Item = Settings> {
    (0..64u8).map(|bits| {
        let context = |bit: u8| {
            if bits & bit == 0 {
                Context::Kept
            } else {
                Context::Dropped
            }
        };
        let size = |shift: u8| window([9, 10, 12, 15][usize::from(bits >> shift & 3)]);
        Settings {
            server_context: context(1),
            client_context: context(2),
            server_window: size(2),
            client_window: size(4),
        }
    })
}
