//! Requests, read by the crate's own decoder.

use std::collections::VecDeque;

use super::{ASKED_MAX, Asked, KEPT_BYTES_MAX, LINE_BYTES_MAX, Step, What, broken};
use crate::buf::Input;
use crate::http::{Chunk, Decoder, Event, Framing, Head, HeadLimits, Method};
use crate::sys::Escaped;

/// RFC 9110 §9.3, and RFC 5789.
const METHODS: [&[u8]; 9] = [
    b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH",
];

/// A client's direction before any upgrade.
#[derive(Debug, Default)]
pub(super) struct Requests {
    decoder: Decoder,
    /// What the decoder has not read yet.
    kept: Vec<u8>,
    /// Another protocol was asked for: what comes now may be its bytes, which only the reply tells.
    waits: bool,
    /// It began as a request does, so that what follows can break the rules of requests.
    begun: bool,
    /// How much of a body whose length was told is still to come.
    body_left: u64,
}

impl Requests {
    /// How many bytes wait here.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        asked: &mut VecDeque<Asked>,
        tell: &mut impl FnMut(What),
    ) -> Step {
        self.kept.extend_from_slice(bytes);
        // The reply was no upgrade: the bytes that waited are requests.
        self.waits = self.waits(asked);
        let step = self.decode(asked, tell);
        if self.kept.len() > KEPT_BYTES_MAX {
            tell(broken("too many bytes come before the answer"));
            return Step::Lost;
        }
        step
    }

    /// How many bytes of a body are still to come; 0 of one whose length is not known.
    pub(super) fn body_left(&self) -> u64 {
        self.body_left
    }

    /// Where in a chunked body the next byte is.
    pub(super) fn chunk(&self) -> Option<Chunk> {
        self.decoder.chunk()
    }

    /// Whether what comes now is kept until a reply tells whose bytes it is.
    pub(super) fn waits(&self, asked: &VecDeque<Asked>) -> bool {
        self.waits && asked.iter().any(|asked| asked.upgrade)
    }

    /// Whether more of a head is to come; `None` if it did not begin as a request does, or may be another protocol's.
    pub(super) fn is_within_head(&self) -> Option<bool> {
        (self.begun && !self.waits).then_some(!self.kept.is_empty())
    }

    /// What was not read, if it may be another protocol's.
    pub(super) fn held(self) -> Vec<u8> {
        self.kept
    }

    fn decode(&mut self, asked: &mut VecDeque<Asked>, tell: &mut impl FnMut(What)) -> Step {
        self.begun = self.begun || begins(&self.kept);
        let mut kept = std::mem::take(&mut self.kept);
        let len = kept.len();
        let mut input = Input::new(&mut kept);
        let step = loop {
            if self.waits {
                break Step::Done;
            }
            match self.decoder.next(&mut input, &HeadLimits::default()) {
                Ok(None) => break Step::Done,
                Ok(Some(Event::Head(head))) => {
                    if asked.len() >= ASKED_MAX {
                        tell(broken("too many requests wait for their replies"));
                        break Step::Lost;
                    }
                    let line = line(&head);
                    let upgrade = head.upgrade;
                    self.body_left = match head.framing {
                        Framing::Length(bytes) => bytes,
                        Framing::None | Framing::Chunked => 0,
                    };
                    tell(What::Request {
                        line: line.clone(),
                        upgrade,
                    });
                    let is_head = head.method == Method::Head;
                    asked.push_back(Asked {
                        line,
                        is_head,
                        upgrade,
                    });
                }
                Ok(Some(Event::Body(piece))) => {
                    self.body_left = self.body_left.saturating_sub(piece.len() as u64);
                }
                Ok(Some(Event::End)) => {
                    self.waits = asked.back().is_some_and(|asked| asked.upgrade);
                }
                Err(error) => {
                    if !self.begun {
                        break Step::Unlike(error.to_string());
                    }
                    tell(broken(&error));
                    break Step::Lost;
                }
            }
        };
        let read = len - input.len();
        kept.drain(..read);
        self.kept = kept;
        step
    }
}

/// Whether bytes begin as a request does, with a method that everybody knows. What another protocol says, `Hello` through
/// an echo, breaks no rule of this one.
fn begins(bytes: &[u8]) -> bool {
    let start = bytes.iter().position(|byte| !b"\r\n".contains(byte));
    let line = &bytes[start.unwrap_or(bytes.len())..];
    let method = memchr::memchr(b' ', line).map(|end| &line[..end]);
    method.is_some_and(|method| METHODS.contains(&method))
}

/// `GET /index.html`, shortened, so that a hostile target costs no more than another.
fn line(head: &Head<'_>) -> String {
    let target = Escaped(head.target.raw(), LINE_BYTES_MAX).to_string();
    let shortened = target.ends_with("...");
    let target = target.trim_end_matches("...");
    let target = target.strip_prefix('"').unwrap_or(target);
    let target = target.strip_suffix('"').unwrap_or(target);
    let method = Escaped(head.method.to_string().as_bytes(), LINE_BYTES_MAX).to_string();
    let method = method.trim_matches('"');
    format!("{method} {target}{}", if shortened { "..." } else { "" })
}
