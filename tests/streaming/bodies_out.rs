//! Bodies that a source produces.

use super::*;

#[test]
fn a_body_of_unknown_length_comes_in_chunks() {
    on_every_backend(|server| {
        for bytes in [0, 1, 999, 1000, 1001, 300_000] {
            let (head, body) = server.ask(&format!("/chunked?{bytes}"));
            assert!(
                head.contains("\r\nTransfer-Encoding: chunked\r\n"),
                "{head}"
            );
            assert!(!head.contains("Content-Length"), "{head}");
            let (data, rest) = unchunk(&body).expect("whole");
            assert!(data == patterned(bytes) && rest == "\r\n", "{bytes}");
        }
    });
}

#[test]
fn an_old_peer_gets_it_until_the_connection_ends() {
    on_every_backend(|server| {
        let request = "GET /chunked?200000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
        let (head, body) = split(&read_all(&mut server.send(request)));
        assert!(!head.contains("Transfer-Encoding"), "{head}");
        assert!(!head.contains("Content-Length"), "{head}");
        assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
        assert!(body == patterned(200_000));
    });
}

#[test]
fn a_declared_length_is_kept_or_the_connection_is_cut() {
    on_every_backend(|server| {
        let (head, body) = server.ask("/sized?70000");
        assert!(head.contains("\r\nContent-Length: 70000\r\n"), "{head}");
        assert!(body == patterned(70_000));
        let (head, body) = server.ask("/too-few?3000");
        assert!(head.contains("\r\nContent-Length: 3001\r\n"), "{head}");
        assert!(body.len() <= 3000);
        let (head, body) = server.ask("/too-many?3000");
        assert!(head.contains("\r\nContent-Length: 3000\r\n"), "{head}");
        assert!(body.len() <= 3000, "not one byte more than was declared");
    });
}

#[test]
fn trailers_stand_behind_the_last_chunk() {
    on_every_backend(|server| {
        let (_, body) = server.ask("/trailers?5000");
        let (data, rest) = unchunk(&body).expect("whole");
        assert!(data == patterned(5000));
        assert_eq!(rest, "Digest: abc\r\n\r\n");
        let (_, body) = server.ask("/bad-trailers?5000");
        assert_eq!(unchunk(&body), None, "framing has no place in trailers");
    });
}

#[test]
fn a_body_that_fails_is_never_taken_for_whole() {
    on_every_backend(|server| {
        assert_eq!(unchunk(&server.ask("/fails?5000").1), None);
        let bytes = read_all(&mut server.send("GET /panics HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(!bytes.ends_with(b"0\r\n\r\n"));
        // To an old peer the end of the connection is the end of the body: so this one ends with a reset.
        for path in ["/fails?5000", "/panics"] {
            let mut stream = server.send(&format!("GET {path} HTTP/1.0\r\n\r\n"));
            let mut bytes = Vec::new();
            let ended = stream.read_to_end(&mut bytes).map_err(|error| error.kind());
            assert_eq!(ended, Err(ErrorKind::ConnectionReset), "{path}");
        }
        assert_eq!(server.ask("/").1, b"plain", "others are served");
    });
}

#[test]
fn head_and_not_modified_get_no_body_and_ask_no_source() {
    on_every_backend(|server| {
        let mut stream = server.send(
            "HEAD /chunked?9999 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /sized?77 HTTP/1.1\r\nHost: a\r\n\r\n\
             GET /not-modified HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        );
        let text = String::from_utf8(read_all(&mut stream)).expect("text");
        assert_eq!(text.matches("HTTP/1.1 ").count(), 4, "{text}");
        assert!(
            text.contains("Transfer-Encoding: chunked\r\n\r\nHTTP/1.1 200"),
            "{text}"
        );
        assert!(
            text.contains("Content-Length: 77\r\n\r\nHTTP/1.1 304"),
            "{text}"
        );
        assert!(text.ends_with("plain"), "{text}");
        assert_eq!(server.asked.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn pipelined_requests_wait_for_the_end_of_the_body() {
    on_every_backend(|server| {
        let request = "GET /sized?100000 HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3)
            + "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let mut rest = read_all(&mut server.send(&request));
        for _ in 0..3 {
            let (head, body) = split(&rest);
            assert!(head.contains("Content-Length: 100000"));
            assert!(body[..100_000] == patterned(100_000));
            rest = body[100_000..].to_vec();
        }
        assert_eq!(split(&rest).1, b"plain");
    });
}

#[test]
fn a_peer_that_does_not_read_stops_the_source() {
    on_every_backend(|server| {
        let endless = u64::from(u32::MAX);
        let stream = server.send(&format!("GET /sized?{endless} HTTP/1.1\r\nHost: a\r\n\r\n"));
        // Until nothing is asked for any more. What the kernel takes in its buffers is not ours.
        let (mut before, start) = (u64::MAX, Instant::now());
        loop {
            thread::sleep(Duration::from_millis(200));
            let asked = server.asked.load(Ordering::SeqCst);
            if asked == before && asked > 0 {
                break;
            }
            before = asked;
            assert!(start.elapsed() < Duration::from_secs(30), "it never stops");
        }
        assert!(
            before < 64 << 20,
            "{before} bytes wait for a peer that does not read"
        );
        assert_eq!(server.ask("/").1, b"plain", "others are served");
        drop(stream);
    });
}

#[test]
fn a_fast_reader_does_not_hold_the_loop() {
    on_every_backend(|server| {
        let endless = u64::from(u32::MAX);
        let mut greedy = server.send(&format!("GET /sized?{endless} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let stop = Arc::new(AtomicU64::new(0));
        let stopped = stop.clone();
        let reader = thread::spawn(move || {
            let mut buffer = vec![0; 1 << 20];
            while stopped.load(Ordering::SeqCst) == 0 {
                assert!(greedy.read(&mut buffer).expect("endless") > 0);
            }
        });
        for _ in 0..50 {
            assert_eq!(server.ask("/").1, b"plain");
        }
        assert!(
            server.asked.load(Ordering::SeqCst) < endless,
            "it had not ended"
        );
        stop.store(1, Ordering::SeqCst);
        reader.join().expect("it read");
    });
}
