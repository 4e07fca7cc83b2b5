//! What is said and what must be heard: two endless streams of equal units, each a short period repeated.
//!
//! ```text
//! out: │ unit │ unit │ unit │ … period … │ unit │ …      a request, or a masked frame
//! in:  │ unit │ unit │ unit │ … period … │ unit │ …      a reply, or a frame of the same payload
//! ```
//!
//! Every unit has the same length, so a position in the stream is enough to know which byte has to come next. Replies may
//! differ in the value of their `Date` field and in nothing else. It knows no socket of the load: one blocking connection
//! asks for the reply that all others are compared with.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::Duration;

const BODY: &[u8] = b"Hello, World!";
/// `Sun, 06 Nov 1994 08:49:37 GMT`: RFC 9110 §5.6.7 gives it one length.
const DATE_BYTES: usize = 29;
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Payloads differ from message to message, so that a lost or repeated one is seen.
const MESSAGES: usize = 32;
const PERIOD_BYTES_MAX: usize = 256 * 1024;

pub(crate) struct Script {
    /// Twice the period, so that a period that starts anywhere is one slice.
    out: Vec<u8>,
    out_unit: usize,
    /// Twice the period.
    reply: Vec<u8>,
    reply_unit: usize,
    units: usize,
    /// Of a reply: what changes from second to second.
    date: Range<usize>,
    /// A WebSocket handshake opens the connection.
    handshake: Option<Vec<u8>>,
}

impl Script {
    /// Requests for `path`; `closing` asks for the end of the connection.
    ///
    /// # Errors
    /// The server's reply is not the one that is measured: status 200, `Content-Length: 13`, `Hello, World!`.
    pub(crate) fn http(
        address: SocketAddr,
        path: &str,
        depth: usize,
        closing: bool,
    ) -> io::Result<Self> {
        let close = if closing { "Connection: close\r\n" } else { "" };
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{close}\r\n").into_bytes();
        let reply = first_reply(address, &request)?;
        let lower = reply.to_ascii_lowercase();
        let date = match find(&lower, b"\r\ndate: ") {
            Some(at) => at + 8..at + 8 + DATE_BYTES,
            None => 0..0,
        };
        Ok(Self {
            out: request.repeat(2 * depth),
            out_unit: request.len(),
            reply_unit: reply.len(),
            reply: reply.repeat(2),
            units: depth,
            date,
            handshake: None,
        })
    }

    /// Masked binary messages of `bytes` bytes, at least `depth` different ones.
    pub(crate) fn ws(bytes: usize, depth: usize, path: &str) -> Self {
        let units = depth.max(MESSAGES.min(PERIOD_BYTES_MAX / (bytes + 14)).max(2));
        let (mut out, mut reply) = (Vec::new(), Vec::new());
        let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
        for unit in 0..units {
            let payload: Vec<u8> = (0..bytes)
                .map(|at| {
                    noise = noise
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    if at == 0 {
                        unit as u8
                    } else {
                        (noise >> 56) as u8
                    }
                })
                .collect();
            let mask = (noise >> 16) as u32 | 1;
            frame_header(&mut out, bytes, 0x80);
            out.extend_from_slice(&mask.to_ne_bytes());
            let masks = mask.to_ne_bytes().into_iter().cycle();
            out.extend(payload.iter().zip(masks).map(|(byte, mask)| byte ^ mask));
            frame_header(&mut reply, bytes, 0);
            reply.extend_from_slice(&payload);
        }
        let handshake = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        Self {
            out_unit: out.len() / units,
            out: out.repeat(2),
            reply_unit: reply.len() / units,
            reply: reply.repeat(2),
            units,
            date: 0..0,
            handshake: Some(handshake.into_bytes()),
        }
    }

    pub(crate) fn reply_bytes(&self) -> usize {
        self.reply_unit
    }

    pub(crate) fn handshake(&self) -> Option<&[u8]> {
        self.handshake.as_deref()
    }

    /// The bytes of `count` units from the unit `first` of the stream on.
    pub(crate) fn units(&self, first: u64, count: usize) -> &[u8] {
        debug_assert!(count <= self.units, "at most a period at once");
        let start = (first % self.units as u64) as usize * self.out_unit;
        &self.out[start..start + count * self.out_unit]
    }

    /// Whether `bytes` are what has to come at `position` of the incoming stream.
    pub(crate) fn is_next(&self, position: u64, mut bytes: &[u8]) -> bool {
        let period = self.reply.len() / 2;
        let mut at = (position % period as u64) as usize;
        while !bytes.is_empty() {
            let count = bytes.len().min(period);
            let expected = &self.reply[at..at + count];
            if bytes[..count] != *expected && !self.same_but_date(at, &bytes[..count]) {
                return false;
            }
            bytes = &bytes[count..];
            at = (at + count) % period;
        }
        true
    }

    fn same_but_date(&self, at: usize, bytes: &[u8]) -> bool {
        !self.date.is_empty()
            && bytes.iter().enumerate().all(|(offset, byte)| {
                self.date.contains(&((at + offset) % self.reply_unit))
                    || *byte == self.reply[at + offset]
            })
    }
}

/// RFC 6455 §5.2: final, binary, the shortest form of the length.
fn frame_header(out: &mut Vec<u8>, bytes: usize, masked: u8) {
    out.push(0x82);
    match bytes {
        0..126 => out.push(masked | bytes as u8),
        126..65536 => {
            out.push(masked | 126);
            out.extend_from_slice(&(bytes as u16).to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend_from_slice(&(bytes as u64).to_be_bytes());
        }
    }
}

fn first_reply(address: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(request)?;
    let mut reply = head(&mut stream)?;
    let text = String::from_utf8_lossy(&reply).to_ascii_lowercase();
    if !text.starts_with("http/1.1 200 ") || !text.contains("\r\ncontent-length: 13\r\n") {
        let text = String::from_utf8_lossy(&reply);
        return Err(io::Error::other(format!("answered {text:?}")));
    }
    let start = reply.len();
    reply.resize(start + BODY.len(), 0);
    stream.read_exact(&mut reply[start..])?;
    if &reply[start..] != BODY {
        return Err(io::Error::other("answered with another body"));
    }
    Ok(reply)
}

/// Reads to the blank line and not a byte further.
pub(crate) fn head(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
        if head.len() > HEAD_BYTES_MAX {
            return Err(io::Error::other("a head without an end"));
        }
    }
    Ok(head)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests;
