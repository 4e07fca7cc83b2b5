//! Addresses: what can be listened on, what is refused with a helpful line, and what is left behind.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::fails;
use crate::peer::Peer;
use crate::server::{PROGRAM, Server, eventually, on_each_backend, with_servers};

const REQUEST: &[u8] = b"GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// A directory for one test, removed at its end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("longshore-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a new directory");
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Left behind at worst.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn unix(path: &Path) -> String {
    format!("unix:{}", path.display())
}

/// HTTP over any stream, up to the end of the connection.
fn is_served_over(mut stream: impl Read + Write) {
    stream.write_all(REQUEST).expect("the server reads");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("text");
    assert!(reply.ends_with("\r\n\r\nHello, World!"), "{reply}");
}

#[test]
fn a_busy_port_is_an_error_with_advice() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = other.local_addr().expect("bound").to_string();
    for workers in ["1", "2"] {
        let said = fails(1, &["serve", "--listen", &address, "--workers", workers]);
        assert!(
            said.contains(&address) && said.contains("--reuse-port"),
            "{said}"
        );
    }
    // One address that cannot be had is enough, whatever the others are.
    fails(
        1,
        &["serve", "--listen", "127.0.0.1:0", "--listen", &address],
    );
}

#[test]
fn a_port_of_another_longshore_is_busy_too() {
    on_each_backend(|backend| {
        for workers in ["1", "2"] {
            // Its sockets allow sharing among its own workers, which must not let another program in.
            let mut command = Server::command(backend, "127.0.0.1:0");
            command.args(["--workers", workers]);
            let first = Server::spawn(command, backend, 1);
            let address = first.address().to_string();
            for others in ["1", "2"] {
                let said = fails(1, &["serve", "--listen", &address, "--workers", others]);
                assert!(said.contains(&address), "{said}");
            }
            assert_eq!(first.connect().fetch("/pipeline").text(), "ok");
            assert_eq!(first.stop().connections, 1, "{backend}");
        }
    });
}

#[test]
fn a_port_can_be_shared_by_those_who_ask() {
    on_each_backend(|backend| {
        let start = |address: &str| {
            let mut command = Server::command(backend, address);
            command.args(["--workers", "1", "--reuse-port"]);
            Server::spawn(command, backend, 1)
        };
        let first = start("127.0.0.1:0");
        let second = start(&first.address().to_string());
        for _ in 0..40 {
            assert_eq!(first.connect().fetch("/pipeline").text(), "ok");
        }
        let counts = [first.stop(), second.stop()];
        let total: u64 = counts.iter().map(|counts| counts.requests).sum();
        assert_eq!(total, 40, "{backend}: {counts:?}");
    });
}

#[test]
fn the_port_is_free_again_at_once() {
    on_each_backend(|backend| {
        let first = Server::start(backend, &[]);
        let address = first.address().to_string();
        let mut peer = first.connect();
        assert_eq!(peer.fetch("/pipeline").text(), "ok");
        // The server closes first: its side of the connection stays in TIME_WAIT.
        first.stop();
        peer.ends();
        drop(peer);
        let second = Server::spawn(Server::command(backend, &address), backend, 1);
        assert_eq!(second.connect().fetch("/pipeline").text(), "ok");
        second.stop();
    });
}

#[test]
fn several_addresses_are_served_by_one_server() {
    let directory = Directory::new("several");
    on_each_backend(|backend| {
        let path = directory.path(backend);
        let mut command = Server::command(backend, "127.0.0.1:0");
        command.args(["--listen", "127.0.0.1:0", "--listen", "127.0.0.2:0"]);
        command.args(["--listen", &unix(&path), "--workers", "2"]);
        // They mean nothing to the Unix socket.
        command.args(["--keepalive", "60", "--user-timeout", "30"]);
        let server = Server::spawn(command, backend, 4);
        let mut ports = Vec::new();
        for listening in &server.listening[..3] {
            let address = listening
                .strip_prefix("http://")
                .expect("TCP")
                .parse()
                .expect("an address");
            assert_eq!(Peer::connect(address).fetch("/pipeline").text(), "ok");
            ports.push(address.port());
        }
        assert!(!ports.contains(&0), "the real ports are told: {ports:?}");
        assert_ne!(ports[0], ports[1], "each port 0 is a port of its own");
        is_served_over(UnixStream::connect(&path).expect("a socket"));
        assert_eq!(server.stop().connections, 4, "{backend}");
        assert!(!path.exists(), "{backend}: the path is taken away");
    });
}

#[test]
fn ipv6_is_served_where_there_is_any() {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("SKIPPED: this machine has no IPv6");
        return;
    }
    on_each_backend(|backend| {
        let server = Server::spawn(Server::command(backend, "[::1]:0"), backend, 1);
        assert!(
            server.listening[0].starts_with("http://[::1]:"),
            "{}",
            server.listening[0]
        );
        assert_eq!(server.connect().fetch("/pipeline").text(), "ok");
        server.stop();
        // Only with the option does [::] leave IPv4 alone.
        for (option, reached) in [(None, true), (Some("--only-v6"), false)] {
            let mut command = Server::command(backend, "[::]:0");
            command.args(option).args(["--workers", "1"]);
            let server = Server::spawn(command, backend, 1);
            let v4 = (Ipv4Addr::LOCALHOST, server.address().port());
            assert_eq!(TcpStream::connect(v4).is_ok(), reached, "{option:?}");
            server.stop();
        }
    });
}

#[test]
fn a_unix_path_is_made_used_and_removed() {
    let directory = Directory::new("path");
    on_each_backend(|backend| {
        let path = directory.path(backend);
        // A path that somebody left behind: nobody listens there any more.
        drop(UnixListener::bind(&path).expect("a new path"));
        // A server that another test starts in that moment has its descriptor too, until its execve(2).
        eventually("nobody is there", || UnixStream::connect(&path).is_err());
        let mut command = Server::command(backend, &unix(&path));
        command.args(["--workers", "2", "--unix-mode", "600"]);
        let server = Server::spawn(command, backend, 1);
        assert_eq!(server.listening[0], unix(&path));
        let metadata = fs::symlink_metadata(&path).expect("the path");
        assert!(metadata.file_type().is_socket());
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{backend}");
        for _ in 0..10 {
            is_served_over(UnixStream::connect(&path).expect("a socket"));
        }

        // It is alive: nobody else may take it.
        let said = fails(1, &["serve", "--listen", &unix(&path)]);
        assert!(said.contains(&path.display().to_string()), "{said}");
        is_served_over(UnixStream::connect(&path).expect("still there"));
        assert_eq!(server.stop().requests, 11, "{backend}");
        assert!(!path.exists(), "{backend}: the path is taken away");
    });
}

#[test]
fn workers_that_share_a_path_all_hear_of_the_stop() {
    // One socket for all of them: what one does to it when it stops must not hold up another. A race between two shows in
    // a few of a hundred starts.
    let directory = Directory::new("shared");
    on_each_backend(|backend| {
        let path = directory.path(backend);
        for _ in 0..60 {
            let mut command = Server::command(backend, &unix(&path));
            command.args(["--workers", "16"]);
            Server::spawn(command, backend, 1).stop();
            assert!(!path.exists(), "{backend}: the path is taken away");
        }
    });
}

#[test]
fn a_path_is_removed_where_the_start_fails_behind_it() {
    let directory = Directory::new("unfinished");
    on_each_backend(|backend| {
        let path = directory.path(backend);
        // From too few for the copies of the socket to too few for what the workers open.
        for descriptors in 6..30 {
            let script = format!("ulimit -n {descriptors}; exec \"$@\"");
            let mut command = Command::new("sh");
            command.args(["-c", &script, "sh", PROGRAM, "serve", "--backend", backend]);
            command.args(["--workers", "16", "--listen", &unix(&path)]);
            let output = command.output().expect("a shell");
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{backend}: {said}");
            assert!(!path.exists(), "{backend}, {descriptors}: {said}");
        }
    });
}

#[test]
fn a_path_that_is_no_socket_is_left_alone() {
    let directory = Directory::new("file");
    let path = directory.path("notes");
    fs::write(&path, "not to be lost").expect("a new file");
    let said = fails(1, &["serve", "--listen", &unix(&path)]);
    assert!(said.contains("not a socket"), "{said}");
    assert_eq!(
        fs::read_to_string(&path).expect("still there"),
        "not to be lost"
    );
    let said = fails(
        1,
        &["serve", "--listen", &unix(&directory.path("no/such/place"))],
    );
    assert!(said.contains("directory does not exist"), "{said}");
    // A path of 200 bytes does not fit into an address (unix(7)).
    let long = directory.path(&"x".repeat(200));
    let said = fails(2, &["serve", "--listen", &unix(&long)]);
    assert!(said.contains("108") || said.contains("long"), "{said}");
}

#[test]
fn a_path_that_was_replaced_is_not_removed() {
    let directory = Directory::new("replaced");
    let path = directory.path("socket");
    let server = Server::spawn(Server::command("epoll", &unix(&path)), "epoll", 1);
    fs::remove_file(&path).expect("the path");
    let _other = UnixListener::bind(&path).expect("a new path");
    server.stop();
    assert!(path.exists(), "it belongs to somebody else now");
}

#[test]
fn an_abstract_name_works_like_a_path() {
    on_each_backend(|backend| {
        let name = format!("longshore-{}-{backend}", std::process::id());
        let address = format!("unix:@{name}");
        let server = Server::spawn(Server::command(backend, &address), backend, 1);
        assert_eq!(server.listening[0], address);
        let socket = SocketAddr::from_abstract_name(&name).expect("a name");
        is_served_over(UnixStream::connect_addr(&socket).expect("a socket"));
        assert_eq!(
            fails(1, &["serve", "--listen", &address]).lines().count(),
            1
        );
        server.stop();
        assert!(
            UnixStream::connect_addr(&socket).is_err(),
            "the name went with it"
        );
    });
}

#[test]
fn socket_options_do_not_get_in_the_way() {
    let options = "--defer-accept 1 --fast-open 16 --keepalive 60 --user-timeout 30 --not-sent-lowat 16384 \
        --receive-buffer 65536 --send-buffer 65536 --backlog 16 --pin";
    let options: Vec<&str> = options.split_whitespace().collect();
    with_servers(&options, |server| {
        let body = crate::peer::pattern(200_000);
        let mut peer = server.connect();
        assert!(
            peer.ask(crate::peer::with_length("POST", "/echo", &body))
                .body
                == body
        );
    });
}
