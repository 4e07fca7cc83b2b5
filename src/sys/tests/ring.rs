//! A ring's operations in a trace: entries byte by byte, completions, and what is told beside them.

use crate::sys::{Call, CompletionFlags, Probe, SUBMISSION_BYTES, Strace, Submission};
use std::io::IoSlice;

#[test]
fn operations_of_a_ring() {
    let mut strace = Strace::new(Vec::new());
    strace.submitted(
        &Call::Recv {
            fd: 7,
            bytes: &[],
            flags: 0,
        },
        0x1f,
    );
    strace.completed("recv", 0x1f, 42, 5 << 16 | 3);
    strace.completed("recv", 0x1f, -libc::ENOBUFS, 0);
    let expected = "\
ring 0x1f: recv(7, \"\", 0, 0)
ring 0x1f: recv = 42, IORING_CQE_F_BUFFER|IORING_CQE_F_MORE, buffer 5
ring 0x1f: recv = -105 ENOBUFS, 0
";
    assert_eq!(String::from_utf8(strace.into_output()).unwrap(), expected);
}

/// Bytes at their places in an entry; the others are zero.
type Fields = &'static [(usize, &'static [u8])];

/// An entry as the kernel reads it.
fn entry(fields: &[(usize, &[u8])]) -> [u8; SUBMISSION_BYTES] {
    let mut bytes = [0; SUBMISSION_BYTES];
    for (at, field) in fields {
        bytes[*at..at + field.len()].copy_from_slice(field);
    }
    bytes
}

fn shown(submission: &Submission<'_>) -> String {
    let call = Call::Ring {
        name: "op",
        submission,
    };
    call.arguments(None, 4).to_string()
}

/// Offsets and numbers are those of `linux/io_uring.h`.
#[test]
fn entries_are_read_back_from_their_bytes() {
    const DIRECT: u8 = 1;
    let cases: [(Fields, &str); 9] = [
        (
            &[(0, &[13, 0, 1, 0, 5]), (44, &[0xff; 4])],
            "5, into any free slot, multishot",
        ),
        (
            &[(0, &[27, DIRECT | 1 << 5, 2, 0, 12]), (40, &[7])],
            "slot 12, group 7, multishot",
        ),
        (
            &[(0, &[27, 1 << 5, 0, 0, 9]), (25, &[128])],
            "9, group 0, 32768 bytes",
        ),
        (
            &[(0, &[6, DIRECT, 0, 0, 3]), (24, &[1]), (28, &[0x18])],
            "slot 3, POLLERR|POLLHUP, multishot",
        ),
        (
            &[(0, &[34, DIRECT, 0, 0, 3]), (24, &[1])],
            "slot 3, SHUT_WR",
        ),
        (&[(0, &[19]), (44, &[13])], "slot 12"),
        (
            &[(0, &[22, 0, 0, 0, 8]), (8, &[100]), (24, &[64])],
            "8, 64 bytes at 100",
        ),
        (
            &[(0, &[14, 1 << 6, 0, 0, 5]), (28, &[3])],
            "all of descriptor 5, answers only a failure",
        ),
        (
            &[
                (0, &[46, DIRECT, 0, 0, 2]),
                (8, &[2]),
                (16, &[1, 0, 0, 0, 28]),
                (44, &[16]),
            ],
            "slot 2, getsockopt, SOL_SOCKET, SO_PEERNAME, 16",
        ),
    ];
    for (fields, expected) in cases {
        assert_eq!(shown(&Submission::read(&entry(fields))), expected);
    }
}

#[test]
fn sends_show_the_bytes_that_they_point_to() {
    let bytes = entry(&[(0, &[26, 1, 0, 0, 12]), (24, &[6]), (29, &[0x40])]);
    let mut send = Submission::read(&bytes);
    let parts = [IoSlice::new(b"abcdef")];
    send.parts = &parts;
    assert_eq!(shown(&send), "slot 12, \"abcd\"..., 6, MSG_NOSIGNAL");
    assert_eq!(send.data(), Some((0, 6)));
    let mut cancel = Submission::read(&entry(&[(0, &[14]), (16, &[9])]));
    assert_eq!(
        (shown(&cancel).as_str(), cancel.cancelled()),
        ("0x9", Some(9))
    );
    cancel.cancels = Some(("recv", Some(4)));
    assert_eq!(shown(&cancel), "recv on slot 4");
}

#[test]
fn completions_say_in_words_what_follows() {
    let cases = [
        (0, ""),
        (2, "more"),
        (1 | 2 | 3 << 16, "buffer 3, more"),
        (1 | 1 << 4, "buffer 0 stays"),
        (4, "socket not empty"),
    ];
    for (flags, expected) in cases {
        assert_eq!(CompletionFlags(flags).to_string(), expected);
    }
}
