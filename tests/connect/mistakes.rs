//! Mistakes of the command line get one helpful line, and code 2.

use crate::programs::{fails, run, text};

#[test]
fn mistakes_have_code_2() {
    let table: [(&[&str], &str); 22] = [
        (&["connect"], "TARGET"),
        (&["connect", ""], "empty"),
        (&["connect", "localhost"], "localhost:8080"),
        (&["connect", "8080"], "localhost:8080"),
        (&["connect", "localhost:99999"], "99999"),
        (&["connect", "wss://localhost/"], "TLS"),
        (&["connect", "https://localhost/"], "use http://"),
        (&["connect", "gopher://localhost"], "gopher"),
        (&["connect", "unix://run/x"], "unix:run/x"),
        (&["connect", "unix:"], "unix:/run/name.sock"),
        (&["connect", "tcp://unix:x"], "unix:PATH"),
        (&["connect", "http://user@localhost/"], "TARGET"),
        (&["connect", "ws://localhost/#part"], "TARGET"),
        (&["connect", "ws://localhost/ x"], "TARGET"),
        (
            &["connect", "localhost:1", "-X", "PUT"],
            "--request is only for http://",
        ),
        (&["connect", "ws://a/", "/b"], "only for http://"),
        (&["connect", "http://a/", "--binary"], "only for ws://"),
        (&["connect", "http://a/", "b"], "begins with /"),
        (&["connect", "http://a/", "-H", "no colon"], "Name: value"),
        (&["connect", "http://a/", "-H", "A: b\r\nC: d"], "line ends"),
        (&["connect", "http://a/", "-X", "GET /"], "method"),
        (&["connect", "http://a/", "-X", "CONNECT"], "proxies"),
    ];
    for (arguments, hint) in table {
        let said = fails(2, arguments, b"");
        assert!(
            said.starts_with("error: ") && said.contains(hint),
            "{arguments:?}: {said}"
        );
    }
}

#[test]
fn help_is_an_answer() {
    for (command, words) in [
        (
            "connect",
            ["--linger", "--pipeline", "Exit codes", "--ping-interval"],
        ),
        (
            "echo",
            ["--idle-timeout", "io-uring", "unix-datagram", "below 1024"],
        ),
    ] {
        let output = run(&[command, "--help"], b"");
        assert!(output.status.success() && output.stderr.is_empty());
        let help = text(&output.stdout)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        for word in words {
            assert!(help.contains(word), "{command}: {word} is missing");
        }
    }
}
