//! Lesson 15: a frame by hand, masked (RFC 6455 §5).
//!
//! ```text
//!   byte 0            byte 1          0, 2 or 8 bytes    4 bytes if MASK
//!   FIN RSV opcode    MASK length     longer length      mask              payload xor mask
//!    1   3    4        1     7
//! ```
//!
//! Every header is built here from its bits, and compared with the crate's. What is wrong is answered by a Close frame with
//! a code. It does not know messages that are longer than a read, nor compression.

use std::io;
use std::net::SocketAddr;

use longshore::sys::Silent;
use longshore::ws::{self, Opcode};
use longshore::{Handler, Message, Replied, Reply, Request, Server, Socket};

use super::Lesson;
use super::beside::{Beside, HttpClient};
use super::frame::Frame;
use super::hex::hex;
use super::report::Table;

pub(super) const LESSON: Lesson = Lesson {
    number: 15,
    name: "frame",
    about: "A WebSocket frame by hand, bit by bit: length forms, masking, and what is not accepted",
    run,
};

/// 126 in the seven bits of the length.
const TWO_BYTES_FOLLOW: u8 = 0x7e;
/// 127 there.
const EIGHT_BYTES_FOLLOW: u8 = 0x7f;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Sends every message back.
#[derive(Clone)]
struct Echo;

impl Handler for Echo {
    type Connection = ();

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        reply.websocket(&request)
    }

    fn message(&mut self, message: Message<'_>, socket: &mut Socket<'_, '_>, (): &mut ()) {
        socket.send(message.kind, message.bytes);
    }
}

fn run(frame: &Frame) -> io::Result<()> {
    let server = Beside::start(Server::new(), Echo)?;
    two_bytes(frame);
    let agree = lengths(frame);
    masking(frame);
    let mut client = open(server.address())?;
    let echoed = echo(frame, &mut client)?;
    let between = fragments(frame, &mut client)?;
    drop(client);
    let refused = violations(frame, server.address())?;
    server.stop()?;

    frame.conclude(
        agree && echoed,
        "Two bytes are the least that a frame costs, and a client's mask four more. Short frames stay short: the length \
         takes more room only where it needs it.",
        "Our header, the crate's, and the echo do not agree; see the findings.",
    );
    frame.conclude(
        between,
        "Frames are why a Ping is answered in the midst of a long message: the message is cut, control frames are not, and \
         they may stand between its fragments.",
        "The Ping was not answered before the message was complete.",
    );
    frame.conclude(
        refused,
        "A violation is not repaired and not ignored. It is answered with one Close frame, whose code says what kind it \
         was, and the connection ends.",
        "Not every violation got the code that RFC 6455 asks for; see the table.",
    );
    Ok(())
}

/// The bits of the smallest interesting header.
fn two_bytes(frame: &Frame) {
    let bytes = header(true, Opcode::Text, Some(MASK), 4);
    frame.say("A client wants to say `ahoy` in one text frame. The first two bytes, bit by bit:");
    let bit = |byte: u8, from: u32, count: u32| {
        let value = (u32::from(byte) >> (8 - from - count)) & ((1 << count) - 1);
        format!("{value:0width$b}", width = count as usize)
    };
    let mut table = Table::new("The first two bytes", &["byte", "bits", "field", "meaning"]);
    let mut row = |byte: usize, from, count, name: &str, meaning: &str| {
        let bits = bit(bytes[byte], from, count);
        table.row([byte.into(), bits.into(), name.into(), meaning.into()]);
    };
    row(0, 0, 1, "FIN", "this frame ends its message");
    row(0, 1, 3, "RSV1–3", "no extension was agreed on");
    row(
        0,
        4,
        4,
        "opcode",
        "1: text (0 goes on, 2 binary, 8 Close, 9 Ping, 10 Pong)",
    );
    row(
        1,
        0,
        1,
        "MASK",
        "a mask follows: always from a client, never from a server",
    );
    row(1, 1, 7, "length", "4 bytes of payload");
    frame.table(table);
}

/// The three forms of the length, at their borders (§5.2).
fn lengths(frame: &Frame) -> bool {
    frame.say("The length takes 7 bits; 126 there means that two bytes follow, 127 that eight do:");
    let mut agree = true;
    let mut table = Table::new(
        "Headers",
        &[
            "payload bytes",
            "header of a server",
            "its bytes",
            "a client's",
        ],
    );
    for (length, finding) in [
        (0, "header_bytes_0"),
        (125, "header_bytes_125"),
        (126, "header_bytes_126"),
        (65_535, "header_bytes_65535"),
        (65_536, "header_bytes_65536"),
    ] {
        let (server, client) = (
            header(true, Opcode::Binary, None, length),
            header(true, Opcode::Binary, Some(MASK), length),
        );
        agree &= server == ws::encode_header(Opcode::Binary, true, None, length).as_ref();
        agree &= client == ws::encode_header(Opcode::Binary, true, Some(MASK), length).as_ref();
        frame.finding(finding, server.len());
        table.row([
            length.into(),
            hex(&server).into(),
            server.len().into(),
            client.len().into(),
        ]);
    }
    frame.table(table);
    frame.finding("crate_agrees", agree);
    agree
}

/// A header from its bits.
fn header(fin: bool, opcode: Opcode, mask: Option<[u8; 4]>, length: u64) -> Vec<u8> {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![u8::from(fin) << 7 | opcode as u8];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..=125), _) => bytes.push(masked | short),
        (_, Ok(middle)) => {
            bytes.push(masked | TWO_BYTES_FOLLOW);
            bytes.extend_from_slice(&middle.to_be_bytes());
        }
        _ => {
            bytes.push(masked | EIGHT_BYTES_FOLLOW);
            bytes.extend_from_slice(&length.to_be_bytes());
        }
    }
    bytes.extend_from_slice(mask.as_ref().map_or(&[], |mask| &mask[..]));
    bytes
}

/// A whole frame of a client.
fn masked(fin: bool, opcode: Opcode, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(fin, opcode, Some(mask), payload.len() as u64);
    let turned = payload.iter().zip(mask.iter().cycle());
    bytes.extend(turned.map(|(byte, mask)| byte ^ mask));
    bytes
}

/// What the mask does, and what it is for (§10.3).
fn masking(frame: &Frame) {
    frame.say("Each byte of the payload is xored with one of the mask, in turn. Doing it again takes it off:");
    let mut table = Table::new("Masking", &["text", "payload", "mask", "on the wire"]);
    for (byte, mask) in b"ahoy".iter().zip(&MASK) {
        table.row([
            char::from(*byte).to_string().into(),
            format!("{byte:02x}").into(),
            format!("{mask:02x}").into(),
            format!("{:02x}", byte ^ mask).into(),
        ]);
    }
    frame.table(table);
    let one = masked(true, Opcode::Text, MASK, b"ahoy");
    let other = masked(true, Opcode::Text, [1, 2, 3, 4], b"ahoy");
    let same = one.iter().zip(&other).filter(|(one, other)| one == other);
    frame.finding("bytes_shared_under_two_masks", same.count());
    frame.say(format!(
        "The same text under another mask has other bytes: {} and {}. So a page cannot choose what its frames look like on \
         the wire, and no proxy can be made to take them for HTTP. It hides nothing: the mask is in the frame.",
        hex(&one),
        hex(&other)
    ));
}

/// A connection that is a WebSocket already: how, was lesson 14.
fn open(to: SocketAddr) -> io::Result<HttpClient> {
    let mut client = HttpClient::connect(&mut Silent, to)?;
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {to}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n\r\n"
    );
    client.send(&mut Silent, request.as_bytes())?;
    match client.reply(&mut Silent)?.status {
        101 => Ok(client),
        status => Err(io::Error::other(format!(
            "the handshake was answered {status}"
        ))),
    }
}

fn echo(frame: &Frame, client: &mut HttpClient) -> io::Result<bool> {
    frame.say("Sent to a server that sends every message back, without a mask:");
    let ours = masked(true, Opcode::Text, MASK, b"ahoy");
    client.send(&mut frame.calls("client"), &ours)?;
    let theirs = client.bytes(&mut frame.calls("client"), 6)?;
    frame.finding("client_frame_bytes", ours.len() as u64);
    frame.finding("server_frame_bytes", theirs.len() as u64);
    Ok(theirs == b"\x81\x04ahoy")
}

/// A message in two frames, and a Ping between them (§5.4, §5.5.2).
fn fragments(frame: &Frame, client: &mut HttpClient) -> io::Result<bool> {
    frame.say("A message may be cut: text without FIN, then a continuation with FIN. A Ping goes between the two:");
    let mut bytes = masked(false, Opcode::Text, MASK, b"ah");
    bytes.extend(masked(true, Opcode::Ping, MASK, b"?"));
    bytes.extend(masked(true, Opcode::Continuation, MASK, b"oy"));
    client.send(&mut frame.calls("client"), &bytes)?;
    let answer = client.bytes(&mut frame.calls("client"), 9)?;
    let pong_first = answer == b"\x8a\x01?\x81\x04ahoy";
    frame.finding("pong_before_message", pong_first);
    frame.say(format!(
        "The answer is {}: a Pong with the Ping's payload, and then the message in one piece.",
        hex(&answer)
    ));
    Ok(pong_first)
}

/// A rule that is broken: its name, what it is, the bytes, and the code that the Close must have (§7.4.1).
type Violation = (&'static str, &'static str, Vec<u8>, u16);

fn violations(frame: &Frame, to: SocketAddr) -> io::Result<bool> {
    frame.say("What a server must not accept, each on a connection of its own:");
    let control_of_126 = header(true, Opcode::Ping, Some(MASK), 126);
    let wrong: [Violation; 7] = [
        (
            "close_unmasked",
            "a client's frame without a mask (§5.1)",
            b"\x81\x04ahoy".to_vec(),
            1002,
        ),
        (
            "close_reserved_bit",
            "RSV1 without an extension (§5.2)",
            b"\xc1\x80\0\0\0\0".to_vec(),
            1002,
        ),
        (
            "close_reserved_opcode",
            "opcode 3 (§5.2)",
            b"\x83\x80\0\0\0\0".to_vec(),
            1002,
        ),
        (
            "close_long_control",
            "a Ping of 126 bytes (§5.5)",
            control_of_126,
            1002,
        ),
        (
            "close_padded_length",
            "4 bytes, said in the long form (§5.2)",
            b"\x81\xfe\0\x04\0\0\0\0ahoy".to_vec(),
            1002,
        ),
        (
            "close_not_utf8",
            "text that is not UTF-8 (§8.1)",
            masked(true, Opcode::Text, MASK, b"\xff"),
            1007,
        ),
        (
            "close_too_big",
            "a message of 2^62 bytes, header alone (§10.4)",
            header(true, Opcode::Binary, Some(MASK), 1 << 62),
            1009,
        ),
    ];
    let mut all = true;
    let mut table = Table::new("Violations", &["what", "bytes", "Close"]);
    for (finding, what, bytes, code) in wrong {
        let client = open(to)?;
        client.send(&mut Silent, &bytes)?;
        let rest = client.rest()?;
        let answer = match rest.as_slice() {
            [0x88, length, high, low, ..] if usize::from(*length) + 2 == rest.len() => {
                u16::from_be_bytes([*high, *low])
            }
            _ => 0,
        };
        all &= answer == code;
        frame.finding(finding, answer);
        // A code is a name and no quantity: as text it gets no comma.
        table.row([what.into(), hex(&bytes).into(), answer.to_string().into()]);
    }
    frame.table(table);
    Ok(all)
}
