//! Waiting, waking and signals.

use super::*;
use crate::sys::{
    Call, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP, EpollEvent, POLLHUP, POLLIN, POLLOUT, PollFd,
    Probe, Strace, Verdict, signal,
};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Instant;

#[test]
fn registered_changed_and_removed() {
    let probe = &mut Silent;
    let (ours, theirs) = UnixStream::pair().unwrap();
    let ep = sys::epoll_create1(probe).unwrap();
    let mut events = [EpollEvent::default(); 4];
    let (ep, fd) = (ep.as_fd(), ours.as_fd());
    assert_eq!(
        errno(sys::epoll_ctl_mod(probe, ep, fd, EPOLLIN, 1)),
        libc::ENOENT
    );
    sys::epoll_ctl_add(probe, ep, fd, EPOLLIN, u64::MAX).unwrap();
    assert_eq!(
        errno(sys::epoll_ctl_add(probe, ep, fd, EPOLLIN, 1)),
        libc::EEXIST
    );
    assert_eq!(
        sys::epoll_wait(probe, ep, &mut events, Some(Duration::ZERO)).unwrap(),
        0
    );

    sys::epoll_ctl_mod(probe, ep, fd, EPOLLIN | EPOLLOUT, 7).unwrap();
    assert_eq!(sys::epoll_wait(probe, ep, &mut events, None).unwrap(), 1);
    assert_eq!((events[0].events(), events[0].key()), (EPOLLOUT, 7));

    sys::epoll_ctl_mod(probe, ep, fd, EPOLLIN | EPOLLRDHUP, 8).unwrap();
    drop(theirs);
    assert_eq!(sys::epoll_wait(probe, ep, &mut events, SOON).unwrap(), 1);
    assert_eq!(events[0].events(), EPOLLIN | EPOLLRDHUP | EPOLLHUP);

    sys::epoll_ctl_del(probe, ep, fd).unwrap();
    assert_eq!(errno(sys::epoll_ctl_del(probe, ep, fd)), libc::ENOENT);
    assert_eq!(
        sys::epoll_wait(probe, ep, &mut events, Some(Duration::ZERO)).unwrap(),
        0
    );
}

#[test]
fn no_wait_ends_early() {
    let ep = sys::epoll_create1(&mut Silent).unwrap();
    let mut events = [EpollEvent::default()];
    for timeout in [
        Duration::from_nanos(1),
        Duration::from_micros(300),
        Duration::from_millis(2),
    ] {
        let start = Instant::now();
        let wait = sys::epoll_wait(&mut Silent, ep.as_fd(), &mut events, Some(timeout));
        assert_eq!(wait.unwrap(), 0);
        assert!(start.elapsed() >= timeout, "epoll_wait {timeout:?}");
        let start = Instant::now();
        assert_eq!(sys::poll(&mut Silent, &mut [], Some(timeout)).unwrap(), 0);
        assert!(start.elapsed() >= timeout, "poll {timeout:?}");
    }
}

/// Refuses calls of one name with one errno, and remembers which calls were made.
struct Refusing {
    name: &'static str,
    errno: i32,
    told: Vec<&'static str>,
}

impl Probe for Refusing {
    const ACTIVE: bool = true;

    fn before(&mut self, call: &Call<'_>) -> Verdict {
        if call.name() == self.name {
            Verdict::Refuse(self.errno)
        } else {
            Verdict::Go
        }
    }

    fn after(&mut self, call: &Call<'_>, _: Result<usize, &io::Error>) {
        self.told.push(call.name());
    }
}

#[test]
fn a_signal_ends_the_wait() {
    let ep = sys::epoll_create1(&mut Silent).unwrap();
    let mut events = [EpollEvent::default()];
    for (name, timeout) in [("epoll_wait", None), ("epoll_pwait2", SOON)] {
        let probe = &mut Refusing {
            name,
            errno: libc::EINTR,
            told: Vec::new(),
        };
        assert_eq!(
            sys::epoll_wait(probe, ep.as_fd(), &mut events, timeout).unwrap(),
            0
        );
        assert_eq!(probe.told, [name], "once, and not again");
    }
    let probe = &mut Refusing {
        name: "poll",
        errno: libc::EINTR,
        told: Vec::new(),
    };
    assert_eq!(sys::poll(probe, &mut [], None).unwrap(), 0);
}

#[test]
fn timeouts_in_milliseconds_are_rounded_up() {
    let up = crate::sys::epoll::milliseconds_up;
    assert_eq!(up(None), -1);
    assert_eq!(up(Some(Duration::ZERO)), 0);
    assert_eq!(up(Some(Duration::from_nanos(1))), 1);
    assert_eq!(up(Some(Duration::from_millis(5))), 5);
    assert_eq!(up(Some(Duration::from_micros(5001))), 6);
    assert_eq!(up(Some(Duration::MAX)), i32::MAX);
}

#[test]
fn the_longest_timeouts_are_taken() {
    let probe = &mut Silent;
    let (ep, bell) = (
        sys::epoll_create1(probe).unwrap(),
        sys::eventfd(probe).unwrap(),
    );
    sys::epoll_ctl_add(probe, ep.as_fd(), bell.as_fd(), EPOLLIN, 1).unwrap();
    sys::eventfd_write(probe, bell.as_fd()).unwrap();
    let mut events = [EpollEvent::default()];
    let longest = Some(Duration::MAX);
    assert_eq!(
        sys::epoll_wait(probe, ep.as_fd(), &mut events, longest).unwrap(),
        1
    );
    let mut fds = [PollFd::new(bell.as_fd(), POLLIN)];
    assert_eq!(sys::poll(probe, &mut fds, longest).unwrap(), 1);
}

#[test]
fn polled_descriptors_say_what_happened() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (other, _open) = UnixStream::pair().unwrap();
    drop(theirs);
    let mut fds = [
        PollFd::new(ours.as_fd(), POLLIN),
        PollFd::new(other.as_fd(), POLLIN),
    ];
    assert_eq!(sys::poll(&mut Silent, &mut fds, SOON).unwrap(), 1);
    assert_eq!((fds[0].revents(), fds[1].revents()), (POLLIN | POLLHUP, 0));
    let probe = &mut Refusing {
        name: "poll",
        errno: libc::EINTR,
        told: Vec::new(),
    };
    assert_eq!(sys::poll(probe, &mut fds, SOON).unwrap(), 0);
    assert_eq!(fds[0].revents(), 0, "an old answer is not repeated");
}

#[test]
fn what_a_poll_found_is_told_behind_its_answer() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (one, other) = (ours.as_raw_fd(), theirs.as_raw_fd());
    let mut fds = [
        PollFd::new(ours.as_fd(), POLLIN),
        PollFd::new(theirs.as_fd(), POLLIN | POLLOUT),
    ];
    let mut strace = Strace::new(Vec::new());
    sys::poll(&mut strace, &mut fds, SOON).unwrap();
    let timeout = Some(Duration::from_micros(1_001));
    sys::poll(&mut strace, &mut fds[..1], timeout).unwrap();
    let expected = format!(
        "poll([{{fd={one}, events=POLLIN}}, {{fd={other}, events=POLLIN|POLLOUT}}], 2, 5000) = 1 \
         ([{{fd={other}, revents=POLLOUT}}])\n\
         poll([{{fd={one}, events=POLLIN}}], 1, 2) = 0 (Timeout)\n"
    );
    assert_eq!(String::from_utf8(strace.into_output()).unwrap(), expected);
}

#[test]
fn a_bell_wakes_and_counts() {
    let probe = &mut Silent;
    let bell = sys::eventfd(probe).unwrap();
    assert_eq!(errno(sys::eventfd_read(probe, bell.as_fd())), libc::EAGAIN);
    let other = bell.try_clone().unwrap();
    let ringing = std::thread::spawn(move || sys::eventfd_write(&mut Silent, other.as_fd()));
    let mut fds = [PollFd::new(bell.as_fd(), POLLIN)];
    assert_eq!(sys::poll(probe, &mut fds, SOON).unwrap(), 1);
    ringing.join().unwrap().unwrap();
    assert_eq!(sys::eventfd_read(probe, bell.as_fd()).unwrap(), 1);
}

#[test]
fn signals_are_waited_for() {
    std::thread::spawn(|| {
        let (first, second) = (libc::SIGUSR2, libc::SIGRTMIN() + 1);
        signal::block(&[first, second]).unwrap();
        nix::sys::signal::raise(nix::sys::signal::SIGUSR2).unwrap();
        assert_eq!(signal::wait(&[first, second]).unwrap(), first);
        signal::unblock(&[first, second]).unwrap();
        assert_eq!(errno(signal::block(&[4096])), libc::EINVAL);
        assert_eq!(errno(signal::wait(&[0])), libc::EINVAL);
    })
    .join()
    .unwrap();
}
