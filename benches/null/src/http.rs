//! "Parsing" HTTP: every blank line is a request. Knows nothing else about it.

/// The same fields as longshore's `/plaintext`, in the same number of bytes; the date is a fixed text.
pub(crate) const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\nServer: longshore\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";

/// The same for the last request of a connection: a server says so.
pub(crate) const LAST_REPLY: &[u8] = b"HTTP/1.1 200 OK\r\nServer: longshore\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\nContent-Length: 13\r\nConnection: close\r\n\r\nHello, World!";

/// What the load of one request per connection ends its heads with. Whoever has another order of fields has to close by itself.
const LAST: &[u8] = b"Connection: close\r\n\r\n";

/// Whether the client asks for the end of the connection.
pub(crate) fn is_last(bytes: &[u8]) -> bool {
    bytes.ends_with(LAST)
}

const BLANK_LINE: [u8; 4] = *b"\r\n\r\n";

/// Enough replies for whatever `recv_bytes` can ask for: an answer is a slice of this and costs no copy.
pub(crate) fn replies_for(recv_bytes: usize) -> Vec<u8> {
    REPLY.repeat(recv_bytes / BLANK_LINE.len() + 1)
}

/// Where in a blank line the last receive ended.
#[derive(Default)]
pub(crate) struct Heads {
    /// The last three bytes.
    tail: [u8; 3],
}

impl Heads {
    /// How many blank lines end in `bytes`.
    pub(crate) fn count(&mut self, bytes: &[u8]) -> usize {
        // The usual case: `bytes` is whole requests, and the seam between two receives holds nothing.
        let mut seam = [0; 6];
        let joined = bytes.len().min(3);
        seam[..3].copy_from_slice(&self.tail);
        seam[3..3 + joined].copy_from_slice(&bytes[..joined]);
        let count = blank_lines(&seam[..3 + joined]) + blank_lines(bytes);
        if bytes.len() >= 3 {
            self.tail.copy_from_slice(&bytes[bytes.len() - 3..]);
        } else {
            self.tail.copy_from_slice(&seam[joined..joined + 3]);
        }
        count
    }
}

fn blank_lines(bytes: &[u8]) -> usize {
    bytes
        .windows(4)
        .filter(|window| *window == BLANK_LINE)
        .count()
}
