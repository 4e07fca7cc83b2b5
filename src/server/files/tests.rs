//! Plans for files in real directories, by openat2 and by steps.

mod directories;
mod escapes;
mod faults;
mod forms;
mod ranges;
mod replies;

use super::content_type::{ENDING_BYTES_MAX, TABLE, UNKNOWN, of_name};
use super::{Files, Piece, Plan, PlanBody};
use crate::http::Head;
use crate::sys::{Call, Probe, Verdict};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, UNIX_EPOCH};

/// When the files of the tests were changed, in seconds since 1970.
const MODIFIED: u64 = 1_700_000_000;
const MODIFIED_DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT";
const NOW: u64 = MODIFIED + 1000;

/// A directory of its own for a test, removed at the end.
struct TempDir(PathBuf);

impl TempDir {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("longshore-files-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        TempDir(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file that was changed at [`MODIFIED`].
    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        self.write_at(name, content, Duration::from_secs(MODIFIED));
    }

    fn write_at(&self, name: &str, content: impl AsRef<[u8]>, time: Duration) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        set_modified(&path, time);
    }

    fn fifo(&self, name: &str) {
        nix::unistd::mkfifo(&self.path(name), nix::sys::stat::Mode::S_IRWXU).unwrap();
    }

    fn link(&self, name: &str, to: impl AsRef<Path>) {
        std::os::unix::fs::symlink(to, self.path(name)).unwrap();
    }

    fn files(&self) -> Files {
        Files::open(&self.0).unwrap()
    }

    /// As an older kernel serves it.
    fn files_by_steps(&self) -> Files {
        let files = Files::open_watched(&mut Refuse::always("openat2", libc::ENOSYS), &self.0);
        let files = files.unwrap();
        assert!(files.root.stepwise(), "the fallback is in use");
        files
    }

    /// One that uses openat2, where there is such, and one that walks.
    fn both(&self) -> [Files; 2] {
        [self.files(), self.files_by_steps()]
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn set_modified(path: &Path, time: Duration) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(UNIX_EPOCH + time).unwrap();
}

/// Refuses one kind of system call, some times or always, and counts how often it was asked for.
struct Refuse {
    name: &'static str,
    errno: i32,
    times: u32,
    asked: u32,
}

impl Refuse {
    fn always(name: &'static str, errno: i32) -> Self {
        Self::times(u32::MAX, name, errno)
    }

    fn times(times: u32, name: &'static str, errno: i32) -> Self {
        Self {
            name,
            errno,
            times,
            asked: 0,
        }
    }
}

impl Probe for Refuse {
    const ACTIVE: bool = true;

    fn before(&mut self, call: &Call<'_>) -> Verdict {
        if call.name() != self.name {
            return Verdict::Go;
        }
        self.asked += 1;
        if self.asked > self.times {
            return Verdict::Go;
        }
        Verdict::Refuse(self.errno)
    }

    fn after(&mut self, _: &Call<'_>, _: Result<usize, &std::io::Error>) {}
}

/// Calls `look` with the head of a request; `lines` are fields, separated by `|`.
fn with_head<T>(method: &str, target: &str, lines: &str, look: impl FnOnce(&Head<'_>) -> T) -> T {
    let mut bytes = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n");
    for line in lines.split('|').filter(|line| !line.is_empty()) {
        bytes += line.trim_start();
        bytes += "\r\n";
    }
    bytes += "\r\n";
    look(&Head::parse(bytes.as_bytes()).unwrap())
}

fn ask(files: &Files, method: &str, target: &str, lines: &str) -> Plan {
    with_head(method, target, lines, |head| {
        files.plan(head, head.target.path(), NOW)
    })
}

fn get(files: &Files, target: &str) -> Plan {
    ask(files, "GET", target, "")
}

/// The code of the reply to a GET.
fn status(files: &Files, target: &str) -> u16 {
    get(files, target).status.code()
}

fn field<'p>(plan: &'p Plan, name: &str) -> Option<&'p str> {
    plan.field(name)
        .map(|value| std::str::from_utf8(value).unwrap())
}

/// What a sender would send, read from the file as a sender would.
fn body(plan: &Plan) -> Vec<u8> {
    let read = |file: &File, range: &std::ops::Range<u64>| {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        file.read_exact_at(&mut bytes, range.start).unwrap();
        bytes
    };
    let bytes = match &plan.body {
        PlanBody::Empty => Vec::new(),
        PlanBody::Text(text) => text.as_bytes().to_vec(),
        PlanBody::File { file, range } => read(file, range),
        PlanBody::Pieces { file, pieces } => {
            let pieces = pieces.iter().map(|piece| match piece {
                Piece::Bytes(bytes) => bytes.clone(),
                Piece::File(range) => read(file, range),
            });
            pieces.collect::<Vec<_>>().concat()
        }
    };
    assert_eq!(
        bytes.len() as u64,
        plan.content_length(),
        "known in advance"
    );
    bytes
}

#[test]
fn the_table_of_types_can_be_searched() {
    assert!(TABLE.is_sorted_by(|one, other| one.0 < other.0));
    for (ending, expected) in TABLE {
        assert!(ending.len() <= ENDING_BYTES_MAX, "{ending}");
        let name = format!("a/b.c/d.{}", ending.to_ascii_uppercase());
        assert_eq!(of_name(name.as_bytes()), expected);
        let text = expected.value.starts_with("text/");
        assert_eq!(
            text,
            expected.value.ends_with("; charset=utf-8"),
            "{ending}"
        );
    }
}

#[test]
fn names_without_a_known_type() {
    for name in [
        "",
        ".",
        "a",
        "a.",
        "html",
        "a.unknown",
        "a.verylongending",
        "a.html ",
        "a.html/b",
    ] {
        assert_eq!(of_name(name.as_bytes()), UNKNOWN, "{name}");
    }
    assert_eq!(of_name(b"a.tar.gz").value, "application/gzip");
    assert_eq!(of_name(b"a.\xff"), UNKNOWN);
}
