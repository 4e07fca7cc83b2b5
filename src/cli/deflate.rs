//! Compression of WebSocket messages, as options of the command line.

use clap::Args;
use longshore::Deflate;
use longshore::ws::deflate::{Context, WindowBits};

/// How the messages of `/ws` and `/ws/pieces` are compressed.
#[derive(Args, Debug)]
#[expect(clippy::struct_field_names, reason = "they name the flags")]
#[command(next_help_heading = "WebSocket compression")]
pub(crate) struct DeflateOptions {
    /// Compress messages of /ws, and take compressed ones on /ws/pieces, for clients that offer it (permessage-deflate)
    #[arg(long)]
    ws_deflate: bool,
    /// Let messages refer to those before: smaller, at up to 429 KB for each connection
    #[arg(long, requires = "ws_deflate")]
    ws_deflate_context: bool,
    /// How far back a message refers, 9 to 15: 2 to the power of BITS bytes
    #[arg(long, value_name = "BITS", default_value_t = 15, requires = "ws_deflate",
          value_parser = clap::value_parser!(u8).range(9..=15))]
    ws_deflate_window_bits: u8,
    /// From 1, fast, to 9, small
    #[arg(long, value_name = "LEVEL", default_value_t = 1, requires = "ws_deflate",
          value_parser = clap::value_parser!(u8).range(1..=9))]
    ws_deflate_level: u8,
    /// Memory of a compressor, 1, least, to 9
    #[arg(long, value_name = "LEVEL", default_value_t = 8, requires = "ws_deflate",
          value_parser = clap::value_parser!(u8).range(1..=9))]
    ws_deflate_mem_level: u8,
    /// Send shorter messages as they are
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = 64,
        requires = "ws_deflate"
    )]
    ws_deflate_bytes_min: usize,
}

impl DeflateOptions {
    /// The terms, if compression is wanted.
    pub(crate) fn deflate(&self) -> Option<Deflate> {
        if !self.ws_deflate {
            return None;
        }
        let mut deflate = Deflate {
            level: self.ws_deflate_level,
            mem_level: self.ws_deflate_mem_level,
            bytes_min: self.ws_deflate_bytes_min,
            ..Deflate::default()
        };
        if self.ws_deflate_context {
            deflate.settings.server_context = Context::Kept;
            deflate.settings.client_context = Context::Kept;
        }
        if let Some(window) = WindowBits::new(self.ws_deflate_window_bits) {
            deflate.settings.server_window = window;
            deflate.settings.client_window = window;
        }
        Some(deflate)
    }
}
