//! How waiting ends: the server stops, or the client is slow.

use std::io::Read;

use socket2::{Domain, Socket as RawSocket, Type};

use crate::client::{Events, Http, Socket, get, id, listed};
use crate::served::{Server, on_every_backend, with_every_backend};

#[test]
fn a_stop_ends_everything_that_waits_at_once_and_in_order() {
    with_every_backend(|backend| {
        // The server would wait longer than the test: so if it ends, it is because nothing is left to wait for.
        let options = [
            "--feed-interval",
            "60000",
            "--feed-wait",
            "60000",
            "--stop-timeout",
            "100000",
        ];
        let server = Server::start(backend, 0, &options);
        let port = server.port;
        let mut waits: Vec<Http> = (0..20).map(|_| Http::connect(port)).collect();
        for http in &mut waits {
            http.send("GET", "/feed/long-poll", "");
        }
        let mut streams: Vec<Events> = (0..20).map(|_| Events::open(port, "", "")).collect();
        for stream in &mut streams {
            assert_eq!(stream.next().expect("the state").kind, "feed");
        }
        let mut socket = Socket::open(port, "");
        let ended = std::thread::spawn(move || {
            let closed = socket.next();
            for stream in &mut streams {
                assert_eq!(stream.next(), None, "the last chunk, not a cut connection");
            }
            for mut http in waits {
                assert!(listed(&http.answer()).is_empty());
                ends(http);
            }
            for stream in streams {
                ends(stream.into_http());
            }
            closed
        });
        server.stop();
        assert_eq!(ended.join().expect("it ends"), Err(1001), "going away");
    });
}

/// Nothing but the end follows.
fn ends(mut http: Http) {
    let mut rest = Vec::new();
    http.stream.read_to_end(&mut rest).expect("a FIN, no reset");
    assert_eq!(rest, b"");
}

#[test]
fn a_stream_that_is_read_slowly_costs_no_memory_but_events() {
    // Small buffers everywhere, so that what is not read is soon more than is kept.
    let options = [
        "--feed-interval",
        "10",
        "--send-buffer",
        "4608",
        "--outbox-high-bytes",
        "1024",
        "--outbox-low-bytes",
        "512",
    ];
    on_every_backend(&options, |server| {
        let port = server.port;
        let raw = RawSocket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        raw.set_recv_buffer_size(2048).expect("an option");
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        raw.connect(&address.into()).expect("it listens");
        let mut stream = Events::over(Http::over(raw.into(), port), "", "");
        let mut last = 0;
        while last < 800 {
            let list = get(port, &format!("/feed/long-poll?after={last}")).json();
            last = list["last"].as_u64().expect("a number");
        }
        let (mut before, mut gaps) = (0, 0);
        while before < last {
            let (state, said) = stream.event();
            let missed = state.map_or(0, |state| state["missed"].as_u64().expect("a number"));
            let id = id(&said.data);
            assert_eq!(id, before + missed + 1, "what is missing was told");
            gaps += usize::from(missed > 0);
            before = id;
        }
        assert!(gaps > 0, "it fell behind");
    });
}
