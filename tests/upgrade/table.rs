//! RFC 6455 §4.1, §4.2.1, §4.2.2 and §4.4, rule by rule. A row is the good request with some of its fields replaced.

use std::fmt::Write as _;

use super::{BACKENDS, field, start_on};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

const GOOD: [(&str, &str); 5] = [
    ("Host", "server.example:8080"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", KEY),
    ("Sec-WebSocket-Version", "13"),
];

/// A field in place of all those of its name: its lines.
type Change = (&'static str, &'static [&'static str]);

struct Row {
    clause: &'static str,
    start: &'static str,
    changes: &'static [Change],
    status: u16,
    /// Fields that the reply has.
    fields: &'static [(&'static str, &'static str)],
}

const GET: &str = "GET / HTTP/1.1";

const fn row(clause: &'static str, changes: &'static [Change], status: u16) -> Row {
    Row {
        clause,
        start: GET,
        changes,
        status,
        fields: &[],
    }
}

const fn starting(clause: &'static str, start: &'static str, status: u16) -> Row {
    Row {
        start,
        ..row(clause, &[], status)
    }
}

impl Row {
    const fn says(mut self, fields: &'static [(&'static str, &'static str)]) -> Self {
        self.fields = fields;
        self
    }

    const fn at(mut self, start: &'static str) -> Self {
        self.start = start;
        self
    }

    fn request(&self) -> String {
        let mut request = format!("{}\r\n", self.start);
        let kept = GOOD.iter().filter(|(name, _)| {
            let mut changed = self.changes.iter();
            !changed.any(|(other, _)| other == name)
        });
        for (name, value) in kept {
            write!(request, "{name}: {value}\r\n").expect("a string");
        }
        for (name, values) in self.changes {
            for value in *values {
                write!(request, "{name}: {value}\r\n").expect("a string");
            }
        }
        request + "\r\n"
    }
}

const ACCEPT: (&str, &str) = ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
const PLAIN: &[(&str, &str)] = &[("Upgrade", "websocket"), ("Connection", "Upgrade")];
const OTHER_VERSION: &[(&str, &str)] = &[
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Version", "13"),
];

/// Method, version, Host, Upgrade, Connection.
const REQUEST: &[Row] = &[
    row("4.2.2.5", &[], 101).says(&[("Upgrade", "websocket"), ("Connection", "Upgrade"), ACCEPT]),
    starting("4.2.1.1 method", "POST / HTTP/1.1", 405).says(&[("Allow", "GET")]),
    starting("4.2.1.1 method", "PUT / HTTP/1.1", 405),
    starting("4.2.1.1 method", "HEAD / HTTP/1.1", 426),
    starting("4.2.1.1 version", "GET / HTTP/1.0", 400),
    starting(
        "4.2.1.1 target",
        "GET http://server.example:8080/ HTTP/1.1",
        101,
    ),
    starting("4.2.1.1 target", "GET /?a=b&c HTTP/1.1", 101),
    row("4.2.1.2 host", &[("Host", &[])], 400),
    row("4.2.1.2 host", &[("Host", &["a", "a"])], 400),
    row("4.2.1.2 host", &[("Host", &["a b"])], 400),
    row("4.2.1.2 host", &[("Host", &["[::1]:8080"])], 101),
    row("4.2.1.3 upgrade", &[("Upgrade", &[])], 426).says(PLAIN),
    row("4.2.1.3 upgrade", &[("Upgrade", &["h2c"])], 426).says(PLAIN),
    row("4.2.1.3 upgrade", &[("Upgrade", &["websocket/13"])], 426),
    row("4.2.1.3 upgrade", &[("Upgrade", &["h2c, WebSocket"])], 101),
    row(
        "4.2.1.3 upgrade",
        &[("Upgrade", &["h2c", "WEBSOCKET"])],
        101,
    ),
    row("4.2.1.4 connection", &[("Connection", &[])], 400),
    row(
        "4.2.1.4 connection",
        &[("Connection", &["keep-alive"])],
        400,
    ),
    row("4.2.1.4 connection", &[("Connection", &["upgraded"])], 400),
    row(
        "4.2.1.4 connection",
        &[("Connection", &["keep-alive, uPgRaDe"])],
        101,
    ),
    row(
        "4.2.1.4 connection",
        &[("Connection", &["keep-alive", "Upgrade"])],
        101,
    ),
    row(
        "4.2.1.4 connection",
        &[("Connection", &[",", "foo,,\tupgrade"])],
        101,
    ),
];

/// Key and version.
const KEYS: &[Row] = &[
    row("4.2.1.5 key", &[("Sec-WebSocket-Key", &[])], 400),
    row("4.2.1.5 key", &[("Sec-WebSocket-Key", &[KEY, KEY])], 400),
    row("4.2.1.5 key", &[("Sec-WebSocket-Key", &[""])], 400),
    row(
        "4.2.1.5 15 bytes",
        &[("Sec-WebSocket-Key", &["dGhlIHNhbXBsZSBub25j"])],
        400,
    ),
    row(
        "4.2.1.5 17 bytes",
        &[("Sec-WebSocket-Key", &["dGhlIHNhbXBsZSBub25jZTE="])],
        400,
    ),
    row(
        "4.2.1.5 no base64",
        &[("Sec-WebSocket-Key", &["dGhlIHNhbXBsZSBub25j!Q=="])],
        400,
    ),
    row(
        "4.2.1.5 base64url",
        &[("Sec-WebSocket-Key", &["dGhlIHNhbXBsZSBub25-ZQ=="])],
        400,
    ),
    row(
        "4.2.1.5 no padding",
        &[("Sec-WebSocket-Key", &["dGhlIHNhbXBsZSBub25jZQ"])],
        400,
    ),
    row(
        "4.2.1.5 bits behind the end",
        &[("Sec-WebSocket-Key", &["dGhlIHNhbXBsZSBub25jZR=="])],
        400,
    ),
    row(
        "4.2.1.5 space inside",
        &[("Sec-WebSocket-Key", &["dGhlIHNhbXBs ZSBub25jZQ="])],
        400,
    ),
    row(
        "4.2.1.5 space around",
        &[("Sec-WebSocket-Key", &["  dGhlIHNhbXBsZSBub25jZQ== \t"])],
        101,
    )
    .says(&[ACCEPT]),
    row(
        "4.2.1.5 any bytes",
        &[("Sec-WebSocket-Key", &["AAAAAAAAAAAAAAAAAAAAAA=="])],
        101,
    )
    .says(&[("Sec-WebSocket-Accept", "ICX+Yqv66kxgM0FcWaLWlFLwTAI=")]),
    row("4.4 version", &[("Sec-WebSocket-Version", &[])], 426).says(OTHER_VERSION),
    row("4.4 version", &[("Sec-WebSocket-Version", &["12"])], 426).says(OTHER_VERSION),
    row("4.4 version", &[("Sec-WebSocket-Version", &["14"])], 426).says(OTHER_VERSION),
    row("4.4 version", &[("Sec-WebSocket-Version", &["013"])], 426).says(OTHER_VERSION),
    row("4.4 version", &[("Sec-WebSocket-Version", &["13, 8"])], 426).says(OTHER_VERSION),
    row(
        "4.4 version",
        &[("Sec-WebSocket-Version", &["13", "13"])],
        426,
    )
    .says(OTHER_VERSION),
    row(
        "4.4 version",
        &[("Sec-WebSocket-Version", &["8", "13"])],
        426,
    )
    .says(OTHER_VERSION),
];

/// Origin: a page of the same host and port, or no page.
const ORIGINS: &[Row] = &[
    row(
        "4.2.1.7 same",
        &[("Origin", &["http://server.example:8080"])],
        101,
    ),
    row(
        "4.2.1.7 case",
        &[("Origin", &["HTTP://Server.Example:8080"])],
        101,
    ),
    row(
        "4.2.1.7 TLS in front",
        &[("Origin", &["https://server.example:8080"])],
        101,
    ),
    row(
        "4.2.1.7 port",
        &[("Origin", &["http://server.example"])],
        403,
    ),
    row(
        "4.2.1.7 port",
        &[("Origin", &["http://server.example:80"])],
        403,
    ),
    row(
        "4.2.1.7 default port",
        &[("Host", &["a:80"]), ("Origin", &["http://a"])],
        101,
    ),
    row(
        "4.2.1.7 default port",
        &[("Host", &["a"]), ("Origin", &["https://a:443"])],
        101,
    ),
    row(
        "4.2.1.7 other default port",
        &[("Host", &["a:80"]), ("Origin", &["https://a"])],
        403,
    ),
    row(
        "4.2.1.7 other",
        &[("Origin", &["http://evil.example:8080"])],
        403,
    ),
    row(
        "4.2.1.7 longer",
        &[("Origin", &["http://server.example:8080.evil"])],
        403,
    ),
    row(
        "4.2.1.7 user",
        &[("Origin", &["http://server.example:8080@evil"])],
        403,
    ),
    row(
        "4.2.1.7 path",
        &[("Origin", &["http://server.example:8080/"])],
        403,
    ),
    row("4.2.1.7 null", &[("Origin", &["null"])], 403),
    row("4.2.1.7 empty", &[("Origin", &[""])], 403),
    row(
        "4.2.1.7 two in a line",
        &[("Origin", &["http://server.example:8080 http://b"])],
        403,
    ),
    row(
        "4.2.1.7 twice",
        &[("Origin", &["http://server.example:8080", "http://b"])],
        400,
    ),
    row(
        "4.2.1.7 IPv6",
        &[
            ("Host", &["[::1]:8080"]),
            ("Origin", &["http://[::1]:8080"]),
        ],
        101,
    ),
    row(
        "4.2.1.7 IPv6",
        &[("Host", &["[::1]"]), ("Origin", &["http://[::1]:80"])],
        101,
    ),
    row(
        "4.2.1.7 IPv6",
        &[
            ("Host", &["[::1]:8080"]),
            ("Origin", &["http://[::2]:8080"]),
        ],
        403,
    ),
    row(
        "4.2.1.7 a target with a host",
        &[
            ("Host", &["server.example:8080"]),
            ("Origin", &["http://a"]),
        ],
        403,
    )
    .at("GET http://server.example:8080/ HTTP/1.1"),
];

/// Subprotocols and extensions. At /protocols `chat.v2` and `chat.v1` are spoken.
const OFFERS: &[Row] = &[
    row(
        "4.2.1.8 one",
        &[("Sec-WebSocket-Protocol", &["chat.v1"])],
        101,
    )
    .at("GET /protocols HTTP/1.1")
    .says(&[("Sec-WebSocket-Protocol", "chat.v1")]),
    row(
        "4.2.1.8 lines",
        &[("Sec-WebSocket-Protocol", &["other", "chat.v2", "chat.v1"])],
        101,
    )
    .at("GET /protocols HTTP/1.1")
    .says(&[("Sec-WebSocket-Protocol", "chat.v2")]),
    row(
        "4.2.1.8 unknown",
        &[("Sec-WebSocket-Protocol", &["other"])],
        101,
    )
    .at("GET /protocols HTTP/1.1"),
    row(
        "4.1.10 twice",
        &[("Sec-WebSocket-Protocol", &["a, a"])],
        400,
    ),
    row(
        "4.1.10 twice",
        &[("Sec-WebSocket-Protocol", &["a", "b, a"])],
        400,
    ),
    row(
        "4.1.10 no token",
        &[("Sec-WebSocket-Protocol", &["chat v1"])],
        400,
    ),
    row(
        "4.1.10 no token",
        &[("Sec-WebSocket-Protocol", &["\"chat\""])],
        400,
    ),
    row("4.1.10 empty", &[("Sec-WebSocket-Protocol", &[""])], 400),
    row(
        "9.1 unknown",
        &[("Sec-WebSocket-Extensions", &["x-foo; a=\"b\", x-bar"])],
        101,
    ),
    row(
        "9.1 lines",
        &[("Sec-WebSocket-Extensions", &["x-foo", "x-bar"])],
        101,
    ),
    row("9.1 empty", &[("Sec-WebSocket-Extensions", &[""])], 400),
    row(
        "9.1 no token",
        &[("Sec-WebSocket-Extensions", &["x foo"])],
        400,
    ),
    row(
        "9.1 no value",
        &[("Sec-WebSocket-Extensions", &["x-foo; a="])],
        400,
    ),
    row(
        "9.1 open quote",
        &[("Sec-WebSocket-Extensions", &["x-foo", "x-bar; a=\"b"])],
        400,
    ),
];

#[test]
fn every_rule_of_the_handshake() {
    for backend in BACKENDS {
        let server = start_on(backend);
        for row in [REQUEST, KEYS, ORIGINS, OFFERS].into_iter().flatten() {
            let request = row.request();
            let mut peer = server.connect();
            peer.send(request.as_bytes());
            let head = peer.head();
            let context = format!("{backend}, §{}\n{request}{head}", row.clause);
            let status = format!("HTTP/1.1 {} ", row.status);
            assert!(head.starts_with(&status), "{context}");
            for (name, value) in row.fields {
                assert_eq!(field(&head, name), Some(*value), "{context}");
            }
            if row.status == 101 {
                assert!(peer.is_websocket(), "{context}");
                assert_eq!(field(&head, "Sec-WebSocket-Extensions"), None, "{context}");
                let offered = field(&request, "Sec-WebSocket-Protocol").is_some();
                let chosen = field(&head, "Sec-WebSocket-Protocol");
                assert!(offered || chosen.is_none(), "{context}");
            } else {
                assert_eq!(field(&head, "Sec-WebSocket-Accept"), None, "{context}");
            }
        }
    }
}
