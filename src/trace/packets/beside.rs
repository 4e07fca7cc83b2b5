//! A capture that belongs to a trace: its packets become events among the calls, and frames of a file.
//!
//! ```text
//!   Capture ── Notice ──▶ Sink ─┬─▶ Pcapng                       every frame
//!   (its own thread)            ├─▶ Layers ─▶ Kind::Packet       every packet that can be read, taken apart if asked for
//!                               └─▶ Diag ── TCP_INFO ──▶ Kind::Tcp   when the connection has come to a new step
//! ```
//!
//! The question to the kernel is asked when the packet is read, some microseconds after it passed, and the answer stands
//! right behind the packet. It does not know which calls caused what.

use std::fmt::{self, Debug, Formatter};
use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{
    Capture, CaptureError, Diag, Frame, Layer, Layers, Notice, Packet, Pcapng, Plan, Report, Step,
    Transport,
};
use crate::sys::Address;
use crate::trace::{Kind, Shared, TcpEnd};

/// How long the end of a trace waits for what its last calls have set off: the peer's FIN, our acknowledgement.
const LINGER: Duration = Duration::from_millis(50);

/// A file that the sink writes and the end of the trace closes; `None` without one, and when it has failed.
type File = Arc<Mutex<Option<Pcapng<BufWriter<Box<dyn Write + Send>>>>>>;

/// What is done with the packets beside a trace; for [`Trace::capture`](crate::trace::Trace::capture).
///
/// By default the plan's ports are ours, each packet is shown, and no file is written.
pub struct Beside {
    plan: Plan,
    ports_are_peers: bool,
    shown: bool,
    layers: Option<usize>,
    file: File,
    capture: Option<Capture>,
}

impl Beside {
    /// The [`Options::hold`](crate::trace::Options::hold) with which packets find their place among the calls.
    ///
    /// A packet is read within a millisecond of its passing, unless the processors have much else to do.
    pub const HOLD: Duration = Duration::from_millis(50);

    /// Captures what the plan says.
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            ports_are_peers: false,
            shown: true,
            layers: None,
            file: Arc::default(),
            capture: None,
        }
    }

    /// The plan's ports are those of the servers that we connect to, so our end is the other one: it is the one of which
    /// the kernel is asked.
    pub fn ports_are_peers(mut self, are: bool) -> Self {
        self.ports_are_peers = are;
        self
    }

    /// Whether packets become events. Without, they are only written to the file.
    pub fn shown(mut self, shown: bool) -> Self {
        self.shown = shown;
        self
    }

    /// Whether the packets that become events are taken apart into their [`Layers`], of which `bytes_max` bytes each are kept.
    /// By default they are not.
    pub fn layers(mut self, bytes_max: Option<usize>) -> Self {
        self.layers = bytes_max;
        self
    }

    /// Writes each frame to `output`, in the format of Wireshark (pcapng). Whole after every frame, so that a program which
    /// is killed leaves a file that can be read.
    ///
    /// # Errors
    /// Those of the output: its head is written at once.
    pub fn file(mut self, output: impl Write + Send + 'static) -> io::Result<Self> {
        let output: Box<dyn Write + Send> = Box::new(output);
        let filter = self.plan.to_string();
        let file = Pcapng::new(BufWriter::new(output), self.plan.interface_name(), &filter)?;
        self.file = Arc::new(Mutex::new(Some(file)));
        Ok(self)
    }

    pub(in crate::trace) fn start(&mut self, shared: &Arc<Shared>) -> Result<(), CaptureError> {
        let mut sink = Sink {
            // Not the trace itself, which would then keep itself alive.
            shared: Arc::clone(shared),
            ports_are_peers: self.ports_are_peers,
            shown: self.shown,
            layers: self.layers.map(Layers::new),
            file: Arc::clone(&self.file),
            // Without it the packets are there all the same.
            diag: self.shown.then(|| Diag::open().ok()).flatten(),
            at: Duration::ZERO,
            unshown: 0,
        };
        let capture = Capture::start(&self.plan, move |notice| sink.take(&notice))?;
        self.capture = Some(capture);
        Ok(())
    }

    /// Takes what is still under way, and ends the file.
    pub(in crate::trace) fn finish(mut self, shared: &Shared) {
        let Some(capture) = self.capture.take() else {
            return;
        };
        std::thread::sleep(LINGER);
        let report = capture.stop().unwrap_or_else(|error| {
            let text = format!("packets were captured only until an error: {error}");
            shared.note(text);
            Report::default()
        });
        let ended = lock(&self.file).take();
        let ended = ended.map(|file| file.finish(report.packets, report.drops));
        if let Some(Err(error)) = ended {
            shared.note(unwritten(&error));
            shared.fail(error);
        }
    }
}

impl Debug for Beside {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beside")
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

/// What the capture's thread tells.
struct Sink {
    shared: Arc<Shared>,
    ports_are_peers: bool,
    shown: bool,
    layers: Option<Layers>,
    file: File,
    diag: Option<Diag>,
    /// When the last packet was seen.
    at: Duration,
    /// Packets for which the queue had no room.
    unshown: u64,
}

impl Sink {
    fn take(&mut self, notice: &Notice<'_>) {
        match notice {
            Notice::Frame { frame, packet } => {
                self.write(frame);
                if let Some(packet) = packet.filter(|_| self.shown) {
                    let layers = self.layers.as_mut();
                    let layers = layers.map(|layers| layers.take_apart(frame, packet));
                    self.show(packet, layers.unwrap_or_default());
                }
            }
            Notice::Dropped(count) => {
                let s = if *count == 1 { " was" } else { "s were" };
                let text = format!("{count} packet{s} lost: the capture cannot keep up");
                self.shared.note(text);
            }
        }
    }

    fn write(&mut self, frame: &Frame<'_>) {
        let mut file = lock(&self.file);
        let Some(writer) = file.as_mut() else { return };
        if let Err(error) = writer.write(frame).and_then(|()| writer.flush()) {
            *file = None;
            self.shared.note(unwritten(&error));
            self.shared.fail(error);
        }
    }

    fn show(&mut self, packet: &Packet, layers: Box<[Layer]>) {
        // The clocks are compared for each packet anew, and must not make two of them change places.
        self.at = self.at.max(self.shared.since_began(packet.at));
        // Asked first: what waits for the queue would be older.
        let end = self.ask(packet);
        let between = (Address::Inet(packet.from), Address::Inet(packet.to));
        let between = Some((&between.0, &between.1));
        let kind = Kind::Packet(Box::new(*packet), layers);
        if !self.shared.tell(self.at, between, kind) {
            self.unshown += 1;
            return;
        }
        if let Some(end) = end {
            let kind = Kind::Tcp(Box::new(end));
            self.shared.tell(self.at, between, kind);
        }
        if self.unshown > 0 {
            let count = std::mem::take(&mut self.unshown);
            let why = "the trace is not written as fast as they come";
            (self.shared).note(format!("{count} packets are not shown: {why}"));
        }
    }

    /// What the kernel thinks of our end, if the packet is a step that is worth the question and there still is an end.
    fn ask(&mut self, packet: &Packet) -> Option<TcpEnd> {
        if !is_step(packet) {
            return None;
        }
        let mut tuple = packet.tuple;
        if self.ports_are_peers {
            std::mem::swap(&mut tuple.local, &mut tuple.remote);
        }
        let state = self.diag.as_mut()?.tcp(tuple.local, tuple.remote).ok()??;
        let later = self.shared.began.elapsed().saturating_sub(self.at);
        Some(TcpEnd {
            tuple,
            state,
            later,
        })
    }
}

/// The handshake is done, the first data of a direction, a state of the close.
fn is_step(packet: &Packet) -> bool {
    let is_first = match &packet.transport {
        Transport::Tcp(segment) => segment.seq.relative == 1 && !packet.retransmission,
        Transport::Udp => false,
    };
    match packet.step {
        Step::Handshake(part) => part == 3,
        Step::Data { .. } => is_first,
        Step::Close { .. } | Step::Reset => packet.states.is_some(),
        _ => false,
    }
}

fn unwritten(error: &io::Error) -> String {
    format!("the file of packets cannot be written any more: {error}")
}

/// A thread that panicked in here was writing, and its file is whole up to the frame before.
fn lock<T>(file: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    file.lock().unwrap_or_else(PoisonError::into_inner)
}
