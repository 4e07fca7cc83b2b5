//! Bytes, datagrams and files move.

use super::*;
use crate::sys::{Beneath, StreamError};
use std::fs::{self, File};
use std::io::IoSlice;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// Runs a test of this file again in a process of its own: SIGPIPE is one switch for the whole process.
fn in_a_child(test: &str) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("sys::tests::data::{test}"), "--quiet"])
        .env(CHILD, test)
        .stdout(Stdio::null())
        .status()
        .unwrap()
}

const CHILD: &str = "LONGSHORE_TEST_CHILD";

#[test]
fn sending_to_a_peer_that_left_is_an_error_and_not_the_end() {
    let this = "sending_to_a_peer_that_left_is_an_error_and_not_the_end";
    if std::env::var_os(CHILD).is_none() {
        assert!(in_a_child(this).success());
        return;
    }
    let probe = &mut Silent;
    sys::restore_sigpipe().unwrap();
    for (client, server) in [tcp_pair(), pair(&abstract_name())] {
        sys::close(probe, server).unwrap();
        let error = loop {
            if let Err(error) = sys::send(probe, client.as_fd(), b"anybody?") {
                break error;
            }
        };
        assert_eq!(sys::stream_error(&error), StreamError::PeerGone);
        let parts = [IoSlice::new(b"any"), IoSlice::new(b"body?")];
        let again = sys::sendmsg(probe, client.as_fd(), &parts);
        assert_eq!(errno(again), libc::EPIPE);
        assert_eq!(errno(sys::send(probe, client.as_fd(), b"?")), libc::EPIPE);
    }
}

#[test]
fn writing_to_a_pipe_that_nobody_reads_is_the_end_once_asked_for() {
    let this = "writing_to_a_pipe_that_nobody_reads_is_the_end_once_asked_for";
    if std::env::var_os(CHILD).is_none() {
        assert_eq!(in_a_child(this).signal(), Some(libc::SIGPIPE));
        return;
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ignored = sys::write(&mut Silent, writer.as_fd(), b"anybody?");
    assert_eq!(
        errno(ignored),
        libc::EPIPE,
        "Rust programs start with SIGPIPE ignored"
    );
    sys::restore_sigpipe().unwrap();
    let _ = sys::write(&mut Silent, writer.as_fd(), b"anybody?");
}

#[test]
fn writing_beyond_the_limit_of_file_sizes_is_an_error_and_not_the_end() {
    let this = "writing_beyond_the_limit_of_file_sizes_is_an_error_and_not_the_end";
    if std::env::var_os(CHILD).is_none() {
        assert!(in_a_child(this).success());
        return;
    }
    let path = std::env::temp_dir().join(format!("longshore-{}-limit", std::process::id()));
    let file = File::create(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let resource = nix::sys::resource::Resource::RLIMIT_FSIZE;
    nix::sys::resource::setrlimit(resource, 4, 4).unwrap();
    sys::ignore_sigxfsz().unwrap();
    let probe = &mut Silent;
    let written = sys::write(probe, file.as_fd(), b"as far as");
    assert_eq!(written.unwrap(), 4, "what fits is written");
    assert_eq!(
        errno(sys::write(probe, file.as_fd(), b" it goes")),
        libc::EFBIG
    );
}

#[test]
fn reading_and_writing_any_descriptor() {
    let probe = &mut Silent;
    let (reader, writer) = std::io::pipe().unwrap();
    assert_eq!(sys::write(probe, writer.as_fd(), b"one ").unwrap(), 4);
    let parts = [
        IoSlice::new(b"two "),
        IoSlice::new(b""),
        IoSlice::new(b"three"),
    ];
    assert_eq!(sys::writev(probe, writer.as_fd(), &parts).unwrap(), 9);
    drop(writer);
    let mut buf = [0; 32];
    assert_eq!(sys::read(probe, reader.as_fd(), &mut buf).unwrap(), 13);
    assert_eq!(&buf[..13], b"one two three");
    assert_eq!(sys::read(probe, reader.as_fd(), &mut buf).unwrap(), 0);
}

#[test]
fn more_parts_than_one_call_takes_are_a_short_answer() {
    let probe = &mut Silent;
    let (client, server) = tcp_pair();
    let parts = vec![IoSlice::new(b"x"); 1500];
    assert_eq!(sys::sendmsg(probe, client.as_fd(), &parts).unwrap(), 1024);
    assert_eq!(
        sys::writev(probe, client.as_fd(), &parts[1024..]).unwrap(),
        476
    );
    assert_eq!(sys::sendmsg(probe, client.as_fd(), &[]).unwrap(), 0);
    drop(server);
}

#[test]
fn a_full_socket_is_not_ready() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let error = loop {
        if let Err(error) = sys::send(&mut Silent, ours.as_fd(), &vec![7; 65536]) {
            break error;
        }
    };
    assert_eq!(sys::stream_error(&error), StreamError::NotReady);
}

fn datagrams(a: &Address, b: &Address) {
    let probe = &mut Silent;
    let ((a, a_name), (b, b_name)) = (datagram_socket(a), datagram_socket(b));
    let mut buf = [0; 8];
    assert_eq!(
        errno(sys::recvfrom(probe, b.as_fd(), &mut buf)),
        libc::EAGAIN
    );
    for text in [&b"eight by"[..], b"", b"more than eight", b"four"] {
        assert_eq!(
            sys::sendto(probe, a.as_fd(), text, &b_name).unwrap(),
            text.len()
        );
    }
    let mut received = Vec::new();
    for _ in 0..4 {
        let one = sys::recvfrom(probe, b.as_fd(), &mut buf).unwrap();
        assert_eq!(one.from, a_name);
        received.push((buf[..one.bytes].to_vec(), one.truncated));
    }
    let expected = [
        (b"eight by".to_vec(), false),
        (Vec::new(), false),
        (b"more tha".to_vec(), true),
        (b"four".to_vec(), false),
    ];
    assert_eq!(received, expected);
}

#[test]
fn datagrams_of_every_family() {
    datagrams(&address("127.0.0.1:0"), &address("127.0.0.1:0"));
    if has_ipv6() {
        datagrams(&address("[::1]:0"), &address("[::1]:0"));
    }
    datagrams(&abstract_name(), &abstract_name());
    let dir = TempDir::new();
    let path = |name| Address::Unix(UnixName::Path(dir.0.join(name)));
    datagrams(&path("a"), &path("b"));
}

#[test]
fn a_datagram_from_nobody() {
    let probe = &mut Silent;
    let (to, name) = datagram_socket(&abstract_name());
    let from = sys::socket(probe, Family::Unix, Kind::Datagram, Mode::Nonblocking).unwrap();
    sys::sendto(probe, from.as_fd(), b"guess who", &name).unwrap();
    let received = sys::recvfrom(probe, to.as_fd(), &mut [0; 32]).unwrap();
    assert_eq!(received.from, Address::Unix(UnixName::Unnamed));
    assert_eq!((received.bytes, received.truncated), (9, false));
}

#[test]
fn a_datagram_that_is_too_large() {
    let (from, name) = datagram_socket(&address("127.0.0.1:0"));
    let result = sys::sendto(&mut Silent, from.as_fd(), &vec![0; 70_000], &name);
    assert_eq!(errno(result), libc::EMSGSIZE);
}

#[test]
fn files_are_opened_only_beneath() {
    let probe = &mut Silent;
    let dir = TempDir::new();
    let root = dir.0.join("root");
    fs::create_dir_all(root.join("sub")).unwrap();
    fs::write(dir.0.join("secret"), "secret").unwrap();
    fs::write(root.join("sub/page"), "page").unwrap();
    std::os::unix::fs::symlink("../../secret", root.join("sub/out")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", root.join("absolute")).unwrap();
    std::os::unix::fs::symlink("sub/page", root.join("inside")).unwrap();
    nix::unistd::mkfifo(&root.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();

    let root = File::open(root).unwrap();
    let mut open = |path: &str| {
        errno(sys::openat2(
            probe,
            root.as_fd(),
            Path::new(path),
            &Beneath::default(),
        ))
    };
    for inside in ["sub/page", "sub/../sub/page", "inside", "fifo"] {
        assert_eq!(open(inside), 0, "{inside}");
    }
    for outside in [
        "../secret",
        "sub/out",
        "absolute",
        "/etc/passwd",
        "sub/../../secret",
    ] {
        assert_eq!(open(outside), libc::EXDEV, "{outside}");
    }
    assert_eq!(open("sub/none"), libc::ENOENT);
    assert_eq!(open(""), libc::ENOENT);
    let nul = sys::openat2(probe, root.as_fd(), Path::new("a\0b"), &Beneath::default());
    assert_eq!(nul.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn pieces_of_a_file() {
    let probe = &mut Silent;
    let dir = TempDir::new();
    let path = dir.0.join("file");
    fs::write(&path, "0123456789").unwrap();
    let file = File::open(path).unwrap();
    let mut buf = [0; 4];
    assert_eq!(sys::pread(probe, file.as_fd(), &mut buf, 3).unwrap(), 4);
    assert_eq!(&buf, b"3456");
    assert_eq!(sys::pread(probe, file.as_fd(), &mut buf, 10).unwrap(), 0);
    assert_eq!(
        errno(sys::pread(probe, file.as_fd(), &mut buf, u64::MAX)),
        libc::EINVAL
    );

    let (client, server) = tcp_pair();
    let (out, file) = (client.as_fd(), file.as_fd());
    assert_eq!(sys::sendfile(probe, out, file, 2, 5).unwrap(), 5);
    assert_eq!(
        sys::sendfile(probe, out, file, 8, 5).unwrap(),
        2,
        "the file ends"
    );
    assert_eq!(sys::sendfile(probe, out, file, 10, 5).unwrap(), 0);
    assert_eq!(
        errno(sys::sendfile(probe, out, file, u64::MAX, 5)),
        libc::EINVAL
    );
    let mut sent = [0; 16];
    assert_eq!(sys::recv(probe, server.as_fd(), &mut sent).unwrap(), 7);
    assert_eq!(&sent[..7], b"2345689");
}
