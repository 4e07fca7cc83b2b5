//! The work for a head does not depend on how it drips in. Counted in bytes looked at, not in time.

use super::super::{Decoder, HeadLimits, scan};
use crate::buf::Input;

/// Bytes that were looked at while `bytes` came in lends of `step` bytes, unread ones being offered again.
fn work(bytes: &[u8], step: usize, completing: bool) -> usize {
    let (mut decoder, mut stored, limits) = (Decoder::new(), Vec::new(), HeadLimits::default());
    scan::tallied();
    for lend in bytes.chunks(step) {
        if completing && !stored.is_empty() {
            assert_eq!(
                decoder.missing(&stored, lend),
                lend.len(),
                "nothing is complete yet"
            );
        }
        stored.extend_from_slice(lend);
        let mut input = Input::new(&mut stored);
        while let Ok(Some(_)) = decoder.next(&mut input, &limits) {}
        stored = input.unread().to_vec();
    }
    scan::tallied()
}

#[test]
fn dripped_input_costs_linear_work() {
    let fields = "X-Field: and a value of some length\r\n".repeat(99);
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let rows = [
        (
            "many fields",
            format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"),
        ),
        (
            "tiny fields",
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "a:\r\n".repeat(99)),
        ),
        (
            "one long field",
            format!(
                "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
                "y".repeat(16_000)
            ),
        ),
        (
            "a long field name",
            format!(
                "GET / HTTP/1.1\r\nHost: a\r\n{}: x\r\n\r\n",
                "y".repeat(16_000)
            ),
        ),
        (
            "a long target",
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "y".repeat(8000)),
        ),
        (
            "a long chunk extension",
            format!("{chunked}1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(4000)),
        ),
        (
            "long trailers",
            format!("{chunked}0\r\n{}\r\n", "T: t\r\n".repeat(600)),
        ),
        (
            "a long trailer",
            format!("{chunked}0\r\nT: {}\r\n\r\n", "t".repeat(4000)),
        ),
    ];
    for (name, text) in rows {
        for step in [1, 2, 3, 7, 100, 1460] {
            let work = work(text.as_bytes(), step, false);
            // Searched once with a step back for each lend, each line twice, the whole head once more.
            let bound = 5 * text.len() + 200;
            assert!(
                work <= bound,
                "{name}: {work} bytes looked at for {} in steps of {step}",
                text.len()
            );
        }
    }
}

#[test]
fn unfinished_lines_are_not_read_again() {
    let text = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "y".repeat(8000));
    let head_work = work(text.as_bytes(), 1, true);
    assert!(
        head_work <= 8 * text.len(),
        "{head_work} bytes looked at for {}",
        text.len()
    );
    // A line of carriage returns never becomes work: the first of them is a fault.
    let text = format!("GET / HTTP/1.1\r\nX: {}", "\r".repeat(8000));
    assert!(work(text.as_bytes(), 1, false) < 1000);
}
