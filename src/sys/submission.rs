//! An entry of a ring's submission queue (`struct io_uring_sqe`), read back from the 64 bytes that the kernel reads.
//!
//! ```text
//!   byte  0 opcode · 1 flags · 2 ioprio · 4 fd · 8 offset · 16 address · 24 len · 28 flags of the operation
//!        32 user_data · 40 buffer group · 42 personality · 44 file index or option length · 48 …
//! ```
//!
//! So a trace shows what was truly submitted, and not what some code meant to submit. It does not know who submits, nor
//! what the addresses point to: whoever may read there hands the bytes in.
#![forbid(unsafe_code)]

use super::flags::{Bits, MESSAGE_FLAGS, OneOf, POLL_EVENTS};
use super::show::values::{Name, OptionName, Parts, Text};
use super::{Address, How};
use std::fmt::{self, Display, Formatter};
use std::io::IoSlice;

/// How many bytes an entry has.
pub const SUBMISSION_BYTES: usize = 64;

/// Opcodes, from `linux/io_uring.h`.
mod opcode {
    pub(super) const POLL_ADD: u8 = 6;
    pub(super) const SENDMSG: u8 = 9;
    pub(super) const RECVMSG: u8 = 10;
    pub(super) const ACCEPT: u8 = 13;
    pub(super) const ASYNC_CANCEL: u8 = 14;
    pub(super) const CONNECT: u8 = 16;
    pub(super) const CLOSE: u8 = 19;
    pub(super) const READ: u8 = 22;
    pub(super) const SEND: u8 = 26;
    pub(super) const RECV: u8 = 27;
    pub(super) const SHUTDOWN: u8 = 34;
    pub(super) const URING_CMD: u8 = 46;
}

/// `IOSQE_FIXED_FILE`: `fd` is an index of the ring's own table.
const FIXED_FILE: u8 = 1;
/// `IOSQE_BUFFER_SELECT`: the kernel chooses a buffer of a group.
const BUFFER_SELECT: u8 = 1 << 5;
/// `IOSQE_CQE_SKIP_SUCCESS`: completes only if it fails.
const SKIP_SUCCESS: u8 = 1 << 6;
/// `IORING_ACCEPT_MULTISHOT`, in `ioprio`.
const ACCEPT_MULTISHOT: u16 = 1;
/// `IORING_RECV_MULTISHOT`, in `ioprio`.
const RECV_MULTISHOT: u16 = 1 << 1;
/// `IORING_POLL_ADD_MULTI`, in `len`.
const POLL_MULTISHOT: u32 = 1;
/// `IORING_FILE_INDEX_ALLOC`: the kernel chooses the place in the table.
const ANY_PLACE: u32 = u32::MAX;
/// `IORING_ASYNC_CANCEL_*`.
const CANCEL_ALL: u32 = 1;
const CANCEL_BY_FD: u32 = 1 << 1;
const CANCEL_ANY: u32 = 1 << 2;
/// `SOCKET_URING_OP_*`.
const COMMANDS: &[(u64, &str)] = &[(2, "getsockopt"), (3, "setsockopt")];

/// What a ring is asked to do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Submission<'a> {
    opcode: u8,
    flags: u8,
    ioprio: u16,
    fd: i32,
    offset: u64,
    address: u64,
    len: u32,
    op_flags: u32,
    user_data: u64,
    group: u16,
    file_index: u32,
    /// The driver's record of the connection that it is for: a direct descriptor's index, or one behind them.
    pub slot: Option<u32>,
    /// The bytes to be sent, where the one who submits may read them.
    pub parts: &'a [IoSlice<'a>],
    /// Whom to connect or send to.
    pub to: Option<&'a Address>,
    /// The name and slot of the operation that a cancellation names.
    pub cancels: Option<(&'static str, Option<u32>)>,
}

/// Reads a number at a fixed place.
macro_rules! field {
    ($bytes:ident, $at:literal, $kind:ty) => {{
        let mut field = [0; size_of::<$kind>()];
        field.copy_from_slice(&$bytes[$at..$at + size_of::<$kind>()]);
        <$kind>::from_ne_bytes(field)
    }};
}

impl Submission<'_> {
    /// Reads an entry.
    pub fn read(bytes: &[u8; SUBMISSION_BYTES]) -> Self {
        Self {
            opcode: bytes[0],
            flags: bytes[1],
            ioprio: field!(bytes, 2, u16),
            fd: field!(bytes, 4, i32),
            offset: field!(bytes, 8, u64),
            address: field!(bytes, 16, u64),
            len: field!(bytes, 24, u32),
            op_flags: field!(bytes, 28, u32),
            user_data: field!(bytes, 32, u64),
            group: field!(bytes, 40, u16),
            file_index: field!(bytes, 44, u32),
            ..Self::default()
        }
    }

    /// What its completions are called.
    pub fn user_data(&self) -> u64 {
        self.user_data
    }

    /// Whether the ring's own table is meant, and not a descriptor of the process.
    pub fn is_direct(&self) -> bool {
        self.flags & FIXED_FILE != 0 || (self.opcode == opcode::CLOSE && self.file_index != 0)
    }

    /// The descriptor of the process, if it is one.
    pub fn fd(&self) -> Option<i32> {
        (!self.is_direct() && self.opcode != opcode::ASYNC_CANCEL).then_some(self.fd)
    }

    /// Whether one submission brings many completions, until one says that no more follow.
    pub fn is_multishot(&self) -> bool {
        match self.opcode {
            opcode::ACCEPT => self.ioprio & ACCEPT_MULTISHOT != 0,
            opcode::RECV | opcode::RECVMSG => self.ioprio & RECV_MULTISHOT != 0,
            opcode::POLL_ADD => self.len & POLL_MULTISHOT != 0,
            _ => false,
        }
    }

    /// Whether it completes only if it fails (5.17+).
    pub fn skips_success(&self) -> bool {
        self.flags & SKIP_SUCCESS != 0
    }

    /// For sendmsg(2): the address of the header, whose parts the caller may look up.
    pub fn message(&self) -> Option<u64> {
        (self.opcode == opcode::SENDMSG).then_some(self.address)
    }

    /// For send(2): the address and length of the bytes.
    pub fn data(&self) -> Option<(u64, u32)> {
        (self.opcode == opcode::SEND).then_some((self.address, self.len))
    }

    /// For connect(2): the address and length of the address.
    pub fn connects_to(&self) -> Option<(u64, u32)> {
        (self.opcode == opcode::CONNECT).then_some((self.address, self.offset as u32))
    }

    /// For a cancellation by name: the name.
    pub fn cancelled(&self) -> Option<u64> {
        let by_name = self.op_flags & (CANCEL_BY_FD | CANCEL_ANY) == 0;
        (self.opcode == opcode::ASYNC_CANCEL && by_name).then_some(self.address)
    }

    /// Writes the arguments as a trace shows them: `slot 12, group 0, multishot`.
    pub(super) fn arguments(&self, f: &mut Formatter<'_>, text_max: usize) -> fmt::Result {
        match self.opcode {
            opcode::CLOSE if self.file_index != 0 => write!(f, "slot {}", self.file_index - 1)?,
            opcode::ASYNC_CANCEL => self.of_cancel(f)?,
            _ => write!(f, "{}", Target(self))?,
        }
        self.of_data(f, text_max)?;
        if self.is_multishot() {
            f.write_str(", multishot")?;
        }
        if self.skips_success() {
            f.write_str(", answers only a failure")?;
        }
        Ok(())
    }

    fn of_cancel(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let all = if self.op_flags & CANCEL_ALL != 0 {
            "all of "
        } else {
            ""
        };
        if self.op_flags & CANCEL_ANY != 0 {
            return f.write_str("everything");
        }
        if self.op_flags & CANCEL_BY_FD != 0 {
            let kind = if self.is_direct() { "" } else { "descriptor " };
            return write!(f, "{all}{kind}{}", Target(self));
        }
        match self.cancels {
            Some((name, Some(slot))) => write!(f, "{all}{name} on slot {slot}"),
            Some((name, None)) => write!(f, "{all}{name}"),
            None => write!(f, "{all}{:#x}", self.address),
        }
    }

    /// The arguments behind the target.
    fn of_data(&self, f: &mut Formatter<'_>, text_max: usize) -> fmt::Result {
        let message = Bits(self.op_flags.into(), MESSAGE_FLAGS);
        match self.opcode {
            opcode::ACCEPT => {
                match self.file_index {
                    0 => {}
                    ANY_PLACE => f.write_str(", into any free slot")?,
                    place => write!(f, ", into slot {}", place - 1)?,
                }
                flags(f, self.op_flags, super::flags::SOCKET_MODES)
            }
            opcode::RECV | opcode::RECVMSG => {
                if self.flags & BUFFER_SELECT != 0 {
                    write!(f, ", group {}", self.group)?;
                }
                if self.opcode == opcode::RECV && self.len != 0 {
                    write!(f, ", {} bytes", self.len)?;
                }
                flags(f, self.op_flags, MESSAGE_FLAGS)
            }
            opcode::SEND => {
                f.write_str(", ")?;
                match self.parts {
                    [part] => write!(f, "{}, ", Text(part, text_max))?,
                    _ => f.write_str("..., ")?,
                }
                write!(f, "{}, {message}", self.len)
            }
            opcode::SENDMSG => {
                f.write_str(", {")?;
                if let Some(to) = self.to {
                    write!(f, "msg_name={}, ", Name(to))?;
                }
                let (parts, count) = (Parts(self.parts, text_max), self.parts.len());
                write!(f, "msg_iov={parts}, msg_iovlen={count}}}, {message}")
            }
            opcode::POLL_ADD => {
                write!(f, ", {}", Bits(self.op_flags.into(), POLL_EVENTS))
            }
            opcode::CONNECT => match self.to {
                Some(to) => write!(f, ", {}", Name(to)),
                None => Ok(()),
            },
            opcode::READ => {
                write!(f, ", {} bytes", self.len)?;
                match self.offset {
                    u64::MAX => Ok(()),
                    offset => write!(f, " at {offset}"),
                }
            }
            opcode::SHUTDOWN => {
                let how = [How::Read, How::Write, How::Both];
                let how = how.into_iter().find(|how| how.raw() == self.len as i32);
                f.write_str(", ")?;
                how.map_or(Ok(()), |how| {
                    f.write_str(super::show::values::how_name(how))
                })
            }
            opcode::URING_CMD => {
                let command = OneOf(self.offset as u32 as i32, COMMANDS);
                let option = OptionName(self.address as i32, (self.address >> 32) as i32);
                write!(f, ", {command}, {option}, {}", self.file_index)
            }
            _ => Ok(()),
        }
    }
}

fn flags(f: &mut Formatter<'_>, bits: u32, table: &'static [(u64, &'static str)]) -> fmt::Result {
    if bits == 0 {
        return Ok(());
    }
    write!(f, ", {}", Bits(bits.into(), table))
}

/// The socket or file that is meant.
struct Target<'a>(&'a Submission<'a>);

impl Display for Target<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.is_direct() {
            f.write_str("slot ")?;
        }
        write!(f, "{}", self.0.fd)
    }
}

/// The flags of a completion as words: `buffer 3, more`.
///
/// `more`: the same submission completes again. `buffer 3 stays`: the kernel goes on to fill it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompletionFlags(pub u32);

impl CompletionFlags {
    /// Whether the same submission completes again (`IORING_CQE_F_MORE`).
    pub fn more(self) -> bool {
        self.0 & (1 << 1) != 0
    }

    /// The buffer that the kernel chose (`IORING_CQE_F_BUFFER`).
    pub fn buffer(self) -> Option<u32> {
        (self.0 & 1 != 0).then_some(self.0 >> 16)
    }
}

impl Display for CompletionFlags {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        if let Some(buffer) = self.buffer() {
            let stays = if self.0 & (1 << 4) != 0 { " stays" } else { "" };
            write!(f, "buffer {buffer}{stays}")?;
            comma = ", ";
        }
        for (bit, word) in [(1, "more"), (2, "socket not empty"), (3, "notification")] {
            if self.0 & (1 << bit) != 0 {
                write!(f, "{comma}{word}")?;
                comma = ", ";
            }
        }
        Ok(())
    }
}
