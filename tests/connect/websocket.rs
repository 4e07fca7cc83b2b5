//! WebSockets: lines and messages, frames as -v shows them, and every way to end.

use std::io::{Read, Write};
use std::net::TcpStream;

use longshore::ws::{CloseCode, Kind, Opcode, accept_key, encode_close, encode_frame};
use nix::sys::signal::Signal;

use std::process::Command;

use crate::programs::{PROGRAM, Running, fails, run, spawn, text};
use crate::{head_of, once, succeeds};

fn serve(arguments: &[&str]) -> (Running, String) {
    let server = Running::start(&[&["serve", "-l", "127.0.0.1:0", "-w", "1"], arguments].concat());
    let url = format!("ws://{}/ws", server.inet());
    (server, url)
}

#[test]
fn a_line_is_a_message() {
    let (server, url) = serve(&[]);
    let (printed, said) = succeeds(&["connect", &url], "one\n\ndrei ü\r\nlast".as_bytes());
    assert_eq!(text(&printed), "one\n\ndrei ü\nlast\n");
    assert_eq!(said, "");
    let (printed, _) = succeeds(&["connect", "--whole", &url], b"one\ntwo\n");
    assert_eq!(printed, b"one\ntwo\n\n");
    let (printed, _) = succeeds(&["connect", "--binary", &url], b"\xff\x00\n\x01");
    assert_eq!(printed, b"\xff\x00\n\x01\n");
    let lines = "some line\nand another\n".repeat(10_000);
    let (printed, _) = succeeds(&["connect", &url], lines.as_bytes());
    assert!(printed == lines.as_bytes(), "{} bytes", printed.len());
    server.stop();
}

/// A message of megabytes that comes back while it is still being sent: neither side may wait for the other.
#[test]
fn a_large_message_does_not_lock_up() {
    let (server, url) = serve(&[]);
    let url = url.replace("/ws", "/ws/pieces");
    let line = "x".repeat(12 << 20);
    let (printed, _) = succeeds(&["connect", &url], line.as_bytes());
    assert_eq!(printed.len(), line.len() + 1);
    server.stop();
}

/// The transcript of `-v`, but for what is random.
#[test]
fn verbose_shows_heads_and_frames() {
    let (server, url) = serve(&[]);
    let at = server.inet();
    let arguments = [
        "connect",
        "-v",
        &url,
        "-H",
        "X-One: two",
        "--origin",
        "http://here",
    ];
    let (printed, said) = succeeds(&arguments, b"ahoy\n");
    assert_eq!(printed, b"ahoy\n");
    let plain: Vec<String> = said
        .lines()
        .map(|line| {
            for random in [
                "Sec-WebSocket-Key: ",
                "Sec-WebSocket-Accept: ",
                " key 0x",
                "* tcp ",
            ] {
                if let Some((before, behind)) = line.split_once(random) {
                    let code = behind
                        .split_once(" code")
                        .map_or(String::new(), |(_, code)| format!(" code{code}"));
                    return format!("{before}{random}…{code}");
                }
            }
            line.to_owned()
        })
        .collect();
    let expected = format!(
        "* tcp …\n> GET /ws HTTP/1.1\n> Host: {at}\n> Upgrade: websocket\n> Connection: Upgrade\n\
         > Sec-WebSocket-Version: 13\n> Sec-WebSocket-Key: …\n> Origin: http://here\n> X-One: two\n>\n\
         < HTTP/1.1 101 Switching Protocols\n< Upgrade: websocket\n< Connection: Upgrade\n\
         < Sec-WebSocket-Accept: …\n<\n→ fin text masked 4 bytes key 0x…\n→ fin close masked 2 bytes key 0x… code 1000\n\
         ← fin text 4 bytes\n← fin close 2 bytes code 1000\n* closed with 1000"
    );
    let (mut plain, mut expected): (Vec<&str>, Vec<&str>) = (
        plain.iter().map(String::as_str).collect(),
        expected.lines().collect(),
    );
    // Whether our Close leaves before the echo is read is a matter of moments, and the order of further fields is free.
    plain.sort_unstable();
    expected.sort_unstable();
    assert_eq!(plain, expected, "{said}");
    server.stop();
}

#[cfg(feature = "deflate")]
#[test]
fn deflate_is_offered_and_shown() {
    let (server, url) = serve(&["--ws-deflate"]);
    let line = "ahoy ".repeat(200);
    let (printed, said) = succeeds(&["connect", "-v", "--deflate", &url], line.as_bytes());
    assert_eq!(text(&printed), format!("{line}\n"));
    assert!(said.contains("→ fin rsv1 text masked "), "{said}");
    assert!(said.contains("> Sec-WebSocket-Extensions: permessage-deflate"));
    server.stop();
}

#[test]
fn commands() {
    let (server, url) = serve(&[]);
    let script = b"/ping abc\n//slash\n/nonsense\n/close 999\n/close 4001 done\n";
    let output = run(&["connect", "-v", "--commands", &url], script);
    let said = text(&output.stderr);
    assert!(said.contains("→ fin ping masked 3 bytes"), "{said}");
    assert!(said.contains("← fin pong 3 bytes"), "{said}");
    assert!(said.contains("commands are /ping"), "{said}");
    assert!(said.contains("a close code is 1000 to 4999"), "{said}");
    assert!(
        said.contains("→ fin close masked 6 bytes") && said.contains("code 4001"),
        "{said}"
    );
    assert_eq!(output.stdout, b"/slash\n");
    // The server gives our own code back, as it should: no failure.
    assert_eq!(output.status.code(), Some(0), "{said}");
    // Without the option a slash is only a slash.
    assert_eq!(succeeds(&["connect", &url], b"/close\n").0, b"/close\n");
    server.stop();
}

#[test]
fn over_a_unix_socket() {
    let name = format!("unix:@longshore-ws-{}", std::process::id());
    let server = Running::start(&["serve", "-l", &name, "-w", "1"]);
    let (printed, _) = succeeds(&["connect", "ws://ship/ws", "--over", &name], b"ahoy");
    assert_eq!(printed, b"ahoy\n");
    server.stop();
}

#[test]
fn refusals() {
    let (server, _) = serve(&[]);
    let plain = format!("ws://{}/plaintext", server.inet());
    let said = fails(1, &["connect", &plain], b"");
    assert!(
        said.contains("the server answered 200 instead of 101"),
        "{said}"
    );
    let nowhere = format!("ws://{}/nowhere", server.inet());
    let said = fails(1, &["connect", &nowhere], b"");
    assert!(
        said.contains("the server answered 404 instead of 101"),
        "{said}"
    );
    let (address, _) = once(|mut stream| {
        head_of(&mut stream);
        let _ = stream.write_all(b"SSH-2.0-x\r\n");
    });
    let said = fails(1, &["connect", &format!("ws://{address}/")], b"");
    assert!(said.contains("no HTTP/1"), "{said}");
    server.stop();
}

/// A server that stops says so by 1001, which is an end in order.
#[test]
fn the_server_goes_away() {
    let (server, url) = serve(&[]);
    let mut client = spawn(&["connect", "-v", &url]);
    let mut input = client.stdin.take().expect("piped");
    input.write_all(b"word\n").expect("it reads");
    let output = client.stdout.as_mut().expect("piped");
    output.read_exact(&mut [0; 5]).expect("an answer");
    server.signal(Signal::SIGTERM);
    let output = client.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stderr);
    assert!(said.contains("* closed with 1001"), "{said}");
    drop(input);
    server.ended_well();
}

/// A server of this test: the handshake, then these bytes, then whatever the client says to its end.
fn says(frames: Vec<u8>) -> String {
    let (address, _) = once(move |mut stream| {
        open(&mut stream);
        stream.write_all(&frames).expect("the client reads");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    format!("ws://{address}/")
}

fn open(stream: &mut TcpStream) {
    let head = head_of(stream);
    let key = head
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
        .expect("a key");
    let accept = accept_key(key.as_bytes());
    let reply = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        text(&accept[..])
    );
    stream.write_all(reply.as_bytes()).expect("it reads");
}

#[test]
fn ends_that_are_failures() {
    let mut refused = Vec::new();
    let code = CloseCode::new(1008).expect("a code");
    encode_close(&mut refused, Some(code), "no \u{1b}[2J");
    let said = fails(
        1,
        &["connect", "--no-input", "--linger", "0.2", &says(refused)],
        b"",
    );
    // The reason is the peer's, and stands on our terminal.
    assert!(
        said.contains("the server closed with 1008 no \\x1b[2J"),
        "{said}"
    );

    let mut large = Vec::new();
    encode_frame(&mut large, Opcode::Text, true, None, &[b'x'; 100]);
    let url = says(large);
    let said = fails(
        1,
        &[
            "connect",
            "--no-input",
            "--bytes-max",
            "10",
            "--linger",
            "0.2",
            &url,
        ],
        b"",
    );
    assert!(
        said.contains("1009") && said.contains("raise --bytes-max"),
        "{said}"
    );

    let said = fails(
        1,
        &[
            "connect",
            "--no-input",
            "--linger",
            "0.2",
            &says(vec![0xff; 8]),
        ],
        b"",
    );
    assert!(said.contains("broke the protocol"), "{said}");

    let (address, _) = once(|mut stream| open(&mut stream));
    let url = format!("ws://{address}/");
    let said = fails(1, &["connect", "--no-input", &url], b"");
    assert!(said.contains("without a Close"), "{said}");

    let said = fails(1, &["connect", "--linger", "0.2", &says(Vec::new())], b"");
    assert!(said.contains("did not answer our Close"), "{said}");

    let said = fails(1, &["connect", &says(Vec::new())], b"\xff\n");
    assert!(
        said.contains("not UTF-8") && said.contains("--binary"),
        "{said}"
    );
}

#[test]
fn a_server_that_falls_silent() {
    let url = says(Vec::new());
    let said = fails(
        1,
        &[
            "connect",
            "-v",
            "--no-input",
            "--ping-interval",
            "0.2",
            &url,
        ],
        b"",
    );
    assert!(said.contains("→ fin ping masked 0 bytes"), "{said}");
    assert!(said.contains("did not answer a ping"), "{said}");
    let said = fails(
        1,
        &[
            "connect",
            "--no-input",
            "--timeout",
            "0.2",
            &says(Vec::new()),
        ],
        b"",
    );
    assert!(said.contains("nothing came from the server"), "{said}");
}

/// The kind of a message is the sender's affair: what comes is printed.
#[test]
fn text_and_binary_are_printed() {
    let mut frames = Vec::new();
    encode_frame(&mut frames, Kind::Text.opcode(), true, None, "ü".as_bytes());
    encode_frame(&mut frames, Kind::Binary.opcode(), true, None, b"\x00\xff");
    encode_close(&mut frames, None, "");
    let (printed, _) = succeeds(
        &["connect", "--no-input", "--linger", "0.2", &says(frames)],
        b"",
    );
    assert_eq!(
        printed,
        "ü\n".bytes().chain([0, 0xff, b'\n']).collect::<Vec<_>>()
    );
}

/// What `connect -v` says of these frames, both outputs as one, without what is said of the handshake and what it sends.
fn both_outputs(frames: Vec<u8>) -> Vec<String> {
    let arguments = ["-v", "--no-input", "--linger", "0.2", &says(frames)].join(" ");
    let both = format!("exec timeout --kill-after=5 30 {PROGRAM} connect {arguments} 2>&1");
    let output = Command::new("sh").args(["-c", &both]).output();
    let output = output.expect("a shell");
    text(&output.stdout)
        .lines()
        .filter(|line| !line.starts_with(['*', '>', '<', '→']))
        .map(str::to_owned)
        .collect()
}

/// One read brings three frames; each header stands before its message.
#[test]
fn headers_stand_before_their_messages() {
    let mut frames = Vec::new();
    encode_frame(&mut frames, Opcode::Text, true, None, b"a");
    encode_frame(&mut frames, Opcode::Text, false, None, b"b");
    encode_frame(&mut frames, Opcode::Continuation, true, None, b"c");
    encode_close(&mut frames, None, "");
    assert_eq!(
        both_outputs(frames),
        [
            "← fin text 1 byte",
            "a",
            "← text 1 byte",
            "← fin continuation 1 byte",
            "bc",
            "← fin close 0 bytes"
        ]
    );
}

/// Of a flood some are told of early, and none behind its message or twice.
#[test]
fn headers_of_a_flood_are_told_once() {
    let mut frames = Vec::new();
    for number in 0..300 {
        encode_frame(
            &mut frames,
            Opcode::Text,
            true,
            None,
            format!("m{number}").as_bytes(),
        );
    }
    encode_close(&mut frames, None, "");
    let (mut headers, mut messages) = (0, 0);
    for line in both_outputs(frames) {
        match line.strip_prefix('m') {
            Some(number) => {
                assert_eq!(number, messages.to_string());
                messages += 1;
                assert!(headers >= messages, "message {number} before its header");
            }
            None => headers += 1,
        }
    }
    assert_eq!((headers, messages), (301, 300), "the last is the Close");
}

/// The server stops only when it hears from the client, who must have looked at its input in the midst of the flood.
#[test]
fn a_flood_does_not_silence_the_user() {
    let (address, _) = once(|mut stream| {
        open(&mut stream);
        let mut heard = stream.try_clone().expect("a descriptor");
        let hears = std::thread::spawn(move || heard.read_exact(&mut [0]));
        let mut frames = Vec::new();
        for _ in 0..100 {
            encode_frame(&mut frames, Opcode::Text, true, None, &[b'x'; 4096]);
        }
        while !hears.is_finished() && stream.write_all(&frames).is_ok() {}
        frames.clear();
        encode_close(&mut frames, None, "");
        let _ = stream.write_all(&frames);
        // The server ends first (RFC 6455 §7.1.1).
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let url = format!("ws://{address}/");
    let mut process = spawn(&["connect", &url]);
    let mut printed = process.stdout.take().expect("piped");
    let mut typed = process.stdin.take().expect("piped");
    // In the midst of it.
    printed.read_exact(&mut vec![0; 64 << 10]).expect("a flood");
    typed.write_all(b"enough\n").expect("it listens");
    drop(typed);
    let drained = std::io::copy(&mut printed, &mut std::io::sink());
    drained.expect("the rest");
    assert_eq!(process.wait().expect("it ends").code(), Some(0));
}

/// A close reason cannot pose as a note of ours.
#[test]
fn a_reason_stays_on_its_line() {
    let mut refused = Vec::new();
    let code = CloseCode::new(1008).expect("a code");
    encode_close(&mut refused, Some(code), "no\n* closed with 1000");
    let url = says(refused);
    let arguments = ["connect", "-v", "--no-input", "--linger", "0.2", &url];
    let said = fails(1, &arguments, b"");
    assert!(
        said.contains("1008 no\\x0a* closed with 1000") && !said.contains("\n* closed with 1000"),
        "{said}"
    );
}
