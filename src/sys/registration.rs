//! What `io_uring_register(2)` gives to a ring.
//!
//! The call's third argument points to a structure, or a number, whose meaning the opcode says; the fourth is how many there
//! are, or how long it is. A trace shows both as strace does.
#![forbid(unsafe_code)]

use std::fmt::{self, Display, Formatter};

/// A resource that a ring is given, or that is taken from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// A table of direct descriptors, all free (`IORING_REGISTER_FILES2`, 5.13+; sparse, 5.19+).
    Files {
        /// How many places it has.
        places: u32,
    },
    /// A queue of buffers for receives to choose from (`IORING_REGISTER_PBUF_RING`, 5.19+).
    Buffers {
        /// Its number.
        group: u16,
        /// How many buffers it has room for.
        entries: u16,
        /// Whether a receive goes on where the one before it ended in a buffer (`IOU_PBUF_RING_INC`, 6.12+).
        incremental: bool,
    },
    /// An eventfd that is written at each completion (`IORING_REGISTER_EVENTFD`).
    Eventfd {
        /// Its descriptor.
        fd: i32,
    },
    /// None any more (`IORING_UNREGISTER_EVENTFD`).
    NoEventfd,
}

impl Registration {
    /// The call's second argument, from `linux/io_uring.h`.
    pub fn opcode(self) -> u32 {
        match self {
            Self::Eventfd { .. } => 4,
            Self::NoEventfd => 5,
            Self::Files { .. } => 13,
            Self::Buffers { .. } => 22,
        }
    }

    /// The call's last argument: how many there are, or for a table of files how many bytes the third argument has.
    pub fn count(self) -> u32 {
        match self {
            Self::Files { .. } => 32,
            Self::Buffers { .. } | Self::Eventfd { .. } => 1,
            Self::NoEventfd => 0,
        }
    }
}

impl Display for Registration {
    /// The call's third argument.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Files { places } => {
                write!(f, "{{nr={places}, flags=IORING_RSRC_REGISTER_SPARSE, ...}}")
            }
            Self::Buffers {
                group,
                entries,
                incremental,
            } => {
                let flags = if incremental {
                    "IOU_PBUF_RING_INC"
                } else {
                    "0"
                };
                write!(
                    f,
                    "{{ring_entries={entries}, bgid={group}, flags={flags}, ...}}"
                )
            }
            Self::Eventfd { fd } => write!(f, "[{fd}]"),
            Self::NoEventfd => f.write_str("NULL"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{Call, Probe as _, Strace};

    #[test]
    fn a_trace_shows_what_is_registered() {
        let golden = |what, expected: &str| {
            let mut strace = Strace::new(Vec::new());
            strace.after(&Call::IoUringRegister { fd: 4, what }, Ok(0));
            assert_eq!(
                String::from_utf8_lossy(strace.output()),
                format!("io_uring_register(4, {expected}) = 0\n")
            );
        };
        golden(
            Registration::Buffers {
                group: 0,
                entries: 8,
                incremental: true,
            },
            "IORING_REGISTER_PBUF_RING, {ring_entries=8, bgid=0, flags=IOU_PBUF_RING_INC, ...}, 1",
        );
        golden(
            Registration::Files { places: 99 },
            "IORING_REGISTER_FILES2, {nr=99, flags=IORING_RSRC_REGISTER_SPARSE, ...}, 32",
        );
        golden(
            Registration::Eventfd { fd: 7 },
            "IORING_REGISTER_EVENTFD, [7], 1",
        );
        golden(
            Registration::NoEventfd,
            "IORING_UNREGISTER_EVENTFD, NULL, 0",
        );
    }
}
