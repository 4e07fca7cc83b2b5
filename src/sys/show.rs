//! A call as one line of text, in the manner of `strace(1)`.
//!
//! ```text
//!   recv(7, "GET / HTTP/1.1\r\n"..., 65536, 0) = 42
//!   send(7, "HTTP/1.1 200 OK\r\n"..., 120, MSG_NOSIGNAL) = -1 EAGAIN (Resource temporarily unavailable)
//! ```
//!
//! What the kernel fills in is shown only when it did: a call that failed has received `""`. Where strace prints the
//! call that the C library makes of it (`recvfrom` for `recv`), the name here is the one in our source.
#![forbid(unsafe_code)]

use super::flags::{self, Bits, EPOLL_MODES, EPOLL_OPS, EVENTFD_MODES, MESSAGE_FLAGS, OneOf};
use super::{Address, Call, EpollEvent, OptionValue, UnixName, errno_name};
use std::fmt::{self, Display, Formatter, Write};
use std::io;

pub(super) mod values;

pub use values::Escaped;
use values::{
    Directory, Event, FileFlags, KernelName, List, Name, OptionName, Parts, PathText, Polled,
    Ready, SocketKind, Stat, Text, Time, Value, answer, failure, how_name, value_bytes, value_room,
};

/// A call, what came of it, and how many bytes of data are shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown<'a> {
    pub(super) call: &'a Call<'a>,
    pub(super) result: Option<Result<usize, &'a io::Error>>,
    pub(super) text_max: usize,
}

impl Display for Call<'_> {
    /// The call as it is before it was made: `recv(7, "", 65536, 0)`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Shown {
            call: self,
            result: None,
            text_max: 32,
        }
        .fmt(f)
    }
}

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.call.name())?;
        self.of_sockets(f)?;
        f.write_char(')')?;
        match self.result {
            None => Ok(()),
            Some(Ok(number)) => {
                let meaning = self.call.meaning(number);
                let number = number as i64;
                write!(
                    f,
                    " = {}",
                    answer(self.call.name(), number, meaning.as_deref())
                )
            }
            Some(Err(error)) => failure(f, error),
        }
    }
}

/// A call's arguments as a trace shows them, without its name and answer: `7, "GET /"..., 65536, 0`. Made with
/// [`Call::arguments`].
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a>(Shown<'a>);

impl Display for Arguments<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.of_sockets(f)
    }
}

impl Call<'_> {
    /// What an answer means that is more than a number, in strace's words: `flags O_RDWR|O_NONBLOCK` of `F_GETFL`,
    /// `[{fd=3, revents=POLLIN}]` or `Timeout` of `poll(2)`.
    pub fn meaning(&self, answer: usize) -> Option<String> {
        match self {
            Call::Fcntl { command, .. } if *command == libc::F_GETFL => {
                Some(format!("flags {}", FileFlags(answer as i32)))
            }
            Call::Poll { .. } if answer == 0 => Some("Timeout".to_owned()),
            Call::Poll { fds, .. } => {
                let ready = fds.iter().filter(|fd| fd.revents() != 0);
                Some(List(ready.map(Ready)).to_string())
            }
            _ => None,
        }
    }

    /// The arguments alone, with at most `text_max` bytes of each buffer. What the kernel fills in is shown only for a
    /// result that says so.
    pub fn arguments<'a>(
        &'a self,
        result: Option<Result<usize, &'a io::Error>>,
        text_max: usize,
    ) -> Arguments<'a> {
        Arguments(Shown {
            call: self,
            result,
            text_max,
        })
    }
}

impl Shown<'_> {
    /// How many bytes, events or descriptors the kernel filled in.
    fn filled(&self) -> usize {
        self.result.and_then(Result::ok).unwrap_or(0)
    }

    fn received<'b>(&self, bytes: &'b [u8]) -> Text<'b> {
        Text(&bytes[..self.filled().min(bytes.len())], self.text_max)
    }

    fn text<'b>(&self, bytes: &'b [u8]) -> Text<'b> {
        Text(bytes, self.text_max)
    }

    /// The arguments of calls that make and name sockets; any other call is passed on to the next function.
    fn of_sockets(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self.call {
            Call::Socket {
                family,
                kind,
                protocol,
            } => {
                let family = OneOf(family, flags::FAMILIES);
                write!(f, "{family}, {}, {protocol}", SocketKind(kind))
            }
            Call::Socketpair {
                family,
                kind,
                protocol,
                pair,
            } => {
                let family = OneOf(family, flags::FAMILIES);
                write!(f, "{family}, {}, {protocol}, ", SocketKind(kind))?;
                match pair {
                    Some([one, other]) => write!(f, "[{one}, {other}]"),
                    None => f.write_str("[]"),
                }
            }
            Call::Bind { fd, address } | Call::Connect { fd, address } => {
                write!(f, "{fd}, {}", Name(address))
            }
            Call::BindInterface {
                fd,
                protocol,
                interface,
            } => {
                let protocol = OneOf(protocol.into(), flags::PACKET_PROTOCOLS);
                write!(
                    f,
                    "{fd}, {{sa_family=AF_PACKET, sll_protocol=htons({protocol}), "
                )?;
                write!(f, "sll_ifindex={interface}}}, 20")
            }
            Call::Listen { fd, backlog } => write!(f, "{fd}, {backlog}"),
            Call::Accept4 { fd, from, flags } => {
                let modes = Bits(flags as u64, flags::SOCKET_MODES);
                match from {
                    Some(from) => write!(f, "{fd}, {}, {modes}", KernelName(from)),
                    None => write!(f, "{fd}, NULL, NULL, {modes}"),
                }
            }
            Call::Getsockname { fd, address } | Call::Getpeername { fd, address } => {
                match address {
                    Some(address) => write!(f, "{fd}, {}", KernelName(address)),
                    None => write!(f, "{fd}, {{}}"),
                }
            }
            Call::Getsockopt {
                fd,
                level: level @ libc::SOL_SOCKET,
                option: option @ libc::SO_ERROR,
                value: Some(OptionValue::Int(errno)),
            } if errno_name(errno) != "?" => {
                let (option, name) = (OptionName(level, option), errno_name(errno));
                write!(f, "{fd}, {option}, [{name}], [4]")
            }
            Call::Setsockopt {
                fd,
                level,
                option,
                value,
            } => {
                let (option, len) = (OptionName(level, option), value_bytes(value));
                write!(f, "{fd}, {option}, {}, {len}", Value(value))
            }
            Call::Getsockopt {
                fd,
                level,
                option,
                value: Some(value),
            } => {
                let (option, room) = (OptionName(level, option), value_room(value));
                write!(f, "{fd}, {option}, {}, [{room}]", Value(value))
            }
            Call::Getsockopt {
                fd,
                level,
                option,
                value: None,
            } => {
                write!(f, "{fd}, {}", OptionName(level, option))
            }
            Call::Shutdown { fd, how } => write!(f, "{fd}, {}", how_name(how)),
            Call::Close { fd } => write!(f, "{fd}"),
            _ => self.of_data(f),
        }
    }

    /// The arguments of calls that move bytes; any other call is passed on to the next function.
    fn of_data(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let message = |flags: i32| Bits(flags as u64, MESSAGE_FLAGS);
        match *self.call {
            Call::Recv { fd, bytes, flags } => {
                write!(
                    f,
                    "{fd}, {}, {}, {}",
                    self.received(bytes),
                    bytes.len(),
                    message(flags)
                )
            }
            Call::Send { fd, bytes, flags } => {
                write!(
                    f,
                    "{fd}, {}, {}, {}",
                    self.text(bytes),
                    bytes.len(),
                    message(flags)
                )
            }
            Call::Read { fd, bytes } => {
                write!(f, "{fd}, {}, {}", self.received(bytes), bytes.len())
            }
            Call::Write { fd, bytes } => {
                write!(f, "{fd}, {}, {}", self.text(bytes), bytes.len())
            }
            Call::Writev { fd, parts } => {
                write!(f, "{fd}, {}, {}", Parts(parts, self.text_max), parts.len())
            }
            Call::Sendmsg { fd, parts, flags } => {
                let (shown, count) = (Parts(parts, self.text_max), parts.len());
                write!(
                    f,
                    "{fd}, {{msg_iov={shown}, msg_iovlen={count}}}, {}",
                    message(flags)
                )
            }
            Call::Pread { fd, bytes, offset } => {
                write!(
                    f,
                    "{fd}, {}, {}, {offset}",
                    self.received(bytes),
                    bytes.len()
                )
            }
            Call::Sendfile {
                out,
                file,
                offset,
                count,
            } => {
                // The kernel moves the offset on by what it sent (sendfile(2)).
                match offset.saturating_add(self.filled() as u64) {
                    after if after == offset => write!(f, "{out}, {file}, [{offset}], {count}"),
                    after => write!(f, "{out}, {file}, [{offset}] => [{after}], {count}"),
                }
            }
            _ => self.of_datagrams(f),
        }
    }

    /// The arguments of calls that move datagrams; any other call is passed on to the next function.
    fn of_datagrams(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let message = |flags: i32| Bits(flags as u64, MESSAGE_FLAGS);
        match *self.call {
            Call::Recvmsg {
                fd,
                bytes,
                from,
                truncated,
                flags,
            } => {
                write!(f, "{fd}, {{msg_name=")?;
                match from {
                    // The kernel wrote no name: it never writes an empty one (unix(7)).
                    Some(Address::Unix(UnixName::Unnamed)) => f.write_str("{}, 0")?,
                    Some(from) => write!(f, "{}", Name(from))?,
                    None => f.write_str("{}")?,
                }
                let (text, len) = (self.received(bytes), bytes.len());
                write!(
                    f,
                    ", msg_iov=[{{iov_base={text}, iov_len={len}}}], msg_iovlen=1"
                )?;
                let flagged = if truncated { libc::MSG_TRUNC } else { 0 };
                write!(f, ", msg_flags={}}}, {}", message(flagged), message(flags))
            }
            Call::Sendto {
                fd,
                bytes,
                to,
                flags,
            } => {
                write!(f, "{fd}, {}, {}, ", self.text(bytes), bytes.len())?;
                write!(f, "{}, {}", message(flags), Name(to))
            }
            _ => self.of_waiting(f),
        }
    }

    /// The arguments of calls that wait and wake; any other call is passed on to the next function.
    fn of_waiting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self.call {
            Call::EpollCreate1 { flags } => Bits(flags as u64, EPOLL_MODES).fmt(f),
            Call::EpollCtl {
                epoll,
                op: libc::EPOLL_CTL_DEL,
                fd,
                ..
            } => {
                write!(f, "{epoll}, EPOLL_CTL_DEL, {fd}, NULL")
            }
            Call::EpollCtl {
                epoll,
                op,
                fd,
                events,
                key,
            } => {
                let event = Event(EpollEvent::new(events, key));
                write!(f, "{epoll}, {}, {fd}, {event}", OneOf(op, EPOLL_OPS))
            }
            Call::EpollWait {
                epoll,
                events,
                timeout,
            } => {
                let milliseconds = super::epoll::milliseconds_up(timeout);
                write!(f, "{epoll}, {}, {}, ", self.events(events), events.len())?;
                write!(f, "{milliseconds}")
            }
            Call::EpollPwait2 {
                epoll,
                events,
                timeout,
            } => {
                let (ready, room) = (self.events(events), events.len());
                write!(f, "{epoll}, {ready}, {room}, {}, NULL, 0", Time(timeout))
            }
            Call::Poll { fds, timeout } => {
                let milliseconds = super::epoll::milliseconds_up(timeout);
                write!(
                    f,
                    "{}, {}, {milliseconds}",
                    List(fds.iter().map(Polled)),
                    fds.len()
                )
            }
            Call::Eventfd { value, flags } => {
                write!(f, "{value}, {}", Bits(flags as u64, EVENTFD_MODES))
            }
            Call::EventfdRead { fd, value } | Call::EventfdWrite { fd, value } => {
                write!(f, "{fd}, [{value}], 8")
            }
            _ => self.of_rings(f),
        }
    }

    /// The arguments of calls on rings; any other call is passed on to the next function.
    fn of_rings(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self.call {
            Call::Ring { submission, .. } => submission.arguments(f, self.text_max),
            Call::IoUringSetup { entries, flags } => {
                let flags = Bits(flags.into(), flags::SETUP_FLAGS);
                write!(f, "{entries}, {{flags={flags}}}")
            }
            Call::IoUringEnter {
                fd,
                to_submit,
                min_complete,
                flags,
            } => {
                // The argument is a structure with the time limit in it (io_uring_enter(2)).
                let extended = flags & flags::ENTER_EXT_ARG != 0;
                let argument = if extended { "..., 24" } else { "NULL, 0" };
                let flags = Bits(flags.into(), flags::ENTER_FLAGS);
                write!(f, "{fd}, {to_submit}, {min_complete}, {flags}, {argument}")
            }
            Call::IoUringRegister { fd, what } => {
                let opcode = OneOf(what.opcode() as i32, flags::REGISTER_OPCODES);
                write!(f, "{fd}, {opcode}, {what}, {}", what.count())
            }
            _ => self.of_the_rest(f),
        }
    }

    /// The arguments of calls on files, limits and threads, and of what is no call of ours.
    fn of_the_rest(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self.call {
            Call::Fcntl { fd, command, flags } => {
                write!(f, "{fd}, {}", OneOf(command, flags::FCNTL_COMMANDS))?;
                match command {
                    libc::F_SETFL => write!(f, ", {}", FileFlags(flags)),
                    libc::F_DUPFD_CLOEXEC => write!(f, ", {flags}"),
                    _ => Ok(()),
                }
            }
            Call::Openat2 {
                dir,
                path,
                flags,
                resolve,
            } => {
                let path = PathText(path);
                let flags = Bits(flags, flags::OPEN_FLAGS);
                let resolve = Bits(resolve, flags::RESOLVE_FLAGS);
                write!(
                    f,
                    "{dir}, {path}, {{flags=O_RDONLY|{flags}, resolve={resolve}}}, 24"
                )
            }
            Call::Openat {
                dir,
                path,
                flags,
                mode,
            } => {
                let (access, rest) = (flags & libc::O_ACCMODE, flags & !libc::O_ACCMODE);
                let access = OneOf(access, flags::ACCESS_MODES);
                let rest = Bits(rest as u64, flags::OPEN_FLAGS);
                write!(f, "{}, {}, {access}|{rest}", Directory(dir), PathText(path))?;
                match flags & libc::O_CREAT {
                    0 => Ok(()),
                    _ => write!(f, ", 0{mode:03o}"),
                }
            }
            Call::Newfstatat {
                dir,
                path,
                mode,
                size,
                flags,
            } => {
                let flags = Bits(flags as u64, flags::AT_FLAGS);
                let (dir, path, stat) = (Directory(dir), PathText(path), Stat { mode, size });
                write!(f, "{dir}, {path}, {stat}, {flags}")
            }
            Call::Chmod { path, mode } => write!(f, "{}, 0{mode:03o}", PathText(path)),
            Call::Unlink { path } => write!(f, "{}", PathText(path)),
            Call::Fstat { fd, mode, size } => write!(f, "{fd}, {}", Stat { mode, size }),
            Call::Getdents64 { fd, bytes } => {
                write!(f, "{fd}, [{} bytes], {}", self.filled(), bytes.len())
            }
            Call::Getrlimit {
                resource,
                soft,
                hard,
            }
            | Call::Setrlimit {
                resource,
                soft,
                hard,
            } => {
                let resource = OneOf(resource as i32, flags::RESOURCES);
                write!(f, "{resource}, {{rlim_cur={soft}, rlim_max={hard}}}")
            }
            // Not the bytes: they may become keys, and a trace is kept.
            Call::Getrandom { bytes, flags } => {
                write!(f, "[{} bytes], {}, {flags}", self.filled(), bytes.len())
            }
            Call::SchedSetaffinity { cpu } => write!(f, "0, 128, [{cpu}]"),
            Call::Unshare { flags } if flags == libc::CLONE_FILES => f.write_str("CLONE_FILES"),
            Call::Unshare { flags } => write!(f, "{flags:#x}"),
            _ => Ok(()),
        }
    }

    fn events<'b>(
        &self,
        events: &'b [EpollEvent],
    ) -> List<impl Iterator<Item = Event> + Clone + 'b> {
        let filled = self.filled().min(events.len());
        List(events[..filled].iter().copied().map(Event))
    }
}
