//! Slices of files.

use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use super::rig::Rig;
use super::run::{Run, pattern};
use super::seen::Seen;
use crate::buf::FileSlice;
use crate::driver::{Driver, Token};

/// A name that no other test has.
pub(super) fn unique() -> String {
    let (process, thread) = (std::process::id(), std::thread::current().id());
    format!("{process}-{thread:?}")
}

/// A file without a name, with `pattern` in it.
pub(super) fn file(len: usize) -> Arc<File> {
    let path = std::env::temp_dir().join(format!("longshore-file-{}", unique()));
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .expect("a temporary file");
    std::fs::remove_file(&path).expect("it goes with its last descriptor");
    file.write_all(&pattern(len)).expect("written");
    Arc::new(file)
}

/// Reads until nothing comes any more: one answer may be short.
fn read<R: Rig>(
    run: &mut Run<R>,
    token: Token,
    file: &Arc<File>,
    mut range: Range<u64>,
) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let slice = FileSlice::new(file.clone(), range.clone());
        let buf = Vec::with_capacity(4096);
        let (place, capacity) = (buf.as_ptr(), buf.capacity());
        run.seen.clear();
        run.driver().read_file(token, slice, buf);
        run.until("FileRead", |seen| {
            seen.iter().any(|seen| matches!(seen, Seen::FileRead(..)))
        });
        let Some(Seen::FileRead(of, bytes, result)) = run.seen.pop() else {
            panic!("FileRead is the only thing that happens");
        };
        result.expect("read");
        assert_eq!(of, token);
        assert_eq!(bytes.as_ptr(), place, "the same buffer comes back");
        assert!(bytes.len() <= capacity);
        if bytes.is_empty() {
            return whole;
        }
        range.start += bytes.len() as u64;
        whole.extend_from_slice(&bytes);
    }
}

pub(super) fn slices_of_a_file<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, _peer) = run.client();
    let file = file(20_000);
    let all = pattern(20_000);
    assert!(read(&mut run, token, &file, 0..20_000) == all);
    assert!(read(&mut run, token, &file, 5..11) == all[5..11]);
    assert!(read(&mut run, token, &file, 4_000..13_000) == all[4_000..13_000]);
    // Past the end there is nothing, and that is no error.
    assert!(read(&mut run, token, &file, 19_990..30_000) == all[19_990..]);
    assert!(read(&mut run, token, &file, 20_000..30_000).is_empty());
    assert!(read(&mut run, token, &file, 1 << 40..1 << 41).is_empty());
    assert!(read(&mut run, token, &file, 7..7).is_empty());
    // A range that ends before it begins holds nothing.
    assert!(read(&mut run, token, &file, Range { start: 9, end: 7 }).is_empty());
    run.assert_silence();
    assert_eq!(Arc::strong_count(&file), 1, "nobody keeps the file open");
}

pub(super) fn several_connections_read_at_once<R: Rig>() {
    let mut run = Run::<R>::new();
    let file = file(4096);
    let clients: Vec<_> = (0..20).map(|_| run.client()).collect();
    for (token, _) in &clients {
        let start = u64::from(token.index);
        let slice = FileSlice::new(file.clone(), start..start + 1);
        run.driver()
            .read_file(*token, slice, Vec::with_capacity(64));
    }
    let mut answers = 0;
    run.until("every answer", |seen| {
        answers = seen
            .iter()
            .filter(|seen| matches!(seen, Seen::FileRead(..)))
            .count();
        answers == clients.len()
    });
    for seen in &run.seen {
        if let Seen::FileRead(token, bytes, _) = seen {
            assert_eq!(bytes[..], pattern(4096)[token.index as usize..][..1]);
        }
    }
}

pub(super) fn a_file_that_cannot_be_read_is_an_error<R: Rig>() {
    let mut run = Run::<R>::new();
    let (token, mut peer) = run.client();
    let directory = Arc::new(File::open("/").expect("a directory"));
    let slice = FileSlice::new(directory, 0..100);
    run.driver()
        .read_file(token, slice, Vec::with_capacity(100));
    run.until("FileRead", |seen| {
        seen.iter()
            .any(|seen| matches!(seen, Seen::FileRead(_, bytes, Err(_)) if bytes.is_empty()))
    });
    // The connection does not mind.
    run.send_all(token, super::run::pooled(b"404"));
    assert_eq!(run.hear(&mut peer, 3), b"404");
}
