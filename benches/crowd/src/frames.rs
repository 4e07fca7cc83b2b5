//! Frames from a server (RFC 6455 §5.2): unmasked, and short, since nothing long is said here.
#![forbid(unsafe_code)]

/// What a server has said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said<'b> {
    /// Answer with the same bytes.
    Ping(&'b [u8]),
    Message,
    Close,
    /// A pong, or something that is not counted.
    Other,
}

/// The first frame in `bytes` and its length, if it is complete.
pub(crate) fn first(bytes: &[u8]) -> Option<(Said<'_>, usize)> {
    let (&[opcode, length], rest) = bytes.split_first_chunk::<2>()?;
    let (length, payload) = match length {
        126 => {
            let (length, payload) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), payload)
        }
        127 => {
            let (length, payload) = rest.split_first_chunk::<8>()?;
            (u64::from_be_bytes(*length) as usize, payload)
        }
        short => (usize::from(short), rest),
    };
    let payload = payload.get(..length)?;
    let end =
        bytes.len() - rest.len() + (payload.as_ptr() as usize - rest.as_ptr() as usize) + length;
    let said = match opcode & 0x0f {
        9 => Said::Ping(payload),
        8 => Said::Close,
        0..=2 => Said::Message,
        _ => Said::Other,
    };
    Some((said, end))
}

/// A frame of a client, masked with zeros: the mask's purpose is to protect proxies from bytes that an attacker chooses.
pub(crate) fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() <= 125, "a short frame");
    let mut frame = vec![0x80 | opcode, 0x80 | payload.len() as u8, 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}

/// The opening handshake (RFC 6455 §4.1).
pub(crate) fn handshake(path: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n\r\n"
    )
    .into_bytes()
}

/// What the key above has to be answered with.
const ACCEPT: &[u8] = b"Bz3qJYTGdOe8gUSpLosEdiLKDrk=";

/// Where the reply to the handshake ends, if it has come whole; an error if it is not what it should be.
pub(crate) fn upgraded(bytes: &[u8]) -> Result<Option<usize>, String> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let proven = bytes[..end]
        .windows(ACCEPT.len())
        .any(|part| part == ACCEPT);
    if bytes.starts_with(b"HTTP/1.1 101 ") && proven {
        return Ok(Some(end + 4));
    }
    let line = bytes
        .split(|&byte| byte == b'\r')
        .next()
        .unwrap_or_default();
    Err(format!("answered {}", String::from_utf8_lossy(line)))
}
