//! Servers that lie, break the rules, drip, or never let go.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use longshore::client::{Error, Event, HeadError, Options, WebSocket};
use longshore::ws::{CloseCode, ReplyError, accept_key};

/// `ACCEPT` is replaced by what answers the key.
const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                    Connection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n\r\n";

/// How long a server waits for its client before a test gives up. Never a measure of speed.
const PATIENCE: Duration = Duration::from_secs(40);

/// What a server does, after it has read the request: its connection, and the value that answers the key.
type Act = fn(&mut TcpStream, &str);

/// A server for one connection, and a client of it. `Ok` is what the server heard behind the request.
fn met(
    act: Act,
    options: &Options<'_>,
    client: impl FnOnce(Result<WebSocket<TcpStream>, Error>),
) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a request");
            request.push(byte[0]);
        }
        let request = String::from_utf8(request).expect("ASCII");
        let key = request.split("Sec-WebSocket-Key: ").nth(1).expect("a key");
        let accept = accept_key(&key.as_bytes()[..24]);
        act(&mut stream, std::str::from_utf8(&accept).expect("base64"));
        let mut heard = Vec::new();
        // A reset is an end too.
        if let Err(error) = stream.read_to_end(&mut heard) {
            assert_ne!(error.kind(), ErrorKind::WouldBlock, "the client goes on");
        }
        heard
    });
    client(WebSocket::connect(&format!("ws://{address}/"), options));
    server.join().expect("the script runs")
}

fn agree(stream: &mut TcpStream, accept: &str) {
    say(stream, GOOD.replace("ACCEPT", accept).as_bytes());
}

fn say(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).expect("sent");
}

/// The payload of the one masked Close that was heard, behind whatever came before.
fn close_code(heard: &[u8]) -> u16 {
    let [0x88, length, a, b, c, d, first, second, rest @ ..] = heard else {
        panic!("no close: {heard:?}");
    };
    assert_eq!(
        usize::from(length & 0x7f),
        rest.len() + 2,
        "and nothing behind it"
    );
    let _ = (c, d);
    u16::from_be_bytes([first ^ a, second ^ b])
}

#[test]
fn a_wrong_accept_opens_nothing() {
    let heard = met(
        |stream, _| agree(stream, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        &Options::default(),
        |opened| {
            let wrong = matches!(opened, Err(Error::Reply(ReplyError::Accept)));
            assert!(wrong, "{opened:?}");
        },
    );
    assert!(
        heard.is_empty(),
        "no frame is sent into what is no WebSocket"
    );
}

#[test]
fn other_replies_are_told() {
    met(
        |stream, _| say(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
        &Options::default(),
        |opened| assert!(matches!(opened, Err(Error::Refused(refused)) if refused.status() == 200)),
    );
    met(
        |stream, _| say(stream, b"HTTP/1.1 301 Moved\r\nLocation: ws://b/\r\n\r\n"),
        &Options::default(),
        |opened| {
            let Err(Error::Refused(refused)) = opened else {
                panic!("{opened:?}")
            };
            assert_eq!(refused.field("Location"), Some(&b"ws://b/"[..]));
        },
    );
    met(
        |stream, _| say(stream, b"SSH-2.0-OpenSSH\r\n"),
        &Options::default(),
        |opened| assert!(matches!(opened, Err(Error::Head(HeadError::NotHttp)))),
    );
    met(
        |stream, _| stream.shutdown(std::net::Shutdown::Both).expect("closed"),
        &Options::default(),
        |opened| assert!(opened.is_err()),
    );
}

#[test]
fn a_dripped_reply_gains_no_time() {
    let options = Options {
        handshake_timeout: Duration::from_millis(200),
        ..Options::default()
    };
    met(
        |stream, _| {
            say(stream, b"HTTP/1.1 101 Switching Protocols\r\nX: ");
            let begin = Instant::now();
            // Until the client has gone.
            while stream.write_all(b"x").is_ok() {
                assert!(begin.elapsed() < PATIENCE, "it listens on");
                thread::sleep(Duration::from_millis(20));
            }
        },
        &options,
        |opened| assert!(matches!(opened, Err(Error::HandshakeTimeout))),
    );
}

#[test]
fn the_first_frames_may_come_with_the_101() {
    met(
        |stream, accept| {
            let mut bytes = GOOD.replace("ACCEPT", accept).into_bytes();
            bytes.extend_from_slice(b"\x81\x05first\x89\x00\x82\x01");
            say(stream, &bytes);
            thread::sleep(Duration::from_millis(20));
            say(stream, b"2\x88\x02\x03\xe8");
        },
        &Options::default(),
        |opened| {
            let mut socket = opened.expect("a good handshake");
            assert_eq!(socket.next().expect("a frame"), Event::Text("first"));
            assert_eq!(socket.next().expect("a frame"), Event::Ping(b""));
            assert_eq!(socket.next().expect("a frame"), Event::Binary(b"2"));
        },
    );
}

#[test]
fn everything_may_come_byte_by_byte() {
    met(
        |stream, accept| {
            stream.set_nodelay(true).expect("TCP can");
            let mut bytes = GOOD.replace("ACCEPT", accept).into_bytes();
            bytes.extend_from_slice(b"\x01\x02\xc3\xbc\x8a\x02ok\x80\x7e\x00\x7e");
            bytes.extend_from_slice(&[b'x'; 126]);
            bytes.extend_from_slice(b"\x88\x05\x03\xe9bye");
            for byte in bytes {
                say(stream, &[byte]);
            }
        },
        &Options::default(),
        |opened| {
            let mut socket = opened.expect("a good handshake");
            assert_eq!(socket.next().expect("a frame"), Event::Pong(b"ok"));
            let text = format!("ü{}", "x".repeat(126));
            assert_eq!(socket.next().expect("a frame"), Event::Text(&text));
            let end = socket.next().expect("a frame");
            assert_eq!(end, Event::Closed(Some(CloseCode::GOING_AWAY), "bye"));
        },
    );
}

#[test]
fn faults_are_answered_with_their_code() {
    // Nobody says more: the client waits for so long. Who ends first, as a server should, is waited for.
    let (short, long) = (Duration::from_millis(300), PATIENCE);
    let table: [(Act, Duration, u16); 4] = [
        (
            |stream, accept| {
                agree(stream, accept);
                say(stream, b"\x81\x82\x01\x02\x03\x04hi"); // masked
            },
            short,
            1002,
        ),
        (
            |stream, accept| {
                agree(stream, accept);
                say(stream, b"\x81\x02\xc3\x28");
            },
            short,
            1007,
        ),
        (
            |stream, accept| {
                agree(stream, accept);
                say(stream, b"\x82\x7f\x00\x00\x00\x00\x40\x00\x00\x00"); // a GiB
            },
            short,
            1009,
        ),
        (
            |stream, accept| {
                agree(stream, accept);
                say(stream, b"\x83\x00");
                // It goes on talking, and its frames are not looked at: our Close must not be lost to a reset.
                say(stream, &vec![0x81; 100_000]);
                thread::sleep(Duration::from_millis(50));
                stream
                    .shutdown(std::net::Shutdown::Write)
                    .expect("half-closed");
            },
            long,
            1002,
        ),
    ];
    for (act, close_timeout, code) in table {
        let options = Options {
            close_timeout,
            ..Options::default()
        };
        let heard = met(act, &options, |opened| {
            let mut socket = opened.expect("a good handshake");
            let error = socket.next().expect_err("the server's fault");
            assert!(matches!(error, Error::Protocol(_)), "{error}");
            assert!(matches!(socket.next(), Err(Error::Closed)));
        });
        assert_eq!(close_code(&heard), code);
    }
}

#[test]
fn a_server_that_neither_answers_nor_lets_go_is_left() {
    let options = Options {
        close_timeout: Duration::from_millis(150),
        ..Options::default()
    };
    let heard = met(agree, &options, |opened| {
        let mut socket = opened.expect("a good handshake");
        socket.close(Some(CloseCode::NORMAL), "").expect("sent");
        let error = socket.next().expect_err("it does not answer");
        assert!(matches!(error, Error::CloseTimeout), "{error}");
    });
    assert_eq!(close_code(&heard), 1000);
    // It answers, and holds on to the TCP connection.
    let heard = met(
        |stream, accept| {
            agree(stream, accept);
            say(stream, b"\x88\x02\x03\xe8");
        },
        &options,
        |opened| {
            let end = Event::Closed(Some(CloseCode::NORMAL), "");
            assert_eq!(
                opened.expect("a good handshake").next().expect("its close"),
                end
            );
        },
    );
    assert_eq!(close_code(&heard), 1000);
}

#[test]
fn the_server_closes_the_tcp_connection_first() {
    // RFC 6455 §7.1.1. The server sees our Close, then nothing, until it closes itself.
    met(
        |stream, accept| {
            agree(stream, accept);
            say(stream, b"\x88\x02\x03\xe8");
            let mut close = [0; 8];
            stream.read_exact(&mut close).expect("an answer");
            let short = Some(Duration::from_millis(100));
            stream.set_read_timeout(short).expect("a timeout");
            let more = stream.read(&mut close);
            assert!(more.is_err(), "neither a byte nor a FIN: {more:?}");
            stream.shutdown(std::net::Shutdown::Write).expect("closed");
            stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            assert_eq!(stream.read(&mut close).expect("the client's FIN"), 0);
        },
        &Options::default(),
        |opened| {
            let mut socket = opened.expect("a good handshake");
            socket.next().expect("its close");
        },
    );
}

#[test]
fn a_server_that_does_not_read_is_not_written_to_for_ever() {
    static GIVEN_UP: AtomicBool = AtomicBool::new(false);
    let options = Options {
        write_timeout: Some(Duration::from_millis(200)),
        close_timeout: Duration::from_millis(100),
        ..Options::default()
    };
    met(
        |stream, accept| {
            agree(stream, accept);
            let begin = Instant::now();
            while !GIVEN_UP.load(Ordering::SeqCst) && begin.elapsed() < PATIENCE {
                thread::sleep(Duration::from_millis(20));
            }
        },
        &options,
        |opened| {
            let mut socket = opened.expect("a good handshake");
            let bytes = vec![0; 64 << 20];
            let sent = socket.send(longshore::ws::Kind::Binary, &bytes);
            assert!(matches!(sent, Err(Error::Write(_))), "{sent:?}");
            assert!(matches!(socket.send_text("x"), Err(Error::Closed)));
            GIVEN_UP.store(true, Ordering::SeqCst);
        },
    );
}
