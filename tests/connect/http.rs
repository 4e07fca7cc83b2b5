//! Plain HTTP: against `longshore serve`, and against servers that say what the test wrote down.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use crate::programs::{Running, fails, path, pattern, text};
use crate::{head_of, once, replies, succeeds};

fn serve() -> Running {
    Running::start(&["serve", "-l", "127.0.0.1:0", "-w", "1"])
}

fn get(server: &str, arguments: &[&str]) -> (String, String) {
    let url = format!("http://{server}/plaintext");
    let arguments = [&["connect", &url], arguments].concat();
    let (printed, said) = succeeds(&arguments, b"");
    (text(&printed).to_owned(), said)
}

#[test]
fn requests_to_the_real_server() {
    let server = serve();
    let at = server.inet();
    assert_eq!(get(at, &[]).0, "Hello, World!");
    let paths = ["/json", "/pipeline", "/plaintext"];
    let all = "Hello, World!{\"message\":\"Hello, World!\"}okHello, World!";
    for arguments in [&["--pipeline"][..], &["--http1.0"], &[]] {
        let arguments = [arguments, &paths].concat();
        assert_eq!(get(at, &arguments).0, all, "{arguments:?}");
    }
    let (printed, _) = get(at, &["-X", "HEAD", "-i"]);
    assert!(printed.starts_with("HTTP/1.1 200 OK\r\n") && printed.ends_with("\r\n\r\n"));
    let url = format!("http://{at}/echo");
    let (printed, _) = succeeds(&["connect", &url, "-d", "body"], b"");
    assert_eq!(printed, b"body");
    let body = pattern(900_000);
    let (printed, _) = succeeds(&["connect", &url, "-X", "PUT", "-d", "@-"], &body);
    assert!(printed == body);
    let file = path("body");
    std::fs::write(&file, &body).expect("a file");
    let data = format!("@{}", file.display());
    let (printed, _) = succeeds(&["connect", &url, "-d", &data], b"");
    assert!(printed == body);
    std::fs::remove_file(file).expect("ours");
    server.stop();
}

#[test]
fn over_a_unix_socket() {
    let name = format!("unix:@longshore-http-{}", std::process::id());
    let server = Running::start(&["serve", "-l", &name, "-w", "1"]);
    let (printed, said) = succeeds(
        &["connect", "-v", "http://ship/plaintext", "--over", &name],
        b"",
    );
    assert_eq!(printed, b"Hello, World!");
    assert!(said.contains("> Host: ship\n"), "{said}");
    server.stop();
}

#[test]
fn statuses() {
    let server = serve();
    let url = format!("http://{}/nowhere", server.inet());
    let (printed, _) = succeeds(&["connect", &url], b"");
    assert!(text(&printed).starts_with("There is nothing here."));
    let said = fails(1, &["connect", "--fail", &url], b"");
    assert!(said.contains("the server answered 404"), "{said}");
    server.stop();
}

/// The bytes of a request, as documented.
#[test]
fn what_a_request_says() {
    let (address, server) = once(|mut stream| {
        let head = head_of(&mut stream);
        let mut body = [0; 3];
        stream.read_exact(&mut body).expect("the body");
        stream
            .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
            .expect("the client reads");
        head
    });
    let url = format!("http://{address}/a?b=c");
    let arguments = [
        "connect",
        &url,
        "-d",
        "abc",
        "-H",
        "Accept: text/plain",
        "-H",
        "X-One:  two ",
    ];
    succeeds(&arguments, b"");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        server.join().expect("no panic"),
        format!(
            "POST /a?b=c HTTP/1.1\r\nHost: {address}\r\nUser-Agent: longshore/{version}\r\nContent-Length: 3\r\n\
             Accept: text/plain\r\nX-One: two\r\n\r\n"
        )
    );
}

#[test]
fn bodies_of_every_framing() {
    let table = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nahoy", "ahoy"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nah\r\n2\r\noy\r\n0\r\nT: x\r\n\r\n",
            "ahoy",
        ),
        ("HTTP/1.0 200 OK\r\n\r\nto the end", "to the end"),
        (
            "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
            "a",
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", ""),
    ];
    for (reply, expected) in table {
        assert_eq!(get(&replies(reply), &[]).0, expected, "{reply}");
    }
}

#[test]
fn replies_that_cannot_be_read() {
    let table = [
        ("", "not complete"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
            "ended inside",
        ),
        ("SSH-2.0-x\r\n\r\n", "no HTTP/1"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "both",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "chunk",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\ntwelve bytes",
            "raise --bytes-max",
        ),
    ];
    for (reply, hint) in table {
        let url = format!("http://{}/", replies(reply));
        let said = fails(1, &["connect", "--bytes-max", "10", &url], b"");
        assert!(said.contains(hint), "{reply:?}: {said}");
    }
}

/// A server that closes behind each reply gets another connection for the next request.
#[test]
fn a_server_that_closes_is_connected_to_again() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let server = thread::spawn(move || {
        (0..3)
            .map(|number| {
                let (mut stream, _) = listener.accept().expect("a client");
                let head = head_of(&mut stream);
                let reply = format!(
                    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n{number}"
                );
                stream.write_all(reply.as_bytes()).expect("it reads");
                head.split(' ').nth(1).expect("a path").to_owned()
            })
            .collect::<Vec<_>>()
    });
    let (printed, said) = get(&address, &["/b", "/c", "-v"]);
    assert_eq!(printed, "012");
    assert_eq!(server.join().expect("no panic"), ["/plaintext", "/b", "/c"]);
    assert_eq!(said.matches("opening another").count(), 2, "{said}");
}

#[test]
fn a_server_that_does_not_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    let said = fails(1, &["connect", "--timeout", "0.2", &url], b"");
    assert!(said.contains("did nothing for 0.2 s"), "{said}");
}
