//! Every option is set and read back.

use super::*;
use crate::sys::{KeepaliveTimes, SocketOption};

fn set(fd: &OwnedFd, option: SocketOption) {
    sys::setsockopt(&mut Silent, fd.as_fd(), &option)
        .unwrap_or_else(|error| panic!("{option:?}: {error}"));
}

fn stream(family: Family) -> OwnedFd {
    sys::socket(&mut Silent, family, Kind::Stream, Mode::Nonblocking).unwrap()
}

#[test]
fn switches() {
    let fd = stream(Family::Inet);
    let probe = &mut Silent;
    for on in [true, false] {
        set(&fd, SocketOption::ReuseAddress(on));
        assert_eq!(sys::reuse_address(probe, fd.as_fd()).unwrap(), on);
        set(&fd, SocketOption::ReusePort(on));
        assert_eq!(sys::reuse_port(probe, fd.as_fd()).unwrap(), on);
        set(&fd, SocketOption::NoDelay(on));
        assert_eq!(sys::no_delay(probe, fd.as_fd()).unwrap(), on);
        set(&fd, SocketOption::BindAddressNoPort(on));
        assert_eq!(sys::bind_address_no_port(probe, fd.as_fd()).unwrap(), on);
        assert!(!sys::is_listening(probe, fd.as_fd()).unwrap());
    }
}

#[test]
fn only_ipv6() {
    if has_ipv6() {
        let fd = stream(Family::Inet6);
        for on in [true, false] {
            set(&fd, SocketOption::OnlyV6(on));
            assert_eq!(sys::only_v6(&mut Silent, fd.as_fd()).unwrap(), on);
        }
        set(&fd, SocketOption::BindAddressNoPort(true));
    }
}

#[test]
fn numbers() {
    let fd = stream(Family::Inet);
    let probe = &mut Silent;
    set(&fd, SocketOption::NotSentLowat(16384));
    assert_eq!(sys::not_sent_lowat(probe, fd.as_fd()).unwrap(), 16384);
    set(&fd, SocketOption::NotSentLowat(u32::MAX));
    assert_eq!(sys::not_sent_lowat(probe, fd.as_fd()).unwrap(), u32::MAX);
    set(&fd, SocketOption::FastOpen(5));
    assert_eq!(sys::fast_open(probe, fd.as_fd()).unwrap(), 5);
    set(&fd, SocketOption::ReceiveBuffer(20_000));
    assert_eq!(
        sys::receive_buffer(probe, fd.as_fd()).unwrap(),
        40_000,
        "the kernel doubles"
    );
    set(&fd, SocketOption::SendBuffer(20_000));
    assert_eq!(sys::send_buffer(probe, fd.as_fd()).unwrap(), 40_000);
    set(&fd, SocketOption::SendBuffer(usize::MAX));
    assert!(
        sys::send_buffer(probe, fd.as_fd()).unwrap() >= 40_000,
        "cut, not refused"
    );
}

#[test]
fn times() {
    let fd = stream(Family::Inet);
    let probe = &mut Silent;
    set(
        &fd,
        SocketOption::UserTimeout(Duration::from_micros(1_234_500)),
    );
    let rounded_up = Duration::from_millis(1235);
    assert_eq!(sys::user_timeout(probe, fd.as_fd()).unwrap(), rounded_up);
    set(&fd, SocketOption::DeferAccept(Duration::from_millis(10)));
    let kept = sys::defer_accept(probe, fd.as_fd()).unwrap();
    assert!(
        kept >= Duration::from_secs(1),
        "a short time is not off: {kept:?}"
    );
    set(&fd, SocketOption::DeferAccept(Duration::ZERO));
    assert_eq!(
        sys::defer_accept(probe, fd.as_fd()).unwrap(),
        Duration::ZERO
    );

    assert_eq!(sys::linger(probe, fd.as_fd()).unwrap(), None);
    for time in [Some(Duration::ZERO), Some(Duration::from_secs(3)), None] {
        set(&fd, SocketOption::Linger(time));
        assert_eq!(sys::linger(probe, fd.as_fd()).unwrap(), time);
    }
}

#[test]
fn keepalive() {
    let fd = stream(Family::Inet);
    let probe = &mut Silent;
    assert_eq!(sys::keepalive(probe, fd.as_fd()).unwrap(), None);
    let (idle, interval) = (Duration::from_secs(60), Duration::from_secs(10));
    set(
        &fd,
        SocketOption::Keepalive {
            idle,
            interval,
            count: 3,
        },
    );
    let expected = KeepaliveTimes {
        idle,
        interval,
        count: 3,
    };
    assert_eq!(sys::keepalive(probe, fd.as_fd()).unwrap(), Some(expected));
    let zero = SocketOption::Keepalive {
        idle: Duration::ZERO,
        interval,
        count: 3,
    };
    assert_eq!(
        errno(sys::setsockopt(probe, fd.as_fd(), &zero)),
        libc::EINVAL
    );
}

#[test]
fn options_of_a_listener_are_inherited() {
    let probe = &mut Silent;
    let (listener, bound) = listener(&address("127.0.0.1:0"));
    set(&listener, SocketOption::NoDelay(true));
    let client = stream(Family::Inet);
    let _ = sys::connect(probe, client.as_fd(), &bound);
    let mut fds = [sys::PollFd::new(listener.as_fd(), sys::POLLIN)];
    sys::poll(probe, &mut fds, SOON).unwrap();
    let server = sys::accept4(probe, listener.as_fd(), Mode::Blocking).unwrap();
    assert!(sys::no_delay(probe, server.as_fd()).unwrap());
    assert!(sys::error(probe, server.as_fd()).unwrap().is_none());
}

#[test]
fn options_that_the_family_lacks() {
    let probe = &mut Silent;
    let fd = stream(Family::Unix);
    let no_delay = sys::setsockopt(probe, fd.as_fd(), &SocketOption::NoDelay(true));
    assert_eq!(errno(no_delay), libc::EOPNOTSUPP);
    let reuse_port = sys::setsockopt(probe, fd.as_fd(), &SocketOption::ReusePort(true));
    assert_eq!(errno(reuse_port), libc::EOPNOTSUPP);
}

#[test]
fn times_of_blocking_calls() {
    let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut strace = sys::Strace::new(Vec::new());
    let limit = SocketOption::ReceiveTimeout(Duration::from_nanos(2_000_001));
    sys::setsockopt(&mut strace, ours.as_fd(), &limit).unwrap();
    let limit = SocketOption::SendTimeout(Duration::from_secs(3));
    sys::setsockopt(&mut strace, ours.as_fd(), &limit).unwrap();
    assert_eq!(
        ours.read_timeout().unwrap(),
        Some(Duration::from_millis(4)),
        "rounded up to whole microseconds, and by the kernel to a tick"
    );
    assert_eq!(ours.write_timeout().unwrap(), Some(Duration::from_secs(3)));
    let told = String::from_utf8(strace.into_output()).unwrap();
    assert!(
        told.contains("SOL_SOCKET, SO_RCVTIMEO, {tv_sec=0, tv_usec=2001}, 16) = 0")
            && told.contains("SOL_SOCKET, SO_SNDTIMEO, {tv_sec=3, tv_usec=0}, 16) = 0"),
        "{told}"
    );
    let waited = sys::recv(&mut Silent, ours.as_fd(), &mut [0]).unwrap_err();
    assert_eq!(waited.raw_os_error(), Some(libc::EAGAIN));
}
