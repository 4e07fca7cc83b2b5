//! Requests that are wrong, or only odd; and what the page counts with.

use crate::client::{Events, Http, Socket, get};
use crate::served::on_every_backend;

const PATHS: [&str; 4] = ["/feed/poll", "/feed/long-poll", "/feed/events", "/feed/ws"];

#[test]
fn wrong_numbers_are_refused_and_cost_nothing() {
    on_every_backend(&[], |server| {
        let mut http = Http::connect(server.port);
        let long = "9".repeat(4000);
        for path in PATHS {
            for query in [
                "after=",
                "after=x",
                "after=-1",
                "after=1&after=2",
                "after=%2531",
                "after=18446744073709551616",
                &format!("after={long}"),
            ] {
                let answer = http.get(&format!("{path}?{query}"));
                assert_eq!(answer.status(), "400", "{path}?{query}: {answer:?}");
                assert!(answer.content.starts_with("after, and"), "{answer:?}");
            }
        }
        for field in ["x", "-1", "1 2", "18446744073709551616", "{\"id\":1}", "é"] {
            http.send(
                "GET",
                "/feed/events",
                &format!("Last-Event-ID: {field}\r\n"),
            );
            let answer = http.answer();
            assert_eq!(answer.status(), "400", "{field}: {answer:?}");
        }
        let twice = "Last-Event-ID: 1\r\nlast-event-id: 2\r\n";
        http.send("GET", "/feed/events", twice);
        assert_eq!(http.answer().status(), "400");
        let answer = http.get("/feed/poll?after=%30");
        assert_eq!(answer.status(), "200", "an equivalent URI");
        let answer = http.get("/feed/poll?x=y&=&&afterwards=x");
        assert_eq!(answer.status(), "200", "other names are other people's");
    });
}

#[test]
fn methods_and_paths_are_those_of_any_page() {
    on_every_backend(&[], |server| {
        let mut http = Http::connect(server.port);
        for path in PATHS.iter().chain(&["/feed"]) {
            for method in ["POST", "PUT", "DELETE"] {
                http.send(method, path, "Content-Length: 0\r\n");
                let answer = http.answer();
                assert_eq!(answer.status(), "405", "{method} {path}");
                assert!(
                    answer.head.contains("\r\nAllow: GET, HEAD, OPTIONS\r\n"),
                    "{answer:?}"
                );
            }
            http.send("OPTIONS", path, "");
            assert_eq!(http.answer().status(), "204", "{path}");
            http.send("HEAD", path, "");
            let (head, expected) = (http.head(), if *path == "/feed/ws" { "426" } else { "200" });
            assert_eq!(&head[9..12], expected, "{path}: {head}");
        }
        for path in ["/feed/", "/feed/polls", "/feed/poll/", "/feed/WS", "/feedx"] {
            assert_eq!(http.get(path).status(), "404", "{path}");
        }
        assert_eq!(http.get("/fee%64/poll").status(), "200");
        assert_eq!(http.get("/feed/ws").status(), "426");
        let socket = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let strange = format!("{socket}Origin: http://evil.example\r\n");
        http.send("GET", "/feed/ws", &strange);
        assert_eq!(http.answer().status(), "403");
        // The last request left nothing behind: this one echoes.
        http.send("GET", "/ws", socket);
        assert!(http.head().starts_with("HTTP/1.1 101 "));
    });
}

#[test]
fn nothing_is_stored_or_changed_on_the_way() {
    on_every_backend(&["--feed-interval", "20"], |server| {
        let mut http = Http::connect(server.port);
        for path in &PATHS[..3] {
            http.send(
                "GET",
                path,
                "Accept-Encoding: gzip\r\nConnection: close\r\n",
            );
            let head = http.head();
            let cache = "\r\nCache-Control: no-store, no-transform\r\n";
            assert!(head.contains(cache), "{path}: {head}");
            assert!(!head.contains("Content-Encoding"), "{path}: {head}");
            http = Http::connect(server.port);
        }
    });
}

#[test]
fn the_page_counts_what_is_sent() {
    on_every_backend(&["--feed-interval", "20"], |server| {
        let port = server.port;
        let script = get(port, "/feed/feed.js").content;
        let constant = |name: &str| -> usize {
            let (_, value) = script.split_once(&format!("const {name} = ")).expect("it");
            value[..3].parse().expect("three digits")
        };
        let stream = Events::open(port, "", "");
        assert_eq!(stream.head.len(), constant("STREAM_HEAD_BYTES"));
        let mut http = Http::connect(port);
        http.send(
            "GET",
            "/feed/ws",
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        );
        assert_eq!(http.head().len(), constant("SOCKET_HEAD_BYTES"));
        // What the server says of a request is what was sent.
        let mut http = Http::connect(port);
        let host = format!("Host: 127.0.0.1:{port}");
        let sent = format!("GET /feed/poll HTTP/1.1\r\n{host}\r\nX: y\r\n\r\n").len();
        http.send("GET", "/feed/poll", "X: y\r\n");
        assert_eq!(http.answer().json()["request_bytes"], sent);
        assert!(Socket::open(port, "").state["request_bytes"].is_u64());
    });
}

#[test]
fn the_page_may_load_nothing_but_its_parts() {
    on_every_backend(&[], |server| {
        let mut http = Http::connect(server.port);
        for (path, kind) in [
            ("/feed", "text/html; charset=utf-8"),
            ("/feed/feed.css", "text/css; charset=utf-8"),
            ("/feed/feed.js", "text/javascript; charset=utf-8"),
        ] {
            let answer = http.get(path);
            for expected in [
                "HTTP/1.1 200 OK\r\n",
                &format!("Content-Type: {kind}\r\n"),
                "Content-Security-Policy: default-src 'none'; script-src 'self'; ",
                "X-Content-Type-Options: nosniff\r\n",
            ] {
                assert!(answer.head.contains(expected), "{path}: {answer:?}");
            }
        }
        let page = http.get("/feed").content;
        let command = format!("curl -N 'http://127.0.0.1:{}/feed/events'", server.port);
        assert!(page.contains(&command), "{page}");
    });
}
