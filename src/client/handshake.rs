//! The opening handshake over a stream (RFC 6455 §4.1): request out, reply in, frames behind it kept.
//!
//! ```text
//!   GET /… ──▶
//!          ◀── HTTP/1.1 103 …   CRLF CRLF      interim replies are passed over (RFC 9110 §15.2)
//!          ◀── HTTP/1.1 101 …   CRLF CRLF │ 81 05 …      the first frames, in the same bytes
//! ```
//!
//! It does not know frames, nor how the stream came to be.

use std::io::{self, Read, Write};
use std::time::Instant;

use super::deflated::{self, Terms};
use super::head::{HEAD_BYTES_MAX, HeadError, ReplyHead, head_end};
use super::patience::{Patience, deadline};
use super::{Error, Options, Refused, random};
use crate::ws::{self, RequestOptions, Uri};

/// How much is asked for with one read. What comes behind the 101 is at most this much.
pub(super) const READ_BYTES: usize = 4 << 10;

/// What the handshake has brought.
pub(super) struct Opened {
    /// The subprotocol that the server chose.
    pub(super) protocol: Option<String>,
    /// How messages are compressed, if they are.
    pub(super) terms: Option<Terms>,
    /// The first frames, less than [`READ_BYTES`].
    pub(super) frames: Vec<u8>,
}

pub(super) fn handshake<S: Read + Write>(
    stream: &mut S,
    patience: &Patience<S>,
    uri: &Uri<'_>,
    options: &Options<'_>,
) -> Result<Opened, Error> {
    let mut nonce = [0; 16];
    random::fill(&mut nonce).map_err(Error::Random)?;
    let mut request = Vec::new();
    let offer = deflated::offer(options);
    let offers = offer.as_ref().map(|offer| [offer.as_str()]);
    let extensions = offers.as_ref().map_or(&[][..], |one| &one[..]);
    let said = RequestOptions {
        protocols: options.protocols,
        extensions,
        origin: options.origin,
        fields: options.fields,
        ..RequestOptions::new(nonce)
    };
    ws::encode_request(&mut request, uri, &said)?;
    let until = deadline(options.handshake_timeout);
    stream.write_all(&request).map_err(Error::Write)?;
    stream.flush().map_err(Error::Write)?;

    let mut replies = Replies::new(stream, patience, until);
    loop {
        let bytes = replies.next()?;
        let head = ReplyHead::parse(bytes)?;
        match head.status {
            101 if head.minor >= 1 => {
                let key = ws::encode_key(nonce);
                let reply = ws::check_reply(head.fields(), head.status, &key)?;
                reply.check_offers(options.protocols, extensions)?;
                return Ok(Opened {
                    protocol: reply.protocol.map(str::to_owned),
                    terms: deflated::judge(options, reply.extensions)?,
                    frames: replies.rest(),
                });
            }
            102..=199 | 100 => {}
            _ => return Err(Error::Refused(Refused::new(bytes))),
        }
    }
}

/// Reads heads from a stream, all of them together at most [`HEAD_BYTES_MAX`].
struct Replies<'s, S> {
    stream: &'s mut S,
    patience: &'s Patience<S>,
    until: Instant,
    bytes: Vec<u8>,
    /// Where the next head begins, behind those that were taken.
    start: usize,
}

impl<'s, S: Read> Replies<'s, S> {
    fn new(stream: &'s mut S, patience: &'s Patience<S>, until: Instant) -> Self {
        Self {
            stream,
            patience,
            until,
            bytes: Vec::new(),
            start: 0,
        }
    }

    /// The next whole head.
    fn next(&mut self) -> Result<&[u8], Error> {
        let start = self.start;
        let mut seen = 0;
        loop {
            let end = head_end(&self.bytes[start..], &mut seen)?;
            if start + end.unwrap_or(self.bytes.len() - start) > HEAD_BYTES_MAX {
                return Err(HeadError::TooLong.into());
            }
            if let Some(len) = end {
                self.start += len;
                return Ok(&self.bytes[start..self.start]);
            }
            self.read()?;
        }
    }

    fn read(&mut self) -> Result<(), Error> {
        let mut buffer = [0; READ_BYTES];
        loop {
            let read = self
                .patience
                .until(self.stream, self.until)
                .map_err(Error::Read)?
                .then(|| self.stream.read(&mut buffer));
            match read {
                None => return Err(Error::HandshakeTimeout),
                Some(Ok(0)) => return Err(Error::HandshakeEnded),
                Some(Ok(count)) => {
                    self.bytes.extend_from_slice(&buffer[..count]);
                    return Ok(());
                }
                // Whether the time is over is asked again, by the clock.
                Some(Err(error)) if is_timeout(&error) || is_interruption(&error) => {}
                Some(Err(error)) => return Err(Error::Read(error)),
            }
        }
    }

    /// What lies behind the last head.
    fn rest(mut self) -> Vec<u8> {
        self.bytes.split_off(self.start)
    }
}

/// Whether a signal ended the call (`signal(7)`).
pub(super) fn is_interruption(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Interrupted
}

/// Whether a read or write ended because its time was over: EAGAIN with SO_RCVTIMEO (`socket(7)`), TimedOut elsewhere.
pub(super) fn is_timeout(error: &io::Error) -> bool {
    use io::ErrorKind::{TimedOut, WouldBlock};
    matches!(error.kind(), TimedOut | WouldBlock)
}
