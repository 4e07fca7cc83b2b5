//! Tables by section of the specifications, properties, and outside judges. Every row of a table is fed whole, byte by
//! byte, and through [`Decoder::missing`]; all three must tell the same story.
#![forbid(unsafe_code)]

mod accept_encoding;
mod bodies;
mod chunked;
mod connection;
mod fields;
mod framing;
#[cfg(feature = "gzip")]
mod gzip;
mod host;
mod judges;
mod limits;
mod linear;
mod path;
mod pieces;
mod plain;
mod preconditions;
mod ranges;
mod refusals;
mod replies;
mod request_line;
mod target;
mod units;

use super::{Decoder, Error, Event, HeadLimits};
use crate::buf::Input;

/// What a decoder told about some bytes, with pieces of a body joined, because cuts may fall anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Story {
    pub(super) units: Vec<Unit>,
    pub(super) error: Option<Error>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// The raw bytes and everything that the head says.
    Head(Vec<u8>, String),
    Body(Vec<u8>),
    End,
}

impl Story {
    fn add(&mut self, event: &Event<'_>) {
        match event {
            // The debug form of a head holds its bytes, not their address.
            Event::Head(head) => self
                .units
                .push(Unit::Head(head.raw.to_vec(), format!("{head:?}"))),
            Event::End => self.units.push(Unit::End),
            Event::Body(piece) => {
                assert!(!piece.is_empty(), "a piece is never empty");
                match self.units.last_mut() {
                    Some(Unit::Body(body)) => body.extend_from_slice(piece),
                    _ => self.units.push(Unit::Body(piece.to_vec())),
                }
            }
        }
    }

    /// Reads until bytes are missing or a fault ends everything.
    fn read(&mut self, decoder: &mut Decoder, input: &mut Input<'_>, limits: &HeadLimits) {
        loop {
            match decoder.next(input, limits) {
                Ok(Some(event)) => self.add(&event),
                Ok(None) => return,
                Err(error) => {
                    assert_eq!(decoder.next(input, limits), Err(error), "a fault is final");
                    self.error = Some(error);
                    return;
                }
            }
        }
    }

    pub(super) fn bodies(&self) -> Vec<u8> {
        let bodies = self.units.iter().filter_map(|unit| match unit {
            Unit::Body(body) => Some(&body[..]),
            _ => None,
        });
        bodies.collect::<Vec<_>>().concat()
    }

    pub(super) fn ends(&self) -> usize {
        self.units.iter().filter(|unit| **unit == Unit::End).count()
    }
}

/// All bytes in one lend.
pub(super) fn whole(bytes: &[u8], limits: &HeadLimits) -> Story {
    let (mut story, mut bytes) = (Story::default(), bytes.to_vec());
    story.read(&mut Decoder::new(), &mut Input::new(&mut bytes), limits);
    story
}

/// Lends that end at `cuts`; whatever is unread is kept and offered again in front of the next lend.
pub(super) fn kept(bytes: &[u8], cuts: &[usize], limits: &HeadLimits) -> Story {
    let (mut story, mut decoder, mut stored) = (Story::default(), Decoder::new(), Vec::new());
    for lend in lends(bytes, cuts) {
        stored.extend_from_slice(lend);
        let mut input = Input::new(&mut stored);
        story.read(&mut decoder, &mut input, limits);
        stored = input.unread().to_vec();
        if story.error.is_some() {
            break;
        }
    }
    story
}

/// Lends that end at `cuts`; only what [`Decoder::missing`] asks for is appended to what was kept.
pub(super) fn completed(bytes: &[u8], cuts: &[usize], limits: &HeadLimits) -> Story {
    let (mut story, mut decoder) = (Story::default(), Decoder::new());
    let mut stored: Vec<u8> = Vec::new();
    for lend in lends(bytes, cuts) {
        let mut fresh = lend.to_vec();
        let mut taken = 0;
        while !stored.is_empty() && taken < fresh.len() && story.error.is_none() {
            let count = decoder.missing(&stored, &fresh[taken..]);
            assert!(
                count > 0,
                "what was kept is not enough, or it would not have been kept"
            );
            stored.extend_from_slice(&fresh[taken..taken + count]);
            taken += count;
            let mut input = Input::new(&mut stored);
            story.read(&mut decoder, &mut input, limits);
            stored = input.unread().to_vec();
        }
        if story.error.is_none() && stored.is_empty() {
            let mut input = Input::new(&mut fresh[taken..]);
            story.read(&mut decoder, &mut input, limits);
            stored = input.unread().to_vec();
        }
        if story.error.is_some() {
            break;
        }
    }
    story
}

fn lends<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    ends.extend([0, bytes.len()]);
    ends.sort_unstable();
    ends.windows(2)
        .map(|pair| &bytes[pair[0]..pair[1]])
        .collect()
}

/// The story of `bytes`, after checking that every way of feeding tells it.
pub(super) fn story(name: &str, bytes: &[u8], limits: &HeadLimits) -> Story {
    let story = whole(bytes, limits);
    let every_byte: Vec<usize> = (0..bytes.len()).collect();
    assert_eq!(
        kept(bytes, &every_byte, limits),
        story,
        "{name}: byte by byte"
    );
    assert_eq!(
        completed(bytes, &every_byte, limits),
        story,
        "{name}: byte by byte, completed"
    );
    for cut in [
        1,
        bytes.len() / 3,
        bytes.len() / 2,
        bytes.len().saturating_sub(1),
    ] {
        assert_eq!(kept(bytes, &[cut], limits), story, "{name}: cut at {cut}");
        assert_eq!(
            completed(bytes, &[cut], limits),
            story,
            "{name}: completed at {cut}"
        );
    }
    story
}

/// The rows of a text table: columns between ` | `, bytes with the escapes of Rust, `∅` for nothing.
pub(super) fn rows(table: &str) -> impl Iterator<Item = Vec<String>> {
    let lines = table
        .lines()
        .map(str::trim_start)
        .filter(|line| !line.is_empty());
    lines.map(|line| line.split(" | ").map(unescape).collect())
}

fn unescape(text: &str) -> String {
    let (mut plain, mut rest) = (String::new(), text.chars());
    while let Some(char) = rest.next() {
        plain.push(match char {
            '\\' => match rest.next().expect("a backslash escapes something") {
                'r' => '\r',
                'n' => '\n',
                't' => '\t',
                '0' => '\0',
                'x' => {
                    let digits: String = rest.by_ref().take(2).collect();
                    u8::from_str_radix(&digits, 16).expect("two digits").into()
                }
                other => other,
            },
            '∅' => continue,
            other => other,
        });
    }
    plain
}

/// A table of requests that are refused: name, fault, bytes.
pub(super) fn refuse(table: &str) {
    for row in rows(table) {
        refused(&row[0], &row[2], &row[1]);
    }
}

pub(super) fn refused(name: &str, text: &str, fault: &str) {
    let story = story(name, text.as_bytes(), &HeadLimits::default());
    let told = story.error.map(|error| format!("{error:?}"));
    assert_eq!(
        told.as_deref(),
        Some(fault),
        "{name}: {text:?} told {:?}",
        story.units
    );
}

/// A table of complete requests that are accepted: name, bytes.
pub(super) fn accept(table: &str) {
    for row in rows(table) {
        accepted(&row[0], &row[1]);
    }
}

pub(super) fn accepted(name: &str, text: &str) {
    let story = story(name, text.as_bytes(), &HeadLimits::default());
    assert_eq!(story.error, None, "{name}: {text:?}");
    assert_eq!(
        story.units.last(),
        Some(&Unit::End),
        "{name}: {text:?} is not complete"
    );
}

/// Runs `check` with the head of a request that must be accepted.
pub(super) fn with_head(bytes: &[u8], check: impl FnOnce(&super::Head<'_>)) {
    let mut bytes = bytes.to_vec();
    let mut input = Input::new(&mut bytes);
    match Decoder::new().next(&mut input, &HeadLimits::default()) {
        Ok(Some(Event::Head(head))) => {
            assert_eq!(
                super::Head::parse(head.raw).as_ref(),
                Ok(&head),
                "read again"
            );
            check(&head);
        }
        other => panic!("expected a head, got {other:?}"),
    }
}
