//! Replies: status lines, lengths of bodies, and where the next one begins (RFC 9112 §6.3).

use std::collections::VecDeque;

use super::{Asked, KEPT_BYTES_MAX, Step, What, broken};
use crate::buf::Input;
use crate::http::{Chunk, Decoder, Event, HeadLimits};
use crate::trace::protocol::BodyLength;

/// A head with which the crate's decoder of requests begins a chunked body: from there on both kinds are the same.
const CHUNKED: &[u8] = b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A server's direction before any upgrade.
#[derive(Debug, Default)]
pub(super) struct Replies {
    state: State,
    /// An unfinished head, or unfinished framing of a chunk.
    kept: Vec<u8>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Head,
    Length(u64),
    Chunks {
        decoder: Box<Decoder>,
        bytes: u64,
    },
    UntilClose,
}

/// What a head says.
struct ReplyHead {
    status: u16,
    length: Option<u64>,
    chunked: bool,
    /// permessage-deflate is among the extensions that it accepts (RFC 7692 §5).
    deflate: bool,
}

impl Replies {
    /// How many bytes wait here.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.kept.len()
    }

    /// How many bytes of a body are still to come; 0 of one whose length is not known.
    pub(super) fn body_left(&self) -> u64 {
        match self.state {
            State::Length(left) => left,
            _ => 0,
        }
    }

    /// Where in a chunked body the next byte is.
    pub(super) fn chunk(&self) -> Option<Chunk> {
        match &self.state {
            State::Chunks { decoder, .. } => decoder.chunk(),
            _ => None,
        }
    }

    /// Whether more of a head is to come.
    pub(super) fn is_within_head(&self) -> bool {
        matches!(self.state, State::Head) && !self.kept.is_empty()
    }

    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        asked: &mut VecDeque<Asked>,
        tell: &mut impl FnMut(What),
    ) -> Step {
        let mut rest = std::mem::take(&mut self.kept);
        rest.extend_from_slice(bytes);
        let mut at = 0;
        loop {
            let left = &mut rest[at..];
            if left.is_empty() {
                return Step::Done;
            }
            match &mut self.state {
                State::UntilClose => return Step::Done,
                State::Length(length) => {
                    let take = (left.len() as u64).min(*length);
                    *length -= take;
                    at += take as usize;
                    if *length == 0 {
                        self.state = State::Head;
                    }
                }
                State::Chunks { decoder, bytes } => match chunks(decoder, bytes, left) {
                    Ok((read, true)) => {
                        tell(What::ReplyEnded { bytes: *bytes });
                        at += read;
                        self.state = State::Head;
                    }
                    Ok((read, false)) => return self.keep(&rest[at + read..], tell),
                    Err(error) => {
                        tell(broken(&error));
                        return Step::Lost;
                    }
                },
                State::Head => {
                    let Some(end) = head_end(left) else {
                        return self.keep(&rest[at..], tell);
                    };
                    let Some(head) = ReplyHead::parse(&left[..end]) else {
                        tell(broken("no status line"));
                        return Step::Lost;
                    };
                    at += end;
                    if self.begin_body(&head, asked, tell) {
                        return Step::Upgraded {
                            rest: rest.split_off(at),
                            deflate: head.deflate,
                        };
                    }
                }
            }
        }
    }

    /// Notes that `count` bytes of a body went unseen. False if they cannot be placed.
    pub(super) fn skip(&mut self, count: u64, _tell: &mut impl FnMut(What)) -> bool {
        match &mut self.state {
            State::Length(length) if *length >= count => {
                *length -= count;
                if *length == 0 {
                    self.state = State::Head;
                }
                true
            }
            State::UntilClose => true,
            _ => false,
        }
    }

    fn keep(&mut self, rest: &[u8], tell: &mut impl FnMut(What)) -> Step {
        if rest.len() > KEPT_BYTES_MAX {
            tell(broken("a head without an end"));
            return Step::Lost;
        }
        self.kept = rest.to_vec();
        Step::Done
    }

    /// Chooses where the body ends; true if another protocol begins instead.
    fn begin_body(
        &mut self,
        head: &ReplyHead,
        asked: &mut VecDeque<Asked>,
        tell: &mut impl FnMut(What),
    ) -> bool {
        let interim = (100..200).contains(&head.status);
        let asked = if interim && head.status != 101 {
            None
        } else {
            asked.pop_front()
        };
        let is_head = asked.as_ref().is_some_and(|asked| asked.is_head);
        let request = asked.map(|asked| asked.line).unwrap_or_default();
        if head.status == 101 {
            tell(What::Upgraded { request });
            return true;
        }
        let bodyless = interim || matches!(head.status, 204 | 304) || is_head;
        let body = match head.length {
            _ if bodyless => BodyLength::Bytes(0),
            _ if head.chunked => BodyLength::Chunked,
            Some(length) => BodyLength::Bytes(length),
            None => BodyLength::UntilClose,
        };
        self.state = match body {
            BodyLength::Bytes(0) => State::Head,
            BodyLength::Bytes(length) => State::Length(length),
            BodyLength::Chunked => chunked(),
            BodyLength::UntilClose => State::UntilClose,
        };
        tell(What::Reply {
            request,
            status: head.status,
            body,
        });
        false
    }
}

impl ReplyHead {
    /// Reads a head up to its blank line; `None` if its first line is no status line.
    fn parse(head: &[u8]) -> Option<Self> {
        let mut lines = head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
        let first = std::str::from_utf8(lines.next()?).ok()?;
        let mut words = first.split(' ');
        words.next().filter(|word| word.starts_with("HTTP/1."))?;
        let status = words.next().filter(|code| code.len() == 3)?.parse().ok()?;
        let mut parsed = Self {
            status,
            length: None,
            chunked: false,
            deflate: false,
        };
        for line in lines {
            let Some(colon) = line.iter().position(|&byte| byte == b':') else {
                continue;
            };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"Content-Length") {
                parsed.length = std::str::from_utf8(value).ok()?.parse().ok();
            } else if name.eq_ignore_ascii_case(b"Transfer-Encoding") {
                parsed.chunked = value.to_ascii_lowercase().ends_with(b"chunked");
            } else if name.eq_ignore_ascii_case(b"Sec-WebSocket-Extensions") {
                let value = value.to_ascii_lowercase();
                parsed.deflate |= memchr::memmem::find(&value, b"permessage-deflate").is_some();
            }
        }
        Some(parsed)
    }
}

/// Where the head ends that the bytes begin with, behind its blank line.
fn head_end(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4)
}

/// Before the first chunk.
fn chunked() -> State {
    let mut decoder = Box::new(Decoder::new());
    let mut head = CHUNKED.to_vec();
    let begun = decoder.next(&mut Input::new(&mut head), &HeadLimits::default());
    debug_assert!(matches!(begun, Ok(Some(Event::Head(_)))));
    State::Chunks { decoder, bytes: 0 }
}

/// Reads chunks: how many bytes of the input, and whether the body has ended.
fn chunks(
    decoder: &mut Decoder,
    bytes: &mut u64,
    input: &mut [u8],
) -> Result<(usize, bool), crate::http::Error> {
    let len = input.len();
    let mut input = Input::new(input);
    let limits = HeadLimits {
        body_bytes_max: u64::MAX >> 1,
        ..HeadLimits::default()
    };
    loop {
        match decoder.next(&mut input, &limits)? {
            Some(Event::Body(piece)) => *bytes += piece.len() as u64,
            Some(Event::End) => return Ok((len - input.len(), true)),
            Some(Event::Head(_)) | None => return Ok((len - input.len(), false)),
        }
    }
}
