//! RFC 9112 §9.3, RFC 9110 §7.6.1, §7.8 and §10.1.1.

use super::{refused, with_head};

#[test]
fn persistence() {
    let rows = [
        ("§9.3 1.1 by default", "1.1", "", true),
        ("§9.3 1.0 by default", "1.0", "", false),
        ("§9.3 close", "1.1", "Connection: close\r\n", false),
        (
            "§9.3 close in any case",
            "1.1",
            "connection: CLOSE\r\n",
            false,
        ),
        (
            "§9.3 close in a list",
            "1.1",
            "Connection: x, Close ,y\r\n",
            false,
        ),
        (
            "§9.3 close on the second line",
            "1.1",
            "Connection: x\r\nConnection: close\r\n",
            false,
        ),
        ("§9.3 close in 1.0", "1.0", "Connection: close\r\n", false),
        (
            "§9.3 keep-alive in 1.0",
            "1.0",
            "Connection: keep-alive\r\n",
            true,
        ),
        (
            "§9.3 keep-alive in any case",
            "1.0",
            "Connection: Keep-Alive\r\n",
            true,
        ),
        (
            "§9.3 keep-alive in a list",
            "1.0",
            "Connection: x,keep-alive\r\n",
            true,
        ),
        (
            "§9.3 keep-alive in 1.1",
            "1.1",
            "Connection: keep-alive\r\n",
            true,
        ),
        (
            "§9.3 close wins",
            "1.1",
            "Connection: keep-alive, close\r\n",
            false,
        ),
        (
            "§9.3 close wins in 1.0",
            "1.0",
            "Connection: keep-alive\r\nConnection: close\r\n",
            false,
        ),
        (
            "9110 §7.6.1 a part of a token is another token",
            "1.1",
            "Connection: closed, not-close\r\n",
            true,
        ),
        (
            "9110 §7.6.1 quoted",
            "1.1",
            "Connection: \"close\"\r\n",
            true,
        ),
        (
            "9110 §7.6.1 another field",
            "1.1",
            "Proxy-Connection: close\r\n",
            true,
        ),
    ];
    for (name, version, lines, keep_alive) in rows {
        with_head(
            format!("GET / HTTP/{version}\r\nHost: a\r\n{lines}\r\n").as_bytes(),
            |head| {
                assert_eq!(head.keep_alive, keep_alive, "{name}");
                assert_eq!(head.reply_to().keep_alive, keep_alive, "{name}");
            },
        );
    }
}

#[test]
fn expectations() {
    let rows = [
        (
            "9110 §10.1.1 with content",
            "1.1",
            "Expect: 100-continue\r\nContent-Length: 5\r\n",
            true,
        ),
        (
            "9110 §10.1.1 in any case",
            "1.1",
            "expect: 100-Continue\r\nContent-Length: 5\r\n",
            true,
        ),
        (
            "9110 §10.1.1 with chunks",
            "1.1",
            "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n",
            true,
        ),
        (
            "9110 §10.1.1 without content",
            "1.1",
            "Expect: 100-continue\r\n",
            false,
        ),
        (
            "9110 §10.1.1 with empty content",
            "1.1",
            "Expect: 100-continue\r\nContent-Length: 0\r\n",
            false,
        ),
        (
            "9110 §10.1.1 ignored in 1.0",
            "1.0",
            "Expect: 100-continue\r\nContent-Length: 5\r\n",
            false,
        ),
        (
            "9110 §10.1.1 others ignored in 1.0",
            "1.0",
            "Expect: tea\r\nContent-Length: 5\r\n",
            false,
        ),
        (
            "9110 §10.1.1 empty",
            "1.1",
            "Expect:\r\nContent-Length: 5\r\n",
            false,
        ),
    ];
    for (name, version, lines, expected) in rows {
        with_head(
            format!("POST / HTTP/{version}\r\nHost: a\r\n{lines}\r\n").as_bytes(),
            |head| {
                assert_eq!(head.expect_continue, expected, "{name}");
            },
        );
    }
    for value in [
        "tea",
        "100-continue, tea",
        "tea, 100-continue",
        "100-continue;x=1",
        "\"100-continue\"",
        "200-ok",
    ] {
        let text = format!(
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: {value}\r\nContent-Length: 5\r\n\r\nhello"
        );
        refused("9110 §10.1.1 unknown", &text, "UnknownExpectation");
    }
}

#[test]
fn upgrades() {
    let rows = [
        (
            "9110 §7.8 both fields",
            "1.1",
            "Connection: Upgrade\r\nUpgrade: websocket\r\n",
            true,
        ),
        (
            "9110 §7.8 any case, in lists",
            "1.1",
            "upgrade: a, b\r\nconnection: keep-alive, uPGRADE\r\n",
            true,
        ),
        (
            "9110 §7.8 no Connection",
            "1.1",
            "Upgrade: websocket\r\n",
            false,
        ),
        (
            "9110 §7.8 no Upgrade",
            "1.1",
            "Connection: upgrade\r\n",
            false,
        ),
        (
            "9110 §7.8 empty Upgrade",
            "1.1",
            "Connection: upgrade\r\nUpgrade: ,\r\n",
            false,
        ),
        (
            "9110 §7.8 Connection lists another",
            "1.1",
            "Connection: upgrades\r\nUpgrade: websocket\r\n",
            false,
        ),
        (
            "9110 §7.8 ignored in 1.0",
            "1.0",
            "Connection: upgrade\r\nUpgrade: websocket\r\n",
            false,
        ),
    ];
    for (name, version, lines, expected) in rows {
        with_head(
            format!("GET / HTTP/{version}\r\nHost: a\r\n{lines}\r\n").as_bytes(),
            |head| {
                assert_eq!(head.upgrade, expected, "{name}");
            },
        );
    }
}
