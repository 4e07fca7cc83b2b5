//! The log on real files: rotation, FIFOs, a full disk.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::sys::stat::Mode;

use super::*;
use crate::server::access::{AccessLines, AccessLog};

/// Records a line with `name` as its target, and hands it over.
fn say(lines: &mut AccessLines, name: &str) {
    let request_line = format!("GET /{name} HTTP/1.1");
    lines.record(&entry(request_line.as_bytes()));
    lines.hand_over();
}

/// The targets in a log.
fn targets(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("a log");
    let target = |line: &str| line.split(' ').nth(6).expect("a target")[1..].to_owned();
    text.lines().map(target).collect()
}

fn open(path: &Path) -> AccessLog {
    AccessLog::open(path, AccessFormat::Common).expect("a new file")
}

fn fifo(folder: &Folder) -> PathBuf {
    let path = folder.file("fifo");
    nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).expect("a new name");
    path
}

#[test]
fn a_rotation_loses_nothing() {
    let folder = Folder::new();
    let (path, old) = (folder.file("log"), folder.file("log.1"));
    let log = open(&path);
    let mut lines = log.lines();
    for number in 0..500 {
        say(&mut lines, &format!("old-{number}"));
    }
    fs::rename(&path, &old).expect("it exists");
    say(&mut lines, "old-500");
    log.reopen().expect("the folder is there");
    for number in 0..500 {
        say(&mut lines, &format!("new-{number}"));
    }
    drop(lines);
    assert_eq!(log.close(), 0);
    let expect = |name: &str, count: i32| -> Vec<String> {
        (0..count)
            .map(|number| format!("{name}-{number}"))
            .collect()
    };
    assert_eq!(targets(&old), expect("old", 501));
    assert_eq!(targets(&path), expect("new", 500));
}

#[test]
fn a_failed_reopening_keeps_the_old_file() {
    let folder = Folder::new();
    let (path, away) = (folder.file("logs/log"), folder.file("away"));
    fs::create_dir(folder.file("logs")).expect("a new name");
    let log = open(&path);
    let mut lines = log.lines();
    say(&mut lines, "one");
    fs::rename(folder.file("logs"), &away).expect("it exists");
    let error = log.reopen().expect_err("its folder has gone");
    assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
    say(&mut lines, "two");
    drop(lines);
    assert_eq!(log.close(), 0);
    assert_eq!(targets(&away.join("log")), ["one", "two"]);
}

#[test]
fn the_last_clone_to_go_writes_everything() {
    let folder = Folder::new();
    let path = folder.file("log");
    let log = open(&path);
    let mut lines = log.clone().lines();
    drop(log);
    lines.record(&entry(b"GET /one HTTP/1.1"));
    lines.hand_over();
    lines.record(&entry(b"GET /two HTTP/1.1"));
    // Neither handed over nor closed.
    drop(lines);
    assert_eq!(targets(&path), ["one", "two"]);
}

#[test]
fn a_log_is_appended_to_and_not_for_everyone() {
    let folder = Folder::new();
    let path = folder.file("log");
    for name in ["one", "two"] {
        say(&mut open(&path).lines(), name);
    }
    assert_eq!(targets(&path), ["one", "two"]);
    let mode = fs::metadata(&path).expect("a log").permissions().mode();
    assert_eq!(mode & 0o137, 0, "{mode:o}");
}

#[test]
fn workers_share_a_log_and_no_line_is_broken() {
    let folder = Folder::new();
    let path = folder.file("log");
    let log = open(&path);
    thread::scope(|scope| {
        for worker in 0..4 {
            let mut lines = log.lines();
            scope.spawn(move || {
                for number in 0..1000 {
                    lines.record(&entry(
                        format!("GET /{worker}-{number} HTTP/1.1").as_bytes(),
                    ));
                    if number % 7 == 0 {
                        lines.hand_over();
                    }
                }
            });
        }
    });
    assert_eq!(log.close(), 0);
    let all = targets(&path);
    assert_eq!(all.len(), 4000);
    for worker in 0..4 {
        let mark = format!("{worker}-");
        let own: Vec<_> = all
            .iter()
            .filter_map(|target| target.strip_prefix(&mark))
            .collect();
        let expected: Vec<_> = (0..1000).map(|number: i32| number.to_string()).collect();
        assert_eq!(own, expected, "each worker's lines are in order");
    }
}

#[test]
fn a_batch_is_handed_over_when_it_is_large() {
    let folder = Folder::new();
    let path = folder.file("log");
    let log = open(&path);
    let mut lines = log.lines();
    eventually("it is written without the end of a turn", || {
        lines.record(&entry(&b"a".repeat(4000)));
        fs::metadata(&path).expect("a log").len() > 0
    });
}

#[test]
fn a_full_disk_costs_lines_and_nothing_else() {
    let log = open(Path::new("/dev/full"));
    let mut lines = log.lines();
    for count in 1..=3 {
        say(&mut lines, "x");
        eventually("it is counted", || log.dropped() == count);
        assert_eq!(errno(log.last_error()), Some(libc::ENOSPC));
    }
    drop(lines);
    assert_eq!(log.close(), 3);
}

#[test]
fn a_fifo_that_nobody_reads_stops_nobody() {
    let folder = Folder::new();
    let path = fifo(&folder);
    let error = AccessLog::open(path.as_path(), AccessFormat::Common).expect_err("no reader");
    assert_eq!(
        error.raw_os_error(),
        Some(libc::ENXIO),
        "and it did not wait for one"
    );

    let mut reader = fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(&path)
        .expect("a FIFO");
    let log =
        AccessLog::open_with_queue(path.as_path(), AccessFormat::Common, 0).expect("a reader");
    let mut lines = log.lines();
    let mut recorded = 0;
    // The pipe takes 64 KiB, the queue 128 KiB; then lines are dropped, and recording goes on.
    while log.dropped() < 1000 {
        lines.record(&entry(&b"x".repeat(1000)));
        recorded += 1;
        if recorded % 10 == 0 {
            lines.hand_over();
        }
    }
    drop(lines);
    // The reader comes back: what was not dropped arrives, whole.
    let mut text = Vec::new();
    let closing = thread::spawn(move || log.close());
    eventually("everything is read", || {
        let mut piece = [0; 16_384];
        match reader.read(&mut piece) {
            Ok(count) => {
                text.extend_from_slice(&piece[..count]);
                count == 0 && closing.is_finished()
            }
            Err(_) => false,
        }
    });
    let dropped = closing.join().expect("no panic");
    let read = memchr::memchr_iter(b'\n', &text).count() as u64;
    assert_eq!(read + dropped, recorded, "every line was read or counted");
}

#[test]
fn a_reader_that_has_gone_costs_lines_until_one_comes() {
    let folder = Folder::new();
    let path = fifo(&folder);
    let read = |path: &Path| {
        let mut options = fs::OpenOptions::new();
        options
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .expect("a FIFO")
    };
    let reader = read(&path);
    let log = open(&path);
    let mut lines = log.lines();
    drop(reader);
    say(&mut lines, "one");
    eventually("it is counted", || log.dropped() == 1);
    assert_eq!(errno(log.last_error()), Some(libc::EPIPE));
    let mut reader = read(&path);
    say(&mut lines, "two");
    drop(lines);
    assert_eq!(log.close(), 1);
    let mut text = String::new();
    reader
        .read_to_string(&mut text)
        .expect("the end, since the writer has gone");
    assert!(text.contains("/two") && !text.contains("/one"), "{text}");
}

#[test]
fn a_log_shows_itself_without_its_lines() {
    let folder = Folder::new();
    let path = folder.file("log");
    let log = open(&path);
    let shown = format!("{log:?}");
    assert!(shown.contains("format: Common, dropped: 0"), "{shown}");
    assert_eq!(log.target().to_string(), path.display().to_string());
}

/// Never shows what it is given.
#[cfg(feature = "trace")]
struct Stuck(std::sync::mpsc::Receiver<()>);

#[cfg(feature = "trace")]
impl crate::trace::Sink for Stuck {
    fn event(&mut self, _: &crate::trace::Event) -> std::io::Result<()> {
        // Until the test is over.
        let _ = self.0.recv();
        Ok(())
    }
}

#[cfg(feature = "trace")]
#[test]
fn a_trace_that_nobody_reads_does_not_hold_up_the_end() {
    use crate::trace::{Options, Trace};
    let folder = Folder::new();
    let log = open(&folder.file("log"));
    let (over, stuck) = std::sync::mpsc::channel();
    let options = Options {
        queue_events: 1,
        ..Options::default()
    };
    let trace = Trace::start(vec![Box::new(Stuck(stuck))], options).expect("a thread");
    // Dropped before the trace, which waits for its sink.
    let _over = over;
    // Another thread has filled the trace, and waits too.
    let (told, telling) = std::sync::mpsc::channel();
    let mut probe = trace.recorder();
    thread::spawn(
        move || {
            while crate::sys::eventfd(&mut probe).is_ok() && told.send(()).is_ok() {}
        },
    );
    while telling.recv_timeout(Duration::from_millis(200)).is_ok() {}
    log.watch(&trace);
    let mut lines = log.lines();
    for _ in 0..20 {
        say(&mut lines, "/");
        lines.hand_over();
    }
    drop(lines);
    let (closed, closing) = std::sync::mpsc::channel();
    thread::spawn(move || closed.send(log.close()));
    let answer = closing.recv_timeout(super::super::log::CLOSE_TIMEOUT * 6);
    assert!(answer.is_ok(), "it takes at most 5 seconds");
}
