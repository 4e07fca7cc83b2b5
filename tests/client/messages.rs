//! What is said comes back, on every backend.

use std::net::TcpStream;
use std::time::Duration;

use longshore::client::{Error, Event, Options, WebSocket};
use longshore::ws::{CloseCode, Kind};

use crate::{Running, with_servers};

const MIB: usize = 1 << 20;

fn opened(server: &Running) -> WebSocket<TcpStream> {
    server
        .connect("/echo", &Options::default())
        .expect("opened")
}

/// Bytes that show when one is lost or moved.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}

fn part(mut socket: WebSocket<TcpStream>) {
    socket.close(Some(CloseCode::NORMAL), "done").expect("sent");
    let end = socket.next().expect("the server's close");
    assert_eq!(end, Event::Closed(Some(CloseCode::NORMAL), ""));
    assert!(matches!(socket.next(), Err(Error::Closed)));
}

#[test]
fn text_and_binary_come_back() {
    with_servers(|server| {
        let mut socket = opened(server);
        for text in ["", "ahoy", "grün 😂", &"ü".repeat(40_000)] {
            socket.send_text(text).expect("sent");
            assert_eq!(socket.next().expect("an echo"), Event::Text(text));
        }
        for length in [0, 1, 125, 126, 65535, 65536, 200_000] {
            let bytes = pattern(length);
            socket.send(Kind::Binary, &bytes).expect("sent");
            let echo = socket.next().expect("an echo");
            assert!(echo == Event::Binary(&bytes), "{length} bytes");
        }
        part(socket);
    });
}

#[test]
fn fragments_are_one_message_with_pings_between() {
    with_servers(|server| {
        let mut socket = opened(server);
        let text = "zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich";
        let bytes = text.as_bytes();
        for (index, byte) in bytes.iter().enumerate() {
            let last = index == bytes.len() - 1;
            socket
                .send_fragment(Kind::Text, &[*byte], last)
                .expect("sent");
            if index % 10 == 0 {
                socket.ping(&[*byte]).expect("sent");
                assert_eq!(socket.next().expect("a pong"), Event::Pong(&[*byte]));
            }
        }
        assert_eq!(socket.next().expect("an echo"), Event::Text(text));
        part(socket);
    });
}

#[test]
fn the_largest_message_comes_back_and_a_larger_one_closes() {
    with_servers(|server| {
        let bytes = pattern(16 * MIB);
        let mut socket = opened(server);
        socket.send(Kind::Binary, &bytes).expect("sent");
        assert!(socket.next().expect("an echo") == Event::Binary(&bytes));
        for piece in bytes.chunks(MIB) {
            socket
                .send_fragment(Kind::Binary, piece, false)
                .expect("sent");
        }
        socket.send_fragment(Kind::Binary, b"", true).expect("sent");
        assert!(socket.next().expect("an echo") == Event::Binary(&bytes));
        // The server answers while we still write, and reads on only for a while: either call may notice.
        let sent = socket.send(Kind::Binary, &pattern(16 * MIB + 1));
        match socket.next() {
            Ok(event) => {
                let too_big = Event::Closed(Some(CloseCode::TOO_BIG), "message is too big");
                assert_eq!(event, too_big);
            }
            Err(error) => assert!(sent.is_err(), "{error}"),
        }
    });
}

#[test]
fn a_message_beyond_our_limit_is_refused() {
    with_servers(|server| {
        let options = Options {
            message_bytes_max: 1000,
            ..Options::default()
        };
        let mut socket = server.connect("/echo", &options).expect("opened");
        socket.send(Kind::Binary, &[0; 1000]).expect("sent");
        assert_eq!(socket.next().expect("an echo"), Event::Binary(&[0; 1000]));
        socket.send(Kind::Binary, &[0; 1001]).expect("sent");
        let error = socket.next().expect_err("too big");
        assert!(error.to_string().ends_with("(close code 1009)"), "{error}");
    });
}

#[test]
fn a_thousand_messages_in_flight_keep_their_order() {
    with_servers(|server| {
        let mut socket = opened(server);
        for number in 0..1000_u32 {
            socket.send_text(&number.to_string()).expect("sent");
        }
        for number in 0..1000_u32 {
            let text = number.to_string();
            assert_eq!(socket.next().expect("an echo"), Event::Text(&text));
        }
        part(socket);
    });
}

#[test]
fn close_codes_travel_both_ways() {
    with_servers(|server| {
        for code in [1000, 1001, 1002, 1003, 1007, 1008, 1011, 1014, 3000, 4999] {
            let code = CloseCode::new(code).expect("it may travel");
            let mut ours = opened(server);
            ours.close(Some(code), "ours").expect("sent");
            assert_eq!(
                ours.next().expect("its answer"),
                Event::Closed(Some(code), "")
            );

            let mut theirs = opened(server);
            theirs
                .send_text(&format!("close {code} grün"))
                .expect("sent");
            assert_eq!(
                theirs.next().expect("its close"),
                Event::Closed(Some(code), "grün")
            );
        }
        let mut none = opened(server);
        none.close(None, "not said without a code").expect("sent");
        assert_eq!(none.next().expect("its answer"), Event::Closed(None, ""));
    });
}

#[test]
fn what_was_under_way_arrives_behind_our_close() {
    with_servers(|server| {
        let mut socket = opened(server);
        socket.send_text("under way").expect("sent");
        socket.close(Some(CloseCode::NORMAL), "").expect("sent");
        assert_eq!(socket.next().expect("the echo"), Event::Text("under way"));
        let end = socket.next().expect("the answer");
        assert_eq!(end, Event::Closed(Some(CloseCode::NORMAL), ""));
    });
}

#[test]
fn a_stopping_server_says_so() {
    with_servers(|server| {
        let mut socket = opened(server);
        socket.send_text("there?").expect("sent");
        assert_eq!(socket.next().expect("an echo"), Event::Text("there?"));
        server.stopper.stop();
        let end = socket.next().expect("a close");
        assert!(
            matches!(end, Event::Closed(Some(CloseCode::GOING_AWAY), _)),
            "{end:?}"
        );
    });
}

#[test]
fn waiting_can_be_bounded_and_goes_on() {
    with_servers(|server| {
        let mut socket = opened(server);
        socket
            .set_read_timeout(Some(Duration::from_millis(20)))
            .expect("TCP can");
        assert!(matches!(socket.next(), Err(Error::Timeout)));
        socket.send_text("still here").expect("sent");
        let echo = loop {
            match socket.next() {
                Err(Error::Timeout) => {}
                event => break event.expect("an echo"),
            }
        };
        assert_eq!(echo, Event::Text("still here"));
    });
}
