//! How a WebSocket is opened, or not.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use longshore::client::{Error, Event, Options, WebSocket};

use crate::{Running, backends, with_servers};

#[test]
fn the_subprotocol_is_the_clients_first_that_the_server_speaks() {
    with_servers(|server| {
        for (protocols, chosen) in [
            (&["echo.v1", "echo.v2"][..], Some("echo.v1")),
            (&["other", "echo.v2"], Some("echo.v2")),
            (&["other"], None),
            (&[], None),
        ] {
            let options = Options {
                protocols,
                ..Options::default()
            };
            let socket = server.connect("/echo", &options).expect("opened");
            assert_eq!(socket.protocol(), chosen, "{protocols:?}");
        }
    });
}

#[test]
fn fields_and_origin_are_said() {
    with_servers(|server| {
        let options = Options {
            fields: &[("Cookie", b"a=b")],
            ..Options::default()
        };
        server.connect("/said", &options).expect("opened");
        let foreign = Options {
            origin: Some("https://elsewhere.example"),
            ..options
        };
        match server.connect("/said", &foreign) {
            Err(Error::Refused(refused)) => assert_eq!(refused.status(), 403),
            other => panic!("{other:?}"),
        }
        let own = format!("http://{}", server.address);
        let same = Options {
            origin: Some(&own),
            ..options
        };
        server.connect("/said", &same).expect("opened");
    });
}

#[test]
fn refusals_and_redirects_are_told() {
    with_servers(|server| {
        match server.connect("/nothing", &Options::default()) {
            Err(Error::Refused(refused)) => {
                assert_eq!(refused.status(), 404);
                let kind = refused.field("content-type").expect("text");
                assert!(kind.starts_with(b"text/plain"));
            }
            other => panic!("{other:?}"),
        }
        let error = server
            .connect("/old", &Options::default())
            .expect_err("moved");
        assert_eq!(
            error.to_string(),
            "the server answered 301 instead of 101, Location: ws://elsewhere/echo"
        );
    });
}

#[test]
fn names_and_addresses_of_both_kinds_are_found() {
    let backend = backends().next().expect("epoll works everywhere");
    for (listen, host) in [("127.0.0.1:0", "localhost"), ("[::1]:0", "[::1]")] {
        let address = listen.parse().expect("an address");
        if let ("[::1]:0", Err(error)) = (listen, TcpListener::bind("[::1]:0")) {
            eprintln!("SKIPPED: no IPv6 here: {error}");
            continue;
        }
        let server = Running::start(backend, &address);
        let port = server.address.to_string();
        let port = port.rsplit(':').next().expect("a port");
        let uri = format!("ws://{host}:{port}/echo?x");
        let mut socket = WebSocket::connect(&uri, &Options::default()).expect(&uri);
        socket.send_text("found").expect("sent");
        assert_eq!(socket.next().expect("an echo"), Event::Text("found"));
    }
}

#[test]
fn what_cannot_be_reached_is_told() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("bound");
    drop(free);
    let refused = WebSocket::connect(&format!("ws://{address}/"), &Options::default());
    assert!(matches!(refused, Err(Error::Connect(_))), "{refused:?}");
    // RFC 6761 §6.4: never exists.
    let unknown = WebSocket::connect("ws://nowhere.invalid/", &Options::default());
    assert!(matches!(unknown, Err(Error::Resolve(_))), "{unknown:?}");
    let secure = WebSocket::connect("wss://localhost/", &Options::default());
    assert!(matches!(secure, Err(Error::Tls)));
    let other = WebSocket::connect("http://localhost/", &Options::default());
    assert!(matches!(other, Err(Error::Uri(_))));
}

#[test]
fn a_silent_server_is_not_awaited_for_ever() {
    // The kernel takes the connection; nobody ever answers.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let options = Options {
        handshake_timeout: Duration::from_millis(100),
        ..Options::default()
    };
    let before = Instant::now();
    let opened = WebSocket::connect(&format!("ws://{address}/"), &options);
    assert!(matches!(opened, Err(Error::HandshakeTimeout)), "{opened:?}");
    let waited = before.elapsed();
    assert!(waited >= options.handshake_timeout && waited < Options::default().handshake_timeout);
}
