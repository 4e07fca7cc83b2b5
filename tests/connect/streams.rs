//! Byte streams: what goes out, what comes back, and the ends of both sides.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use crate::programs::{Running, fails, path, pattern, spawn, text, until_refused};
use crate::{once, succeeds};

#[test]
fn input_goes_out_and_its_end_half_closes() {
    let (address, server) = once(|mut stream| {
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).expect("the end of input");
        // Behind the client's half, the other one still works.
        stream.write_all(b"got it all").expect("the client reads");
        heard
    });
    let (printed, said) = succeeds(&["connect", &address], b"one\ntwo");
    assert_eq!(printed, b"got it all");
    assert_eq!(said, "");
    assert_eq!(server.join().expect("no panic"), b"one\ntwo");
}

#[test]
fn crlf() {
    let (address, server) = once(|mut stream| {
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).expect("the end of input");
        heard
    });
    let target = format!("tcp://{address}");
    succeeds(&["connect", "--crlf", &target], b"a\nb\r\n\nc");
    assert_eq!(server.join().expect("no panic"), b"a\r\nb\r\n\r\nc");
}

/// Megabytes in both directions at once, over every kind of stream: nothing is lost and nothing locks up.
#[test]
fn both_ways_at_once() {
    let bytes = pattern(3_000_003);
    let path = path("connect");
    let unix = format!("unix:{}", path.display());
    for listen in ["127.0.0.1:0", &unix] {
        let server = Running::start(&["echo", "-m", "epoll", "-l", listen]);
        let target = server.at.replace("tcp ", "tcp://");
        let (printed, said) = succeeds(&["connect", &target], &bytes);
        assert!(printed == bytes, "{target}: {} came back", printed.len());
        assert_eq!(said, "");
        server.stop();
    }
}

/// Like a person: says a line, waits for the answer, says the next.
#[test]
fn a_conversation() {
    let server = Running::start(&["echo", "-l", "127.0.0.1:0"]);
    let mut client = spawn(&["connect", server.inet()]);
    let mut input = client.stdin.take().expect("piped");
    let mut output = client.stdout.take().expect("piped");
    for line in ["first\n", "second\n", "x"] {
        input.write_all(line.as_bytes()).expect("it reads");
        let mut heard = vec![0; line.len()];
        output.read_exact(&mut heard).expect("an answer");
        assert_eq!(heard, line.as_bytes());
    }
    drop(input);
    assert!(client.wait().expect("our child").success());
    server.stop();
}

/// The peer ends first, while this program's input is open: it ends too, and does not wait for a key.
#[test]
fn the_peers_end_ends_it() {
    let (address, server) = once(|mut stream| {
        stream.write_all(b"bye").expect("the client reads");
    });
    let mut client = spawn(&["connect", &address]);
    let mut printed = Vec::new();
    let output = client.stdout.as_mut().expect("piped");
    output.read_to_end(&mut printed).expect("an end");
    assert_eq!(printed, b"bye");
    assert!(client.wait().expect("our child").success());
    server.join().expect("no panic");
}

#[test]
fn keep_sending_outlives_the_peers_half() {
    let (address, server) = once(|mut stream| {
        stream.write_all(b"bye").expect("the client reads");
        stream.shutdown(Shutdown::Write).expect("open");
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).expect("the end of input");
        heard
    });
    let mut client = spawn(&["connect", "--keep-sending", &address]);
    let mut printed = [0; 3];
    let output = client.stdout.as_mut().expect("piped");
    output.read_exact(&mut printed).expect("the peer's words");
    let mut input = client.stdin.take().expect("piped");
    input.write_all(b"still here").expect("it reads");
    drop(input);
    assert!(client.wait().expect("our child").success());
    assert_eq!(server.join().expect("no panic"), b"still here");
}

/// A peer that never ends its half is waited for as long as was said, and that is no failure.
#[test]
fn linger_is_bounded() {
    let (address, server) = once(|mut stream| {
        let mut heard = Vec::new();
        stream.write_all(b"hello").expect("the client reads");
        let read = stream.read_to_end(&mut heard);
        // Only when the client has gone does this end go.
        (read.is_ok(), heard)
    });
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = listener.local_addr().expect("bound").to_string();
    let (printed, said) = succeeds(&["connect", "-v", "--linger", "0.2", &silent], b"word");
    assert_eq!(printed, b"");
    assert!(said.contains("not waiting longer"), "{said}");
    succeeds(&["connect", "--linger", "20", &address], b"word");
    assert_eq!(server.join().expect("no panic"), (true, b"word".to_vec()));
}

#[test]
fn timeout_is_a_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = listener.local_addr().expect("bound").to_string();
    let said = fails(
        1,
        &["connect", "--no-input", "--timeout", "0.2", &silent],
        b"",
    );
    assert!(said.contains("nothing came from tcp") && said.contains("--timeout"));
}

#[test]
fn a_reset_is_a_failure() {
    let (address, server) = once(|mut stream| {
        stream.read_exact(&mut [0; 4]).expect("the word");
        SockRef::from(&stream)
            .set_linger(Some(Duration::ZERO))
            .expect("a socket");
    });
    let mut client = spawn(&["connect", &address]);
    let mut input = client.stdin.take().expect("piped");
    input.write_all(b"word").expect("it reads");
    server.join().expect("no panic");
    let output = client.wait_with_output().expect("it ends");
    drop(input);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("has cut the connection"), "{said}");
}

#[test]
fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    drop(listener);
    until_refused(|| TcpStream::connect(&address));
    let said = fails(1, &["connect", &address], b"");
    let expected = format!("cannot connect to tcp {address}: Connection refused");
    assert!(
        said.contains(&expected) && said.contains("start the server"),
        "{said}"
    );
    let said = fails(1, &["connect", "no-such-host.invalid:80"], b"");
    assert!(said.contains("names no known host"), "{said}");
    let said = fails(1, &["connect", "unix:/no/such/path"], b"");
    assert!(said.contains("there is no such socket"), "{said}");
    let path = path("stale");
    drop(UnixListener::bind(&path).expect("a new path"));
    until_refused(|| UnixStream::connect(&path));
    let said = fails(1, &["connect", &format!("unix:{}", path.display())], b"");
    assert!(said.contains("refused"), "{said}");
    std::fs::remove_file(path).expect("ours");
}

/// All addresses of a name are tried: here the one that nobody listens on may come first.
#[test]
fn names_are_tried_to_the_end() {
    let server = Running::start(&["echo", "-l", "127.0.0.1:0"]);
    let (_, port) = server.inet().rsplit_once(':').expect("a port");
    let target = format!("tcp://localhost:{port}/");
    assert_eq!(succeeds(&["connect", &target], b"word").0, b"word");
    server.stop();
}

/// `longshore connect … | head`: ends when nobody reads any more, without a word.
#[test]
fn a_reader_that_has_enough() {
    let (address, server) = once(|mut stream| {
        let piece = vec![b'x'; 65_536];
        while stream.write_all(&piece).is_ok() {}
    });
    let mut client = spawn(&["connect", "--no-input", &address]);
    let mut output = client.stdout.take().expect("piped");
    output.read_exact(&mut [0; 100]).expect("some of it");
    drop(output);
    let ended = thread::scope(|scope| scope.spawn(|| client.wait_with_output()).join());
    let ended = ended.expect("no panic").expect("it ends");
    assert_eq!(text(&ended.stderr), "");
    server.join().expect("no panic");
}
