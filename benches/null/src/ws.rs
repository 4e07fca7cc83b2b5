//! "Parsing" WebSocket: a handshake's key, then frame headers (RFC 6455 §5.2) and nothing about what they mean.
//!
//! Every frame goes back with the flags and opcode that it came with (a ping as a pong), piece by piece as it arrives. No
//! check of lengths, masks, UTF-8 or fragments: that is what the real servers are measured by.

/// The longest header of a client's frame.
const HEADER_BYTES_MAX: usize = 14;

/// How far a connection is.
#[derive(Default)]
pub(crate) struct Echo {
    upgraded: bool,
    /// The unfinished handshake.
    handshake: Vec<u8>,
    /// An unfinished frame header, and its length.
    held: [u8; HEADER_BYTES_MAX],
    held_bytes: usize,
    /// What is still to come of the frame's payload, and the mask, turned to its next byte.
    payload_left: u64,
    mask: [u8; 4],
    /// A Close frame was answered.
    pub(crate) closing: bool,
}

impl Echo {
    /// Takes what was received, appends what goes back; `false` when the peer has said goodbye.
    pub(crate) fn take(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> bool {
        if self.closing {
            return false;
        }
        if !self.upgraded {
            self.handshake.extend_from_slice(bytes);
            if !self.handshake.ends_with(b"\r\n\r\n") {
                return true;
            }
            self.upgraded = true;
            let head = std::mem::take(&mut self.handshake);
            return upgrade(&head, out);
        }
        if self.held_bytes > 0 {
            bytes = self.rest_of_header(bytes, out);
        }
        if self.payload_left > 0 {
            bytes = self.payload(bytes, out);
        }
        while !bytes.is_empty() {
            let Some(header_bytes) = self.header(bytes, out) else {
                self.held[..bytes.len()].copy_from_slice(bytes);
                self.held_bytes = bytes.len();
                break;
            };
            bytes = self.payload(&bytes[header_bytes..], out);
        }
        true
    }

    /// Completes a header that the last receive cut; returns what follows it.
    fn rest_of_header<'b>(&mut self, bytes: &'b [u8], out: &mut Vec<u8>) -> &'b [u8] {
        let held = self.held_bytes;
        let added = bytes.len().min(HEADER_BYTES_MAX - held);
        self.held[held..held + added].copy_from_slice(&bytes[..added]);
        let joined = self.held;
        let Some(header_bytes) = self.header(&joined[..held + added], out) else {
            self.held_bytes += added;
            return &[];
        };
        self.held_bytes = 0;
        &bytes[header_bytes - held..]
    }

    /// Reads a client's header and writes a server's; the header's length, or `None` when it is cut.
    fn header(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        let short = bytes.get(1)? & 0x7f;
        let length_bytes = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask_at = 2 + length_bytes;
        self.mask = bytes.get(mask_at..mask_at + 4)?.try_into().ok()?;
        self.payload_left = match length_bytes {
            0 => u64::from(short),
            _ => bytes[2..mask_at]
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        };
        let opcode = bytes[0] & 0x0f;
        self.closing = opcode == 8;
        out.push(if opcode == 9 { bytes[0] + 1 } else { bytes[0] });
        out.push(short);
        out.extend_from_slice(&bytes[2..mask_at]);
        Some(mask_at + 4)
    }

    /// Unmasks what is there of the payload; returns what follows it.
    fn payload<'b>(&mut self, bytes: &'b [u8], out: &mut Vec<u8>) -> &'b [u8] {
        let count = bytes
            .len()
            .min(usize::try_from(self.payload_left).unwrap_or(usize::MAX));
        let (piece, rest) = bytes.split_at(count);
        let start = out.len();
        out.extend_from_slice(piece);
        let mask = u64::from(u32::from_ne_bytes(self.mask)) * 0x1_0000_0001;
        let (chunks, tail) = out[start..].as_chunks_mut::<8>();
        for chunk in chunks {
            *chunk = (u64::from_ne_bytes(*chunk) ^ mask).to_ne_bytes();
        }
        for (byte, key) in tail.iter_mut().zip(mask.to_ne_bytes()) {
            *byte ^= key;
        }
        self.payload_left -= count as u64;
        self.mask.rotate_left(count % 4);
        rest
    }
}

/// The 101, if there is a key (RFC 6455 §4.2.2).
fn upgrade(head: &[u8], out: &mut Vec<u8>) -> bool {
    let text = String::from_utf8_lossy(head);
    let key = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key")
            .then(|| value.trim())
    });
    let Some(key) = key else { return false };
    let digest = sha1(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11").as_bytes());
    let reply = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    let accept = base64(&digest);
    out.extend_from_slice(format!("{reply}Sec-WebSocket-Accept: {accept}\r\n\r\n").as_bytes());
    true
}

/// SHA-1 (FIPS 180-4 §6.1), once per connection.
fn sha1(message: &[u8]) -> [u8; 20] {
    let mut state: [u32; 5] = [
        0x6745_2301,
        0xefcd_ab89,
        0x98ba_dcfe,
        0x1032_5476,
        0xc3d2_e1f0,
    ];
    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize(
        padded.len().next_multiple_of(64) + if padded.len() % 64 > 56 { 64 } else { 0 },
        0,
    );
    let end = padded.len();
    padded[end - 8..].copy_from_slice(&(message.len() as u64 * 8).to_be_bytes());
    for block in padded.as_chunks::<64>().0 {
        let mut words = [0_u32; 80];
        for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
            *word = u32::from_be_bytes(*bytes);
        }
        for i in 16..80 {
            words[i] = (words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16]).rotate_left(1);
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (i, word) in words.iter().enumerate() {
            let (mix, constant) = match i / 20 {
                0 => ((b & c) | (!b & d), 0x5a82_7999),
                1 => (b ^ c ^ d, 0x6ed9_eba1),
                2 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6_u32),
            };
            let next = a.rotate_left(5).wrapping_add(mix).wrapping_add(e);
            let next = next.wrapping_add(constant).wrapping_add(*word);
            (a, b, c, d, e) = (next, a, b.rotate_left(30), c, d);
        }
        for (sum, add) in state.iter_mut().zip([a, b, c, d, e]) {
            *sum = sum.wrapping_add(add);
        }
    }
    let mut digest = [0; 20];
    for (bytes, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    digest
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .fold(0, |sum, byte| sum << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) & 63;
            text.push(if digit > group.len() {
                '='
            } else {
                DIGITS[index as usize] as char
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_rfc_6455_section_1_3() {
        let mut out = Vec::new();
        assert!(upgrade(
            b"GET / HTTP/1.1\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            &mut out
        ));
        assert!(
            String::from_utf8(out)
                .unwrap()
                .contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        );
    }

    #[test]
    fn frames_cut_anywhere() {
        let mut wire = Vec::new();
        let mut echo = Vec::new();
        for (length, header) in [
            (5_u64, vec![0x82, 5]),
            (300, vec![0x82, 126, 1, 44]),
            (0, vec![0x89, 0]),
        ] {
            let payload: Vec<u8> = (0..length).map(|i| i as u8).collect();
            echo.extend(&header);
            if header[0] == 0x89 {
                let at = echo.len() - 2;
                echo[at] = 0x8a;
            }
            wire.push(header[0]);
            wire.push(header[1] | 0x80);
            wire.extend(&header[2..]);
            wire.extend([1, 2, 3, 4]);
            wire.extend(
                payload
                    .iter()
                    .zip([1, 2, 3, 4].iter().cycle())
                    .map(|(a, b)| a ^ b),
            );
            echo.extend(&payload);
        }
        for size in 1..wire.len() {
            let mut server = Echo {
                upgraded: true,
                ..Echo::default()
            };
            let mut out = Vec::new();
            for piece in wire.chunks(size) {
                assert!(server.take(piece, &mut out));
            }
            assert_eq!(out, echo, "pieces of {size}");
        }
    }
}
