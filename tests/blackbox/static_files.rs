//! Files from a directory, served by the program with `--root`: byte for byte, whatever is asked, and whatever becomes of
//! the file meanwhile.
//!
//! ```text
//!   bytes       ranges, sizes, pipelines, HTTP/1.0      odd     no files, no descriptors, files that change
//!   conditions  what the peer has already               slow    peers that read slowly, go, or never read
//!   paths       names, listings, and ways out
//! ```
//!
//! It does not know how a file reaches a socket, which differs on each backend.

mod bytes;
mod conditions;
mod odd;
mod paths;
mod slow;

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use socket2::{Domain, Socket, Type};

use crate::peer::{Peer, Reply};
use crate::server::{Server, on_each_backend};

/// When files were changed that are old, in seconds since 1970, and as HTTP says it.
const MODIFIED: u64 = 1_700_000_000;
const MODIFIED_DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT";

/// A directory to be served, gone when the test ends.
struct Site(PathBuf);

impl Site {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("longshore-blackbox-site-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a new folder");
        Self(path)
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    fn root(&self) -> &str {
        self.0.to_str().expect("a plain name")
    }

    /// Writes a file that has not changed for years.
    fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(&path, content).expect("a file");
        let file = File::options().write(true).open(&path).expect("our file");
        let time = UNIX_EPOCH + Duration::from_secs(MODIFIED);
        file.set_modified(time).expect("our file");
    }

    /// A server of this directory.
    fn serve(&self, backend: &str, args: &[&str]) -> Server {
        Server::start(backend, &[&["--root", self.root()], args].concat())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs `test` on every backend, each with a directory of its own.
fn with_sites(args: &[&str], fill: impl Fn(&Site) + Sync, test: impl Fn(&Server, &Site) + Sync) {
    on_each_backend(|backend| {
        let site = Site::new();
        fill(&site);
        let server = site.serve(backend, args);
        test(&server, &site);
        server.stop();
    });
}

/// A request with fields, each of which ends in CRLF.
fn asking(method: &str, target: &str, fields: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

/// The fields of a reply without its Date, which two replies need not share.
fn undated(reply: &Reply) -> Vec<&str> {
    assert!(reply.field("Date").is_some(), "RFC 9110 §6.6.1");
    let lines = reply.head.lines();
    lines.filter(|line| !line.starts_with("Date: ")).collect()
}

/// A peer whose kernel takes little, so that what it does not read stays with the server.
fn narrow(server: &Server) -> Peer {
    let address = server.address();
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
    // Before connect: the window is agreed on there, tcp(7).
    socket.set_recv_buffer_size(4608).expect("a small buffer");
    socket.connect(&address.into()).expect("it listens");
    Peer::over(TcpStream::from(socket))
}

/// Numbers that look random, the same for each seed (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("below a usize")
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        std::iter::repeat_with(|| self.next().to_le_bytes())
            .flatten()
            .take(count)
            .collect()
    }
}
