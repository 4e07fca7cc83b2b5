//! Packets as lines for people.
//!
//! ```text
//!   127.0.0.1:40000 → 127.0.0.1:8080  SYN seq 0 win 65495 mss 65495 sack ts wscale 7  three-way handshake 1/3  (client SYN-SENT)
//!   127.0.0.1:40000 → 127.0.0.1:8080  PSH|ACK seq 1 ack 1 win 65536  data 78 bytes
//! ```

use super::{Flags, Packet, Segment, Side, States, Step, SynOptions, Transport, Window};
use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

impl Packet {
    /// The line with the time of day before it, in UTC: `12:03:01.123456  127.0.0.1:40000 → …`.
    pub fn stamped(&self) -> impl Display {
        Stamped(*self)
    }

    /// Which side an end is, if it is known.
    fn side(&self, end: SocketAddr) -> Option<Side> {
        self.sender.map(|sender| match (sender, end == self.from) {
            (side, true) => side,
            (Side::Client, false) => Side::Server,
            (Side::Server, false) => Side::Client,
        })
    }
}

struct Stamped(Packet);

impl Display for Stamped {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", TimeOfDay(self.0.at), self.0)
    }
}

struct TimeOfDay(SystemTime);

impl Display for TimeOfDay {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // Before 1970 the clock was never set: shown as midnight.
        let since = self.0.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = since.as_secs() % 86_400;
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        let micros = since.subsec_micros();
        write!(f, "{hours:02}:{minutes:02}:{:02}.{micros:06}", seconds % 60)
    }
}

impl Display for Packet {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}  ", self.from, self.to)?;
        match &self.transport {
            Transport::Tcp(segment) => segment.fmt(f)?,
            Transport::Udp => f.write_str("UDP")?,
        }
        // A step of data says its length itself.
        let said = matches!(self.step, Step::Data { .. } | Step::Datagram);
        if self.payload_bytes > 0 && !said {
            write!(f, " len {}", self.payload_bytes)?;
        }
        f.write_str("  ")?;
        match self.step {
            Step::Datagram => write!(f, "datagram {} bytes", self.payload_bytes)?,
            Step::Close { ack, fin } => Close(ack, fin, self.sender).fmt(f)?,
            Step::Reset => match self.sender {
                Some(side) => write!(f, "RST from {side}")?,
                None => f.write_str("RST")?,
            },
            step => step.fmt(f)?,
        }
        if self.retransmission {
            f.write_str(", sent again")?;
        }
        match self.states {
            Some(states) => Change(self, states).fmt(f),
            None => Ok(()),
        }
    }
}

/// `  (client FIN-WAIT-2, server CLOSE-WAIT)`; ends whose side is not known are named by their port.
struct Change<'a>(&'a Packet, States);

impl Display for Change<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Change(packet, States { local, remote }) = *self;
        let tuple = &packet.tuple;
        let local = (tuple.local, local, packet.side(tuple.local));
        let remote = (tuple.remote, remote, packet.side(tuple.remote));
        let client_first = local.2 == Some(Side::Client);
        let ends = if client_first {
            [local, remote]
        } else {
            [remote, local]
        };
        let mut before = "  (";
        for (address, state, side) in ends {
            let Some(state) = state else { continue };
            f.write_str(before)?;
            match side {
                Some(Side::Client) => f.write_str("client")?,
                Some(Side::Server) => f.write_str("server")?,
                None => write!(f, "{}", address.port())?,
            }
            write!(f, " {state}")?;
            before = ", ";
        }
        f.write_str(if before == ", " { ")" } else { "" })
    }
}

impl Display for Segment {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} seq {}", self.flags, self.seq.relative)?;
        if let Some(ack) = self.ack {
            write!(f, " ack {}", ack.relative)?;
        }
        write!(f, " {}", self.window)?;
        match &self.options {
            Some(options) => options.fmt(f),
            None => Ok(()),
        }
    }
}

impl Display for Window {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.bytes {
            Some(bytes) => write!(f, "win {bytes}"),
            None => write!(f, "win {} unscaled", self.raw),
        }
    }
}

impl Display for SynOptions {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(bytes) = self.mss {
            write!(f, " mss {bytes}")?;
        }
        if self.sack {
            f.write_str(" sack")?;
        }
        if self.timestamps {
            f.write_str(" ts")?;
        }
        match self.window_scale {
            Some(bits) => write!(f, " wscale {bits}"),
            None => Ok(()),
        }
    }
}

/// In the order in which they are spoken: `SYN|ACK`, `FIN|ACK`, `PSH|ACK`.
const FLAG_NAMES: [(Flags, &str); 8] = [
    (Flags::SYN, "SYN"),
    (Flags::FIN, "FIN"),
    (Flags::RST, "RST"),
    (Flags::PSH, "PSH"),
    (Flags::ACK, "ACK"),
    (Flags::URG, "URG"),
    (Flags::ECE, "ECE"),
    (Flags::CWR, "CWR"),
];

impl Display for Flags {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut bar = "";
        for (_, name) in FLAG_NAMES.iter().filter(|(flag, _)| self.has(*flag)) {
            write!(f, "{bar}{name}")?;
            bar = "|";
        }
        if bar.is_empty() {
            f.write_str("no flags")?;
        }
        Ok(())
    }
}

impl Display for Side {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Client => "the client",
            Side::Server => "the server",
        })
    }
}

impl Display for Step {
    /// The step without who took it: `three-way handshake 2/3`, `data 78 bytes`, `close: FIN 1/4`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Step::Handshake(part) => write!(f, "three-way handshake {part}/3"),
            Step::Data { bytes } => write!(f, "data {bytes} bytes"),
            Step::Acknowledgement { bytes: 0 } => f.write_str("acknowledges nothing new"),
            Step::Acknowledgement { bytes } => write!(f, "acknowledges {bytes} bytes"),
            Step::WindowUpdate => f.write_str("window update"),
            Step::Keepalive => f.write_str("keepalive question"),
            Step::WindowProbe => f.write_str("window probe"),
            Step::Close { ack, fin } => Close(ack, fin, None).fmt(f),
            Step::Refused => f.write_str("RST: refused, nobody listens"),
            Step::Reset => f.write_str("RST"),
            Step::Datagram => f.write_str("datagram"),
        }
    }
}

/// `close: ACK 2/4 and FIN 3/4 from the server`
struct Close(Option<u8>, Option<u8>, Option<Side>);

impl Display for Close {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let from = |f: &mut Formatter<'_>| match self.2 {
            Some(side) => write!(f, " from {side}"),
            None => Ok(()),
        };
        f.write_str("close: ")?;
        match (self.0, self.1) {
            (Some(ack), Some(fin)) => {
                f.write_str("ACK and FIN")?;
                from(f)?;
                write!(f, " {ack}/4 and {fin}/4")
            }
            (Some(part), None) => {
                f.write_str("ACK")?;
                from(f)?;
                write!(f, " {part}/4")
            }
            (None, part) => {
                f.write_str("FIN")?;
                from(f)?;
                part.map_or(Ok(()), |part| write!(f, " {part}/4"))
            }
        }
    }
}
