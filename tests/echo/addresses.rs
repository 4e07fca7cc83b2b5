//! Where it listens, and what it says where it cannot.

use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

use crate::programs::{Running, fails, path, until_refused};
use crate::streams::{says, tcp};
use crate::{ALL, with_each};

#[test]
fn the_first_line_says_where() {
    let server = Running::start(&["echo", "-l", "127.0.0.1:0"]);
    assert!(server.at.starts_with("tcp 127.0.0.1:") && !server.at.ends_with(":0"));
    says(&mut tcp(&server), b"ahoy");
    server.stop();
    let server = Running::start(&["echo", "-l", "localhost:0"]);
    says(&mut tcp(&server), b"by name");
    server.stop();
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        let server = Running::start(&["echo", "tcp", "-l", "[::1]:0", "-m", "epoll"]);
        assert!(server.at.starts_with("tcp [::1]:"), "{}", server.at);
        says(&mut tcp(&server), b"six");
        server.stop();
    }
    let name = format!("unix:@longshore-echo-{}", std::process::id());
    let server = Running::start(&["echo", "-l", &name]);
    assert_eq!(server.at, name);
    server.stop();
}

#[test]
fn a_busy_address_is_named() {
    with_each(&ALL, |model| {
        let server = Running::start(&["echo", "-l", "127.0.0.1:0", "-m", model]);
        let said = fails(1, &["echo", "-l", server.inet(), "-m", model], b"");
        let expected = format!(
            "cannot listen on tcp {}: Address already in use",
            server.inet()
        );
        assert!(said.contains(&expected) && said.contains("-l"), "{said}");
        server.stop();

        let server = Running::start(&["echo", "udp", "-l", "127.0.0.1:0", "-m", model]);
        let said = fails(1, &["echo", "udp", "-l", server.inet(), "-m", model], b"");
        assert!(said.contains("cannot listen on udp"), "{said}");
        server.stop();

        let said = fails(1, &["echo", "-l", "192.0.2.1:0", "-m", model], b"");
        assert!(said.contains("no interface"), "{said}");
    });
}

#[test]
fn paths_of_sockets() {
    with_each(&ALL, |model| {
        for kind in ["unix", "unix-datagram"] {
            let path = path("paths");
            let address = format!("unix:{}", path.display());
            let arguments = ["echo", kind, "-l", &address, "-m", model];
            // Left behind by somebody who has died: nobody is at it.
            if kind == "unix" {
                drop(UnixListener::bind(&path).expect("a new path"));
                until_refused(|| UnixStream::connect(&path));
            } else {
                drop(UnixDatagram::bind(&path).expect("a new path"));
                until_refused(|| UnixDatagram::unbound()?.connect(&path));
            }
            let server = Running::start(&arguments);
            let said = fails(1, &arguments, b"");
            assert!(said.contains("another program"), "{said}");
            server.stop();
            assert!(!path.exists(), "{kind}: removed at the end");

            std::fs::write(&path, "precious").expect("a file");
            let said = fails(1, &arguments, b"");
            assert!(said.contains("not a socket"), "{said}");
            let kept = std::fs::read_to_string(&path).expect("it is still there");
            assert_eq!(kept, "precious");
            std::fs::remove_file(&path).expect("ours");
        }
    });
}

#[test]
fn mistakes_have_code_2() {
    let table: [(&[&str], &str); 10] = [
        (&["echo", "sctp"], "unix-datagram"),
        (&["echo", "-m", "kqueue"], "io-uring"),
        (&["echo", "-l", "7007"], "127.0.0.1:7007"),
        (&["echo", "udp", "-l", "unix:/tmp/x"], "does not go with"),
        (&["echo", "unix", "-l", "127.0.0.1:0"], "does not go with"),
        (&["echo", "-l", "http://127.0.0.1:0/"], "URL"),
        (&["echo", "--connections-max", "0"], "connections-max"),
        (&["echo", "--buffer-bytes", "0"], "buffer-bytes"),
        (&["echo", "--idle-timeout", "never"], "seconds"),
        (&["echo", "tcp", "stray"], "stray"),
    ];
    for (arguments, hint) in table {
        let said = fails(2, arguments, b"");
        assert!(
            said.starts_with("error: ") && said.contains(hint),
            "{arguments:?}: {said}"
        );
    }
}
