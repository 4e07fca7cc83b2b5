//! The values within a line: text, lists, events, addresses, options.
#![forbid(unsafe_code)]

use crate::sys::flags::{self, Bits, EPOLL_EVENTS, OneOf};
use crate::sys::{Address, EpollEvent, How, OptionValue, PollFd, UnixName, errno_name};
use std::fmt::{self, Display, Formatter, Write};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// `"GET / HTTP"...`: at most so many bytes, escaped as in C.
pub(in crate::sys) struct Text<'a>(pub(in crate::sys) &'a [u8], pub(in crate::sys) usize);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Text(bytes, most) = *self;
        let shown = &bytes[..bytes.len().min(most)];
        f.write_char('"')?;
        for (at, &byte) in shown.iter().enumerate() {
            match byte {
                b'\n' => f.write_str("\\n")?,
                b'\r' => f.write_str("\\r")?,
                b'\t' => f.write_str("\\t")?,
                0x0b => f.write_str("\\v")?,
                0x0c => f.write_str("\\f")?,
                b'"' | b'\\' => write!(f, "\\{}", byte as char)?,
                b' '..=b'~' => f.write_char(byte as char)?,
                // An octal digit behind a short escape would read as part of it.
                _ if matches!(shown.get(at + 1), Some(b'0'..=b'7')) => {
                    write!(f, "\\{byte:03o}")?;
                }
                _ => write!(f, "\\{byte:o}")?,
            }
        }
        f.write_str(if shown.len() < bytes.len() {
            "\"..."
        } else {
            "\""
        })
    }
}

/// Bytes as a trace shows them: at most so many, escaped as in C, `"GET /"...`.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a [u8], pub usize);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Text(self.0, self.1).fmt(f)
    }
}

/// `[a, b]`
pub(in crate::sys) struct List<I>(pub(in crate::sys) I);

impl<I: Iterator<Item: Display> + Clone> Display for List<I> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('[')?;
        for (at, item) in self.0.clone().enumerate() {
            write!(f, "{}{item}", if at == 0 { "" } else { ", " })?;
        }
        f.write_char(']')
    }
}

pub(in crate::sys) struct Parts<'a>(
    pub(in crate::sys) &'a [IoSlice<'a>],
    pub(in crate::sys) usize,
);

impl Display for Parts<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let parts = self.0.iter().map(|part| Part(part, self.1));
        List(parts).fmt(f)
    }
}

struct Part<'a>(&'a [u8], usize);

impl Display for Part<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{{iov_base={}, iov_len={}}}",
            Text(self.0, self.1),
            self.0.len()
        )
    }
}

pub(in crate::sys) struct Event(pub(in crate::sys) EpollEvent);

impl Display for Event {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let events = Bits(self.0.events().into(), EPOLL_EVENTS);
        write!(f, "{{events={events}, data={:#x}}}", self.0.key())
    }
}

pub(in crate::sys) struct Polled<'a>(pub(in crate::sys) &'a PollFd<'a>);

impl Display for Polled<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let events = Bits(self.0.events().cast_unsigned().into(), flags::POLL_EVENTS);
        write!(f, "{{fd={}, events={events}}}", self.0.fd())
    }
}

/// What a wait found, of one descriptor that is ready.
pub(in crate::sys) struct Ready<'a>(pub(in crate::sys) &'a PollFd<'a>);

impl Display for Ready<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let revents = Bits(self.0.revents().cast_unsigned().into(), flags::POLL_EVENTS);
        write!(f, "{{fd={}, revents={revents}}}", self.0.fd())
    }
}

/// A descriptor's flags. Read-only is the absence of another mode.
pub(in crate::sys) struct FileFlags(pub(in crate::sys) i32);

impl Display for FileFlags {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0 & libc::O_ACCMODE != libc::O_RDONLY {
            return Bits(self.0 as u64, flags::OPEN_FLAGS).fmt(f);
        }
        f.write_str("O_RDONLY")?;
        match self.0 {
            0 => Ok(()),
            rest => write!(f, "|{}", Bits(rest as u64, flags::OPEN_FLAGS)),
        }
    }
}

pub(in crate::sys) struct Time(pub(in crate::sys) Option<Duration>);

impl Display for Time {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("NULL"),
            Some(time) => {
                write!(
                    f,
                    "{{tv_sec={}, tv_nsec={}}}",
                    time.as_secs(),
                    time.subsec_nanos()
                )
            }
        }
    }
}

pub(in crate::sys) struct OptionName(pub(in crate::sys) i32, pub(in crate::sys) i32);

impl Display for OptionName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let OptionName(level, option) = *self;
        let table = match level {
            libc::SOL_SOCKET => flags::SOCKET_OPTIONS,
            libc::IPPROTO_TCP => flags::TCP_OPTIONS,
            libc::IPPROTO_IP => flags::IP_OPTIONS,
            libc::IPPROTO_IPV6 => flags::IPV6_OPTIONS,
            libc::SOL_PACKET => flags::PACKET_OPTIONS,
            _ => &[],
        };
        write!(
            f,
            "{}, {}",
            OneOf(level, flags::LEVELS),
            OneOf(option, table)
        )
    }
}

pub(in crate::sys) struct Value(pub(in crate::sys) OptionValue);

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            OptionValue::Int(number) => write!(f, "[{number}]"),
            OptionValue::Linger { on, seconds } => {
                write!(f, "{{l_onoff={}, l_linger={seconds}}}", i32::from(on))
            }
            OptionValue::Structure { .. } => f.write_str("{...}"),
            OptionValue::Time { seconds, micros } => {
                write!(f, "{{tv_sec={seconds}, tv_usec={micros}}}")
            }
            OptionValue::Credentials { pid, uid, gid } => {
                write!(f, "{{pid={pid}, uid={uid}, gid={gid}}}")
            }
        }
    }
}

/// How many bytes an option's value has.
pub(in crate::sys) fn value_bytes(value: OptionValue) -> u32 {
    match value {
        OptionValue::Int(_) => 4,
        OptionValue::Linger { .. } => 8,
        OptionValue::Credentials { .. } => 12,
        OptionValue::Time { .. } => 16,
        OptionValue::Structure { bytes, .. } => bytes,
    }
}

/// The room that there was for an option's value, and what the kernel used of it if that was less: `512 => 248`.
pub(in crate::sys) fn value_room(value: OptionValue) -> String {
    match value {
        OptionValue::Structure { bytes, room } if bytes != room => format!("{room} => {bytes}"),
        value => value_bytes(value).to_string(),
    }
}

/// An address and its length, as a call takes them.
pub(in crate::sys) struct Name<'a>(pub(in crate::sys) &'a Address);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let len = self.0.to_sockaddr().map_or(0, |raw| raw.len());
        write!(f, "{}, {len}", Sockaddr(self.0))
    }
}

/// An address as the kernel wrote it, and its length: the room that there was, and what was used of it.
pub(in crate::sys) struct KernelName<'a>(pub(in crate::sys) &'a Address);

impl Display for KernelName<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let len = self.0.to_sockaddr().map_or(0, |raw| raw.len());
        let room = size_of::<libc::sockaddr_storage>();
        write!(f, "{}, [{room} => {len}]", Sockaddr(self.0))
    }
}

/// A socket's type, and the modes that are given with it.
pub(in crate::sys) struct SocketKind(pub(in crate::sys) i32);

impl Display for SocketKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let modes = self.0 & (libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK);
        write!(f, "{}", OneOf(self.0 & !modes, flags::KINDS))?;
        match modes {
            0 => Ok(()),
            _ => write!(f, "|{}", Bits(modes as u64, flags::SOCKET_MODES)),
        }
    }
}

/// A path, as it is.
pub(in crate::sys) struct PathText<'a>(pub(in crate::sys) &'a Path);

impl Display for PathText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Text(self.0.as_os_str().as_bytes(), usize::MAX).fmt(f)
    }
}

/// The directory that a path begins at.
pub(in crate::sys) struct Directory(pub(in crate::sys) i32);

impl Display for Directory {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            libc::AT_FDCWD => f.write_str("AT_FDCWD"),
            fd => write!(f, "{fd}"),
        }
    }
}

/// The part of a `struct stat` that is shown. A mode of 0 is none: the call failed.
pub(in crate::sys) struct Stat {
    pub(in crate::sys) mode: u32,
    pub(in crate::sys) size: u64,
}

impl Display for Stat {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.mode == 0 {
            return f.write_str("{}");
        }
        let kind = OneOf((self.mode & libc::S_IFMT) as i32, flags::FILE_TYPES);
        write!(f, "{{st_mode={kind}|")?;
        let special = self.mode & (libc::S_ISUID | libc::S_ISGID | libc::S_ISVTX);
        if special != 0 {
            write!(f, "{}|", Bits(special.into(), flags::MODE_BITS))?;
        }
        let permissions = self.mode & 0o777;
        write!(f, "0{permissions:03o}, st_size={}, ...}}", self.size)
    }
}

struct Sockaddr<'a>(&'a Address);

impl Display for Sockaddr<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Address::Inet(SocketAddr::V4(v4)) => {
                write!(f, "{{sa_family=AF_INET, sin_port=htons({}), ", v4.port())?;
                write!(f, "sin_addr=inet_addr(\"{}\")}}", v4.ip())
            }
            Address::Inet(SocketAddr::V6(v6)) => {
                write!(f, "{{sa_family=AF_INET6, sin6_port=htons({}), ", v6.port())?;
                write!(f, "inet_pton(AF_INET6, \"{}\", &sin6_addr)}}", v6.ip())
            }
            Address::Unix(UnixName::Path(path)) => {
                let path = Text(path.as_os_str().as_bytes(), usize::MAX);
                write!(f, "{{sa_family=AF_UNIX, sun_path={path}}}")
            }
            Address::Unix(UnixName::Abstract(name)) => {
                write!(
                    f,
                    "{{sa_family=AF_UNIX, sun_path=@{}}}",
                    Text(name, usize::MAX)
                )
            }
            Address::Unix(UnixName::Unnamed) => f.write_str("{sa_family=AF_UNIX}"),
        }
    }
}

pub(in crate::sys) fn how_name(how: How) -> &'static str {
    match how {
        How::Read => "SHUT_RD",
        How::Write => "SHUT_WR",
        How::Both => "SHUT_RDWR",
    }
}

/// ` = -1 EAGAIN (Resource temporarily unavailable)`
pub(in crate::sys) fn failure(f: &mut Formatter<'_>, error: &io::Error) -> fmt::Result {
    let text = error.to_string();
    match error.raw_os_error() {
        Some(errno) => {
            // The standard library appends the number, which the name already says.
            let text = text.split(" (os error").next().unwrap_or_default();
            write!(f, " = -1 {} ({text})", errno_name(errno))
        }
        None => write!(f, " = -1 ({text})"),
    }
}

/// A call's answer as a trace shows it: `7`, and flags in hexadecimal beside what they mean, as strace does.
pub(crate) fn answer(name: &str, number: i64, meaning: Option<&str>) -> String {
    match meaning {
        Some(meaning) if name == "fcntl" => format!("{number:#x} ({meaning})"),
        Some(meaning) => format!("{number} ({meaning})"),
        None => number.to_string(),
    }
}
