//! Kinds of sockets, and where each is by default.

use clap::ValueEnum;
use longshore::sys::{Address, Kind};

/// What is listened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    /// A byte stream between machines
    Tcp,
    /// Datagrams between machines
    Udp,
    /// A byte stream within this machine
    Unix,
    /// Datagrams within this machine
    UnixDatagram,
}

impl Transport {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
            Transport::Unix => "unix",
            Transport::UnixDatagram => "unix-datagram",
        }
    }

    /// Where a socket of this kind is, as `longshore connect` takes it: `tcp 127.0.0.1:7007`, `unix:PATH`,
    /// `unix-datagram:PATH`.
    pub(super) fn at(self, address: &Address) -> String {
        let address = address.to_string();
        match address.strip_prefix("unix:") {
            Some(name) => format!("{}:{name}", self.name()),
            None => format!("{} {address}", self.name()),
        }
    }

    pub(super) const fn kind(self) -> Kind {
        match self {
            Transport::Tcp | Transport::Unix => Kind::Stream,
            Transport::Udp | Transport::UnixDatagram => Kind::Datagram,
        }
    }

    pub(super) const fn is_unix(self) -> bool {
        matches!(self, Transport::Unix | Transport::UnixDatagram)
    }

    pub(super) fn usual_address(self) -> Address {
        let text = if self.is_unix() {
            "unix:@longshore-echo"
        } else {
            "127.0.0.1:7007"
        };
        text.parse().expect("a literal")
    }
}
