use super::*;
use io::Error;

#[test]
fn errors_of_accept() {
    let table = [
        (
            AcceptError::NotReady,
            &[libc::EAGAIN, libc::EWOULDBLOCK][..],
        ),
        (
            AcceptError::ThisConnection,
            &[
                libc::ECONNABORTED,
                libc::EPERM,
                libc::EPROTO,
                libc::ENETDOWN,
                libc::ENOPROTOOPT,
                libc::EHOSTDOWN,
                libc::ENONET,
                libc::EHOSTUNREACH,
                libc::EOPNOTSUPP,
                libc::ENETUNREACH,
                libc::ETIMEDOUT,
            ],
        ),
        (
            AcceptError::Exhausted,
            &[libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM],
        ),
        (
            AcceptError::Listener,
            &[
                libc::EBADF,
                libc::EINVAL,
                libc::ENOTSOCK,
                libc::EFAULT,
                9999,
            ],
        ),
    ];
    for (expected, errnos) in table {
        for &errno in errnos {
            let error = Error::from_raw_os_error(errno);
            assert_eq!(accept_error(&error), expected, "{}", errno_name(errno));
        }
    }
    assert_eq!(
        accept_error(&Error::from(io::ErrorKind::Unsupported)),
        AcceptError::ThisConnection
    );
    assert_eq!(
        accept_error(&Error::other("no errno")),
        AcceptError::Listener
    );
}

#[test]
fn errors_of_streams() {
    let table = [
        (StreamError::NotReady, &[libc::EAGAIN][..]),
        (
            StreamError::PeerGone,
            &[
                libc::ECONNRESET,
                libc::EPIPE,
                libc::ETIMEDOUT,
                libc::EHOSTUNREACH,
                libc::ENETUNREACH,
                libc::ECONNREFUSED,
                libc::ENOTCONN,
            ],
        ),
        (StreamError::Exhausted, &[libc::ENOBUFS, libc::ENOMEM]),
        (
            StreamError::Other,
            &[libc::EBADF, libc::EFAULT, libc::EINVAL, libc::EMSGSIZE],
        ),
    ];
    for (expected, errnos) in table {
        for &errno in errnos {
            let error = Error::from_raw_os_error(errno);
            assert_eq!(stream_error(&error), expected, "{}", errno_name(errno));
        }
    }
    assert_eq!(stream_error(&Error::other("no errno")), StreamError::Other);
}

#[test]
fn names() {
    assert_eq!(errno_name(libc::EAGAIN), "EAGAIN");
    assert_eq!(errno_name(libc::EOPNOTSUPP), "EOPNOTSUPP");
    assert_eq!(errno_name(1), "EPERM");
    assert_eq!(errno_name(133), "EHWPOISON");
    assert_eq!((errno_name(0), errno_name(-5)), ("?", "?"));
    let named = (1..=133).filter(|&errno| errno_name(errno) != "?");
    assert_eq!(named.count(), 131, "41 and 58 have no name");
}
