//! The access log, from the bytes of a line to the file on the disk.

mod delivery;
mod files;
mod formats;
mod hostile;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::stamp::Stamp;
use super::{AccessFormat, Entry};

/// How long anything may take before a test gives up. Never a measure of speed.
const PATIENCE: Duration = Duration::from_secs(30);

/// 2026-10-10 13:55:36.042 UTC.
fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_791_640_536_042)
}

/// A request about which nothing is known but its line.
fn entry(request_line: &[u8]) -> Entry<'_> {
    Entry {
        time: noon(),
        peer: None,
        request_line: Some(request_line),
        status: 200,
        body_bytes: 2326,
        referer: None,
        user_agent: None,
        duration: None,
    }
}

/// The line of `entry`, which has to be ASCII.
fn line(format: AccessFormat, entry: &Entry<'_>) -> String {
    let mut stamp = Stamp::new();
    stamp.update(entry.time);
    let mut out = Vec::new();
    format.write(&mut out, &stamp, entry);
    assert!(out.is_ascii(), "{out:?}");
    String::from_utf8(out).expect("ASCII")
}

/// A folder for one test, gone when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("longshore-access-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a new folder");
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Waits until `holds`.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it never happens that {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn errno(error: Option<io::Error>) -> Option<i32> {
    error.and_then(|error| error.raw_os_error())
}
