//! Limits, and peers that try them.

use std::time::Duration;

use longshore::ws::Kind;
use serde_json::json;

use crate::client::{Client, text};
use crate::served::on_every_backend;

#[test]
fn each_limit_is_told() {
    on_every_backend(&[], |server| {
        let mut client = Client::connect(server.port, "Ada");
        let key = client.key.clone();
        client.say("1", "before hello");
        assert_eq!(client.error(), "hello");
        client.send_raw(Kind::Text, b"{\"type\":\"say\"");
        assert_eq!(client.error(), "message");
        client.send_raw(Kind::Binary, b"{\"type\":\"alive\"}");
        assert_eq!(client.error(), "message");
        for name in ["", " ", "a\u{202e}b", "a\u{0}", &"x".repeat(33)] {
            client.send(&json!({"type": "hello", "name": name, "key": key}));
            assert_eq!(client.error(), "name", "{name:?}");
        }
        client.send(&json!({"type": "hello", "name": "Ada", "key": "secret"}));
        assert_eq!(client.error(), "key");
        client.send(&json!({"type": "hello", "name": "x".repeat(32), "key": key}));
        client.next("welcome");
        client.send(&json!({"type": "hello", "name": "Ada", "key": key}));
        assert_eq!(client.error(), "again");
        client.say("no spaces", "a");
        assert_eq!(client.error(), "message");
        client.say("1", &"🦀".repeat(2001));
        let error = client.next("error");
        assert_eq!(
            (text(&error, "code"), text(&error, "id")),
            ("text".into(), "1".into())
        );
        client.say("2", "\u{7}");
        assert_eq!(client.error(), "text");
        client.say("3", &"🦀".repeat(2000));
        assert_eq!(
            text(&client.next("said"), "id"),
            "3",
            "the connection is none the worse"
        );
        client.send(&json!({"type": "alive"}));
        client.next("alive");
    });
}

#[test]
fn five_at_once_then_one_a_second() {
    on_every_backend(&[], |server| {
        let (mut client, _) = Client::enter(server.port, "Ada");
        for number in 0..6 {
            client.say(&number.to_string(), "quick");
        }
        let error = client.next("error");
        assert_eq!(
            (text(&error, "code"), text(&error, "id")),
            ("rate".into(), "5".into())
        );
        let retry = error["retry_ms"].as_u64().expect("a time");
        assert!((1..=1001).contains(&retry), "{retry}");
        std::thread::sleep(Duration::from_millis(retry));
        client.say("5", "quick");
        client.until_said("5");
    });
}

#[test]
fn abuse_is_ended_and_the_others_talk_on() {
    on_every_backend(&[], |server| {
        let (mut ada, _) = Client::enter(server.port, "Ada");
        let (mut bob, _) = Client::enter(server.port, "Bob");
        // Floods of everything; none of them reads meanwhile.
        let garbage: &[u8] = b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[";
        let say = br#"{"type":"say","id":"1","text":"flood"}"#;
        let alive = br#"{"type":"alive"}"#;
        for (number, flood) in [garbage, say, alive].into_iter().enumerate() {
            let (mut hostile, _) = Client::enter(server.port, &format!("hostile {number}"));
            for _ in 0..1000 {
                hostile.send_raw(Kind::Text, flood);
            }
            let told = hostile.rest();
            assert_eq!(hostile.closed, Some(1008), "{number}");
            let errors = told.iter().filter(|told| told["type"] == "error").count();
            assert!((20..40).contains(&errors), "{number}: {errors} errors");
        }
        // Names that are tried one after the other.
        let mut guessing = Client::connect(server.port, "Ada");
        for _ in 0..1000 {
            guessing.send(&json!({"type": "hello", "name": "Ada", "key": guessing.key}));
        }
        guessing.rest();
        assert_eq!(guessing.closed, Some(1008));
        let mut long = Client::connect(server.port, "long");
        long.send_raw(Kind::Text, &vec![b' '; 33 * 1024]);
        long.rest();
        assert_eq!(long.closed, Some(1009));
        ada.say("hi", "Are you there?");
        let heard = bob.until_said("hi");
        assert!(
            heard.len() < 200,
            "what the flood could say was little: {}",
            heard.len()
        );
    });
}
