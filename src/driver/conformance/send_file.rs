//! Line 10 of the contract: a file leaves behind the bytes of its send, in bounded pieces, whole or not at all.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::file::{file, unique};
use super::rig::{Heard, Peer, Rig};
use super::run::{Run, pattern, pooled};
use super::seen::Seen;
use crate::buf::{FILE_STAGE_BYTES, FileSlice, Outbox, PARTS_MAX, Part, Pool, SendBuf};
use crate::driver::{Driver, Submit, Token};

/// More than the buffers of a connection take, so that it stays in flight until the peer reads.
const LARGE: usize = 8 << 20;
/// How much a peer reads at a time: it asks for memory anew each time.
const BITE: usize = 64 * 1024;
/// The most bytes of a file that a driver may send on one connection in one turn.
const PIECE_MAX: usize = 256 * 1024;

fn slice(file: &Arc<File>, range: Range<u64>) -> FileSlice {
    FileSlice::new(file.clone(), range)
}

fn all_of(file: &Arc<File>) -> FileSlice {
    slice(file, 0..file.metadata().expect("a file").len())
}

/// A send of some bytes and a file behind them.
fn with_head(head: &[u8], slice: FileSlice) -> SendBuf {
    let mut buf = pooled(head);
    buf.push_file(slice);
    buf
}

/// A file of `LARGE` bytes that nobody looks at.
pub(super) fn large() -> Arc<File> {
    let file = file(0);
    file.set_len(LARGE as u64).expect("a hole");
    file
}

/// Sends and hears everything.
fn carry<R: Rig>(run: &mut Run<R>, token: Token, peer: &mut R::Peer, buf: SendBuf) -> Vec<u8> {
    let count = buf.remaining();
    let submit = run.send(token, buf);
    let mut heard = Vec::with_capacity(count);
    while heard.len() < count {
        heard.extend(run.hear(peer, BITE.min(count - heard.len())));
    }
    let buf = match submit {
        Submit::Done(buf) => buf,
        Submit::InFlight => run.until_sent(token).expect("sent"),
        Submit::Failed(_, error) => panic!("send: {error}"),
    };
    assert_eq!((buf.remaining(), run.driver().unsent(token)), (0, 0));
    assert!(buf.file_left().is_none());
    heard
}

/// The error of a send that cannot succeed.
fn error_of<R: Rig>(run: &mut Run<R>, token: Token, submit: Submit) -> io::Error {
    match submit {
        Submit::Done(_) => panic!("it cannot be done"),
        Submit::InFlight => run.until_sent(token).expect_err("it cannot be sent"),
        Submit::Failed(_, error) => error,
    }
}

pub(super) fn a_whole_file<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    let (file, expected) = (file(300_000), pattern(300_000));
    for _ in 0..3 {
        let buf = with_head(b"", all_of(&file));
        assert!(carry(&mut run, token, &mut peer, buf) == expected);
    }
    run.assert_silence();
    assert_eq!(Arc::strong_count(&file), 1, "nobody keeps the file open");
}

pub(super) fn ranges_of_a_file<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    let (file, bytes) = (file(300_000), pattern(300_000));
    for range in [
        0..1,
        1..2,
        4_095..4_097,
        65_535..65_537,
        65_536..131_072,
        65_535..131_075,
        12_345..299_999,
        299_999..300_000,
    ] {
        let buf = with_head(b"", slice(&file, range.clone()));
        let heard = carry(&mut run, token, &mut peer, buf);
        let places = range.start as usize..range.end as usize;
        assert!(heard == bytes[places], "{range:?}");
    }
}

pub(super) fn a_head_and_the_file_behind_it<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    let bytes = pattern(5 << 20);
    let file = file(bytes.len());
    let sizes = [
        1,
        2,
        1_000,
        FILE_STAGE_BYTES - 1,
        FILE_STAGE_BYTES,
        FILE_STAGE_BYTES + 1,
        PIECE_MAX,
        PIECE_MAX + 1,
        bytes.len(),
    ];
    for (round, size) in sizes.into_iter().enumerate() {
        let mut buf = pooled(b"HTTP/1.1 200 OK\r\n\r\n");
        let mut expected = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        while buf.parts() < (round * 2 + 1).min(PARTS_MAX) {
            buf.push(Part::Static(b"more head"));
            expected.extend_from_slice(b"more head");
        }
        expected.extend_from_slice(&bytes[..size]);
        buf.push_file(slice(&file, 0..size as u64));
        let heard = carry(&mut run, token, &mut peer, buf);
        assert!(heard == expected, "{size} bytes of the file");
    }
}

/// A long head is short of room itself, and the file must wait for its last byte.
pub(super) fn a_large_head_and_a_file_behind_it<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    let head = pattern(6 << 20);
    let file = file(100_000);
    let heard = carry(&mut run, token, &mut peer, with_head(&head, all_of(&file)));
    assert!(heard[..head.len()] == head && heard[head.len()..] == pattern(100_000));
}

pub(super) fn bytes_behind_a_file_leave_with_the_next_send<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
    let (file, bytes) = (file(100_000), pattern(100_000));
    let mut expected = Vec::new();
    for reply in 0..5_u8 {
        outbox.push(Part::Pooled(vec![reply; 20]), &mut pool);
        outbox.push_file(slice(&file, u64::from(reply)..100_000));
        expected.extend_from_slice(&[reply; 20]);
        expected.extend_from_slice(&bytes[usize::from(reply)..]);
    }
    outbox.push(Part::Static(b"the end"), &mut pool);
    expected.extend_from_slice(b"the end");
    assert_eq!(outbox.len(), expected.len());
    let mut heard = Vec::new();
    while let Some(buf) = outbox.take_send() {
        heard.extend(carry(&mut run, token, &mut peer, buf));
    }
    assert!(heard == expected);
}

pub(super) fn an_empty_slice_adds_nothing<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    let file = file(100);
    for empty in [0..0, 7..7, 1 << 40..1 << 40, Range { start: 9, end: 7 }] {
        let buf = with_head(b"head", slice(&file, empty.clone()));
        assert_eq!(carry(&mut run, token, &mut peer, buf), b"head");
        run.send_all(token, with_head(b"", slice(&file, empty)));
    }
    run.assert_silence();
}

pub(super) fn a_file_that_ended_early_fails_the_send<R: Rig>() {
    let mut run = Run::<R>::new();
    // Before its slice begins, in the middle, and at once.
    for (len, range) in [(100, 100..200), (70_000, 5..300_000), (0, 0..1)] {
        let (token, mut peer) = run.client();
        let submit = run.send(token, with_head(b"head", slice(&file(len), range.clone())));
        let there = (len as u64).saturating_sub(range.start) as usize;
        let error = error_of(&mut run, token, submit);
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{error}");
        run.assert_silence();
        run.close(token);
        assert!(run.until_closed(token).is_none(), "it has come back");
        // What was there has left.
        let (heard, end) = run.hear_all(&mut peer);
        assert_eq!((heard.len(), end), (4 + there, Heard::End));
        assert!(heard[4..] == pattern(len)[len - there..]);
    }
}

pub(super) fn a_file_that_is_cut_meanwhile_fails_the_send<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    let file = large();
    let submit = run.send(token, with_head(b"head", all_of(&file)));
    assert!(matches!(submit, Submit::InFlight), "{submit:?}");
    run.settle();
    file.set_len(0).expect("cut");
    // The failure comes with room for the next piece.
    let error = run.play("the failure", |run| {
        while let Heard::Bytes(_) = peer.read(BITE) {}
        run.turn();
        let sent = |seen: &Seen| matches!(seen, Seen::Sent(..));
        let over = run.seen.iter().any(sent);
        over.then(|| run.until_sent(token).expect_err("it is not whole"))
    });
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{error}");
    run.assert_silence();
}

pub(super) fn a_file_that_cannot_be_read_fails_the_send<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    let directory = Arc::new(File::open("/").expect("a directory"));
    let submit = run.send(token, with_head(b"head", slice(&directory, 0..100)));
    let error = error_of(&mut run, token, submit);
    assert_ne!(error.kind(), io::ErrorKind::UnexpectedEof, "{error}");
    run.assert_silence();
    run.close(token);
    assert_eq!(run.hear_all(&mut peer), (b"head".to_vec(), Heard::End));
}

/// Files beneath a directory are opened so (`sys::openat2`). It must not mean that they are refused.
pub(super) fn a_file_that_was_opened_not_to_wait<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    for place in [std::env::temp_dir(), "/dev/shm".into()] {
        let path = place.join(format!("longshore-nonblock-{}", unique()));
        if std::fs::write(&path, pattern(200_000)).is_err() {
            continue;
        }
        let file = File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&path)
            .expect("right above it was there");
        std::fs::remove_file(&path).expect("it goes with its last descriptor");
        let buf = with_head(b"", all_of(&Arc::new(file)));
        assert!(carry(&mut run, token, &mut peer, buf) == pattern(200_000));
    }
}

pub(super) fn a_slow_reader_gets_a_file_whole<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    let bytes = pattern(LARGE);
    let file = file(LARGE);
    let submit = run.send(token, with_head(b"head", all_of(&file)));
    assert!(matches!(submit, Submit::InFlight), "{submit:?}");
    run.settle();
    // Nobody reads, so nobody works.
    run.assert_silence();
    let mut figures = vec![run.driver().unsent(token)];
    assert!(figures[0] > 0 && figures[0] < LARGE, "{figures:?}");
    assert_eq!(run.hear(&mut peer, 4), b"head");
    let mut heard = Vec::new();
    while heard.len() < bytes.len() {
        heard.extend(run.hear(&mut peer, BITE.min(bytes.len() - heard.len())));
        run.turn();
        figures.push(run.driver().unsent(token));
    }
    assert!(heard == bytes);
    assert_eq!(run.until_sent(token).expect("sent").remaining(), 0);
    assert!(figures.is_sorted_by(|before, after| before >= after));
    figures.dedup();
    assert!(figures.len() >= 6, "progress must be seen: {figures:?}");
    run.assert_silence();
}

/// Whatever is in flight at that moment, a read or a send: what the socket took arrives, the rest comes back, once.
pub(super) fn closing_in_the_middle_of_a_file<R: Rig>() {
    let mut run = Run::<R>::new();
    let file = large();
    for turns in 0..12 {
        let (token, mut peer) = run.client();
        let head = b"head".to_vec();
        let place = head.as_ptr();
        let mut buf = SendBuf::new(Part::Pooled(head));
        buf.push_file(all_of(&file));
        assert!(matches!(run.send(token, buf), Submit::InFlight));
        let mut heard = 0;
        for _ in 0..turns {
            run.turn_with(Duration::from_millis(1), |_, _| {});
            if let Heard::Bytes(bytes) = peer.read(50_000) {
                heard += bytes.len();
            }
        }
        run.close(token);
        let unsent = run.until_closed(token).expect("the buffer in flight");
        let left = unsent.remaining();
        let Some(Part::Pooled(head)) = unsent.into_parts().next() else {
            panic!("the first part was a pooled one");
        };
        assert_eq!(head.as_ptr(), place, "the same buffer");
        assert_eq!(Arc::strong_count(&file), 1, "nobody keeps the file open");
        let (rest, end) = run.hear_all(&mut peer);
        assert_eq!(heard + rest.len() + left, 4 + LARGE, "after {turns} turns");
        assert_eq!(end, Heard::End);
    }
    run.assert_silence();
}

pub(super) fn a_reset_in_the_middle_of_a_file_fails_the_send<R: Rig>() {
    let mut run = Run::<R>::new();
    let file = large();
    for turns in [0, 1, 2, 3, 20] {
        let (token, peer) = run.client();
        let submit = run.send(token, with_head(b"head", all_of(&file)));
        assert!(matches!(submit, Submit::InFlight), "{submit:?}");
        for _ in 0..turns {
            run.turn_with(Duration::from_millis(1), |_, _| {});
        }
        peer.reset();
        let error = run.until_sent(token).expect_err("the peer is gone");
        let gone = [Some(libc::ECONNRESET), Some(libc::EPIPE)];
        assert!(gone.contains(&error.raw_os_error()), "{error}");
        run.assert_silence();
        run.close(token);
        assert!(run.until_closed(token).is_none(), "it has come back");
        assert_eq!(Arc::strong_count(&file), 1, "nobody keeps the file open");
    }
}

pub(super) fn our_end_waits_behind_the_file_in_flight<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    let file = large();
    let submit = run.send(token, with_head(b"head", all_of(&file)));
    assert!(matches!(submit, Submit::InFlight), "{submit:?}");
    run.driver().shutdown_write(token);
    let (heard, end) = run.hear_all(&mut peer);
    assert_eq!((heard.len(), end), (4 + LARGE, Heard::End));
    assert_eq!(run.until_sent(token).expect("sent").remaining(), 0);
    run.assert_silence();
}

pub(super) fn many_files_at_once<R: Rig>() {
    let mut run = Run::<R>::new();
    // More than the ring has entries, and more than a driver keeps memory for.
    let mut clients: Vec<_> = (0..100).map(|_| run.client()).collect();
    let (file, bytes) = (file(70_000), pattern(70_000));
    for (token, _) in &clients {
        let from = u64::from(token.index);
        let buf = with_head(&token.index.to_ne_bytes(), slice(&file, from..70_000));
        run.send(*token, buf);
    }
    for (token, peer) in &mut clients {
        let from = token.index as usize;
        let heard = run.hear(peer, 4 + bytes.len() - from);
        assert_eq!(heard[..4], token.index.to_ne_bytes());
        assert!(heard[4..] == bytes[from..], "{token:?}");
    }
}

/// Turns are counted, not time: while a file leaves as fast as its peer reads, others wait for a turn or a few.
pub(super) fn others_are_served_while_a_file_leaves<R: Rig>() {
    let mut run = Run::<R>::new();
    let (fast, mut reader) = run.client();
    let (other, mut asker) = run.client();
    let file = large();
    file.set_len(64 << 20).expect("a longer hole");
    let submit = run.send(fast, with_head(b"head", all_of(&file)));
    assert!(matches!(submit, Submit::InFlight), "{submit:?}");
    let mut before = 4 + (64 << 20);
    for round in 1..=30 {
        asker.write(b"?");
        // The reader may speak, too, while it is sent to.
        reader.write(b"!");
        let mut turns = 0;
        while run.received(other).len() < round || run.received(fast).len() < round {
            let unsent = run.driver().unsent(fast);
            let piece = before - unsent;
            assert!(piece <= 2 * PIECE_MAX, "{piece} bytes in one turn");
            before = unsent;
            while let Heard::Bytes(_) = reader.read(BITE) {}
            run.turn();
            turns += 1;
            assert!(turns < 40, "it is not served");
        }
        run.send_all(other, pooled(b"."));
        before = run.driver().unsent(fast);
        assert_eq!(run.hear(&mut asker, 1), b".");
        before = before.min(run.driver().unsent(fast));
    }
    assert!(run.driver().unsent(fast) > 0, "it was to last longer");
    run.close(fast);
    assert!(run.until_closed(fast).is_some());
}

/// Tells a thread to stop, also when a case fails: otherwise it would be waited for.
struct AtTheEnd<'a>(&'a AtomicBool);

impl Drop for AtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The same with a reader that reads all the time, so that the socket always has room.
pub(super) fn a_fast_reader_does_not_hold_the_loop<R: Rig<Peer: Send>>() {
    let mut run = Run::<R>::new();
    let (fast, reader) = run.client();
    let (other, mut asker) = run.client();
    let file = large();
    file.set_len(1 << 30).expect("a longer hole");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let done = &done;
        let _stop = AtTheEnd(done);
        scope.spawn(move || {
            let mut reader = reader;
            while !done.load(Ordering::Relaxed) {
                reader.read(BITE);
            }
        });
        let submit = run.send(fast, with_head(b"head", all_of(&file)));
        assert!(matches!(submit, Submit::InFlight), "{submit:?}");
        for round in 1..=20 {
            asker.write(b"?");
            let mut turns = 0;
            while run.received(other).len() < round {
                let before = run.driver().unsent(fast);
                run.turn();
                let piece = before - run.driver().unsent(fast);
                assert!(piece <= PIECE_MAX, "{piece} bytes in one turn");
                turns += 1;
                assert!(turns < 40, "it is not served");
            }
        }
        assert!(run.driver().unsent(fast) > 0, "it was to last longer");
    });
}
