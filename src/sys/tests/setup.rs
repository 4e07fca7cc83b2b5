//! Sockets come into being, get names, connect and end.

use super::*;
use crate::sys::{AcceptError, Call, How};

/// A whole life of a connection, on any family.
fn life(at: &Address) -> (Address, Address) {
    let probe = &mut Silent;
    let (listener, bound) = listener(at);
    assert!(sys::is_listening(probe, listener.as_fd()).unwrap());
    let client = sys::socket(probe, at.family(), Kind::Stream, Mode::Blocking).unwrap();
    sys::connect(probe, client.as_fd(), &bound).unwrap();
    let (server, from) = sys::accept4_from(probe, listener.as_fd(), Mode::Nonblocking).unwrap();
    assert_eq!(from, sys::getsockname(probe, client.as_fd()).unwrap());
    assert_eq!(from, sys::getpeername(probe, server.as_fd()).unwrap());
    assert_eq!(bound, sys::getpeername(probe, client.as_fd()).unwrap());

    let mut buf = [0; 16];
    let nothing = sys::recv(probe, server.as_fd(), &mut buf);
    assert_eq!(
        errno(nothing),
        libc::EAGAIN,
        "the accepted socket is non-blocking"
    );
    assert_eq!(sys::send(probe, client.as_fd(), b"ahoy").unwrap(), 4);
    sys::shutdown(probe, client.as_fd(), How::Write).unwrap();
    assert_eq!(sys::recv(probe, server.as_fd(), &mut buf).unwrap(), 4);
    assert_eq!(&buf[..4], b"ahoy");
    assert_eq!(
        sys::recv(probe, server.as_fd(), &mut buf).unwrap(),
        0,
        "the end"
    );
    assert_eq!(
        sys::send(probe, server.as_fd(), b"bye").unwrap(),
        3,
        "half-closed"
    );
    assert_eq!(sys::recv(probe, client.as_fd(), &mut buf).unwrap(), 3);
    sys::close(probe, server).unwrap();
    (bound, from)
}

#[test]
fn ipv4() {
    let (bound, from) = life(&address("127.0.0.1:0"));
    assert_ne!(bound.inet().unwrap().port(), 0);
    assert_eq!(from.family(), Family::Inet);
}

#[test]
fn ipv6() {
    if has_ipv6() {
        let (_, from) = life(&address("[::1]:0"));
        assert_eq!(from.family(), Family::Inet6);
    }
}

#[test]
fn unix_path() {
    let dir = TempDir::new();
    let at = Address::Unix(UnixName::Path(dir.0.join("socket")));
    let (bound, from) = life(&at);
    assert_eq!(bound, at);
    assert_eq!(from, Address::Unix(UnixName::Unnamed));
    let again = sys::socket(&mut Silent, Family::Unix, Kind::Stream, Mode::Blocking).unwrap();
    let taken = sys::bind(&mut Silent, again.as_fd(), &at);
    assert_eq!(errno(taken), libc::EADDRINUSE, "the file stays behind");
}

#[test]
fn unix_path_of_the_greatest_length() {
    let dir = TempDir::new();
    let rest = sys::SUN_PATH_BYTES_MAX - dir.0.as_os_str().len() - 1;
    let at = Address::Unix(UnixName::Path(dir.0.join("x".repeat(rest))));
    assert_eq!(life(&at).0, at);
}

#[test]
fn unix_abstract() {
    let at = abstract_name();
    assert_eq!(life(&at).0, at);
    let any = Address::Unix(UnixName::Abstract(b"\0\xff longshore \0 bytes \n".to_vec()));
    assert_eq!(life(&any).0, any);
}

#[test]
fn unix_autobind_chooses_an_abstract_name() {
    let (bound, _) = life(&Address::Unix(UnixName::Unnamed));
    assert!(matches!(bound, Address::Unix(UnixName::Abstract(name)) if !name.is_empty()));
}

#[test]
fn no_connection_waits() {
    let (listener, _) = listener(&address("127.0.0.1:0"));
    let error = sys::accept4(&mut Silent, listener.as_fd(), Mode::Nonblocking).unwrap_err();
    assert_eq!(sys::accept_error(&error), AcceptError::NotReady);
    let error = sys::accept4_from(&mut Silent, listener.as_fd(), Mode::Nonblocking).unwrap_err();
    assert_eq!(sys::accept_error(&error), AcceptError::NotReady);
}

#[test]
fn accepting_on_what_does_not_listen() {
    let fd = sys::socket(&mut Silent, Family::Inet, Kind::Stream, Mode::Blocking).unwrap();
    let error = sys::accept4(&mut Silent, fd.as_fd(), Mode::Blocking).unwrap_err();
    assert_eq!(sys::accept_error(&error), AcceptError::Listener);
}

#[test]
fn connecting_in_progress_then_done() {
    let probe = &mut Silent;
    let (_listener, bound) = listener(&address("127.0.0.1:0"));
    let fd = sys::socket(probe, Family::Inet, Kind::Stream, Mode::Nonblocking).unwrap();
    match errno(sys::connect(probe, fd.as_fd(), &bound)) {
        0 => {}
        errno => assert_eq!(errno, libc::EINPROGRESS),
    }
    let mut fds = [sys::PollFd::new(fd.as_fd(), sys::POLLOUT)];
    assert_eq!(sys::poll(probe, &mut fds, SOON).unwrap(), 1);
    sys::connect_result(probe, fd.as_fd()).unwrap();
}

#[test]
fn connecting_where_nobody_listens() {
    let probe = &mut Silent;
    let (listening, bound) = listener(&address("127.0.0.1:0"));
    drop(listening);
    let fd = sys::socket(probe, Family::Inet, Kind::Stream, Mode::Nonblocking).unwrap();
    let error = match sys::connect(probe, fd.as_fd(), &bound) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {
            let mut fds = [sys::PollFd::new(fd.as_fd(), sys::POLLOUT)];
            sys::poll(probe, &mut fds, SOON).unwrap();
            sys::connect_result(probe, fd.as_fd()).unwrap_err()
        }
        Err(error) => error,
        Ok(()) => panic!("nobody listens there"),
    };
    assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
    sys::connect_result(probe, fd.as_fd()).expect("the error was taken away");
}

#[test]
fn descriptors_are_close_on_exec() {
    let probe = &mut Silent;
    let (client, server) = tcp_pair();
    let (listener, _) = listener(&address("127.0.0.1:0"));
    let dir = std::fs::File::open("/proc/self").unwrap();
    let options = sys::Beneath::default();
    let file = sys::openat2(probe, dir.as_fd(), "status".as_ref(), &options).unwrap();
    let epoll = sys::epoll_create1(probe).unwrap();
    let bell = sys::eventfd(probe).unwrap();
    for fd in [client, server, listener, file, epoll, bell] {
        let flags = nix::fcntl::fcntl(&fd, nix::fcntl::FcntlArg::F_GETFD).unwrap();
        assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
    }
}

#[test]
fn modes_can_be_changed() {
    let probe = &mut Silent;
    let (client, _server) = tcp_pair();
    sys::set_mode(probe, client.as_fd(), Mode::Nonblocking).unwrap();
    assert_eq!(
        errno(sys::recv(probe, client.as_fd(), &mut [0])),
        libc::EAGAIN
    );
    sys::set_mode(probe, client.as_fd(), Mode::Blocking).unwrap();
    let flags = nix::fcntl::fcntl(&client, nix::fcntl::FcntlArg::F_GETFL).unwrap();
    assert_eq!(flags & libc::O_NONBLOCK, 0);
}

#[test]
fn shutting_what_is_not_connected() {
    let fd = sys::socket(&mut Silent, Family::Inet, Kind::Stream, Mode::Blocking).unwrap();
    let result = sys::shutdown(&mut Silent, fd.as_fd(), How::Both);
    assert_eq!(errno(result), libc::ENOTCONN);
    assert_eq!(
        errno(sys::getpeername(&mut Silent, fd.as_fd())),
        libc::ENOTCONN
    );
}

#[test]
fn limits_and_processors() {
    let (soft, hard) = sys::nofile().unwrap();
    assert!(soft > 0 && soft <= hard);
    let (soft, hard) = sys::memlock().unwrap();
    assert!(soft <= hard);
    let raised = sys::raise_nofile(&mut Silent).unwrap();
    assert_eq!(sys::nofile().unwrap(), (raised, raised));
    assert_eq!(
        sys::raise_nofile(&mut Silent).unwrap(),
        raised,
        "again is no error"
    );

    let cpus = sys::allowed_cpus().unwrap();
    assert!(cpus.is_sorted() && !cpus.is_empty());
    let last = *cpus.last().unwrap();
    std::thread::spawn(move || {
        sys::pin_thread(&mut Silent, last).unwrap();
        assert_eq!(sys::allowed_cpus().unwrap(), [last]);
        assert_eq!(errno(sys::pin_thread(&mut Silent, 100_000)), libc::EINVAL);
    })
    .join()
    .unwrap();
}

#[test]
fn a_pair_is_connected_without_names() {
    let probe = &mut Silent;
    for kind in [Kind::Stream, Kind::Datagram] {
        let (one, other) = sys::socketpair(probe, kind, Mode::Nonblocking).unwrap();
        sys::send(probe, one.as_fd(), b"ahoy").unwrap();
        let mut buf = [0; 16];
        assert_eq!(sys::recv(probe, other.as_fd(), &mut buf).unwrap(), 4);
        assert_eq!(errno(sys::recv(probe, one.as_fd(), &mut buf)), libc::EAGAIN);
        let name = sys::getsockname(probe, one.as_fd()).unwrap();
        assert_eq!(name, Address::Unix(UnixName::Unnamed));
    }
    let mut call = Call::Socketpair {
        family: libc::AF_UNIX,
        kind: libc::SOCK_STREAM | libc::SOCK_CLOEXEC,
        protocol: 0,
        pair: Some([5, 6]),
    };
    let text = "socketpair(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0, [5, 6])";
    assert_eq!(call.to_string(), text);
    if let Call::Socketpair { pair, .. } = &mut call {
        *pair = None;
    }
    assert_eq!(call.to_string(), text.replace("[5, 6]", "[]"));
}
