//! Lines of a trace, letter by letter.

use super::*;
use crate::sys::{Call, EpollEvent, How, OptionValue, Probe, Strace, Submission};
use std::io::{self, IoSlice};
use std::os::fd::AsRawFd;
use std::path::Path;

fn line(call: &Call<'_>, result: Result<usize, i32>) -> String {
    let mut strace = Strace::new(Vec::new());
    let error = result.err().map(io::Error::from_raw_os_error);
    strace.after(call, result.map_err(|_| error.as_ref().unwrap()));
    String::from_utf8(strace.into_output()).unwrap()
}

#[track_caller]
fn golden(call: &Call<'_>, result: Result<usize, i32>, expected: &str) {
    assert_eq!(line(call, result), format!("{expected}\n"));
}

#[test]
fn data() {
    let mut buf = [0; 64];
    buf[..42].copy_from_slice(b"GET / HTTP/1.1\r\nHost: localhost:8080\r\n\r\nXY");
    let recv = Call::Recv {
        fd: 7,
        bytes: &buf,
        flags: 0,
    };
    golden(
        &recv,
        Ok(42),
        r#"recv(7, "GET / HTTP/1.1\r\nHost: localhost:"..., 64, 0) = 42"#,
    );
    golden(&recv, Ok(0), r#"recv(7, "", 64, 0) = 0"#);
    let eagain = r#"recv(7, "", 64, 0) = -1 EAGAIN (Resource temporarily unavailable)"#;
    golden(&recv, Err(libc::EAGAIN), eagain);

    let bytes = b"\0\x011\"\\\t\x7f\xff";
    let send = Call::Send {
        fd: 7,
        bytes,
        flags: libc::MSG_NOSIGNAL | libc::MSG_MORE,
    };
    golden(
        &send,
        Ok(8),
        r#"send(7, "\0\0011\"\\\t\177\377", 8, MSG_NOSIGNAL|MSG_MORE) = 8"#,
    );
    golden(
        &Call::Read { fd: 3, bytes: &buf },
        Ok(3),
        r#"read(3, "GET", 64) = 3"#,
    );
    golden(
        &Call::Write {
            fd: 3,
            bytes: b"ab",
        },
        Ok(1),
        r#"write(3, "ab", 2) = 1"#,
    );
    let pread = Call::Pread {
        fd: 3,
        bytes: &buf,
        offset: 4096,
    };
    golden(&pread, Ok(3), r#"pread64(3, "GET", 64, 4096) = 3"#);
    let sendfile = Call::Sendfile {
        out: 7,
        file: 8,
        offset: 10,
        count: 500,
    };
    golden(&sendfile, Ok(90), "sendfile(7, 8, [10] => [100], 500) = 90");
    golden(&sendfile, Ok(0), "sendfile(7, 8, [10], 500) = 0");
    let full = "sendfile(7, 8, [10], 500) = -1 EAGAIN (Resource temporarily unavailable)";
    golden(&sendfile, Err(libc::EAGAIN), full);

    let parts = [IoSlice::new(b"head"), IoSlice::new(b"body")];
    let vector = r#"[{iov_base="head", iov_len=4}, {iov_base="body", iov_len=4}]"#;
    golden(
        &Call::Writev {
            fd: 7,
            parts: &parts,
        },
        Ok(8),
        &format!("writev(7, {vector}, 2) = 8"),
    );
    let sendmsg = Call::Sendmsg {
        fd: 7,
        parts: &parts,
        flags: libc::MSG_NOSIGNAL,
    };
    let expected = format!("sendmsg(7, {{msg_iov={vector}, msg_iovlen=2}}, MSG_NOSIGNAL) = 8");
    golden(&sendmsg, Ok(8), &expected);
}

#[test]
fn datagrams() {
    let to = address("127.0.0.1:9");
    let name = r#"{sa_family=AF_INET, sin_port=htons(9), sin_addr=inet_addr("127.0.0.1")}, 16"#;
    let sendto = Call::Sendto {
        fd: 7,
        bytes: b"x",
        to: &to,
        flags: libc::MSG_NOSIGNAL,
    };
    golden(
        &sendto,
        Ok(1),
        &format!(r#"sendto(7, "x", 1, MSG_NOSIGNAL, {name}) = 1"#),
    );
    let (fd, bytes, flags) = (7, &b"xyz"[..], 0);
    let recv = Call::Recvmsg {
        fd,
        bytes,
        from: Some(&to),
        truncated: true,
        flags,
    };
    let vector = r#"msg_iov=[{iov_base="xyz", iov_len=3}], msg_iovlen=1"#;
    let expected = format!("recvmsg(7, {{msg_name={name}, {vector}, msg_flags=MSG_TRUNC}}, 0) = 3");
    golden(&recv, Ok(3), &expected);
    let unnamed = Address::Unix(UnixName::Unnamed);
    let from_nobody = Call::Recvmsg {
        fd,
        bytes,
        from: Some(&unnamed),
        truncated: false,
        flags,
    };
    assert!(line(&from_nobody, Ok(0)).starts_with("recvmsg(7, {msg_name={}, 0, "));
    let recv = Call::Recvmsg {
        fd,
        bytes,
        from: None,
        truncated: false,
        flags,
    };
    assert!(line(&recv, Err(libc::EAGAIN)).starts_with("recvmsg(7, {msg_name={}, "));
}

#[test]
fn sockets() {
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    let socket = Call::Socket {
        family: libc::AF_INET6,
        kind,
        protocol: 0,
    };
    golden(
        &socket,
        Ok(3),
        "socket(AF_INET6, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 0) = 3",
    );
    golden(
        &Call::Listen { fd: 3, backlog: 16 },
        Ok(0),
        "listen(3, 16) = 0",
    );
    for (text, name) in [
        (
            "127.0.0.1:80",
            r#"AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}, 16"#,
        ),
        (
            "[::1]:80",
            r#"AF_INET6, sin6_port=htons(80), inet_pton(AF_INET6, "::1", &sin6_addr)}, 28"#,
        ),
        ("unix:/run/x", r#"AF_UNIX, sun_path="/run/x"}, 9"#),
        ("unix:@x", r#"AF_UNIX, sun_path=@"x"}, 4"#),
    ] {
        let at = address(text);
        let expected = format!("bind(3, {{sa_family={name}) = 0");
        golden(
            &Call::Bind {
                fd: 3,
                address: &at,
            },
            Ok(0),
            &expected,
        );
        let refused =
            format!("connect(3, {{sa_family={name}) = -1 ECONNREFUSED (Connection refused)");
        golden(
            &Call::Connect {
                fd: 3,
                address: &at,
            },
            Err(libc::ECONNREFUSED),
            &refused,
        );
    }
    let flags = libc::SOCK_CLOEXEC;
    let unnamed = Address::Unix(UnixName::Unnamed);
    golden(
        &Call::Accept4 {
            fd: 3,
            from: Some(&unnamed),
            flags,
        },
        Ok(4),
        "accept4(3, {sa_family=AF_UNIX}, [128 => 2], SOCK_CLOEXEC) = 4",
    );
    let accept = Call::Accept4 {
        fd: 3,
        from: None,
        flags,
    };
    golden(&accept, Ok(4), "accept4(3, NULL, NULL, SOCK_CLOEXEC) = 4");
    let name = Call::Getsockname {
        fd: 3,
        address: Some(&unnamed),
    };
    golden(
        &name,
        Ok(0),
        "getsockname(3, {sa_family=AF_UNIX}, [128 => 2]) = 0",
    );
    let peer = Call::Getpeername {
        fd: 3,
        address: None,
    };
    let expected = "getpeername(3, {}) = -1 ENOTCONN (Transport endpoint is not connected)";
    golden(&peer, Err(libc::ENOTCONN), expected);
    golden(
        &Call::Shutdown {
            fd: 3,
            how: How::Write,
        },
        Ok(0),
        "shutdown(3, SHUT_WR) = 0",
    );
    golden(&Call::Close { fd: 3 }, Ok(0), "close(3) = 0");
}

#[test]
fn options() {
    let (fd, level, option) = (3, libc::IPPROTO_TCP, libc::TCP_NODELAY);
    let set = Call::Setsockopt {
        fd,
        level,
        option,
        value: OptionValue::Int(1),
    };
    golden(
        &set,
        Ok(0),
        "setsockopt(3, SOL_TCP, TCP_NODELAY, [1], 4) = 0",
    );
    let (level, option) = (libc::SOL_SOCKET, libc::SO_LINGER);
    let value = OptionValue::Linger {
        on: true,
        seconds: 0,
    };
    let set = Call::Setsockopt {
        fd,
        level,
        option,
        value,
    };
    golden(
        &set,
        Ok(0),
        "setsockopt(3, SOL_SOCKET, SO_LINGER, {l_onoff=1, l_linger=0}, 8) = 0",
    );
    let (option, value) = (libc::SO_ERROR, Some(OptionValue::Int(111)));
    let read = Call::Getsockopt {
        fd,
        level,
        option,
        value,
    };
    golden(
        &read,
        Ok(0),
        "getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0",
    );
    let (bytes, room) = (248, 512);
    let read = Call::Getsockopt {
        fd,
        level: libc::IPPROTO_TCP,
        option: libc::TCP_INFO,
        value: Some(OptionValue::Structure { bytes, room }),
    };
    golden(
        &read,
        Ok(0),
        "getsockopt(3, SOL_TCP, TCP_INFO, {...}, [512 => 248]) = 0",
    );
    let read = Call::Getsockopt {
        fd,
        level: 77,
        option: 88,
        value: None,
    };
    golden(
        &read,
        Err(libc::ENOPROTOOPT),
        "getsockopt(3, 77, 88) = -1 ENOPROTOOPT (Protocol not available)",
    );
    let flags = libc::O_RDWR | libc::O_NONBLOCK;
    let set = Call::Fcntl {
        fd,
        command: libc::F_SETFL,
        flags,
    };
    golden(&set, Ok(0), "fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0");
    let read = Call::Fcntl {
        fd,
        command: libc::F_GETFL,
        flags: 0,
    };
    golden(&read, Ok(2), "fcntl(3, F_GETFL) = 0x2 (flags O_RDWR)");
    golden(&read, Ok(0), "fcntl(3, F_GETFL) = 0x0 (flags O_RDONLY)");
    golden(
        &read,
        Ok((libc::O_NONBLOCK | libc::O_WRONLY) as usize),
        "fcntl(3, F_GETFL) = 0x801 (flags O_WRONLY|O_NONBLOCK)",
    );
}

#[test]
fn waiting() {
    golden(
        &Call::EpollCreate1 {
            flags: libc::EPOLL_CLOEXEC,
        },
        Ok(4),
        "epoll_create1(EPOLL_CLOEXEC) = 4",
    );
    let events = sys::EPOLLIN | sys::EPOLLRDHUP | sys::EPOLLET;
    let add = Call::EpollCtl {
        epoll: 4,
        op: libc::EPOLL_CTL_ADD,
        fd: 3,
        events,
        key: 18,
    };
    golden(
        &add,
        Ok(0),
        "epoll_ctl(4, EPOLL_CTL_ADD, 3, {events=EPOLLIN|EPOLLRDHUP|EPOLLET, data=0x12}) = 0",
    );
    let remove = Call::EpollCtl {
        epoll: 4,
        op: libc::EPOLL_CTL_DEL,
        fd: 3,
        events: 0,
        key: 0,
    };
    golden(&remove, Ok(0), "epoll_ctl(4, EPOLL_CTL_DEL, 3, NULL) = 0");

    let events = [
        EpollEvent::new(sys::EPOLLIN, 1),
        EpollEvent::new(sys::EPOLLOUT, 2),
    ];
    let wait = Call::EpollWait {
        epoll: 4,
        events: &events,
        timeout: None,
    };
    golden(
        &wait,
        Ok(1),
        "epoll_wait(4, [{events=EPOLLIN, data=0x1}], 2, -1) = 1",
    );
    let timeout = Some(Duration::from_micros(1_000_001));
    let wait = Call::EpollPwait2 {
        epoll: 4,
        events: &events,
        timeout,
    };
    golden(
        &wait,
        Ok(0),
        "epoll_pwait2(4, [], 2, {tv_sec=1, tv_nsec=1000}, NULL, 0) = 0",
    );

    let flags = libc::EFD_CLOEXEC | libc::EFD_NONBLOCK;
    golden(
        &Call::Eventfd { value: 0, flags },
        Ok(5),
        "eventfd2(0, EFD_CLOEXEC|EFD_NONBLOCK) = 5",
    );
    golden(
        &Call::EventfdRead { fd: 5, value: 2 },
        Ok(8),
        "read(5, [2], 8) = 8",
    );
    golden(
        &Call::EventfdWrite { fd: 5, value: 1 },
        Ok(8),
        "write(5, [1], 8) = 8",
    );
}

#[test]
fn the_rest() {
    let enter = Call::IoUringEnter {
        fd: 4,
        to_submit: 3,
        min_complete: 1,
        flags: 9,
    };
    golden(
        &enter,
        Ok(3),
        "io_uring_enter(4, 3, 1, IORING_ENTER_GETEVENTS|IORING_ENTER_EXT_ARG, ..., 24) = 3",
    );
    golden(
        &Call::IoUringSetup {
            entries: 8,
            flags: 0x3000,
        },
        Ok(4),
        "io_uring_setup(8, {flags=IORING_SETUP_SINGLE_ISSUER|IORING_SETUP_DEFER_TASKRUN}) = 4",
    );
    let flags = (libc::O_CLOEXEC | libc::O_NONBLOCK) as u64;
    let resolve = libc::RESOLVE_BENEATH;
    let open = Call::Openat2 {
        dir: 3,
        path: Path::new("a/b"),
        flags,
        resolve,
    };
    golden(
        &open,
        Err(libc::EXDEV),
        "openat2(3, \"a/b\", {flags=O_RDONLY|O_NONBLOCK|O_CLOEXEC, resolve=RESOLVE_BENEATH}, 24) \
         = -1 EXDEV (Invalid cross-device link)",
    );
    let (soft, hard) = (1024, 20000);
    let limit = Call::Setrlimit {
        resource: libc::RLIMIT_NOFILE,
        soft,
        hard,
    };
    golden(
        &limit,
        Ok(0),
        "setrlimit(RLIMIT_NOFILE, {rlim_cur=1024, rlim_max=20000}) = 0",
    );
    golden(
        &Call::SchedSetaffinity { cpu: 1 },
        Ok(0),
        "sched_setaffinity(0, 128, [1]) = 0",
    );
    golden(
        &Call::Unshare {
            flags: libc::CLONE_FILES,
        },
        Ok(0),
        "unshare(CLONE_FILES) = 0",
    );
    golden(
        &Call::Ring {
            name: "cancel",
            submission: &Submission::default(),
        },
        Ok(0),
        "cancel(0) = 0",
    );
    golden(
        &Call::Library {
            name: "mio::Poll::poll",
        },
        Ok(0),
        "mio::Poll::poll() = 0",
    );
}

#[test]
fn a_real_conversation() {
    let mut strace = Strace::new(Vec::new()).text_max(3);
    let fd = sys::socket(&mut strace, Family::Inet, Kind::Stream, Mode::Blocking).unwrap();
    let number = fd.as_raw_fd();
    let reuse = sys::SocketOption::ReuseAddress(true);
    sys::setsockopt(&mut strace, fd.as_fd(), &reuse).unwrap();
    sys::bind(&mut strace, fd.as_fd(), &address("127.0.0.1:0")).unwrap();
    let (client, server) = tcp_pair();
    sys::send(&mut strace, client.as_fd(), b"ahoy").unwrap();
    sys::recv(&mut strace, server.as_fd(), &mut [0; 9]).unwrap();
    sys::close(&mut strace, fd).unwrap();
    let text = String::from_utf8(strace.into_output()).unwrap();
    let (client, server) = (client.as_raw_fd(), server.as_raw_fd());
    let name = r#"{sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr("127.0.0.1")}, 16"#;
    let expected = format!(
        "socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, 0) = {number}\n\
         setsockopt({number}, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0\n\
         bind({number}, {name}) = 0\n\
         send({client}, \"aho\"..., 4, MSG_NOSIGNAL) = 4\n\
         recv({server}, \"aho\"..., 9, 0) = 4\n\
         close({number}) = 0\n"
    );
    assert_eq!(text, expected);
}
