//! The judges are the RFC's own bytes, and `miniz_oxide`, which shares no code with what compresses here.

mod accept;
mod figures;
mod hostile;
mod judge;
mod list;
mod properties;
mod wire;

use miniz_oxide::deflate::core::{CompressorOxide, create_comp_flags_from_zip_params};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use miniz_oxide::{MZFlush, MZStatus};

use super::*;

fn window(bits: u8) -> WindowBits {
    WindowBits::new(bits).expect("9 to 15")
}

/// What a fresh compressor makes of a message.
fn compressed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Compressor::new(Context::Dropped, WindowBits::MAX, 8, 6).compress(message, &mut out);
    out
}

/// What an inflater makes of a payload that comes whole.
fn inflated(inflater: &mut Inflater, payload: &[u8]) -> Result<Vec<u8>, InflateError> {
    let mut out = Vec::new();
    let count = inflater.inflate(payload, true, 1 << 24, &mut out)?;
    assert_eq!(count, out.len());
    Ok(out)
}

/// Reads payloads with no more memory than a window: what refers further back comes out wrong, or not at all.
struct OtherInflater {
    state: DecompressorOxide,
    ring: Vec<u8>,
    at: usize,
}

impl OtherInflater {
    fn new(window: WindowBits) -> Self {
        Self {
            state: DecompressorOxide::new(),
            ring: vec![0; 1 << window.number()],
            at: 0,
        }
    }

    fn inflate(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let input = [payload, &TAIL].concat();
        let (mut rest, mut out) = (&input[..], Vec::new());
        loop {
            let (status, taken, wrote) = decompress(
                &mut self.state,
                rest,
                &mut self.ring,
                self.at,
                TINFL_FLAG_HAS_MORE_INPUT,
            );
            out.extend_from_slice(&self.ring[self.at..][..wrote]);
            rest = &rest[taken..];
            self.at = (self.at + wrote) % self.ring.len();
            match status {
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput if rest.is_empty() => return Some(out),
                _ => return None,
            }
        }
    }
}

/// Writes deflate in another hand: other blocks, other matches.
struct OtherCompressor {
    state: CompressorOxide,
}

impl OtherCompressor {
    fn new(level: u8) -> Self {
        let flags = create_comp_flags_from_zip_params(i32::from(level), -15, 0);
        Self {
            state: CompressorOxide::new(flags),
        }
    }

    fn compress(&mut self, message: &[u8], flush: MZFlush) -> Vec<u8> {
        let mut out = vec![0; message.len() * 2 + 1024];
        let result =
            miniz_oxide::deflate::stream::deflate(&mut self.state, message, &mut out, flush);
        let end = if flush == MZFlush::Finish {
            MZStatus::StreamEnd
        } else {
            MZStatus::Ok
        };
        assert_eq!(result.status, Ok(end));
        assert_eq!(result.bytes_consumed, message.len());
        out.truncate(result.bytes_written);
        out
    }
}
