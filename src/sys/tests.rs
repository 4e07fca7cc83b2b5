//! The calls against the real kernel, on loopback and in memory.

mod data;
mod directories;
mod options;
mod packets;
mod probes;
mod ring;
mod setup;
mod trace;
mod waiting;

use crate::sys::{self, Address, Family, Kind, Mode, Silent, UnixName};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const SOON: Option<Duration> = Some(Duration::from_secs(5));

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn listener(address: &Address) -> (OwnedFd, Address) {
    let probe = &mut Silent;
    let fd = sys::socket(probe, address.family(), Kind::Stream, Mode::Nonblocking).unwrap();
    sys::bind(probe, fd.as_fd(), address).unwrap();
    sys::listen(probe, fd.as_fd(), 16).unwrap();
    let bound = sys::getsockname(probe, fd.as_fd()).unwrap();
    (fd, bound)
}

/// A connected pair (client, server), both blocking.
fn pair(address: &Address) -> (OwnedFd, OwnedFd) {
    let probe = &mut Silent;
    let (listener, bound) = listener(address);
    let client = sys::socket(probe, bound.family(), Kind::Stream, Mode::Blocking).unwrap();
    sys::connect(probe, client.as_fd(), &bound).unwrap();
    let server = sys::accept4(probe, listener.as_fd(), Mode::Blocking).unwrap();
    (client, server)
}

fn tcp_pair() -> (OwnedFd, OwnedFd) {
    pair(&address("127.0.0.1:0"))
}

fn datagram_socket(address: &Address) -> (OwnedFd, Address) {
    let probe = &mut Silent;
    let fd = sys::socket(probe, address.family(), Kind::Datagram, Mode::Nonblocking).unwrap();
    sys::bind(probe, fd.as_fd(), address).unwrap();
    let bound = sys::getsockname(probe, fd.as_fd()).unwrap();
    (fd, bound)
}

fn number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A name that no other test uses.
fn abstract_name() -> Address {
    let name = format!("longshore-test-{}-{}", std::process::id(), number());
    Address::Unix(UnixName::Abstract(name.into_bytes()))
}

/// A directory of its own for a test, removed at the end.
struct TempDir(PathBuf);

impl TempDir {
    fn new() -> Self {
        let name = format!("longshore-test-{}-{}", std::process::id(), number());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        TempDir(path)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn errno<T>(result: std::io::Result<T>) -> i32 {
    match result {
        Ok(_) => 0,
        Err(error) => error.raw_os_error().unwrap(),
    }
}

fn has_ipv6() -> bool {
    let probe = &mut Silent;
    sys::socket(probe, Family::Inet6, Kind::Stream, Mode::Blocking)
        .and_then(|fd| sys::bind(probe, fd.as_fd(), &address("[::1]:0")))
        .is_ok()
}
