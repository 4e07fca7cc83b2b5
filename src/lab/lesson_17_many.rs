//! Lesson 17: many connections, idle.
//!
//! ```text
//!   what a connection needs          where it ends
//!   a descriptor, at both ends       ulimit -n; a ring's own table lifts it for the server
//!   a five-tuple                     source ports: one range for each source address
//!   kernel memory, at both ends      some kilobytes, whatever the server does
//!   user memory                      what the server keeps: here hardly anything
//!   processor time                   none, until something happens
//! ```
//!
//! The crowd is scaled to the machine: both ends live on it. The growth from half of the crowd to all of it is measured, so
//! that what every server pays once is not in it. It does not know other programs, whose kernel memory is in the same
//! figures.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use longshore::sys::{self, Address, Family, Kind, Mode, Silent, SocketOption};

use super::Lesson;
use super::child::{Serving, machine};
use super::crowd::{self, Crowd};
use super::frame::Frame;
use super::loopback;
use super::model_server::Model;
use super::report::Table;
use super::slabs::{growth, slabs};

pub(super) const LESSON: Lesson = Lesson {
    number: 17,
    name: "many",
    about: "Many idle connections: descriptors, ports, user and kernel memory, and no processor time",
    run,
};

/// Kinds of kernel objects that are shown.
const KINDS: usize = 6;

/// A backend and the names of its findings: descriptors, user bytes, kernel bytes, sleeps while idle, processor time while
/// idle, and of a round.
struct Way {
    model: Model,
    findings: [&'static str; 6],
}

const WAYS: [Way; 2] = [
    Way {
        model: Model::Epoll,
        findings: [
            "epoll_descriptors",
            "epoll_user_bytes_each",
            "epoll_kernel_bytes_each",
            "epoll_idle_sleeps",
            "epoll_idle_cpu_us",
            "epoll_round_cpu_us",
        ],
    },
    Way {
        model: Model::IoUring,
        findings: [
            "uring_descriptors",
            "uring_user_bytes_each",
            "uring_kernel_bytes_each",
            "uring_idle_sleeps",
            "uring_idle_cpu_us",
            "uring_round_cpu_us",
        ],
    },
];

/// What a crowd costs a server.
struct Cost {
    descriptors: usize,
    user_each: f64,
    kernel_each: Option<f64>,
    /// The kernel's objects that grew most, by name, in bytes each.
    objects: Option<Vec<(String, u64)>>,
    sockets: Option<(u64, u64)>,
    idle_sleeps: u64,
    idle_cpu_us: u64,
    round_cpu_us: u64,
}

fn run(frame: &Frame) -> io::Result<()> {
    let limit = descriptors(frame)?;
    let Some(most) = crowd::most(frame, limit) else {
        return Ok(());
    };
    ports(frame)?;
    let connections = frame.scale().pick(1_000, 15_000, most).min(most);
    let idle = Duration::from_millis(frame.scale().pick(300, 2_000, 10_000));
    frame.say(format!(
        "{connections} clients connect to a server in another process, ask once each, and are silent for {} ms. Then all ask \
         once more.",
        idle.as_millis()
    ));
    frame.finding("connections", connections);
    let progress = frame.progress("connections", (connections * WAYS.len()) as u64);
    let mut costs = Vec::new();
    for way in &WAYS {
        match measure(way.model, connections, idle, |step| progress.step(step)) {
            Ok(cost) => costs.push((way, cost)),
            Err(error) => frame.refused(way.model.name(), error),
        }
    }
    drop(progress);
    show(frame, &costs);
    conclude(frame, connections, &costs);
    Ok(())
}

/// How many descriptors this process may have, after asking for as many as are allowed.
fn descriptors(frame: &Frame) -> io::Result<u64> {
    let (soft, hard) = sys::nofile()?;
    frame.say(format!(
        "Each end of a connection is a descriptor. `ulimit -n` is {soft}, and may be raised to {hard} by the process itself:"
    ));
    let limit = sys::raise_nofile(&mut frame.calls(""))?;
    frame.finding("descriptors_max", limit);
    Ok(limit)
}

/// A source port is taken for a pair of addresses, not for the machine.
fn ports(frame: &Frame) -> io::Result<()> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")?;
    let mut numbers = text
        .split_whitespace()
        .filter_map(|word| word.parse::<u32>().ok());
    let (first, last) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let each = (last + 1).saturating_sub(first);
    frame.say(format!(
        "A client's port comes from {first}–{last}: {each} connections from one address to one server. But the whole of \
         127.0.0.0/8 is this machine. Two clients, two source addresses, the same port, the same server:"
    ));
    let (listener, server) = loopback::listener(&mut Silent, 8)?;
    let one = from(frame, Ipv4Addr::new(127, 0, 0, 2), 0, &server)?;
    let port = loopback::v4(&sys::getsockname(&mut Silent, one.as_fd())?)?.port();
    let other = from(frame, Ipv4Addr::new(127, 0, 0, 3), port, &server);
    let same = other.is_ok();
    frame.finding("ports_per_address", each);
    frame.finding("same_port_from_two_addresses", same);
    frame.conclude(
        same,
        format!(
            "What must be unique is the five-tuple. {each} ports times as many addresses as a client has: with 100 of them \
             {} connections to one server's port.",
            u64::from(each) * 100
        ),
        "The second client's port was taken by another program just now.",
    );
    drop((one, other, listener));
    Ok(())
}

/// A client with this source address and port; it resets when it is dropped, so that its port is free at once.
fn from(frame: &Frame, source: Ipv4Addr, port: u16, to: &Address) -> io::Result<OwnedFd> {
    let fd = sys::socket(&mut Silent, Family::Inet, Kind::Stream, Mode::Blocking)?;
    let reset = SocketOption::Linger(Some(Duration::ZERO));
    sys::setsockopt(&mut Silent, fd.as_fd(), &reset)?;
    let calls = &mut frame.calls("client");
    sys::bind(
        calls,
        fd.as_fd(),
        &Address::Inet(SocketAddr::from((source, port))),
    )?;
    sys::connect(calls, fd.as_fd(), to)?;
    sys::getsockname(calls, fd.as_fd())?;
    Ok(fd)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn measure(
    model: Model,
    connections: usize,
    idle: Duration,
    mut step: impl FnMut(u64),
) -> io::Result<Cost> {
    let mut server = Serving::start(model)?;
    let mut crowd = Crowd::new(server.address)?;
    let half = connections / 2;
    crowd.open(half, |group| step(group as u64))?;
    let slab = || machine("/proc/meminfo", "Slab:");
    let (user, kernel, kinds) = (server.number("smaps_rollup", "Rss:")?, slab(), slabs());
    crowd.open(connections, |group| step(group as u64))?;
    let each = |before: u64, after: u64| {
        after.saturating_sub(before) as f64 * 1024.0 / (connections - half).max(1) as f64
    };
    let user_each = each(user, server.number("smaps_rollup", "Rss:")?);
    let kernel_each = kernel
        .zip(slab())
        .map(|(before, after)| each(before, after));
    let objects = kinds.zip(slabs()).map(|(before, after)| {
        let mut most = growth(&before, &after, KINDS);
        for (_, bytes) in &mut most {
            *bytes /= (connections - half).max(1) as u64;
        }
        most
    });
    let descriptors = server.descriptors()?;

    let before = server.figures()?;
    loopback::pause(idle)?;
    let silent = server.figures()?;
    crowd.round(connections)?;
    let after = server.figures()?;
    let cost = Cost {
        descriptors,
        user_each,
        kernel_each,
        objects,
        sockets: sockstat(),
        idle_sleeps: silent.voluntary_switches - before.voluntary_switches,
        idle_cpu_us: silent.cpu_micros - before.cpu_micros,
        round_cpu_us: after.cpu_micros - silent.cpu_micros,
    };
    drop(crowd);
    server.end()?;
    Ok(cost)
}

/// TCP sockets in use and pages of data that they keep, in this network namespace: `TCP: inuse 27 … mem 3`.
fn sockstat() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/net/sockstat").ok()?;
    let line = text.lines().find(|line| line.starts_with("TCP: "))?;
    let after = |name| {
        let mut words = line.split(' ').skip_while(|word| *word != name);
        words.nth(1)?.parse().ok()
    };
    Some((after("inuse")?, after("mem")?))
}

fn show(frame: &Frame, costs: &[(&Way, Cost)]) {
    let mut memory = Table::new(
        "A silent crowd: what it keeps (the kernel for both ends)",
        &[
            "server",
            "descriptors",
            "user bytes each",
            "kernel bytes each",
            "sockets in use",
            "pages of data",
        ],
    );
    let mut time = Table::new(
        "A silent crowd: what it does",
        &[
            "server",
            "sleeps",
            "processor us",
            "processor us when all ask once",
        ],
    );
    for (way, cost) in costs {
        memory.row([
            way.model.name().into(),
            cost.descriptors.into(),
            (cost.user_each.round() as u64).into(),
            cost.kernel_each
                .map_or("–".into(), |bytes| (bytes.round() as u64).into()),
            cost.sockets.map_or("–".into(), |(inuse, _)| inuse.into()),
            cost.sockets.map_or("–".into(), |(_, pages)| pages.into()),
        ]);
        time.row([
            way.model.name().into(),
            cost.idle_sleeps.into(),
            cost.idle_cpu_us.into(),
            cost.round_cpu_us.into(),
        ]);
        let [descriptors, user, kernel, sleeps, idle, round] = way.findings;
        frame.finding(descriptors, cost.descriptors);
        frame.finding(user, cost.user_each);
        if let Some(bytes) = cost.kernel_each {
            frame.finding(kernel, bytes);
        }
        frame.finding(sleeps, cost.idle_sleeps);
        frame.finding(idle, cost.idle_cpu_us);
        frame.finding(round, cost.round_cpu_us);
    }
    frame.table(memory);
    frame.table(time);
    objects(frame, costs);
}

/// The kernel's part by kind, where it may be read.
fn objects(frame: &Frame, costs: &[(&Way, Cost)]) {
    frame.say(
        "The kernel's bytes are growth of /proc/meminfo's Slab: of the server, its clients, and whatever else ran meanwhile. \
         By kind, in /proc/slabinfo:",
    );
    for (way, cost) in costs {
        let Some(objects) = &cost.objects else {
            frame.refused("/proc/slabinfo", "only root may read it");
            return;
        };
        let title = match way.model {
            Model::IoUring => "Kernel objects for each connection, both ends: io-uring",
            _ => "Kernel objects for each connection, both ends: epoll",
        };
        let mut table = Table::new(title, &["kind", "bytes each"]);
        for (name, bytes) in objects {
            table.row([name.as_str().into(), (*bytes).into()]);
        }
        frame.table(table);
    }
}

fn conclude(frame: &Frame, connections: usize, costs: &[(&Way, Cost)]) {
    for (way, cost) in costs {
        let name = way.model.name();
        frame.conclude(
            cost.idle_cpu_us * 10 < cost.round_cpu_us,
            format!(
                "{name}: {connections} silent connections used {} us of processor time, one request from each {} us. Who is \
                 silent costs memory and nothing else: the loop sleeps in one call for all of them.",
                cost.idle_cpu_us, cost.round_cpu_us
            ),
            format!("{name}: the idle server used {} us; something woke it.", cost.idle_cpu_us),
        );
    }
    if let [(_, epoll), (_, ring)] = costs {
        frame.conclude(
            ring.descriptors < epoll.descriptors,
            format!(
                "The epoll server holds {} descriptors, the ring's server {}: its sockets are in a table of the ring, and do \
                 not count against `ulimit -n`.",
                epoll.descriptors, ring.descriptors
            ),
            "The ring's sockets are descriptors of the process here.",
        );
    }
}
