//! One thread of the crowd: its sockets, from connect(2) to the reset.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::frames::{self, Said};
use crate::socket;

/// Handshakes that a thread has under way at one time.
const UNDER_WAY_MAX: usize = 64;
/// A pair of addresses has some 28,000 ports; the search for a free one stays short while half of them are free.
const CONNECTIONS_PER_SOURCE: usize = 10_000;

/// What all threads count.
pub(crate) struct Shared {
    pub(crate) to: SocketAddrV4,
    pub(crate) open: AtomicUsize,
    pub(crate) failed: AtomicUsize,
    /// Connections that ended by themselves after they were open.
    pub(crate) lost: AtomicUsize,
    pub(crate) messages: AtomicUsize,
    pub(crate) pings: AtomicUsize,
    /// Connections that were pinged at least once.
    pub(crate) pinged: AtomicUsize,
    pub(crate) closing: AtomicBool,
    problem: Mutex<Option<String>>,
}

impl Shared {
    pub(crate) fn new(to: SocketAddrV4) -> Self {
        Self {
            to,
            open: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            lost: AtomicUsize::new(0),
            messages: AtomicUsize::new(0),
            pings: AtomicUsize::new(0),
            pinged: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            problem: Mutex::new(None),
        }
    }

    /// The first thing that went wrong.
    pub(crate) fn problem(&self) -> String {
        let problem = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        problem.clone().unwrap_or_else(|| "no problem".to_owned())
    }

    fn note(&self, problem: String) {
        let mut first = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(problem);
    }
}

/// What a thread has to open.
pub(crate) struct Share {
    pub(crate) count: usize,
    pub(crate) per_second: usize,
    pub(crate) path: String,
}

/// Where a connection stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Nobody,
    Connecting,
    Asked,
    Open,
    Pinged,
}

struct Crowd<'s> {
    number: usize,
    share: Share,
    shared: &'s Shared,
    epoll: i32,
    handshake: Vec<u8>,
    /// By descriptor.
    stages: Vec<Stage>,
    /// Bytes of a frame that is not complete, by descriptor.
    unfinished: HashMap<i32, Vec<u8>>,
    begun: usize,
    under_way: usize,
}

/// A thread's whole life.
pub(crate) fn live(number: usize, share: Share, shared: &Shared, gate: &Barrier) {
    let epoll = socket::own_table().and_then(|()| socket::epoll());
    gate.wait();
    let count = share.count;
    let result = epoll.and_then(|epoll| {
        let handshake = frames::handshake(&share.path);
        let mut crowd = Crowd {
            number,
            share,
            shared,
            epoll,
            handshake,
            stages: Vec::new(),
            unfinished: HashMap::new(),
            begun: 0,
            under_way: 0,
        };
        let result = crowd.run();
        crowd.close();
        result
    });
    if let Err(error) = result {
        shared.note(format!("thread {number}: {error}"));
        shared.failed.fetch_add(count, Ordering::Relaxed);
    }
}

impl Crowd<'_> {
    fn run(&mut self) -> io::Result<()> {
        let began = Instant::now();
        let mut events = vec![libc::epoll_event { events: 0, u64: 0 }; 256];
        let mut bytes = vec![0; 16 * 1024];
        while !self.shared.closing.load(Ordering::Relaxed) {
            let milliseconds = if self.begun < self.share.count {
                self.begin(began.elapsed())?;
                1
            } else {
                100
            };
            let count = socket::wait(self.epoll, &mut events, milliseconds)?;
            for event in &events[..count] {
                self.ready(event.u64 as i32, &mut bytes);
            }
        }
        Ok(())
    }

    /// Begins as many connections as the rate and the handshakes under way allow.
    fn begin(&mut self, elapsed: Duration) -> io::Result<()> {
        let allowed = (elapsed.as_secs_f64() * self.share.per_second as f64) as usize;
        let allowed = allowed.min(self.share.count);
        while self.begun < allowed && self.under_way < UNDER_WAY_MAX {
            let source = self.number * 2 + self.begun / CONNECTIONS_PER_SOURCE;
            let source = Ipv4Addr::from(0x7f01_0001 + source as u32);
            let fd = socket::connect(self.epoll, source, self.shared.to)?;
            let place = fd as usize;
            if self.stages.len() <= place {
                self.stages.resize(place + 1, Stage::Nobody);
            }
            self.stages[place] = Stage::Connecting;
            self.begun += 1;
            self.under_way += 1;
        }
        Ok(())
    }

    fn ready(&mut self, fd: i32, bytes: &mut [u8]) {
        let answer = match self.stages[fd as usize] {
            Stage::Nobody => Ok(()),
            Stage::Connecting => self.ask(fd),
            _ => self.receive(fd, bytes),
        };
        if let Err(problem) = answer {
            self.end(fd, problem);
        }
    }

    fn ask(&mut self, fd: i32) -> Result<(), String> {
        socket::send(fd, &self.handshake).map_err(|error| format!("connect: {error}"))?;
        self.stages[fd as usize] = Stage::Asked;
        socket::await_input(self.epoll, fd).map_err(|error| error.to_string())
    }

    fn receive(&mut self, fd: i32, bytes: &mut [u8]) -> Result<(), String> {
        let count = match socket::recv(fd, bytes) {
            Ok(0) => return Err("the server ended it".to_owned()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        match self.unfinished.remove(&fd) {
            Some(mut whole) => {
                whole.extend_from_slice(&bytes[..count]);
                self.read(fd, &whole)
            }
            None => self.read(fd, &bytes[..count]),
        }
    }

    fn read(&mut self, fd: i32, mut bytes: &[u8]) -> Result<(), String> {
        if self.stages[fd as usize] == Stage::Asked {
            let Some(end) = frames::upgraded(bytes)? else {
                self.unfinished.insert(fd, bytes.to_vec());
                return Ok(());
            };
            bytes = &bytes[end..];
            self.stages[fd as usize] = Stage::Open;
            self.under_way -= 1;
            self.shared.open.fetch_add(1, Ordering::Relaxed);
        }
        while let Some((said, end)) = frames::first(bytes) {
            match said {
                Said::Message => _ = self.shared.messages.fetch_add(1, Ordering::Relaxed),
                Said::Ping(payload) => {
                    let pong = frames::masked(10, payload);
                    socket::send(fd, &pong).map_err(|error| format!("pong: {error}"))?;
                    self.shared.pings.fetch_add(1, Ordering::Relaxed);
                    if self.stages[fd as usize] != Stage::Pinged {
                        self.stages[fd as usize] = Stage::Pinged;
                        self.shared.pinged.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Said::Close => return Err("the server said Close".to_owned()),
                Said::Other => {}
            }
            bytes = &bytes[end..];
        }
        if !bytes.is_empty() {
            self.unfinished.insert(fd, bytes.to_vec());
        }
        Ok(())
    }

    fn end(&mut self, fd: i32, problem: String) {
        let stage = std::mem::replace(&mut self.stages[fd as usize], Stage::Nobody);
        self.unfinished.remove(&fd);
        socket::close(fd);
        self.shared.note(problem);
        if matches!(stage, Stage::Connecting | Stage::Asked) {
            self.under_way -= 1;
            self.shared.failed.fetch_add(1, Ordering::Relaxed);
        } else {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn close(&mut self) {
        for (fd, stage) in self.stages.iter_mut().enumerate() {
            if std::mem::replace(stage, Stage::Nobody) != Stage::Nobody {
                socket::close(fd as i32);
            }
        }
    }
}
