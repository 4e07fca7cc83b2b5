use super::part::FILE_BYTES_MAX;
use super::*;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

/// A slice of some file that nobody reads here.
fn slice(range: Range<u64>) -> FileSlice {
    let file = Arc::new(File::open("/dev/null").expect("every system has it"));
    FileSlice::new(file, range)
}

#[test]
fn a_send_skips_what_the_kernel_took_across_parts() {
    let mut send = SendBuf::new(Part::Pooled(b"head".to_vec()));
    send.push(Part::Static(b""));
    send.push(Part::Shared {
        bytes: Arc::from(&b"..body.."[..]),
        range: 2..6,
    });
    assert_eq!(send.remaining(), 8);
    assert_eq!(send.pieces().collect::<Vec<_>>(), [&b"head"[..], b"body"]);
    send.advance(5);
    assert_eq!(send.pieces().collect::<Vec<_>>(), [&b"ody"[..]]);
    send.advance(3);
    assert_eq!(send.remaining(), 0);
    assert_eq!(send.pieces().count(), 0);
}

#[test]
#[should_panic(expected = "at most 16 parts")]
fn a_send_has_a_limit_of_parts() {
    let mut send = SendBuf::new(Part::Static(b"x"));
    for _ in 0..PARTS_MAX {
        send.push(Part::Static(b"x"));
    }
}

#[test]
fn a_file_follows_the_bytes_of_its_send() {
    let mut send = SendBuf::new(Part::Pooled(b"head".to_vec()));
    assert_eq!(send.held_bytes(), 4);
    send.push(Part::Static(b"er"));
    send.push_file(slice(100..110));
    assert_eq!(
        (send.parts(), send.remaining(), send.bytes_left()),
        (2, 16, 6)
    );
    assert_eq!(send.held_bytes(), 6 + FILE_STAGE_BYTES);
    send.advance(5);
    assert_eq!(send.pieces().collect::<Vec<_>>(), [&b"r"[..]]);
    let range = |send: &SendBuf| send.file_left().map(|slice| slice.range.clone());
    assert_eq!(range(&send), Some(100..110));
    // Across the border, and on to the end.
    send.advance(4);
    assert_eq!((send.remaining(), send.bytes_left()), (7, 0));
    assert_eq!((send.pieces().count(), range(&send)), (0, Some(103..110)));
    send.advance(7);
    assert_eq!((send.remaining(), range(&send)), (0, None));
    assert_eq!(
        send.held_bytes(),
        6,
        "the buffers stay until the send comes back"
    );
    assert_eq!(send.into_parts().count(), 2);
}

#[test]
fn an_empty_slice_is_no_file() {
    for empty in [0..0, 5..5, Range { start: 9, end: 7 }] {
        let mut send = SendBuf::new(Part::Static(b"x"));
        send.push_file(slice(empty.clone()));
        assert!(send.file_left().is_none());
        assert_eq!((send.remaining(), send.single()), (1, Some(&b"x"[..])));
        let mut outbox = Outbox::default();
        outbox.push_file(slice(empty));
        assert!(outbox.is_empty() && outbox.take_send().is_none());
    }
}

#[test]
#[should_panic(expected = "a file is the end of a send")]
fn nothing_follows_a_file() {
    let mut send = SendBuf::new(Part::Static(b"x"));
    send.push_file(slice(0..1));
    send.push(Part::Static(b"y"));
}

#[test]
#[should_panic(expected = "one file at most")]
fn a_send_carries_one_file() {
    let mut send = SendBuf::new(Part::Static(b"x"));
    send.push_file(slice(0..1));
    send.push_file(slice(0..1));
}

#[test]
#[should_panic(expected = "bytes of a file")]
fn a_send_has_a_limit_of_file_bytes() {
    let mut send = SendBuf::new(Part::Static(b"x"));
    send.push_file(slice(1..FILE_BYTES_MAX + 2));
}

#[test]
fn one_read_asks_for_no_more_than_the_slice_has() {
    assert_eq!(slice(10..30).wanted(100), 20);
    assert_eq!(slice(10..30).wanted(7), 7);
    assert_eq!(slice(0..u64::MAX).wanted(64), 64);
    assert_eq!(slice(Range { start: 9, end: 7 }).wanted(64), 0);
}

/// What one send carries: its bytes, and the range of its file.
fn carried(send: &SendBuf) -> (Vec<u8>, Option<Range<u64>>) {
    let bytes = send.pieces().collect::<Vec<_>>().concat();
    (bytes, send.file_left().map(|slice| slice.range.clone()))
}

#[test]
fn a_file_ends_a_send_and_no_small_segment_crosses_it() {
    let mut pool = Pool::default();
    let mut outbox = Outbox::default();
    outbox.push(Part::Pooled(b"one".to_vec()), &mut pool);
    outbox.push_file(slice(5..25));
    outbox.push(Part::Pooled(b"two".to_vec()), &mut pool);
    outbox.push(Part::Pooled(b"three".to_vec()), &mut pool);
    outbox.push_file(slice(0..1));
    outbox.push_file(slice(2..4));
    assert_eq!((outbox.len(), outbox.held_bytes()), (34, 11));
    assert_eq!(outbox.segments(), 5, "two and three are joined, one is not");
    let mut sends = Vec::new();
    let mut left = Vec::new();
    while let Some(send) = outbox.take_send() {
        sends.push(carried(&send));
        left.push((outbox.len(), outbox.held_bytes()));
    }
    assert_eq!(
        sends,
        [
            (b"one".to_vec(), Some(5..25)),
            (b"twothree".to_vec(), Some(0..1)),
            (Vec::new(), Some(2..4)),
        ]
    );
    assert_eq!(left, [(11, 8), (2, 0), (0, 0)]);
}

#[test]
fn a_file_joins_a_send_that_is_full_of_bytes_or_parts() {
    let mut pool = Pool::default();
    let mut outbox = Outbox::default();
    for _ in 0..PARTS_MAX {
        outbox.push(Part::Static(b"x"), &mut pool);
    }
    outbox.push_file(slice(0..9));
    outbox.push(Part::Pooled(vec![0; 300 * 1024]), &mut pool);
    outbox.push_file(slice(0..9));
    outbox.push(Part::Pooled(vec![0; 200 * 1024]), &mut pool);
    outbox.push(Part::Pooled(vec![0; 100 * 1024]), &mut pool);
    outbox.push_file(slice(0..9));
    let mut sends = Vec::new();
    while let Some(send) = outbox.take_send() {
        sends.push((send.parts(), send.bytes_left(), send.file_left().is_some()));
    }
    // Two parts that are too much together are two sends, and the file follows the second.
    assert_eq!(
        sends,
        [
            (PARTS_MAX, PARTS_MAX, true),
            (1, 300 * 1024, true),
            (1, 200 * 1024, false),
            (1, 100 * 1024, true),
        ]
    );
}

#[test]
fn a_large_file_is_several_sends() {
    let mut pool = Pool::default();
    let mut outbox = Outbox::default();
    outbox.push(Part::Static(b"head"), &mut pool);
    outbox.push_file(slice(7..2 * FILE_BYTES_MAX + 10));
    outbox.push(Part::Static(b"tail"), &mut pool);
    let whole = 2 * FILE_BYTES_MAX as usize + 11;
    assert_eq!(outbox.len(), whole);
    let (first, second) = (FILE_BYTES_MAX + 7, 2 * FILE_BYTES_MAX + 7);
    let ranges = [7..first, first..second, second..second + 3];
    let mut left = whole;
    for (number, range) in ranges.into_iter().enumerate() {
        let send = outbox.take_send().expect("more of the file");
        assert!(u32::try_from(send.remaining()).is_ok());
        let head: &[u8] = if number == 0 { b"head" } else { b"" };
        assert_eq!(carried(&send), (head.to_vec(), Some(range)));
        left -= send.remaining();
        assert_eq!(outbox.len(), left);
    }
    let send = outbox.take_send().expect("the tail");
    assert_eq!(carried(&send), (b"tail".to_vec(), None));
    assert_eq!((outbox.len(), outbox.held_bytes()), (0, 0));
}

#[test]
fn an_outbox_that_is_cleared_lets_its_files_go() {
    let mut pool = Pool::default();
    let mut outbox = Outbox::default();
    let file = slice(0..100);
    outbox.push(Part::Pooled(b"x".to_vec()), &mut pool);
    outbox.push_file(file.clone());
    outbox.clear(&mut pool);
    assert_eq!((outbox.len(), outbox.held_bytes()), (0, 0));
    assert_eq!(file.file.owners(), 1);
}

#[test]
fn small_private_segments_join_and_shared_ones_keep_their_place() {
    let mut pool = Pool::default();
    let mut outbox = Outbox::default();
    outbox.push(Part::Pooled(b"a".to_vec()), &mut pool);
    outbox.push(Part::Pooled(b"b".to_vec()), &mut pool);
    outbox.push(Part::Static(b"-"), &mut pool);
    outbox.push(Part::Pooled(b"c".to_vec()), &mut pool);
    assert_eq!(outbox.len(), 4);
    let send = outbox.take_send().expect("four bytes wait");
    assert_eq!(send.parts(), 3);
    assert_eq!(send.pieces().collect::<Vec<_>>().concat(), b"ab-c");
    assert_eq!((outbox.is_empty(), outbox.len()), (true, 0), "both say so");
}

#[test]
fn one_send_carries_a_bounded_number_of_parts_and_bytes() {
    let mut pool = Pool::default();
    let mut outbox = Outbox::default();
    for _ in 0..20 {
        outbox.push(Part::Static(b"12345"), &mut pool);
    }
    assert_eq!(outbox.take_send().map(|s| s.parts()), Some(PARTS_MAX));
    assert_eq!(outbox.take_send().map(|s| s.parts()), Some(4));
    assert!(outbox.take_send().is_none());
    outbox.push(Part::Pooled(vec![0; 200 * 1024]), &mut pool);
    outbox.push(Part::Pooled(vec![0; 200 * 1024]), &mut pool);
    assert_eq!(outbox.take_send().map(|s| s.remaining()), Some(200 * 1024));
    assert_eq!(outbox.len(), 200 * 1024);
}

#[test]
fn an_inbox_keeps_the_unread_end() {
    let mut inbox = Inbox::default();
    inbox.append(b"GET / HT");
    inbox.keep_last(2);
    assert_eq!(inbox.as_slice(), b"HT");
    inbox.append(b"TP");
    assert_eq!(inbox.as_slice(), b"HTTP");
    inbox.keep_last(0);
    assert!(inbox.is_empty());
}

#[test]
fn large_buffers_are_not_hoarded() {
    let mut pool = Pool::default();
    pool.put(Vec::with_capacity(1 << 20));
    assert!(pool.take().capacity() < 1 << 20);
    let mut buffer = pool.take();
    buffer.extend_from_slice(b"secret");
    pool.put(buffer);
    assert!(pool.take().is_empty());
}

#[test]
fn the_ceiling_is_shared_and_given_back() {
    let ceiling = Ceiling::new(256 * 1024);
    let mut a = Budget::new(ceiling.clone());
    let mut b = Budget::new(ceiling.clone());
    assert!(a.has_room(256 * 1024) && !a.has_room(257 * 1024));
    a.adjust(0, 200 * 1024);
    assert!(!b.has_room(1), "four grains are taken");
    a.adjust(200 * 1024, 300 * 1024);
    assert!(
        !a.has_room(1),
        "past the ceiling, also inside a grain that is taken already"
    );
    a.adjust(300 * 1024, 0);
    assert!(
        b.has_room(256 * 1024),
        "an account without use keeps no grain"
    );
    b.adjust(0, 100);
    drop((a, b));
    assert!(Budget::new(ceiling).has_room(256 * 1024));
}
