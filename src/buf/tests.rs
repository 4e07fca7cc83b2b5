use super::*;
use std::sync::Arc;

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
