//! Counting, disturbing, sharing and choosing probes.

use super::*;
use crate::sys::{Call, Count, Counts, Dynamic, Flaky, How, Probe, Strace, Verdict};
use std::io::{self, IoSlice};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

#[test]
fn silent_is_nothing() {
    assert_eq!(size_of::<Silent>(), 0);
    const { assert!(!Silent::ACTIVE && !<&mut Silent as Probe>::ACTIVE) };
    assert_eq!(Silent.shorten(17), 17);
    let call = Call::Close { fd: 1 };
    assert_eq!(Silent.before(&call), Verdict::Go);
    Silent.submitted(&call, 1);
    Silent.completed("close", 1, 0, 0);
}

#[test]
fn figures() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let count = &mut Count::new();
    sys::send(count, ours.as_fd(), b"0123456789").unwrap();
    sys::recv(count, theirs.as_fd(), &mut [0; 6]).unwrap();
    sys::recv(count, theirs.as_fd(), &mut [0; 6]).unwrap();
    sys::recv(count, theirs.as_fd(), &mut [0; 6]).unwrap_err();
    sys::shutdown(count, ours.as_fd(), How::Both).unwrap();
    let bell = sys::eventfd(count).unwrap();
    sys::eventfd_write(count, bell.as_fd()).unwrap();

    let counts = count.counts();
    let recv = counts.call("recv");
    assert_eq!((recv.calls, recv.errors, recv.bytes), (3, 1, 10));
    let send = counts.call("send");
    assert_eq!((send.calls, send.errors, send.bytes), (1, 0, 10));
    assert_eq!(
        counts.call("eventfd2").bytes,
        0,
        "a descriptor is no number of bytes"
    );
    assert_eq!(counts.call("write").bytes, 8, "as its answer says");
    assert_eq!(counts.call("never").calls, 0);
    assert_eq!((counts.calls_total(), counts.submitted_total()), (7, 0));
    assert_eq!(counts.calls().count(), 5);
}

#[test]
fn ring_operations_are_counted_apart() {
    let mut count = Count::new();
    let recv = Call::Recv {
        fd: 3,
        bytes: &[],
        flags: 0,
    };
    count.submitted(&recv, 1);
    count.completed("recv", 1, 100, 0);
    count.completed("recv", 1, 50, 0);
    count.completed("recv", 1, -libc::ENOBUFS, 0);
    count.submitted(
        &Call::Accept4 {
            fd: 4,
            from: None,
            flags: 0,
        },
        2,
    );
    count.completed("accept4", 2, 9, 0);

    let counts = count.take();
    let recv = counts.ring_operation("recv");
    assert_eq!((recv.submitted, recv.completed), (1, 3));
    assert_eq!((recv.errors, recv.bytes), (1, 150));
    assert_eq!(counts.ring_operation("accept4").bytes, 0);
    assert_eq!((counts.calls_total(), counts.submitted_total()), (0, 2));
    assert_eq!(counts.ring_operations().count(), 2);
    assert_eq!(*count.counts(), Counts::default(), "taken");
}

#[test]
fn figures_are_merged_and_printed() {
    let mut one = Count::new();
    let close = Call::Close { fd: 1 };
    one.after(&close, Ok(0));
    one.after(
        &Call::Send {
            fd: 1,
            bytes: b"ahoy",
            flags: 0,
        },
        Ok(4),
    );
    let mut two = one.take();
    one.after(&close, Err(&io::Error::from_raw_os_error(libc::EIO)));
    one.submitted(&close, 1);
    one.completed("close", 1, 0, 0);
    two.merge(one.counts());
    let expected = "\
system call                 calls     errors            bytes
close                           2          1                0
send                            1          0                4
total                           3

ring operation          submitted    completed     errors            bytes
close                           1            1          0                0
total                           1
";
    assert_eq!(two.to_string(), expected);
}

#[test]
fn a_flaky_kernel_loses_nothing() {
    for seed in 0..50 {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let data: Vec<u8> = (0..=255).cycle().take(5000).collect();
        let count = Arc::new(Mutex::new(Count::new()));
        let mut probe = Dynamic::new(Arc::clone(&count)).and(Flaky::new(seed));
        let (mut sent, mut received) = (0, Vec::new());
        while sent < data.len() {
            let (head, tail) = data[sent..].split_at((data.len() - sent) / 2);
            let parts = [IoSlice::new(head), IoSlice::new(&[]), IoSlice::new(tail)];
            sent += match sent % 3 {
                0 => sys::send(&mut probe, ours.as_fd(), &data[sent..]),
                1 => sys::sendmsg(&mut probe, ours.as_fd(), &parts),
                _ => sys::writev(&mut probe, ours.as_fd(), &parts),
            }
            .unwrap();
        }
        drop(ours);
        let mut buf = [0; 700];
        loop {
            match sys::recv(&mut probe, theirs.as_fd(), &mut buf).unwrap() {
                0 => break,
                n => received.extend_from_slice(&buf[..n]),
            }
        }
        assert!(received == data, "seed {seed}");
        let counts = count.lock().unwrap().take();
        let recv = counts.call("recv");
        assert!(recv.calls > 8, "seed {seed}: shortened, {recv:?}");
        assert_eq!(recv.bytes, 5000, "seed {seed}");
    }
}

#[test]
fn interruptions_are_repeated_where_real_ones_are() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let count = Arc::new(Mutex::new(Count::new()));
    let mut probe = Dynamic::new(Arc::clone(&count)).and(Flaky::new(3).always_one_byte());
    for _ in 0..200 {
        assert_eq!(sys::send(&mut probe, ours.as_fd(), b"xyz").unwrap(), 1);
        assert_eq!(
            sys::recv(&mut probe, theirs.as_fd(), &mut [0; 9]).unwrap(),
            1
        );
    }
    let send = count.lock().unwrap().counts().call("send");
    assert!(send.errors > 0, "some were interrupted");
    assert_eq!(send.calls - send.errors, 200, "and repeated");
}

#[test]
fn the_same_seed_does_the_same() {
    let call = Call::Send {
        fd: 1,
        bytes: &[0; 100],
        flags: 0,
    };
    let verdicts = |mut flaky: Flaky| (0..200).map(|_| flaky.before(&call)).collect::<Vec<_>>();
    assert_eq!(verdicts(Flaky::new(9)), verdicts(Flaky::new(9)));
    assert_ne!(verdicts(Flaky::new(9)), verdicts(Flaky::new(10)));

    let eagain = Verdict::Refuse(libc::EAGAIN);
    assert!(!verdicts(Flaky::new(9)).contains(&eagain), "off by default");
    let refusing = verdicts(Flaky::new(9).with_refusals());
    assert!(refusing.contains(&eagain));
    assert!(refusing.contains(&Verdict::Shorten(1)));
    for verdict in refusing {
        assert!(!matches!(verdict, Verdict::Shorten(n) if n == 0 || n > 100));
    }
}

#[test]
fn what_must_not_be_lost_is_left_alone() {
    let mut flaky = Flaky::new(1).with_refusals().always_one_byte();
    let to = address("127.0.0.1:1");
    for _ in 0..500 {
        for call in [
            Call::EpollWait {
                epoll: 1,
                events: &[],
                timeout: None,
            },
            Call::EventfdRead { fd: 1, value: 0 },
            Call::EventfdWrite { fd: 1, value: 1 },
            Call::Accept4 {
                fd: 1,
                from: None,
                flags: 0,
            },
            Call::Connect {
                fd: 1,
                address: &to,
            },
            Call::Close { fd: 1 },
            Call::Sendto {
                fd: 1,
                bytes: b"whole",
                to: &to,
                flags: 0,
            },
            Call::Recvmsg {
                fd: 1,
                bytes: &[0; 9],
                from: None,
                truncated: false,
                flags: 0,
            },
        ] {
            assert_eq!(flaky.before(&call), Verdict::Go, "{call}");
        }
        let file = Call::Pread {
            fd: 1,
            bytes: &[0; 9],
            offset: 0,
        };
        assert_ne!(flaky.before(&file), Verdict::Refuse(libc::EAGAIN));
    }
}

#[test]
fn lengths_on_a_ring() {
    let mut flaky = Flaky::new(5);
    assert_eq!(flaky.shorten(0), 0);
    let lengths: Vec<usize> = (0..500).map(|_| flaky.shorten(1000)).collect();
    assert!(lengths.iter().all(|len| (1..=1000).contains(len)));
    assert!(lengths.contains(&1) && lengths.iter().any(|&len| len > 500));
    assert_eq!(Flaky::new(5).always_one_byte().shorten(1000), 1);
    assert_eq!(Dynamic::silent().shorten(1000), 1000);
    assert!(Dynamic::new(flaky).shorten(1000) <= 1000);
}

#[test]
fn several_hear_of_one_call() {
    let (one, two) = (
        Arc::new(Mutex::new(Count::new())),
        Arc::new(Mutex::new(Count::new())),
    );
    let strace = Arc::new(Mutex::new(Strace::new(Vec::new())));
    let mut probe = Dynamic::silent()
        .and(Arc::clone(&one))
        .and(Arc::clone(&strace))
        .and(Arc::clone(&two));
    assert!(!probe.is_silent());
    let (ours, _theirs) = UnixStream::pair().unwrap();
    sys::send(&mut probe, ours.as_fd(), b"ahoy").unwrap();
    probe.submitted(&Call::Close { fd: 4 }, 5);
    probe.completed("close", 5, 0, 0);
    let counts = one.lock().unwrap().take();
    assert_eq!(counts, two.lock().unwrap().take());
    assert_eq!((counts.calls_total(), counts.submitted_total()), (1, 1));
    let text = String::from_utf8(strace.lock().unwrap().output().clone()).unwrap();
    assert_eq!(text.lines().count(), 3);
}

#[test]
fn a_close_cannot_be_refused() {
    struct No;
    impl Probe for No {
        const ACTIVE: bool = true;
        fn before(&mut self, _: &Call<'_>) -> Verdict {
            Verdict::Refuse(libc::EIO)
        }
        fn after(&mut self, _: &Call<'_>, _: Result<usize, &io::Error>) {}
    }
    let (reader, writer) = io::pipe().unwrap();
    sys::close(&mut No, writer.into()).unwrap();
    assert_eq!(
        sys::read(&mut Silent, reader.as_fd(), &mut [0]).unwrap(),
        0,
        "closed"
    );
    assert_eq!(
        errno(sys::read(&mut No, reader.as_fd(), &mut [0])),
        libc::EIO
    );
}
