//! Recorded input, and what it must bring.

/// What a client sends, from the first byte to its FIN.
pub(super) struct Recorded {
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
    /// How many status lines and frames must come back, as a first check that the recording is alive.
    pub(super) replies: usize,
}

const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

fn http(name: &'static str, text: &str, replies: usize) -> Recorded {
    Recorded {
        name,
        bytes: text.as_bytes().to_vec(),
        replies,
    }
}

/// A masked client frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..=125 => bytes.push(0x80 | len as u8),
        len => {
            bytes.push(0x80 | 0x7e);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&mask);
    bytes.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    bytes
}

fn websocket(name: &'static str, frames: &[Vec<u8>]) -> Recorded {
    let bytes = [HANDSHAKE.as_bytes(), &frames.concat()].concat();
    Recorded {
        name,
        bytes,
        replies: 1,
    }
}

/// Valid and invalid, short and long, HTTP and what it becomes.
pub(super) fn all() -> Vec<Recorded> {
    let close = "Host: a\r\nConnection: close\r\n";
    vec![
        http("one request", "GET /one HTTP/1.1\r\nHost: a\r\n\r\n", 1),
        http(
            "pipeline",
            "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
            3,
        ),
        http(
            "bodies",
            &format!(
                "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloPOST /b HTTP/1.1\r\n{close}Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\nGET /never HTTP/1.1\r\nHost: a\r\n\r\n"
            ),
            2,
        ),
        http(
            "streamed",
            "POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\nhello, worldGET /x HTTP/1.1\r\nHost: a\r\n\r\n",
            2,
        ),
        http(
            "1.0",
            "GET /old HTTP/1.0\r\n\r\nGET /never HTTP/1.0\r\n\r\n",
            1,
        ),
        http(
            "refused body",
            "POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /never HTTP/1.1\r\nHost: a\r\n\r\n",
            1,
        ),
        http(
            "bad head",
            "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\nGET /never HTTP/1.1\r\nHost: a\r\n\r\n",
            2,
        ),
        http(
            "bad chunk",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            1,
        ),
        http(
            "cut short",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nhello",
            1,
        ),
        http(
            "large reply",
            &format!("GET /large HTTP/1.1\r\nHost: a\r\n\r\nGET /large HTTP/1.1\r\n{close}\r\n"),
            2,
        ),
        http(
            "no upgrade",
            "GET /ws HTTP/1.1\r\nHost: a\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n",
            2,
        ),
        websocket(
            "messages",
            &[
                frame(0x81, "héllo".as_bytes()),
                frame(0x02, b"one,"),
                frame(0x89, b"ping"),
                frame(0x80, b"two"),
                frame(0x82, &[7; 300]),
                frame(0x88, &[3, 232]),
                frame(0x81, b"never"),
            ],
        ),
        websocket(
            "bad text",
            &[
                frame(0x81, b"fine"),
                frame(0x81, &[0xce, 0xba, 0xed, 0xa0, 0x80]),
            ],
        ),
        websocket(
            "reserved bit",
            &[
                frame(0x81, b"fine"),
                frame(0xc1, b"bad"),
                frame(0x81, b"never"),
            ],
        ),
        websocket("gone without a word", &[frame(0x81, b"fine")]),
    ]
}
