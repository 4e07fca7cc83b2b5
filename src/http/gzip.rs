//! The gzip content coding (RFC 9110 §8.4.1.3, RFC 1952), written piece by piece.
//!
//! ```text
//!   header │ deflate blocks … │ flush: up to here it can be read │ … │ last block │ CRC, length
//! ```
//!
//! The work is done by the `zlib-rs` crate (through `flate2`). It does not know whether a peer takes gzip:
//! [`AcceptEncoding`](super::AcceptEncoding) does.
#![forbid(unsafe_code)]

use std::fmt;

use flate2::{Compress, Compression, FlushCompress, Status};

/// What an encoder's memory comes to, about: window, hash chains and pending output at 15 window bits. 320 KiB.
pub const GZIP_ENCODER_BYTES: usize = 320 * 1024;

/// The window: 32 KiB, which every decoder must have.
const WINDOW_BITS: u8 = 15;

/// How much room an encoder asks for at a time.
const STEP_BYTES: usize = 4 * 1024;

/// Writes one gzip member after the other. Holds [`GZIP_ENCODER_BYTES`].
///
/// ```
/// use longshore::http::GzipEncoder;
///
/// let (mut gzip, mut out) = (GzipEncoder::new(6), Vec::new());
/// gzip.encode(b"hello, ", &mut out);
/// gzip.encode(b"hello", &mut out);
/// gzip.finish(&mut out);
/// assert_eq!(&out[..3], b"\x1f\x8b\x08"); // RFC 1952 §2.3.1: magic, and deflate
/// ```
pub struct GzipEncoder {
    compress: Compress,
}

impl GzipEncoder {
    /// An encoder with a level from 1, fast, to 9, small.
    pub fn new(level: u32) -> Self {
        let level = Compression::new(level.clamp(1, 9));
        Self {
            compress: Compress::new_gzip(level, WINDOW_BITS),
        }
    }

    /// Encodes more content. What is appended to `out` may lag behind; it may be nothing.
    pub fn encode(&mut self, content: &[u8], out: &mut Vec<u8>) {
        self.run(content, out, FlushCompress::None);
    }

    /// Appends everything that was held back, so that the peer can read up to here. Costs a few bytes each time.
    pub fn flush(&mut self, out: &mut Vec<u8>) {
        self.run(b"", out, FlushCompress::Sync);
    }

    /// Ends the member. The encoder can begin another one.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.run(b"", out, FlushCompress::Finish);
        self.compress.reset();
    }

    fn run(&mut self, mut content: &[u8], out: &mut Vec<u8>, flush: FlushCompress) {
        loop {
            out.reserve(STEP_BYTES);
            let before = self.compress.total_in();
            let status = self
                .compress
                .compress_vec(content, out, flush)
                .expect("compressing any bytes into a vector with room cannot fail");
            content = &content[(self.compress.total_in() - before) as usize..];
            // Room that is left says that nothing is held back but what the flush mode allows.
            let has_room = out.len() < out.capacity();
            if status == Status::StreamEnd || (content.is_empty() && has_room) {
                return;
            }
        }
    }
}

impl fmt::Debug for GzipEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GzipEncoder")
    }
}
