//! Packets beside the calls: what TCP and UDP send to keep the promises of the socket calls.
//!
//! ```text
//!   connect ───▶ SYN ─────────▶      three-way handshake 1/3
//!                ◀───── SYN|ACK      three-way handshake 2/3
//!                ACK ─────────▶      three-way handshake 3/3 ───▶ accept4
//!   send ──────▶ PSH|ACK ─────▶      data 78 bytes ────────────▶ recv
//!   shutdown ──▶ FIN|ACK ─────▶      close: FIN from the client 1/4
//!
//!   the kernel's queue of frames
//!     │ Capture      a packet socket with a filter, a thread, the kernel's time, a count of what was lost
//!     ▼
//!   Frame (bytes) ──▶ Pcapng         a file for Wireshark
//!     │ Tracker      headers of Ethernet, IP, TCP, UDP; numbers counted from the first SYN; the step in a life
//!     ▼
//!   Packet ──▶ Display, or your own event stream
//!     │ Layers       the same frame taken apart, if asked for: IP, TCP, HTTP or WebSocket, data
//!     ▼
//!   Layer ───▶ Display
//!     ╎
//!   Diag             TCP state and TCP_INFO of a connection by its five-tuple, asked beside the server's threads
//! ```
//!
//! A packet's time is that of the real-time clock, and it names the two addresses: that is what joins it to a stream of
//! calls. Capturing needs `CAP_NET_RAW`; reading frames from elsewhere with a [`Tracker`], and [`Diag`], need nothing.
//!
//! It does not know the calls and the connections of a server. Only [`Layers`] ask what the payload means; nothing else keeps
//! any of it.
//!
//! ```no_run
//! use longshore::trace::packets::{Capture, Diag, Notice, Plan};
//!
//! let mut diag = Diag::open()?;
//! let capture = Capture::start(&Plan::new([8080]), move |notice| match notice {
//!     Notice::Frame { packet: Some(packet), .. } => {
//!         println!("{}", packet.stamped());
//!         // What the kernel of this machine thinks of its end right now.
//!         if let Ok(Some(end)) = diag.tcp(packet.tuple.local, packet.tuple.remote) {
//!             println!("    {end}");
//!         }
//!     }
//!     Notice::Dropped(count) => println!("{count} packets were lost: the capture cannot keep up"),
//!     _ => {}
//! })?;
//! // … let the server run …
//! let report = capture.stop()?;
//! println!("{} packets, {} lost", report.packets, report.drops);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod beside;
mod capture;
mod decode;
mod diag;
mod filter;
mod layers;
mod life;
mod packet;
mod pcapng;
mod stamps;
mod text;
mod track;

#[cfg(test)]
mod tests;

pub use beside::Beside;
pub use capture::{Capture, CaptureError, Notice, Plan, Report};
pub use diag::{Diag, SocketState};
pub use filter::PORTS_MAX;
pub use layers::{Layer, LayerKind, Layers};
pub use life::Step;
pub use packet::{
    FiveTuple, Flags, Frame, Packet, Protocol, Segment, Sequence, Side, States, SynOptions,
    Transport, Window,
};
pub use pcapng::Pcapng;
pub use track::{CONNECTIONS_MAX, Tracker};
