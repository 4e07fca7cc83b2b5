//! The null server: the least that can be done for a request, so that benchmarks can say what a real server adds.
//!
//! ```text
//! receive → count "\r\n\r\n" → one send of that many ready-made replies
//!       └ --ws: skip the frame header, unmask, put a server's header in front → one send
//! ```
//!
//! It trusts its peer completely: no limits, no timeouts, no validation. **Never put it on a network.** One thread (but
//! `--threads`); pin it from outside (`taskset -c 0`).
//!
//! ```text
//! null ADDR [--ws] [--io-uring [--buffer-bytes=2048] | --threads]
//! ```
//!
//! Prints `listening on ADDR`; ends by a signal.

mod buffers;
mod epoll;
mod http;
mod protocol;
mod ring;
mod sys;
mod threads;
mod ws;

use std::io;
use std::net::SocketAddrV4;

/// Of a ring's buffers: most requests fit.
const BUFFER_BYTES: usize = 2048;

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |option: &str| words.iter().any(|word| word == option);
    let address = words.iter().find(|word| !word.starts_with("--"));
    let address = address.map_or("127.0.0.1:0", String::as_str);
    let address: SocketAddrV4 = address.parse().map_err(io::Error::other)?;
    let listener = sys::listen_on(address)?;
    println!("listening on http://{}", sys::local_address(listener)?);
    if has("--io-uring") {
        let bytes = words
            .iter()
            .find_map(|word| word.strip_prefix("--buffer-bytes="));
        let bytes = bytes.map_or(Ok(BUFFER_BYTES), str::parse);
        ring::serve(listener, has("--ws"), bytes.map_err(io::Error::other)?)
    } else if has("--threads") {
        threads::serve(listener, has("--ws"))
    } else {
        epoll::serve(listener, has("--ws"))
    }
}
