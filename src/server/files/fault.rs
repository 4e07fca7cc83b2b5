//! What a failure to open or read means for the peer: a status and a sentence, and nothing about this machine.

use super::Plan;
use crate::http::Status;
use std::io;

/// Why there is nothing to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// No such file, or none that is anybody's business.
    Missing,
    /// This process may not read it.
    Forbidden,
    /// Descriptors or memory are short; later there may be some.
    Exhausted,
    /// Disks fail.
    Broken,
}

impl Fault {
    /// Classifies what the kernel said when a name from a peer was opened or asked for.
    pub(super) fn of(error: &io::Error) -> Self {
        match error.raw_os_error() {
            // ELOOP: links in a circle, or any link where none is followed. EXDEV: the name leads outside.
            // ENXIO, ENODEV: a socket, or a device that nobody drives.
            Some(
                libc::ENOENT
                | libc::ENOTDIR
                | libc::ELOOP
                | libc::EXDEV
                | libc::ENAMETOOLONG
                | libc::ENXIO
                | libc::ENODEV,
            ) => Self::Missing,
            Some(libc::EACCES | libc::EPERM) => Self::Forbidden,
            // EAGAIN: names are being moved about faster than one can be opened, or a lease is being broken.
            Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::EAGAIN) => Self::Exhausted,
            _ => Self::Broken,
        }
    }

    pub(super) fn plan(self) -> Plan {
        match self {
            Self::Missing => Plan::sentence(Status::NOT_FOUND, "There is no such file."),
            Self::Forbidden => Plan::sentence(Status::FORBIDDEN, "This file may not be read."),
            Self::Exhausted => Plan::sentence(
                Status::SERVICE_UNAVAILABLE,
                "The server has too many files open. Try again later.",
            ),
            Self::Broken => {
                Plan::sentence(Status::INTERNAL_SERVER_ERROR, "The file could not be read.")
            }
        }
    }
}
