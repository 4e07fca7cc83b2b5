//! The packets beside a trace, and when their capture begins.
//!
//! ```text
//!   ports known? ── as soon as they are: before bind, behind it for port 0, before connect ──▶ Trace::capture
//! ```
//!
//! It does not know who binds.

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use longshore::sys::Address;
use longshore::trace::packets::{Beside, Plan};
use longshore::trace::{Kind, Trace};

use super::Named;
use crate::cli::say::{self, To};

/// What is to be captured once the ports are known.
pub(crate) struct Wanted {
    interface: String,
    shown: bool,
    /// How many bytes of each layer are kept, if packets are to be taken apart.
    layers: Option<usize>,
    file: Option<Named<File>>,
}

impl Wanted {
    /// Opens the file. `None` if no packets are asked for.
    pub(super) fn of(
        shown: bool,
        layers: Option<usize>,
        file: Option<&Path>,
        interface: &str,
    ) -> Result<Option<Self>, String> {
        let file = file
            .map(|path| super::create_file(path, "--pcapng"))
            .transpose()?;
        Ok((shown || file.is_some()).then(|| Self {
            interface: interface.to_owned(),
            shown,
            layers,
            file,
        }))
    }
}

/// A running trace, whose packets are captured as soon as their ports are known.
#[derive(Clone)]
pub(crate) struct Tracing {
    pub(crate) trace: Trace,
    /// Gone when the capture has begun, or cannot begin.
    wanted: Arc<Mutex<Option<Wanted>>>,
    /// The trace goes to a file, so what is missing is said on standard error too.
    to_file: bool,
}

impl Tracing {
    pub(super) fn new(trace: Trace, wanted: Option<Wanted>, to_file: bool) -> Self {
        Self {
            trace,
            wanted: Arc::new(Mutex::new(wanted)),
            to_file,
        }
    }

    /// Says where the program will listen or does: called before it binds and behind it. With port 0 only the second call
    /// says which one, and no client can know it before that.
    pub(crate) fn listens(&self, addresses: &[&Address]) {
        let ports = addresses.iter().filter_map(|address| address.inet());
        let ports: Vec<u16> = ports.map(|inet| inet.port()).collect();
        if !ports.contains(&0) {
            self.begin(ports, false);
        }
    }

    /// Says to which port the program will connect; `None` if it is no TCP or UDP.
    pub(super) fn connects(&self, port: Option<u16>) {
        self.begin(port.into_iter().collect(), true);
    }

    fn begin(&self, mut ports: Vec<u16>, peers: bool) {
        let wanted = self.wanted.lock();
        let wanted = wanted.unwrap_or_else(PoisonError::into_inner).take();
        let Some(wanted) = wanted else { return };
        if ports.is_empty() {
            return self.note("no packets: a Unix socket has none");
        }
        ports.sort_unstable();
        ports.dedup();
        let plan = Plan::new(ports).interface(wanted.interface);
        let beside = Beside::new(plan)
            .ports_are_peers(peers)
            .shown(wanted.shown)
            .layers(wanted.layers);
        let beside = match wanted.file {
            Some(file) => beside.file(file),
            None => Ok(beside),
        };
        match beside.map(|beside| self.trace.capture(beside)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.note(&error.to_string()),
            Err(error) => self.note(&format!("no packets: the file cannot be written: {error}")),
        }
    }

    fn note(&self, text: &str) {
        let kind = Kind::Note(text.to_owned());
        self.trace.tell(SystemTime::now(), None, kind);
        if self.to_file {
            say::line(To::Error, &format!("longshore: {text}"));
        }
    }
}
