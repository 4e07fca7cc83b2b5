//! The queue and its writer, over a sink that the test commands.

use std::io::{ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex};

use super::*;
use crate::server::access::queue::Queue;
use crate::server::access::watch::Watch;
use crate::server::access::writer::{self, Sink};

/// What a sink does with a write.
#[derive(Clone, Copy, Debug)]
enum Answer {
    /// Takes at most so many bytes.
    Takes(usize),
    Fails(i32),
    /// Waits until the gate is opened.
    Hangs,
}

/// A sink that answers as it was told, and takes everything when it was told no more.
#[derive(Clone, Default)]
struct Fake(Arc<(Mutex<Inside>, Condvar)>);

#[derive(Default)]
struct Inside {
    answers: Vec<Answer>,
    written: Vec<u8>,
    writes: usize,
    waits: usize,
    hangs: bool,
    open: bool,
}

impl Fake {
    /// Answers with the first of `answers` first.
    fn with(answers: &[Answer]) -> Self {
        let fake = Self::default();
        fake.inside().answers = answers.iter().rev().copied().collect();
        fake
    }

    fn inside(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.0.0.lock().expect("no panic")
    }

    fn text(&self) -> String {
        String::from_utf8(self.inside().written.clone()).expect("ASCII")
    }

    fn open(&self) {
        self.inside().open = true;
        self.0.1.notify_all();
    }
}

impl Write for Fake {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inside = self.inside();
        inside.writes += 1;
        let count = match inside.answers.pop() {
            Some(Answer::Fails(errno)) => return Err(io::Error::from_raw_os_error(errno)),
            Some(Answer::Takes(count)) => count.min(bytes.len()),
            Some(Answer::Hangs) => {
                inside.hangs = true;
                inside = self
                    .0
                    .1
                    .wait_while(inside, |inside| !inside.open)
                    .expect("no panic");
                bytes.len()
            }
            None => bytes.len(),
        };
        inside.written.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Fake {
    fn wait_for_room(&mut self, _: Duration) {
        self.inside().waits += 1;
    }
}

/// A queue of `bytes_max` and its writer, over `sink`.
fn start(bytes_max: usize, sink: &Fake) -> Arc<Queue<Fake>> {
    let queue = Arc::new(Queue::new(bytes_max));
    let (source, sink) = (queue.clone(), sink.clone());
    thread::spawn(move || writer::run(&source, sink, &Watch::default()));
    queue
}

#[test]
fn what_was_put_is_written_in_order_and_in_few_writes() {
    let sink = Fake::default();
    let queue = start(1 << 20, &sink);
    let mut expected = String::new();
    for number in 0..2000 {
        let line = format!("line {number}\n");
        queue.put(line.as_bytes(), 1);
        expected.push_str(&line);
    }
    assert!(queue.close(PATIENCE));
    assert_eq!(sink.text(), expected);
    assert!(
        sink.inside().writes < 1000,
        "{} writes",
        sink.inside().writes
    );
    assert_eq!((queue.dropped(), errno(queue.last_error())), (0, None));
}

#[test]
fn a_line_does_not_wait_for_the_end() {
    let sink = Fake::default();
    let queue = start(1 << 20, &sink);
    for text in ["one\n", "one\ntwo\n"] {
        queue.put(&text.as_bytes()[text.len() - 4..], 1);
        eventually("a lone line is written", || sink.text() == text);
    }
    assert!(queue.close(PATIENCE));
}

#[test]
fn a_full_queue_drops_and_counts_and_does_not_wait() {
    let sink = Fake::with(&[Answer::Hangs]);
    let queue = start(100, &sink);
    queue.put(b"stuck\n", 1);
    eventually("the writer hangs", || sink.inside().hangs);
    // 6 bytes are in its hands: 94 remain.
    queue.put(&[b"x".repeat(93), b"\n".to_vec()].concat(), 1);
    assert_eq!(queue.dropped(), 0);
    for _ in 0..1000 {
        queue.put(b"a\nb\n", 2);
    }
    assert_eq!(queue.dropped(), 2000, "all, and this line was reached");
    sink.open();
    assert!(queue.close(PATIENCE));
    assert_eq!(sink.text().lines().count(), 2);
    queue.put(b"late\n", 1);
    assert_eq!(queue.dropped(), 2001, "a closed log takes nothing");
    assert_eq!(errno(queue.last_error()), None, "no write has failed");
}

#[test]
fn room_comes_back() {
    let sink = Fake::default();
    let queue = start(64, &sink);
    for number in 0..50 {
        let line = format!("{number:063}\n");
        // Room comes back a moment after the bytes are written: when the writer looks into the queue again.
        eventually("there is room", || {
            let before = queue.dropped();
            queue.put(line.as_bytes(), 1);
            queue.dropped() == before
        });
        eventually("it is written", || sink.text().ends_with(&line));
    }
    assert!(queue.close(PATIENCE));
    assert_eq!(sink.text().lines().count(), 50);
}

#[test]
fn an_error_costs_its_lines_and_no_more() {
    let sink = Fake::with(&[Answer::Fails(libc::ENOSPC)]);
    let queue = start(1 << 20, &sink);
    queue.put(b"one\ntwo\n", 2);
    eventually("it fails", || queue.dropped() == 2);
    assert_eq!(errno(queue.last_error()), Some(libc::ENOSPC));
    queue.put(b"three\n", 1);
    assert!(queue.close(PATIENCE));
    assert_eq!((sink.text().as_str(), sink.inside().writes), ("three\n", 2));
    assert_eq!(queue.dropped(), 2);
}

#[test]
fn a_torn_line_is_not_continued() {
    let sink = Fake::with(&[
        Answer::Takes(6),
        Answer::Fails(libc::ENOSPC),
        // The end of the torn line, at first without success.
        Answer::Fails(libc::ENOSPC),
    ]);
    let queue = start(1 << 20, &sink);
    queue.put(b"one\ntwo\nthree\n", 3);
    eventually("it fails", || queue.dropped() == 2);
    queue.put(b"four\n", 1);
    eventually("it fails again", || queue.dropped() == 3);
    queue.put(b"five\n", 1);
    assert!(queue.close(PATIENCE));
    assert_eq!(sink.text(), "one\ntw\nfive\n");
    assert_eq!(queue.dropped(), 3);
}

#[test]
fn an_error_at_the_end_of_a_line_tears_none() {
    let sink = Fake::with(&[Answer::Takes(4), Answer::Fails(libc::EIO)]);
    let queue = start(1 << 20, &sink);
    queue.put(b"one\ntwo\n", 2);
    eventually("it fails", || queue.dropped() == 1);
    queue.put(b"three\n", 1);
    assert!(queue.close(PATIENCE));
    assert_eq!(sink.text(), "one\nthree\n");
}

#[test]
fn short_writes_interruptions_and_slow_readers_cost_nothing() {
    let sink = Fake::with(&[
        Answer::Takes(1),
        Answer::Fails(libc::EINTR),
        Answer::Fails(libc::EAGAIN),
        Answer::Fails(libc::EAGAIN),
        Answer::Takes(2),
    ]);
    let queue = start(1 << 20, &sink);
    queue.put(b"one\ntwo\n", 2);
    assert!(queue.close(PATIENCE));
    assert_eq!(
        (sink.text().as_str(), sink.inside().waits),
        ("one\ntwo\n", 2)
    );
    assert_eq!(queue.dropped(), 0);
}

#[test]
fn a_sink_that_takes_nothing_is_an_error() {
    let sink = Fake::with(&[Answer::Takes(0)]);
    let queue = start(1 << 20, &sink);
    queue.put(b"one\n", 1);
    assert!(queue.close(PATIENCE));
    let kind = queue.last_error().map(|error| error.kind());
    assert_eq!(
        (queue.dropped(), errno(queue.last_error())),
        (1, Some(libc::EIO))
    );
    assert_ne!(kind, Some(ErrorKind::WriteZero), "there is no errno for it");
}

#[test]
fn whoever_closes_does_not_wait_for_ever() {
    let sink = Fake::with(&[Answer::Hangs]);
    let queue = start(1 << 20, &sink);
    queue.put(b"one\n", 1);
    eventually("the writer hangs", || sink.inside().hangs);
    queue.put(b"two\nthree\n", 2);
    assert!(!queue.close(Duration::from_millis(10)));
    assert_eq!(queue.dropped(), 3, "what is not known to be written");
    let again = Instant::now();
    assert!(!queue.close(PATIENCE));
    assert!(again.elapsed() < PATIENCE, "it is not waited for twice");
    assert_eq!(queue.dropped(), 3, "counted once");
    // When the kernel lets it go, it ends, and writes nothing of what was given up.
    sink.open();
    eventually("the writer ends", || queue.close(Duration::ZERO));
    assert_eq!((sink.text().as_str(), queue.dropped()), ("one\n", 3));
}

#[test]
fn an_abandoned_writer_does_not_wait_for_a_reader() {
    let sink = Fake::with(&[Answer::Fails(libc::EAGAIN); 1000]);
    let queue = start(1 << 20, &sink);
    queue.put(b"one\n", 1);
    queue.close(Duration::ZERO);
    eventually("the writer ends", || queue.close(Duration::ZERO));
    assert_eq!((sink.text().as_str(), queue.dropped()), ("", 1));
}

#[test]
fn a_switch_parts_the_lines() {
    let (old, middle, new) = (
        Fake::with(&[Answer::Hangs]),
        Fake::default(),
        Fake::default(),
    );
    let queue = start(1 << 20, &old);
    queue.put(b"one\n", 1);
    eventually("the writer hangs", || old.inside().hangs);
    queue.put(b"two\n", 1);
    queue.switch(middle.clone());
    queue.put(b"three\n", 1);
    // The second takes the place of the first, which was never used.
    queue.switch(new.clone());
    assert_eq!(Arc::strong_count(&middle.0), 1, "closed");
    queue.put(b"four\n", 1);
    old.open();
    eventually("it goes on", || new.text() == "three\nfour\n");
    eventually("the old one is closed", || Arc::strong_count(&old.0) == 1);
    assert!(queue.close(PATIENCE));
    assert_eq!(
        (old.text().as_str(), middle.text().as_str()),
        ("one\ntwo\n", "")
    );
    assert_eq!(queue.dropped(), 0);
}
