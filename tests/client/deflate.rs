//! Compressed messages, both ways, on every backend.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use longshore::client::{self, Error, Event, Options, WebSocket};
use longshore::sys::Address;
use longshore::ws::deflate::{Context, InflateError, Settings, WindowBits};
use longshore::ws::{CloseCode, Kind};

use crate::{Running, backends, with_servers};

const MIB: usize = 1 << 20;
const PATHS: [&str; 3] = ["/kept", "/forgetting", "/small"];

/// The smallest window.
const SMALL: WindowBits = WindowBits::MIN;

/// On what terms the server compresses on a path; it does not on others.
pub(crate) fn terms(path: &[u8]) -> Option<longshore::Deflate> {
    let settings = match path {
        b"/kept" => client::Deflate::default().settings,
        b"/forgetting" => Settings::default(),
        b"/small" => Settings {
            server_window: SMALL,
            client_window: SMALL,
            ..client::Deflate::default().settings
        },
        _ => return None,
    };
    Some(longshore::Deflate {
        settings,
        ..longshore::Deflate::default()
    })
}

/// Counts what travels.
struct Counting {
    stream: TcpStream,
    sent: Cell<usize>,
    received: usize,
}

impl Read for Counting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.received += count;
        Ok(count)
    }
}

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.stream.write(bytes)?;
        self.sent.set(self.sent.get() + count);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn offering(settings: Settings) -> Options<'static> {
    let deflate = client::Deflate {
        settings,
        ..client::Deflate::default()
    };
    Options {
        deflate: Some(deflate),
        ..Options::default()
    }
}

fn usual() -> Options<'static> {
    offering(client::Deflate::default().settings)
}

fn counted(server: &Running, path: &str, options: &Options<'_>) -> WebSocket<Counting> {
    let Address::Inet(address) = &server.address else {
        panic!("an internet address")
    };
    let stream = TcpStream::connect(address).expect("it listens");
    let timeout = Some(Duration::from_secs(20));
    stream.set_read_timeout(timeout).expect("TCP can");
    let stream = Counting {
        stream,
        sent: Cell::new(0),
        received: 0,
    };
    WebSocket::handshake(stream, &format!("ws://{address}{path}"), options).expect("opened")
}

/// Text that shrinks, none like the other, at least so long.
fn text(number: usize, length: usize) -> String {
    let rows = length.div_ceil(24);
    let row = |row| format!("{{\"käse\":{number},\"row\":{}}},       ", 31 * row);
    (0..rows).map(row).collect()
}

/// Bytes that do not shrink.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn both_sides_agree_on_what_both_want() {
    let ten = WindowBits::new(10).expect("9 to 15");
    let modest = Settings {
        server_context: Context::Dropped,
        server_window: ten,
        client_window: ten,
        ..client::Deflate::default().settings
    };
    with_servers(|server| {
        use Context::{Dropped, Kept};
        for (path, settings, expected) in [
            ("/kept", usual(), (Kept, 15, Kept, 15)),
            ("/forgetting", usual(), (Dropped, 15, Dropped, 15)),
            ("/small", usual(), (Kept, 9, Kept, 9)),
            (
                "/kept",
                offering(Settings::default()),
                (Dropped, 15, Dropped, 15),
            ),
            ("/kept", offering(modest), (Dropped, 10, Kept, 10)),
            ("/small", offering(modest), (Dropped, 9, Kept, 9)),
        ] {
            let socket = server.connect(path, &settings).expect("opened");
            let agreed = socket.compression().expect("agreed");
            let (theirs, ours) = (agreed.server, agreed.client);
            let found = (
                theirs.context,
                theirs.window.number(),
                ours.context,
                ours.window.number(),
            );
            assert_eq!(found, expected, "{path}: {settings:?}");
        }
        let mut plain = server.connect("/echo", &usual()).expect("opened");
        assert_eq!(plain.compression(), None, "the server declined");
        plain.send_text(&text(1, 1000)).expect("sent");
        assert_eq!(plain.next().expect("an echo"), Event::Text(&text(1, 1000)));
        let plain = server.connect("/kept", &Options::default());
        assert_eq!(plain.expect("opened").compression(), None, "nobody asked");
    });
}

#[test]
fn messages_of_every_length_come_back() {
    with_servers(|server| {
        for path in PATHS {
            let mut socket = server.connect(path, &usual()).expect("opened");
            for length in [0, 1, 63, 64, 125, 126, 1000, 65_535, 65_536] {
                let text = text(length, length);
                socket.send_text(&text).expect("sent");
                assert!(
                    socket.next().expect("an echo") == Event::Text(&text),
                    "{length} of text"
                );
                let noise = noise(length);
                socket.send(Kind::Binary, &noise).expect("sent");
                assert!(
                    socket.next().expect("an echo") == Event::Binary(&noise),
                    "{length} of noise"
                );
                socket
                    .send_uncompressed(Kind::Text, text.as_bytes())
                    .expect("sent");
                assert!(
                    socket.next().expect("an echo") == Event::Text(&text),
                    "{length} as it is"
                );
            }
            socket.close(Some(CloseCode::NORMAL), "").expect("sent");
            let end = socket.next().expect("the answer");
            assert_eq!(end, Event::Closed(Some(CloseCode::NORMAL), ""));
        }
    });
}

#[test]
fn little_travels() {
    with_servers(|server| {
        for path in PATHS {
            let mut socket = counted(server, path, &usual());
            let zeros = vec![0; MIB];
            socket.send(Kind::Binary, &zeros).expect("sent");
            assert!(socket.next().expect("an echo") == Event::Binary(&zeros));
            let Counting { sent, received, .. } = socket.stream();
            assert!(sent.get() < 20_000 && *received < 20_000, "{path}");
        }
        // What is repeated is short where contexts are kept, long where it is sent as it is.
        let noise = noise(500);
        for (path, least, most) in [("/kept", 500, 2_000), ("/forgetting", 50_000, 52_000)] {
            let mut socket = counted(server, path, &usual());
            let (sent, received) = (socket.stream().sent.get(), socket.stream().received);
            for _ in 0..100 {
                socket.send(Kind::Binary, &noise).expect("sent");
                assert!(socket.next().expect("an echo") == Event::Binary(&noise));
            }
            let sent = socket.stream().sent.get() - sent;
            let received = socket.stream().received - received;
            assert!((least..most).contains(&sent), "{path}: sent {sent}");
            assert!(
                (least..most).contains(&received),
                "{path}: received {received}"
            );
            socket
                .send_uncompressed(Kind::Binary, &noise)
                .expect("sent");
            assert!(socket.stream().sent.get() >= sent + 500);
        }
    });
}

#[test]
fn a_thousand_in_flight_keep_their_order() {
    with_servers(|server| {
        for path in PATHS {
            let mut socket = server.connect(path, &usual()).expect("opened");
            for number in 0..1000 {
                socket.send_text(&text(number, number)).expect("sent");
            }
            for number in 0..1000 {
                let echo = socket.next().expect("an echo");
                assert!(echo == Event::Text(&text(number, number)), "{number}");
            }
        }
    });
}

#[test]
fn fragments_are_one_compressed_message_with_pings_between() {
    with_servers(|server| {
        for path in PATHS {
            let mut socket = counted(server, path, &usual());
            let whole = text(7, 20_000);
            for round in 0..3 {
                let before = socket.stream().sent.get();
                let mut pieces = whole.as_bytes().chunks(1777).peekable();
                while let Some(piece) = pieces.next() {
                    socket.ping(b"between").expect("sent");
                    assert_eq!(socket.next().expect("a pong"), Event::Pong(b"between"));
                    let last = pieces.peek().is_none();
                    socket.send_fragment(Kind::Text, piece, last).expect("sent");
                }
                assert!(
                    socket.next().expect("an echo") == Event::Text(&whole),
                    "{path}, {round}"
                );
                let sent = socket.stream().sent.get() - before;
                assert!(sent < whole.len() / 2, "{path}, {round}: {sent}");
            }
        }
    });
}

#[test]
fn limits_count_what_was_inflated() {
    for backend in backends() {
        let limits = longshore::Limits {
            message_bytes_max: 100_000,
            ..longshore::Limits::default()
        };
        let server = Running::start_within(limits, backend, &"127.0.0.1:0".parse().expect("one"));
        for path in PATHS {
            let mut socket = server.connect(path, &usual()).expect("opened");
            let zeros = vec![0; 100_001];
            socket.send(Kind::Binary, &zeros[1..]).expect("sent");
            assert!(socket.next().expect("an echo") == Event::Binary(&zeros[1..]));
            socket.send(Kind::Binary, &zeros).expect("sent");
            let end = socket.next().expect("a close");
            let reason = "message is too big when inflated";
            assert_eq!(end, Event::Closed(Some(CloseCode::TOO_BIG), reason));

            let options = Options {
                message_bytes_max: 10_000,
                ..usual()
            };
            let mut socket = server.connect(path, &options).expect("opened");
            socket.send(Kind::Binary, &[0; 10_000]).expect("sent");
            assert_eq!(socket.next().expect("an echo"), Event::Binary(&[0; 10_000]));
            socket.send(Kind::Binary, &[0; 10_001]).expect("sent");
            let error = socket.next().expect_err("too big for us");
            assert!(
                matches!(error, Error::Inflate(InflateError::TooBig)),
                "{error}"
            );
            assert!(matches!(socket.next(), Err(Error::Closed)));
        }
    }
}

/// What cannot shrink grows by up to an eighth at level 1, and a context that is kept needs it all the same. The message
/// itself is within the limit.
#[test]
fn what_grows_may_still_have_the_limits_length() {
    for backend in backends() {
        let limits = longshore::Limits {
            message_bytes_max: 100_000,
            ..longshore::Limits::default()
        };
        let server = Running::start_within(limits, backend, &"127.0.0.1:0".parse().expect("one"));
        let options = Options {
            message_bytes_max: 100_000,
            ..usual()
        };
        let mut socket = server.connect("/kept", &options).expect("opened");
        let noise = noise(100_000);
        socket.send(Kind::Binary, &noise).expect("sent");
        assert!(socket.next().expect("an echo") == Event::Binary(&noise));
    }
}
