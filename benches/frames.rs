//! What the WebSocket layer costs by itself, in memory: decoder, unmasking, encoder, UTF-8.
//!
//! ```text
//!   cargo bench --bench frames                      times: median of slices, lowest and highest
//!   cargo bench --bench frames -- --instructions    instructions per unit, counted by callgrind
//! ```
//!
//! Decoding overwrites what it reads, so every lend is first copied, as recv(2) would; that copy is in the figures. For
//! the decoders of other crates beside this one see `benches/compare-frames`.
#![forbid(unsafe_code)]
#![allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]

#[path = "frames/src/callgrind.rs"]
mod callgrind;
#[path = "frames/src/sample.rs"]
mod sample;

use std::hint::black_box;
use std::time::{Duration, Instant};

use longshore::buf::Input;
use longshore::ws::{
    Decoder, Event, Limits, Role, Utf8Checker, encode_masked_message, encode_message, unmask,
};
use sample::{Content, Row};

const SLICES: usize = 11;
const SLICE: Duration = Duration::from_millis(20);
/// Enough that valgrind's start-up does not matter, little enough that it is done in a second.
const COUNTED_BYTES: usize = 2 << 20;

/// Work that can be repeated.
struct Case {
    name: String,
    /// Payload bytes of one unit.
    bytes: usize,
    /// Does at least so many units, and returns how many.
    work: Box<dyn FnMut(usize) -> usize>,
}

impl Case {
    fn new(name: String, bytes: usize, work: impl FnMut(usize) -> usize + 'static) -> Self {
        let work = Box::new(work);
        Self { name, bytes, work }
    }

    /// Units as single calls of `once` on a buffer of payload.
    fn repeated(
        name: &str,
        content: Content,
        bytes: usize,
        mut once: impl FnMut(&mut Vec<u8>) + 'static,
    ) -> Self {
        let mut payload = content.payload(bytes);
        let name = format!("{name}-{}-{bytes}", content.name());
        Self::new(name, bytes, move |units| {
            for _ in 0..units {
                once(black_box(&mut payload));
            }
            units
        })
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["--instructions"] | ["--instructions", "--bench"] | ["--bench", "--instructions"] => {
            instructions();
        }
        ["--count", name, units] => count(name, units),
        ["--bench"] => times(),
        // `cargo test --all-targets` runs benches without `--bench`: one unit of each shows that they work.
        _ => cases().into_iter().for_each(|mut case| {
            (case.work)(1);
        }),
    }
}

/// Every row of the tables.
fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Row::all().map(|row| decode(row, 64 << 10)).collect();
    for content in [Content::Binary, Content::Mixed] {
        let payload_bytes = 16 << 10;
        let row = Row {
            content,
            payload_bytes,
        };
        cases.extend([1460, 2048].map(|lend_bytes| decode(row, lend_bytes)));
    }
    for bytes in [16, 125, 1 << 10, 16 << 10, 64 << 10] {
        cases.push(Case::repeated(
            "unmask",
            Content::Binary,
            bytes,
            |payload| {
                unmask(payload, [0x37, 0xfa, 0x21, 0x3d], 0);
            },
        ));
        let mut copy = vec![0; bytes];
        cases.push(Case::repeated(
            "memcpy",
            Content::Binary,
            bytes,
            move |payload| {
                copy.copy_from_slice(payload);
                black_box(&copy);
            },
        ));
    }
    for bytes in [20, 125, 1 << 10, 16 << 10] {
        let mut out = Vec::new();
        cases.push(Case::repeated(
            "encode",
            Content::Binary,
            bytes,
            move |payload| {
                out.clear();
                encode_message(black_box(&mut out), Content::Binary.kind(), payload);
            },
        ));
        let mut out = Vec::new();
        cases.push(Case::repeated(
            "encode-masked",
            Content::Binary,
            bytes,
            move |payload| {
                out.clear();
                let out = black_box(&mut out);
                encode_masked_message(
                    out,
                    [0x37, 0xfa, 0x21, 0x3d],
                    Content::Binary.kind(),
                    payload,
                );
            },
        ));
        for content in [Content::Ascii, Content::Mixed] {
            cases.push(Case::repeated("utf8", content, bytes, |text| {
                assert_eq!(Utf8Checker::check_whole(text), Ok(()));
            }));
            cases.push(Case::repeated("utf8-std", content, bytes, |text| {
                assert!(std::str::from_utf8(text).is_ok());
            }));
        }
    }
    cases
}

/// Messages that come in lends of one size; a unit is a message, however many lends it takes.
fn decode(row: Row, lend_bytes: usize) -> Case {
    let frames = row.frames();
    let mut lend = vec![0; lend_bytes];
    let (mut decoder, mut inbox) = (Decoder::new(Role::Server), Vec::new());
    let mut at = 0;
    let name = format!("decode-{}-in-{lend_bytes}", row.name());
    Case::new(name, row.payload_bytes, move |messages| {
        let mut ended = 0;
        while ended < messages {
            let fresh = &frames[at..frames.len().min(at + lend_bytes)];
            at = (at + fresh.len()) % frames.len();
            let fresh = {
                lend[..fresh.len()].copy_from_slice(fresh);
                &mut lend[..fresh.len()]
            };
            let missing = decoder.missing(&inbox, fresh);
            if missing > 0 {
                inbox.extend_from_slice(&fresh[..missing]);
                let mut kept = Input::new(&mut inbox);
                ended += drain(&mut decoder, &mut kept);
                assert!(kept.is_empty(), "a header is shorter than a lend");
                inbox.clear();
            }
            let mut input = Input::new(&mut fresh[missing..]);
            ended += drain(&mut decoder, &mut input);
            inbox.extend_from_slice(input.unread());
        }
        ended
    })
}

/// How many messages ended.
fn drain(decoder: &mut Decoder, input: &mut Input<'_>) -> usize {
    let limits = Limits::default();
    let mut ended = 0;
    while let Some(event) = decoder.next(input, &limits).expect("good frames") {
        let Event::Data(piece) = event else {
            panic!("only data was sent: {event:?}");
        };
        black_box(&*piece.bytes);
        ended += usize::from(piece.last);
    }
    ended
}

fn times() {
    println!(
        "{}, median of {SLICES} slices of {} ms",
        callgrind::compiler(),
        SLICE.as_millis()
    );
    println!(
        "\n| case | ns per unit (lowest – highest) | million units/s | GB/s |\n|---|---|---|---|"
    );
    for mut case in cases() {
        let mut nanos: Vec<f64> = (0..=SLICES).map(|_| slice(&mut case)).skip(1).collect();
        nanos.sort_by(f64::total_cmp);
        let (low, median, high) = (nanos[0], nanos[SLICES / 2], nanos[SLICES - 1]);
        let (millions, rate) = (1e3 / median, case.bytes as f64 / median);
        let name = case.name;
        println!("| {name} | {median:.1} ({low:.1} – {high:.1}) | {millions:.2} | {rate:.2} |");
    }
}

/// Nanoseconds per unit over one slice.
fn slice(case: &mut Case) -> f64 {
    let batch = 1 + (64 << 10) / case.bytes;
    let (start, mut units) = (Instant::now(), 0);
    loop {
        units += (case.work)(batch);
        let elapsed = start.elapsed();
        if elapsed >= SLICE {
            return elapsed.as_secs_f64() * 1e9 / units as f64;
        }
    }
}

fn instructions() {
    let Some(version) = callgrind::version() else {
        eprintln!("frames: valgrind cannot be run, so no instructions are counted");
        std::process::exit(callgrind::SKIPPED);
    };
    println!("{version}, {}", callgrind::compiler());
    println!("\n| case | instructions per unit |\n|---|---|");
    for case in cases() {
        let units = COUNTED_BYTES / case.bytes;
        let count = callgrind::instructions_per_unit(&["--count", &case.name], units);
        println!("| {} | {count:.1} |", case.name);
    }
}

/// Does one case's work and says how many units, for callgrind to watch.
fn count(name: &str, units: &str) {
    let mut case = cases()
        .into_iter()
        .find(|case| case.name == name)
        .expect("a case's name");
    println!("{}", (case.work)(units.parse().expect("a number of units")));
}
