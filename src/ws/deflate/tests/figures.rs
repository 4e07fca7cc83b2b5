//! What it costs. Measured and printed, not asserted:
//! `cargo test --release --lib deflate::tests::figures -- --ignored --nocapture`

use std::hint::black_box;
use std::time::Instant;

use super::*;

/// Nanoseconds of one call, the best of some rounds.
fn nanoseconds(mut call: impl FnMut()) -> u128 {
    (0..15)
        .map(|_| {
            let begin = Instant::now();
            (0..200).for_each(|_| call());
            begin.elapsed().as_nanos() / 200
        })
        .min()
        .unwrap_or(0)
}

/// A kilobyte of the kind that chats and feeds send; each differs from the one before.
fn message(number: usize) -> Vec<u8> {
    let rows = (0..24).map(|row| {
        let (id, price) = (
            number * 31 + row * 7,
            (number * 7_919 + row * 104_729) % 100_000,
        );
        format!("{{\"id\":{id},\"symbol\":\"S{row:02}\",\"price\":{price},\"side\":\"buy\"}},")
    });
    let mut text = rows.collect::<Vec<String>>().concat().into_bytes();
    text.truncate(1_024);
    text
}

/// The process's writable memory in bytes: proc(5), statm, `data`.
fn writable_memory() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = text
        .split(' ')
        .nth(5)
        .and_then(|word| word.parse::<usize>().ok());
    pages.expect("six numbers") * 4_096
}

/// What one of them takes. They stay alive, or the next ones would be given their memory.
fn measured<T>(make: impl Fn() -> T) -> (usize, Vec<T>) {
    let before = writable_memory();
    let made: Vec<T> = (0..100).map(|_| make()).collect();
    ((writable_memory() - before) / made.len(), made)
}

#[test]
#[ignore = "a measurement, for the figures in the documentation: it reads the whole process's memory, so it runs alone"]
fn figures() {
    let sizes = [(15, 8), (12, 5), (9, 1)];
    let held = sizes.map(|(bits, mem_level)| {
        measured(|| Compressor::new(Context::Kept, window(bits), mem_level, 1))
    });
    let (bytes, _inflaters) = measured(|| Inflater::new(Context::Kept));
    println!("inflater: {} bytes by constant ({bytes})", Inflater::BYTES);
    let messages: Vec<Vec<u8>> = (0..64).map(message).collect();
    println!(
        "bits/mem  level  context   bytes by formula (measured)   payload of 1024   compress   inflate"
    );
    for ((bits, mem_level), (measured, _)) in sizes.into_iter().zip(&held) {
        for (level, context) in [
            (1, Context::Dropped),
            (6, Context::Dropped),
            (1, Context::Kept),
            (6, Context::Kept),
        ] {
            let mut compressor = Compressor::new(context, window(bits), mem_level, level);
            let (mut payloads, mut number) = (Vec::new(), 0);
            for message in messages.iter().cycle().take(messages.len() * 2) {
                let mut payload = Vec::new();
                compressor.compress(message, &mut payload);
                payloads.push(payload);
            }
            let bytes: usize = payloads[64..].iter().map(Vec::len).sum::<usize>() / 64;
            let mut out = Vec::with_capacity(32 * 1_024);
            let compress = nanoseconds(|| {
                out.clear();
                number += 1;
                compressor.compress(black_box(&messages[number % 64]), &mut out);
            });
            let mut inflater = Inflater::new(context);
            let mut number = 0;
            let inflate = nanoseconds(|| {
                // With a kept context the second round of payloads can be repeated: each refers to the 64 before it.
                let index = if number < 64 {
                    number
                } else {
                    64 + number % 64
                };
                number += 1;
                out.clear();
                let count = inflater.inflate(black_box(&payloads[index]), true, 1 << 20, &mut out);
                assert_eq!(count, Ok(1_024));
            });
            println!(
                "{bits:>4}/{mem_level}  {level:>5}  {:<10}  {:>9} {:>14}   {bytes:>15} {compress:>9} ns {inflate:>8} ns",
                format!("{context:?}"),
                compressor.held_bytes(),
                format!("({measured})"),
            );
        }
    }
    let (mut inflater, mut out) = (Inflater::new(Context::Dropped), Vec::new());
    for (name, block) in [
        ("final fixed", &b"\x03\x00"[..]),
        ("final stored", b"\x01\0\0\xFF\xFF"),
        ("stored", b"\0\0\0\xFF\xFF"),
    ] {
        let blocks = block.repeat(8_000);
        let time = nanoseconds(|| {
            let result = inflater.inflate(black_box(&blocks), false, 0, &mut out);
            assert_eq!(result, Ok(0));
        });
        println!(
            "an empty {name} block of {} bytes: {} ns",
            block.len(),
            time / 8_000
        );
    }
    let zeros = compressed(&vec![0; 16 << 20]);
    let time = nanoseconds(|| {
        out.clear();
        let result = inflater.inflate(black_box(&zeros), false, 1 << 20, &mut out);
        assert_eq!(result, Err(InflateError::TooBig));
        inflater.reset();
    });
    println!(
        "a bomb of {} bytes, stopped at 1 MiB: {} us",
        zeros.len(),
        time / 1_000
    );
}
