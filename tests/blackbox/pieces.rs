//! WebSocket on `/ws/pieces`: messages come back in the pieces in which they came, and are never held whole.

use std::net::Shutdown;
use std::thread;

use longshore::ws::Kind;
use longshore::ws::deflate::{Compressor, Context, WindowBits};

use crate::frames::{BINARY, CLOSE, PING, PONG, TEXT, close, frame, header};
use crate::peer::{Peer, pattern};
use crate::server::{Server, with_servers};

const MIB: usize = 1 << 20;
/// Longer than `/ws` takes, and than the buffers of two kernels.
const MESSAGE_BYTES: usize = 32 * MIB;
/// What a server may grow by meanwhile: buffers of a lend and of an echo, and what the allocator keeps of them.
const GROWTH_MAX: u64 = 6 << 20;

fn open(server: &Server) -> Peer {
    Peer::websocket_at(server.address(), "/ws/pieces", "")
}

/// The same connection, for another thread.
fn twin(peer: &Peer) -> Peer {
    Peer::over(peer.stream.try_clone().expect("a descriptor"))
}

/// The payload of a message that comes in frames, each checked by `fits` with what was before it; gives kind and length.
fn receive(peer: &mut Peer, fits: impl Fn(usize, &[u8]) -> bool) -> (u8, usize) {
    let (mut kind, mut count) = (None, 0);
    loop {
        let (first, payload) = peer.frame();
        let opcode = first & 0x0F;
        let kind = *kind.get_or_insert(opcode);
        assert!(count == 0 || opcode == 0, "a continuation: {first:#x}");
        assert!(fits(count, &payload), "behind {count} bytes");
        count += payload.len();
        if first & 0x80 != 0 {
            return (kind, count);
        }
    }
}

/// A message as it travels.
fn compressed(message: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    let mut compressor = Compressor::new(Context::Dropped, WindowBits::MAX, 8, 9);
    compressor.compress(message, &mut payload);
    payload
}

#[test]
fn a_message_of_any_length_costs_no_memory() {
    with_servers(&[], |server| {
        let mut peer = open(server);
        peer.send(frame(TEXT, b"warm"));
        assert_eq!(peer.frame(), (TEXT, b"warm".to_vec()));
        let before = server.resident_bytes();
        let mut reader = twin(&peer);
        let unit = pattern(251 * 520);
        // What waited is one piece: on io_uring up to 512 KiB.
        let expected = pattern(251 + MIB);
        let reading = thread::spawn(move || {
            receive(&mut reader, |before, payload| {
                *payload == expected[before % 251..][..payload.len()]
            })
        });
        // Masked with zeros, so that it need not be written out: one frame, twice as long as /ws takes.
        peer.send(header(BINARY, MESSAGE_BYTES as u64));
        peer.send([0; 4]);
        let mut left = MESSAGE_BYTES;
        while left > 0 {
            let count = left.min(unit.len());
            peer.send(&unit[..count]);
            left -= count;
        }
        let echoed = reading.join().expect("every byte in its place");
        assert_eq!(echoed, (2, MESSAGE_BYTES));
        let grown = server.peak_bytes().saturating_sub(before);
        println!("{}: {} KiB", server.backend, grown >> 10);
        assert!(grown < GROWTH_MAX, "{}: {grown} bytes", server.backend);
    });
}

#[test]
fn a_flood_of_pieces_that_is_never_read_stays_with_the_peer() {
    with_servers(&[], |server| {
        let mut peer = open(server);
        let before = server.resident_bytes();
        peer.send(header(BINARY, MESSAGE_BYTES as u64));
        peer.send([0; 4]);
        let sent = peer.stuff(&vec![7; MESSAGE_BYTES]);
        assert!(sent < MESSAGE_BYTES, "the server stopped reading");
        let grown = server.peak_bytes().saturating_sub(before);
        assert!(grown < GROWTH_MAX, "{}: {grown} bytes", server.backend);
        let mut other = open(server);
        other.send(frame(TEXT, b"healthy"));
        assert_eq!(other.frame(), (TEXT, b"healthy".to_vec()));
        // What it then reads is what it sent.
        peer.stream.shutdown(Shutdown::Write).expect("a socket");
        let (first, payload) = peer.frame();
        assert!(first == 0x02 && payload.iter().all(|byte| *byte == 7));
    });
}

#[test]
fn a_header_that_comes_alone_lets_nothing_through() {
    // As below, but the first message's header is taken before any of its payload is here.
    let payload = compressed(&vec![0; MESSAGE_BYTES]);
    with_servers(&["--ws-deflate"], |server| {
        let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
        let mut peer = Peer::websocket_at(server.address(), "/ws/pieces", offer);
        let before = server.resident_bytes();
        let bytes = frame(0xC0 | (Kind::Binary.opcode() as u8), &payload);
        let (header, rest) = bytes.split_at(8);
        peer.send(header);
        thread::sleep(std::time::Duration::from_millis(200));
        peer.send(rest);
        thread::sleep(std::time::Duration::from_millis(300));
        let waiting = server.peak_bytes().saturating_sub(before);
        assert!(waiting < GROWTH_MAX, "{}: {waiting} bytes", server.backend);
        let (kind, length) = receive(&mut peer, |_, payload| {
            payload.iter().all(|byte| *byte == 0)
        });
        assert_eq!((kind, length), (2, MESSAGE_BYTES));
    });
}

#[test]
fn what_inflates_to_much_is_shown_bit_by_bit() {
    // 32 KiB become 32 MiB of zeros. Nobody reads them at first.
    let payload = compressed(&vec![0; MESSAGE_BYTES]);
    assert!(payload.len() < 100_000);
    with_servers(&["--ws-deflate"], |server| {
        let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
        let mut peer = Peer::websocket_at(server.address(), "/ws/pieces", offer);
        let before = server.resident_bytes();
        // RSV1 says that it is compressed. In two frames, a ping between them.
        let (front, back) = payload.split_at(1000);
        let begin = 0x40 | (Kind::Binary.opcode() as u8);
        peer.send(frame(begin, front));
        peer.send(frame(PING, b"between"));
        peer.send(frame(0x80, back));
        thread::sleep(std::time::Duration::from_millis(300));
        let waiting = server.peak_bytes().saturating_sub(before);
        assert!(waiting < GROWTH_MAX, "{}: {waiting} bytes", server.backend);
        let (zeros, mut count, mut pongs) = ([0; 16 * 1024], 0, 0);
        loop {
            let (first, payload) = peer.frame();
            if first == PONG {
                pongs += 1;
                continue;
            }
            // No piece is longer than 16 KiB.
            assert!(payload == zeros[..payload.len()]);
            count += payload.len();
            if first & 0x80 != 0 {
                break;
            }
        }
        assert_eq!((count, pongs), (MESSAGE_BYTES, 1));
        let grown = server.peak_bytes().saturating_sub(before);
        println!(
            "{}: {} KiB, waiting {}",
            server.backend,
            grown >> 10,
            waiting >> 10
        );
        assert!(grown < GROWTH_MAX, "{}: {grown} bytes", server.backend);
        // The next one is as good: text, cut inside of a character, and an end without any byte.
        let text = compressed("grün ".repeat(20_000).as_bytes());
        for byte in frame(0xC1, &text) {
            peer.send([byte]);
        }
        let expected = "grün ".repeat(20_000).into_bytes();
        let (kind, length) = receive(&mut peer, |before, payload| {
            expected[before..].starts_with(payload)
        });
        assert_eq!((kind, length), (1, expected.len()));
    });
}

#[test]
fn compressed_pieces_that_are_wrong_are_closed_with_their_code() {
    let zeros = |count| compressed(&vec![0; count]);
    let cases = [
        ("one byte too much", 0xC2, zeros(100_001), 1009),
        ("no deflate", 0xC2, vec![0xFF; 40], 1007),
        (
            "no UTF-8",
            0xC1,
            compressed(b"\xC3\x28 is none, and long enough"),
            1007,
        ),
        (
            "a character cut off",
            0xC1,
            compressed("x".repeat(50_000).as_bytes()),
            0,
        ),
        (
            "an end inside of a character",
            0xC1,
            compressed(b"gr\xC3"),
            1007,
        ),
    ];
    with_servers(
        &["--ws-deflate", "--streamed-message-bytes-max", "100000"],
        |server| {
            let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
            for (name, first, payload, code) in &cases {
                println!("{}: {name}", server.backend);
                let mut peer = Peer::websocket_at(server.address(), "/ws/pieces", offer);
                peer.send(frame(*first, payload));
                let mut last = peer.frame();
                while last.0 & 0x80 == 0 {
                    last = peer.frame();
                }
                if *code == 0 {
                    assert_ne!(last.0, CLOSE, "as much as is allowed");
                    peer.send(close(1000, b""));
                    peer.is_closed_with(1000);
                } else {
                    assert_eq!(
                        (last.0, &last.1[..2]),
                        (CLOSE, &u16::to_be_bytes(*code)[..])
                    );
                    peer.ends();
                }
            }
        },
    );
}
