//! What many connections share, without any connection.
#![cfg(feature = "deflate")]

use std::sync::Arc;
use std::thread;

use super::Broadcast;
use crate::conn::deflated::{Form, Shop};
use crate::ws::Kind;
use crate::ws::deflate::{Context, Inflater, WindowBits};

fn form(window: u8, level: u8) -> Form {
    Form {
        window: WindowBits::new(window).expect("9 to 15"),
        level,
        mem_level: 8,
    }
}

fn text() -> Vec<u8> {
    b"Katze, Katze, Hund. ".repeat(50)
}

#[test]
fn a_form_is_made_once_and_seen_by_all_workers() {
    let message = Arc::new(Broadcast::new(Kind::Text, &text()));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let message = message.clone();
            thread::spawn(move || {
                let mut shop = Shop::default();
                let frames = [(15, 1), (9, 1), (15, 1)].map(|(window, level)| {
                    message.frame(Some(form(window, level)), &mut shop).clone()
                });
                assert!(Arc::ptr_eq(&frames[0], &frames[2]));
                (frames, shop.take_shared_made())
            })
        })
        .collect();
    let results: Vec<_> = workers
        .into_iter()
        .map(|worker| worker.join().expect("no panic"))
        .collect();
    let made: u64 = results.iter().map(|(_, made)| made).sum();
    assert_eq!(made, 2, "two forms, four workers");
    for (frames, _) in &results {
        assert!(Arc::ptr_eq(&frames[0], &results[0].0[0]), "one for all");
        for frame in frames {
            assert_eq!(frame[0], 0xC1, "whole text, compressed");
            assert!(frame[1] < 126 && frame.len() == 2 + usize::from(frame[1]));
            let mut inflated = Vec::new();
            let inflate =
                Inflater::new(Context::Dropped).inflate(&frame[2..], true, 1 << 20, &mut inflated);
            assert!(inflate.is_ok() && inflated == text());
        }
    }
}

#[test]
fn what_does_not_shrink_goes_as_it_is_and_is_tried_once() {
    let mut noise = 0x1234_5678_u32;
    let payload: Vec<u8> = std::iter::repeat_with(|| {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        noise as u8
    })
    .take(1000)
    .collect();
    let message = Broadcast::new(Kind::Binary, &payload);
    let mut shop = Shop::default();
    for _ in 0..3 {
        let frame = message.frame(Some(form(15, 6)), &mut shop);
        assert_eq!(frame[..4], [0x82, 126, 3, 0xE8]);
        assert_eq!(frame[4..], payload);
    }
    assert_eq!(shop.take_shared_made(), 1);
    assert_eq!(shop.take_shared_made(), 0, "told once");
}

#[test]
fn forms_are_bounded_and_every_window_has_one() {
    let message = Broadcast::new(Kind::Text, &text());
    let mut shop = Shop::default();
    for window in 9..=15 {
        assert_eq!(message.frame(Some(form(window, 1)), &mut shop)[0], 0xC1);
    }
    assert_eq!(shop.take_shared_made(), 7);
    let frame = message.frame(Some(form(15, 9)), &mut shop);
    assert_eq!((frame[0], shop.take_shared_made()), (0x81, 0), "an eighth");
    assert_eq!(message.frame(Some(form(12, 1)), &mut shop)[0], 0xC1);
    assert_eq!(message.frame(None, &mut shop)[0], 0x81);
}
