//! What the kernel thinks of a connection, asked by its five-tuple.
//!
//! ```text
//!   Diag ── SOCK_DIAG_BY_FAMILY: TCP, local, remote, INET_DIAG_INFO ──▶ kernel
//!        ◀─ inet_diag_msg: state, queues, uid, inode; tcp_info ───────
//! ```
//!
//! `getsockopt(2)` needs a descriptor of the process that owns it, and a ring's direct descriptors have none. Netlink
//! (`sock_diag(7)`) needs neither: a thread beside the server asks about any connection of the network namespace, also
//! after its descriptor was closed, and every user may. It sees the state of the moment in which it asks, which may be
//! later than the packet that made it ask.

use crate::sys::{self, Mode, Silent, TcpInfo, TcpState};
use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::nlas::Nla;
use netlink_packet_sock_diag::inet::{
    ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags,
};
use std::fmt::{self, Display, Formatter};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

/// Room for one answer: a header of 88 bytes, `tcp_info`, and attributes that were not asked for.
const ANSWER_BYTES_MAX: usize = 4096;

/// How many old answers may lie before the one that is looked for.
const STALE_MAX: usize = 16;

/// No cookie: the five-tuple alone names the socket (`INET_DIAG_NOCOOKIE`).
const NO_COOKIE: [u8; 8] = [0xff; 8];

/// One end of a TCP connection, as the kernel of this machine has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketState {
    /// Where this end is in its life.
    pub state: TcpState,
    /// Bytes that came and were not read.
    pub receive_queue: u32,
    /// Bytes that were written and not acknowledged.
    pub send_queue: u32,
    /// Whose socket it is.
    pub uid: u32,
    /// The number in `/proc/<pid>/fd` that leads to the process; 0 once its descriptor was closed.
    pub inode: u32,
    /// The account of the connection; `None` where the kernel keeps none: in `TIME-WAIT` and `SYN-RECEIVED`.
    pub info: Option<TcpInfo>,
}

impl Display for SocketState {
    /// `FIN-WAIT-2 rtt 0.021 ms ±0.010, cwnd 10, …, unread 0`, or the state alone.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.info {
            Some(info) => write!(f, "{info}, unread {}", self.receive_queue),
            None => self.state.fmt(f),
        }
    }
}

/// A line to the kernel's directory of sockets.
#[derive(Debug)]
pub struct Diag {
    socket: OwnedFd,
    sequence: u32,
    answer: Vec<u8>,
}

impl Diag {
    /// Opens it. No capability is needed.
    ///
    /// # Errors
    ///
    /// EPROTONOSUPPORT: the kernel was built without `CONFIG_INET_DIAG`; out of descriptors or memory.
    ///
    /// ```
    /// use longshore::sys::TcpState;
    /// use longshore::trace::packets::Diag;
    /// use std::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let client = TcpStream::connect(listener.local_addr()?)?;
    /// let mut diag = Diag::open()?;
    /// let end = diag.tcp(client.local_addr()?, client.peer_addr()?)?.expect("it is open");
    /// assert_eq!(end.state, TcpState::Established);
    /// # Ok(())
    /// # }
    /// ```
    pub fn open() -> io::Result<Diag> {
        Ok(Diag {
            socket: sys::diag_socket(&mut Silent, Mode::Nonblocking)?,
            sequence: 0,
            answer: vec![0; ANSWER_BYTES_MAX],
        })
    }

    /// The end of a TCP connection that has the address `local`; `None` if this machine has none. Two system calls, and
    /// it never blocks.
    ///
    /// On loopback both ends are here: ask with the addresses exchanged for the other one.
    ///
    /// # Errors
    ///
    /// ENOENT was turned into `None`; `InvalidInput`: the addresses are of two families; `InvalidData`: no answer that
    /// can be read.
    pub fn tcp(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> io::Result<Option<SocketState>> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = request(local, remote, self.sequence)?;
        sys::send(&mut Silent, self.socket.as_fd(), &request)?;
        for _ in 0..STALE_MAX {
            let len = sys::recv(&mut Silent, self.socket.as_fd(), &mut self.answer)?;
            let answer = NetlinkMessage::<SockDiagMessage>::deserialize(&self.answer[..len])
                .map_err(invalid)?;
            if answer.header.sequence_number != self.sequence {
                continue;
            }
            return match answer.payload {
                NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => {
                    Ok(end(&response, remote))
                }
                NetlinkPayload::Error(error) => match error.to_io() {
                    error if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
                    error => Err(error),
                },
                other => Err(invalid(format!("an unexpected answer: {other:?}"))),
            };
        }
        Err(invalid("too many answers to earlier questions"))
    }
}

fn request(local: SocketAddr, remote: SocketAddr, sequence: u32) -> io::Result<Vec<u8>> {
    let family = match (local, remote) {
        (SocketAddr::V4(_), SocketAddr::V4(_)) => AF_INET,
        (SocketAddr::V6(_), SocketAddr::V6(_)) => AF_INET6,
        _ => {
            let text = "the two ends of a connection have addresses of one family";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
    };
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST;
    header.sequence_number = sequence;
    let question = InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::INFO,
        states: StateFlags::all(),
        socket_id: SocketId {
            source_port: local.port(),
            destination_port: remote.port(),
            source_address: local.ip(),
            destination_address: remote.ip(),
            interface_id: 0,
            cookie: NO_COOKIE,
        },
    };
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(question).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    Ok(bytes)
}

fn end(response: &InetResponse, remote: SocketAddr) -> Option<SocketState> {
    let header = &response.header;
    // Where there is no such connection the kernel answers with the listener of the local address.
    if header.socket_id.destination_port != remote.port() {
        return None;
    }
    let info = response.nlas.iter().find_map(|attribute| match attribute {
        Nla::TcpInfo(bytes) => TcpInfo::from_bytes(bytes),
        _ => None,
    });
    let state = TcpState::from_raw(header.state);
    Some(SocketState {
        state,
        receive_queue: header.recv_queue,
        send_queue: header.send_queue,
        uid: header.uid,
        inode: header.inode,
        // A socket that is closed or never opened has an account full of zeros.
        info: info.filter(|info| info.state == state),
    })
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
