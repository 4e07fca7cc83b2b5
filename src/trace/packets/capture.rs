//! Frames of an interface, read by a thread of their own.
//!
//! ```text
//!   start: socket ─ filter ─ time ─ buffer ─ bind ─▶ thread: poll ─▶ recv until EAGAIN ─▶ sink
//!   stop:  eventfd ─────────────────────────────────▶ recv until EAGAIN once more, then it ends
//! ```
//!
//! The queue between the kernel and the thread is the socket's receive buffer. When the thread cannot keep up the kernel
//! drops frames and counts them, and the count is told: the server that is traced never waits for its capture.

use super::filter::{PORTS_MAX, program};
use super::{Frame, Packet, Tracker, stamps};
use crate::sys::{self, Mode, POLLIN, PollFd, Silent, SocketOption};
use std::fmt::{self, Display, Formatter};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

/// The largest frame that is taken whole: an Ethernet header and the 64 KiB that loopback sends in one.
const FRAME_BYTES_MAX: usize = 14 + 65_535;

/// How many frames are read before the thread looks whether it is to stop.
const TURN_FRAMES_MAX: u64 = 256;

/// The kernel gives `lo` this number in every network namespace (`LOOPBACK_IFINDEX`).
const LOOPBACK_INDEX: u32 = 1;

/// Hardware whose frames begin with an Ethernet header (`linux/if_arp.h`).
const ETHERNET: u16 = 1;
const LOOPBACK: u16 = 772;

/// What is captured.
#[derive(Clone, Debug)]
pub struct Plan {
    ports: Vec<u16>,
    interface: String,
    buffer_bytes: usize,
}

impl Plan {
    /// TCP and UDP from and to these ports, 1 to 32 of them, on `lo`.
    pub fn new(ports: impl IntoIterator<Item = u16>) -> Plan {
        Plan {
            ports: ports.into_iter().collect(),
            interface: "lo".to_owned(),
            buffer_bytes: 4 << 20,
        }
    }

    /// Another interface by its name, `eth0`: loopback or Ethernet.
    pub fn interface(self, name: impl Into<String>) -> Plan {
        Plan {
            interface: name.into(),
            ..self
        }
    }

    /// Room for frames that were not read yet, in bytes; 4 MiB by default, cut at `net.core.rmem_max`; the kernel doubles the
    /// figure for its bookkeeping.
    pub fn buffer(self, bytes: usize) -> Plan {
        Plan {
            buffer_bytes: bytes,
            ..self
        }
    }
}

impl Plan {
    pub(super) fn interface_name(&self) -> &str {
        &self.interface
    }
}

impl Display for Plan {
    /// As tcpdump(1) would be asked: `port 8080 or port 8443`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut before = "";
        for port in &self.ports {
            write!(f, "{before}port {port}")?;
            before = " or ";
        }
        Ok(())
    }
}

/// Why no capture was begun. One line, which says what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum CaptureError {
    /// The process lacks `CAP_NET_RAW`.
    NotPermitted,
    /// No port, or more than 32.
    Ports(usize),
    /// There is no interface of this name, or it is down.
    Interface(String, io::Error),
    /// The interface's frames have no Ethernet header; with the number of its kind (`ARPHRD_*`).
    Hardware(String, u16),
    /// The kernel refused something else.
    Io(io::Error),
}

impl Display for CaptureError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            CaptureError::NotPermitted => f.write_str(
                "no packets: capturing needs CAP_NET_RAW (run as root, or once: sudo setcap cap_net_raw+ep PROGRAM)",
            ),
            CaptureError::Ports(count) => {
                write!(f, "no packets: a capture watches 1 to {PORTS_MAX} ports, not {count}")
            }
            CaptureError::Interface(name, error) => {
                write!(f, "no packets: interface {name:?}: {error} (see: ip link)")
            }
            CaptureError::Hardware(name, kind) => {
                write!(f, "no packets: interface {name:?} is of kind {kind}, and only loopback and Ethernet are read")
            }
            CaptureError::Io(error) => write!(f, "no packets: {error}"),
        }
    }
}

impl std::error::Error for CaptureError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            CaptureError::Interface(_, error) | CaptureError::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for CaptureError {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => CaptureError::NotPermitted,
            _ => CaptureError::Io(error),
        }
    }
}

/// What a capture tells, on its own thread.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// A frame came.
    Frame {
        /// Its bytes, for a [`Pcapng`](super::Pcapng).
        frame: Frame<'a>,
        /// What it says; `None` if its headers make no sense.
        packet: Option<&'a Packet>,
    },
    /// So many frames were lost since the last notice of this kind, because the sink was too slow.
    Dropped(u64),
}

/// What a capture saw in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Frames that the sink was given.
    pub packets: u64,
    /// Frames that were lost.
    pub drops: u64,
}

/// A running capture. Dropped, it stops and forgets its report.
#[derive(Debug)]
pub struct Capture {
    wake: Arc<OwnedFd>,
    thread: Option<JoinHandle<io::Result<Report>>>,
}

impl Capture {
    /// Begins to capture: every frame from now on reaches `sink`, in order, on a thread of its own.
    ///
    /// When this returns the kernel is already queueing: what happens next is seen from its first packet on.
    ///
    /// # Errors
    ///
    /// See [`CaptureError`]; without `CAP_NET_RAW` it is `NotPermitted`, and a trace can go on without packets.
    pub fn start(
        plan: &Plan,
        sink: impl FnMut(Notice<'_>) + Send + 'static,
    ) -> Result<Capture, CaptureError> {
        let socket = open(plan)?;
        stamps::await_dates();
        let wake = Arc::new(sys::eventfd(&mut Silent)?);
        let mut reading = Reading {
            socket,
            wake: Arc::clone(&wake),
            tracker: Tracker::new(&plan.ports),
            buf: vec![0; FRAME_BYTES_MAX],
            queued: 0,
            report: Report::default(),
            sink,
        };
        let thread = thread::Builder::new()
            .name("packets".to_owned())
            .spawn(move || reading.run())?;
        Ok(Capture {
            wake,
            thread: Some(thread),
        })
    }

    /// Stops: what is in the queue still reaches the sink, then the thread ends.
    ///
    /// # Errors
    ///
    /// Why the thread ended earlier: ENETDOWN if the interface went down. The sink's panic is passed on.
    pub fn stop(mut self) -> io::Result<Report> {
        self.end().unwrap_or_else(|| Ok(Report::default()))
    }

    fn end(&mut self) -> Option<io::Result<Report>> {
        let thread = self.thread.take()?;
        // It fails only on a wrong descriptor, and then the thread could not be waited for.
        if let Err(error) = sys::eventfd_write(&mut Silent, self.wake.as_fd()) {
            return Some(Err(error));
        }
        match thread.join() {
            Ok(result) => Some(result),
            Err(panic) if thread::panicking() => {
                drop(panic);
                None
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.end();
    }
}

/// A packet socket that queues the plan's frames.
fn open(plan: &Plan) -> Result<OwnedFd, CaptureError> {
    let count = plan.ports.len();
    if count == 0 || count > PORTS_MAX {
        return Err(CaptureError::Ports(count));
    }
    let probe = &mut Silent;
    let socket = sys::packet_socket(probe, Mode::Nonblocking)?;
    let at_interface = |error| CaptureError::Interface(plan.interface.clone(), error);
    let interface = sys::interface_index(probe, &plan.interface).map_err(at_interface)?;
    let fd = socket.as_fd();
    sys::attach_filter(
        probe,
        fd,
        &program(&plan.ports, interface == LOOPBACK_INDEX),
    )?;
    sys::setsockopt(probe, fd, &SocketOption::ReceiveTime(true))?;
    sys::setsockopt(probe, fd, &SocketOption::ReceiveBuffer(plan.buffer_bytes))?;
    sys::bind_interface(probe, fd, interface).map_err(at_interface)?;
    match sys::interface_kind(probe, fd)? {
        ETHERNET | LOOPBACK => Ok(socket),
        kind => Err(CaptureError::Hardware(plan.interface.clone(), kind)),
    }
}

/// The thread's own state.
struct Reading<S> {
    socket: OwnedFd,
    wake: Arc<OwnedFd>,
    tracker: Tracker,
    buf: Vec<u8>,
    /// Frames that were ever put into the queue.
    queued: u64,
    report: Report,
    sink: S,
}

impl<S: FnMut(Notice<'_>)> Reading<S> {
    fn run(&mut self) -> io::Result<Report> {
        loop {
            let mut fds = [
                PollFd::new(self.socket.as_fd(), POLLIN),
                PollFd::new(self.wake.as_fd(), POLLIN),
            ];
            sys::poll(&mut Silent, &mut fds, None)?;
            if fds[1].revents() != 0 {
                // A busy server would fill the queue forever: what came until now is read, and no more.
                let queued = self.ask_queued()?;
                self.read_until(queued)?;
                return Ok(self.report);
            }
            self.read_until(self.report.packets + TURN_FRAMES_MAX)?;
            self.ask_queued()?;
        }
    }

    /// Reads until so many frames were read in all, or the queue is empty.
    fn read_until(&mut self, packets: u64) -> io::Result<()> {
        while self.report.packets < packets {
            let received = sys::recv_packet(&mut Silent, self.socket.as_fd(), &mut self.buf);
            let received = match received {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            let frame = Frame {
                at: received.at.unwrap_or_else(SystemTime::now),
                bytes: &self.buf[..received.bytes],
                wire_bytes: received.wire_bytes,
            };
            let packet = self.tracker.read(&frame);
            self.report.packets += 1;
            (self.sink)(Notice::Frame {
                frame,
                packet: packet.as_ref(),
            });
        }
        Ok(())
    }

    /// Tells what was lost; answers how many frames were ever queued.
    fn ask_queued(&mut self) -> io::Result<u64> {
        let since = sys::packet_statistics(&mut Silent, self.socket.as_fd())?;
        self.queued += u64::from(since.packets.saturating_sub(since.drops));
        if since.drops > 0 {
            self.report.drops += u64::from(since.drops);
            (self.sink)(Notice::Dropped(since.drops.into()));
        }
        Ok(self.queued)
    }
}
