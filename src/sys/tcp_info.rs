//! What the kernel knows about one TCP connection: its state, how long bytes travel, how many it may have under way.
//!
//! ```text
//!   getsockopt(TCP_INFO)     ─┐
//!                             ├─ bytes of `struct tcp_info`, as many as this kernel has ──▶ TcpInfo
//!   sock_diag INET_DIAG_INFO ─┘
//! ```
//!
//! The structure has grown at its end for twenty years. It is read field by field from however many bytes came, so that an
//! older kernel gives `None` where it says nothing, and a newer one is understood as far as it is known here.
#![allow(unsafe_code, reason = "a system call of the C library")]

use super::hook::{ask, outcome, retry, told};
use super::{Call, OptionValue, Probe};
use std::fmt::{self, Display, Formatter};
use std::io;
use std::mem::size_of_val;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

#[cfg(test)]
mod tests;

/// Where a connection is in its life (RFC 9293 §3.3.2), under the numbers of the kernel's `net/tcp_states.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TcpState {
    /// Open in both directions.
    Established,
    /// We asked and wait for the answer: the SYN has left.
    SynSent,
    /// We were asked and have answered: the SYN-ACK has left.
    SynReceived,
    /// We closed: our FIN has left and is not acknowledged.
    FinWait1,
    /// Our FIN is acknowledged, and the peer has not closed yet.
    FinWait2,
    /// Both closed and we were first: the port pair rests for a minute, in case something is still under way.
    TimeWait,
    /// There is no connection.
    Close,
    /// The peer closed and we have not: the application still may send.
    CloseWait,
    /// The peer closed first, and our FIN is not acknowledged.
    LastAck,
    /// Waits for connections.
    Listen,
    /// Both closed at once, and our FIN is not acknowledged.
    Closing,
    /// A number that is not known here.
    Unknown(u8),
}

const STATES: [(TcpState, &str); 11] = [
    (TcpState::Established, "ESTABLISHED"),
    (TcpState::SynSent, "SYN-SENT"),
    (TcpState::SynReceived, "SYN-RECEIVED"),
    (TcpState::FinWait1, "FIN-WAIT-1"),
    (TcpState::FinWait2, "FIN-WAIT-2"),
    (TcpState::TimeWait, "TIME-WAIT"),
    (TcpState::Close, "CLOSED"),
    (TcpState::CloseWait, "CLOSE-WAIT"),
    (TcpState::LastAck, "LAST-ACK"),
    (TcpState::Listen, "LISTEN"),
    (TcpState::Closing, "CLOSING"),
];

/// `TCP_NEW_SYN_RECV`: a request that has no socket of its own yet. Outside it is told as `SYN-RECEIVED`.
const NEW_SYN_RECEIVED: u8 = 12;

impl TcpState {
    /// The state of a number as the kernel tells it.
    pub fn from_raw(number: u8) -> TcpState {
        match usize::from(number).checked_sub(1) {
            _ if number == NEW_SYN_RECEIVED => TcpState::SynReceived,
            Some(index) if index < STATES.len() => STATES[index].0,
            _ => TcpState::Unknown(number),
        }
    }

    /// The name in RFC 9293: `FIN-WAIT-1`.
    pub fn name(self) -> &'static str {
        let known = STATES.iter().find(|(state, _)| *state == self);
        known.map_or("UNKNOWN", |(_, name)| name)
    }
}

impl Display for TcpState {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The kernel's account of one TCP connection (`tcp(7)`, `TCP_INFO`; RFC 4898 for most counters).
///
/// Its `Display` is one line: `ESTABLISHED rtt 0.031 ms ±0.009, cwnd 10, mss 32768, unacked 0, retransmits 0/0, …`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpInfo {
    /// Where the connection is in its life.
    pub state: TcpState,
    /// Timeouts in a row without an answer: 0 when all is well.
    pub retransmits: u8,
    /// Questions without an answer: keepalive or window probes.
    pub probes: u8,
    /// By how many bits our windows are shifted before the peer sees them (RFC 7323 §2).
    pub receive_window_scale: u8,
    /// By how many bits the peer's windows are shifted.
    pub send_window_scale: u8,
    /// How long an acknowledgement may take before data is sent again.
    pub retransmission_timeout: Duration,
    /// The largest segment that we send, in bytes.
    pub send_mss: u32,
    /// The largest segment that came, in bytes.
    pub receive_mss: u32,
    /// Segments sent and not acknowledged.
    pub unacked: u32,
    /// Segments that the peer has, behind a gap (SACK, RFC 2018).
    pub sacked: u32,
    /// Segments taken for lost.
    pub lost: u32,
    /// Segments sent again and not acknowledged.
    pub retransmitting: u32,
    /// How long ago data was last sent.
    pub since_sent: Duration,
    /// How long ago data last came.
    pub since_received: Duration,
    /// The largest packet that fits the path, in bytes.
    pub path_mtu: u32,
    /// How long a segment and its acknowledgement take, smoothed.
    pub rtt: Duration,
    /// By how much that varies.
    pub rtt_variation: Duration,
    /// How many segments may be under way before the first answer.
    pub congestion_window: u32,
    /// Where slow start ends, in segments; `None` before anything was lost.
    pub slow_start_threshold: Option<u32>,
    /// The largest segment that we offered to take, in bytes.
    pub advertised_mss: u32,
    /// Bytes that the receive buffer is tuned for.
    pub receive_space: u32,
    /// Segments ever sent again.
    pub total_retransmits: u32,
    /// Bytes of ours that the peer acknowledged (4.1+).
    pub bytes_acked: Option<u64>,
    /// Bytes that came in order (4.1+).
    pub bytes_received: Option<u64>,
    /// Segments sent, those without data included (4.2+).
    pub segments_out: Option<u32>,
    /// Segments received (4.2+).
    pub segments_in: Option<u32>,
    /// Bytes in the send buffer that have not left once (4.6+).
    pub not_sent_bytes: Option<u32>,
    /// The shortest round trip so far (4.6+).
    pub rtt_min: Option<Duration>,
    /// Bytes per second that were lately delivered (4.9+).
    pub delivery_rate: Option<u64>,
    /// Bytes sent, those sent again included (4.19+).
    pub bytes_sent: Option<u64>,
    /// Bytes sent again (4.19+).
    pub bytes_retransmitted: Option<u64>,
    /// The peer's receive window, in bytes (5.4+).
    pub peer_window: Option<u32>,
}

/// The bytes of a `struct tcp_info` up to `tcpi_total_retrans`, which every kernel since 2.6 gives.
const OLDEST_BYTES: usize = 104;

/// The structure of Linux 6.18 has 280 bytes; the rest is room for the next ones.
const BYTES_MAX: usize = 512;

/// In `tcpi_snd_ssthresh`: no limit yet (`TCP_INFINITE_SSTHRESH`).
const NO_THRESHOLD: u32 = 0x7fff_ffff;

impl TcpInfo {
    /// Reads a `struct tcp_info` of `linux/tcp.h`, in this machine's byte order; `None` for fewer than 104 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<TcpInfo> {
        if bytes.len() < OLDEST_BYTES {
            return None;
        }
        let u32 = |at: usize| later_u32(bytes, at).unwrap_or(0);
        let microseconds = |at| Duration::from_micros(u32(at).into());
        let milliseconds = |at| Duration::from_millis(u32(at).into());
        let threshold = u32(76);
        Some(TcpInfo {
            state: TcpState::from_raw(bytes[0]),
            retransmits: bytes[2],
            probes: bytes[3],
            // Two fields of four bits: the first one lies low on x86 and ARM.
            send_window_scale: bytes[6] & 0xf,
            receive_window_scale: bytes[6] >> 4,
            retransmission_timeout: microseconds(8),
            send_mss: u32(16),
            receive_mss: u32(20),
            unacked: u32(24),
            sacked: u32(28),
            lost: u32(32),
            retransmitting: u32(36),
            since_sent: milliseconds(44),
            since_received: milliseconds(52),
            path_mtu: u32(60),
            rtt: microseconds(68),
            rtt_variation: microseconds(72),
            slow_start_threshold: (threshold < NO_THRESHOLD).then_some(threshold),
            congestion_window: u32(80),
            advertised_mss: u32(84),
            receive_space: u32(96),
            total_retransmits: u32(100),
            bytes_acked: later_u64(bytes, 120),
            bytes_received: later_u64(bytes, 128),
            segments_out: later_u32(bytes, 136),
            segments_in: later_u32(bytes, 140),
            not_sent_bytes: later_u32(bytes, 144),
            rtt_min: later_u32(bytes, 148).map(|time| Duration::from_micros(time.into())),
            delivery_rate: later_u64(bytes, 160),
            bytes_sent: later_u64(bytes, 200),
            bytes_retransmitted: later_u64(bytes, 208),
            peer_window: later_u32(bytes, 228),
        })
    }
}

fn later_u32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u32::from_ne_bytes)
}

fn later_u64(bytes: &[u8], at: usize) -> Option<u64> {
    bytes
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u64::from_ne_bytes)
}

impl Display for TcpInfo {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        let (rtt, variation) = (milliseconds(self.rtt), milliseconds(self.rtt_variation));
        write!(f, "{} rtt {rtt:.3} ms ±{variation:.3}", self.state)?;
        let (window, mss) = (self.congestion_window, self.send_mss);
        write!(f, ", cwnd {window}, mss {mss}, unacked {}", self.unacked)?;
        write!(
            f,
            ", retransmits {}/{}",
            self.retransmits, self.total_retransmits
        )?;
        if let Some(bytes) = self.not_sent_bytes {
            write!(f, ", not sent {bytes}")?;
        }
        if let (Some(acked), Some(received)) = (self.bytes_acked, self.bytes_received) {
            write!(f, ", acked {acked} bytes, received {received} bytes")?;
        }
        Ok(())
    }
}

/// What the kernel knows about a connection (`getsockopt(2)`, `TCP_INFO`). Never blocks.
///
/// # Errors
///
/// EOPNOTSUPP: it is no TCP socket; `InvalidData`: the kernel gave fewer bytes than any known one.
///
/// ```
/// use longshore::sys::{self, Silent, TcpState};
/// use std::net::{TcpListener, TcpStream};
/// use std::os::fd::AsFd;
///
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let client = TcpStream::connect(listener.local_addr()?)?;
/// let info = sys::tcp_info(&mut Silent, client.as_fd())?;
/// assert_eq!(info.state, TcpState::Established);
/// assert_eq!(info.total_retransmits, 0);
/// # Ok(())
/// # }
/// ```
pub fn tcp_info(probe: &mut impl Probe, fd: BorrowedFd<'_>) -> io::Result<TcpInfo> {
    let (fd, level, option) = (fd.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO);
    let call = |value| Call::Getsockopt {
        fd,
        level,
        option,
        value,
    };
    let mut raw = [0u8; BYTES_MAX];
    let mut len = 0;
    retry(|| {
        ask(probe, &call(None))?;
        len = size_of_val(&raw) as libc::socklen_t;
        // SAFETY: `raw` and `len` live through the call, and `len` starts as the size of `raw`.
        let answer =
            unsafe { libc::getsockopt(fd, level, option, (&raw mut raw).cast(), &raw mut len) };
        let result = outcome(answer as isize);
        let room = size_of_val(&raw) as u32;
        let value = OptionValue::Structure { bytes: len, room };
        told(probe, &call(result.is_ok().then_some(value)), result)
    })?;
    let filled = &raw[..raw.len().min(len as usize)];
    TcpInfo::from_bytes(filled).ok_or_else(|| {
        let text = "the kernel's tcp_info is shorter than that of any known kernel";
        io::Error::new(io::ErrorKind::InvalidData, text)
    })
}
