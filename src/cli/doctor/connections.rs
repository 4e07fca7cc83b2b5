//! `longshore doctor --connections N`: what an idle WebSocket connection costs here, measured.
//!
//! ```text
//!   this process                                       /proc
//!     a server with one worker ◀── N connections ──▶   smaps_rollup of this process: user bytes
//!     N clients in a list      ◀──                     Slab of the whole machine: kernel bytes, both ends
//! ```
//!
//! What a connection costs is the growth from N/2 to N, so that what every server pays once is not in it. Each backend has a
//! process of its own: it would use memory again that the one before has freed, and seem to cost nothing. A client is a
//! descriptor in a list that was there before: it costs no user memory. It does not know what other programs do meanwhile,
//! and their kernel memory is in the second figure: take N large.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use longshore::sys::{self, Address, Silent, SocketOption};
use longshore::{Backend, Bound, Handler, Limits, Replied, Reply, Request, Server, Workers};
use serde::Deserialize;

/// Descriptors of this process that are no connections.
const DESCRIPTORS_RESERVED: u64 = 128;

const HANDSHAKE: &[u8] =
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n\r\n";

/// Upgrades whoever asks, and keeps nothing of them.
struct Idle;

impl Handler for Idle {
    type Connection = ();

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        reply.websocket(&request)
    }
}

/// What a connection costs on one backend.
struct Cost {
    backend: Backend,
    user_bytes: f64,
    kernel_bytes: f64,
    longest_turn: Duration,
}

/// The same as another process prints it.
#[derive(Deserialize)]
struct Figures {
    user_bytes: f64,
    kernel_bytes: f64,
    longest_turn_us: u64,
}

/// Measures one backend, or every one that works here; the text to print.
///
/// # Errors
/// One sentence: too many connections for the limit of descriptors, or a client that was not served.
pub(super) fn measure(
    connections: usize,
    only: Option<Backend>,
    as_json: bool,
) -> Result<String, String> {
    let descriptors = sys::raise_nofile(&mut Silent).map_err(|error| error.to_string())?;
    let most = (descriptors.saturating_sub(DESCRIPTORS_RESERVED) / 2) as usize;
    if connections > most {
        return Err(format!(
            "{connections} connections need two descriptors each, and `ulimit -n` is {descriptors}: ask for at most {most}"
        ));
    }
    let costs = match only {
        Some(wanted) => {
            let chosen = wanted.choose().map_err(|error| error.to_string())?;
            vec![on(chosen.backend, connections)?]
        }
        None => [Backend::Epoll, Backend::IoUring, Backend::Mio]
            .into_iter()
            .filter(|backend| backend.choose().is_ok())
            .map(|backend| elsewhere(backend, connections))
            .collect::<Result<_, _>>()?,
    };
    Ok(if as_json {
        json(connections, &costs)
    } else {
        table(connections, &costs)
    })
}

/// Measures one backend in a process of its own: this program, asked for that backend only.
fn elsewhere(backend: Backend, connections: usize) -> Result<Cost, String> {
    let problem = |error: &dyn std::fmt::Display| format!("{backend}: {error}");
    let program = std::env::current_exe().map_err(|error| problem(&error))?;
    let output = Command::new(program)
        .args(["doctor", "--json", "--backend", backend.name()])
        .args(["--connections", &connections.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| problem(&error))?;
    let costs: Vec<Figures> =
        serde_json::from_slice(&output.stdout).map_err(|_| problem(&"could not be measured"))?;
    let [figures] = &costs[..] else {
        return Err(problem(&"could not be measured"));
    };
    Ok(Cost {
        backend,
        user_bytes: figures.user_bytes,
        kernel_bytes: figures.kernel_bytes,
        longest_turn: Duration::from_micros(figures.longest_turn_us),
    })
}

fn on(backend: Backend, connections: usize) -> Result<Cost, String> {
    let problem = |error: &dyn std::fmt::Display| format!("{backend}: {error}");
    let bound = Server::new()
        .listen("127.0.0.1:0".parse().map_err(|error| problem(&error))?)
        .backend(backend)
        .workers(Workers::Count(1))
        .limits(Limits {
            // A ping meanwhile would be something else than an idle connection.
            ping_interval: Duration::from_secs(3600),
            ..Limits::default()
        })
        .bind()
        .map_err(|error| problem(&error))?;
    let (stopper, ledger) = (bound.stopper(), bound.ledger());
    let address = inet(&bound).ok_or_else(|| problem(&"no address"))?;
    let server = thread::Builder::new().spawn(move || bound.run(|_worker| Idle));
    let server = server.map_err(|error| problem(&format!("cannot start a thread: {error}")))?;
    let measured = crowd(address, connections).map_err(|error| problem(&error));
    stopper.stop();
    stopper.stop();
    let longest_turn = ledger.figures().longest_turn;
    let ended = server.join().map_err(|_| problem(&"its thread panicked"))?;
    ended.map_err(|error| problem(&error))?;
    let (user_bytes, kernel_bytes) = measured?;
    Ok(Cost {
        backend,
        user_bytes,
        kernel_bytes,
        longest_turn,
    })
}

fn inet(bound: &Bound) -> Option<SocketAddr> {
    bound.addresses().find_map(|address| match address {
        Address::Inet(inet) => Some(*inet),
        Address::Unix(_) => None,
    })
}

/// Opens all, and answers user and kernel bytes for each of the second half.
#[expect(
    clippy::cast_precision_loss,
    reason = "bytes per connection are printed without digits"
)]
fn crowd(to: SocketAddr, connections: usize) -> io::Result<(f64, f64)> {
    let half = connections / 2;
    let mut clients = Vec::with_capacity(connections);
    // The list's own memory is touched before anything is measured.
    clients.resize_with(connections, || None);
    for client in &mut clients[..half] {
        *client = Some(open(to)?);
    }
    let (user, kernel) = (resident_bytes(), slab_bytes());
    for client in &mut clients[half..] {
        *client = Some(open(to)?);
    }
    let each = |before: u64, after: u64| {
        after.saturating_sub(before) as f64 / (connections - half).max(1) as f64
    };
    Ok((each(user, resident_bytes()), each(kernel, slab_bytes())))
}

/// One client, upgraded (RFC 6455 §4.1).
fn open(to: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(to)?;
    // Closing resets, so that no port rests in TIME_WAIT (socket(7), SO_LINGER).
    let reset = SocketOption::Linger(Some(Duration::ZERO));
    sys::setsockopt(&mut Silent, stream.as_fd(), &reset)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(HANDSHAKE)?;
    let (mut reply, mut length) = ([0; 512], 0);
    while !reply[..length].ends_with(b"\r\n\r\n") {
        match stream.read(&mut reply[length..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => length += count,
            // A read with a timeout is not begun again when the machine was paused (signal(7)).
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if reply.starts_with(b"HTTP/1.1 101 ") {
        Ok(stream)
    } else {
        Err(io::Error::other("a client was not upgraded"))
    }
}

/// Resident memory of this process, exactly (proc_pid_smaps(5)).
pub(in crate::cli) fn resident_bytes() -> u64 {
    kib("/proc/self/smaps_rollup", "Rss:") * 1024
}

/// Memory of the kernel's objects, of the whole machine (proc_meminfo(5)).
fn slab_bytes() -> u64 {
    kib("/proc/meminfo", "Slab:") * 1024
}

fn kib(path: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    let number = value.and_then(|value| value.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn table(connections: usize, costs: &[Cost]) -> String {
    let mut text = format!(
        "{connections} idle WebSocket connections, one worker; bytes for each of the second half\n\
         {:<10} {:>10} {:>25} {:>14}\n",
        "", "user", "kernel, with its client", "longest turn"
    );
    for cost in costs {
        let _ = writeln!(
            text,
            "{:<10} {:>10.0} {:>25.0} {:>14}",
            cost.backend.name(),
            cost.user_bytes,
            cost.kernel_bytes,
            format!("{:.2?}", cost.longest_turn)
        );
    }
    text.push_str("The kernel's part is growth of the whole machine: what other programs do meanwhile is in it.\n");
    text
}

fn json(connections: usize, costs: &[Cost]) -> String {
    let lines: Vec<String> = costs
        .iter()
        .map(|cost| {
            format!(
                "  {{\"backend\":\"{}\",\"connections\":{connections},\"user_bytes\":{:.0},\"kernel_bytes\":{:.0},\
                 \"longest_turn_us\":{}}}",
                cost.backend,
                cost.user_bytes,
                cost.kernel_bytes,
                cost.longest_turn.as_micros()
            )
        })
        .collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}
