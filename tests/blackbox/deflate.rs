//! Compressed messages: what a bomb can make the server keep, and what ten thousand idle connections cost.
//!
//! Deflate shrinks to no less than 1/1032 (a match of 258 bytes in two bits): 1 GiB needs a megabyte, and 16 KiB are enough
//! to pass `message_bytes_max`. What compresses and inflates here is `miniz_oxide`, which shares no code with the server.

use std::net::SocketAddr;

use miniz_oxide::deflate::core::{CompressorOxide, create_comp_flags_from_zip_params};
use miniz_oxide::deflate::stream::deflate;
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZFlush};

use crate::frames::{frame, header};
use crate::peer::{Peer, pattern};
use crate::server::{Server, backends, may_open, with_servers};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
/// The defaults of --message-bytes-max and --deflate-memory-bytes-max.
const MESSAGE_MAX: u64 = 16 * MIB;
const DEFLATE_MEMORY_MAX: u64 = 64 * MIB;
const CROWD: usize = 10_000;
/// First frames of a compressed binary message: whole, and with more to follow (RFC 7692 §6).
const COMPRESSED: u8 = 0xC2;
const COMPRESSED_BEGUN: u8 = 0x42;

/// Raw deflate up to a sync flush, its tail included: such pieces may stand in a row.
fn flushed(message: &[u8]) -> Vec<u8> {
    let flags = create_comp_flags_from_zip_params(9, -15, 0);
    let mut state = CompressorOxide::new(flags);
    let mut out = vec![0; message.len() / 100 + message.len().min(10_000) + 100];
    let result = deflate(&mut state, message, &mut out, MZFlush::Sync);
    assert_eq!(result.bytes_consumed, message.len());
    out.truncate(result.bytes_written);
    assert!(out.ends_with(&[0, 0, 0xFF, 0xFF]));
    out
}

/// The payload of a compressed message (RFC 7692 §7.2.1).
fn compressed(message: &[u8]) -> Vec<u8> {
    let mut payload = flushed(message);
    payload.truncate(payload.len() - 4);
    payload
}

fn inflated(payload: &[u8]) -> Vec<u8> {
    let whole = [payload, &[0, 0, 0xFF, 0xFF]].concat();
    let (mut out, mut state) = (vec![0; 1 << 16], InflateState::new(DataFormat::Raw));
    let result = inflate(&mut state, &whole, &mut out, MZFlush::Sync);
    out.truncate(result.bytes_written);
    out
}

/// A WebSocket that offers compression, and whether that was agreed on.
fn offering(address: SocketAddr) -> (Peer, bool) {
    let mut peer = Peer::connect(address);
    let reply = peer.ask(
        "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n",
    );
    assert_eq!(reply.status, 101, "{}", reply.head);
    let agreed = reply.field("Sec-WebSocket-Extensions").is_some();
    (peer, agreed)
}

fn agreed(address: SocketAddr) -> Peer {
    let (peer, agreed) = offering(address);
    assert!(agreed);
    peer
}

/// One byte more than `limit`, in a thousandth of it.
fn bomb(limit: u64) -> Vec<u8> {
    let payload = compressed(&vec![0; limit as usize + 1]);
    assert!(
        payload.len() as u64 <= limit / 900,
        "{} bytes",
        payload.len()
    );
    payload
}

/// Throws what would inflate to 1 GiB, in 64 frames of one message, and is refused.
fn throw_large_bomb(server: &Server, mebibyte: &[u8]) {
    let mut peer = agreed(server.address());
    let slice = mebibyte.repeat(16);
    for number in 0..64 {
        let first = if number == 0 { COMPRESSED_BEGUN } else { 0x00 };
        // It may have closed already.
        let _ = peer.try_send(frame(first, &slice));
    }
    peer.is_closed_with(1009);
}

#[test]
fn a_bomb_is_refused_and_costs_no_more_than_a_message() {
    let mebibyte = flushed(&vec![0; MIB as usize]);
    let gibibyte = 1024 * mebibyte.len();
    assert!(gibibyte < 2 * MIB as usize, "{gibibyte} bytes for 1 GiB");
    let message_max = 4 * MIB;
    let small = bomb(message_max);
    let limit = message_max.to_string();
    let flags = ["--ws-deflate", "--message-bytes-max", &limit];
    with_servers(&flags, |server| {
        // What a legal message costs has been paid before.
        let mut peer = agreed(server.address());
        peer.send(frame(COMPRESSED, &compressed(&pattern(1000))));
        assert_eq!(inflated(&peer.frame().1), pattern(1000));
        let before = server.resident_bytes();
        for round in 0..20 {
            throw_large_bomb(server, &mebibyte);
            let mut peer = agreed(server.address());
            peer.send(frame(COMPRESSED, &small));
            peer.is_closed_with(1009);
            let kept = server.resident_bytes().saturating_sub(before);
            // The allocator may keep the memory of the last one for the next.
            let flat = kept < message_max + 4 * MIB;
            assert!(flat, "{}: {kept} in round {round}", server.backend);
        }
        let grown = server.peak_bytes().saturating_sub(before);
        println!(
            "{}: {} KiB at the peak of 40 bombs",
            server.backend,
            grown / KIB
        );
        // A buffer grows by doubling.
        assert!(
            grown < 2 * message_max + 4 * MIB,
            "{}: {grown}",
            server.backend
        );
        peer.send(frame(COMPRESSED, &compressed(b"still here")));
        assert_eq!(peer.frame(), (0x82, b"still here".to_vec()));
    });
}

#[test]
fn twenty_bombs_at_once_stay_under_the_ceiling() {
    let small = bomb(MESSAGE_MAX);
    let (front, back) = small.split_at(small.len() / 2);
    let ceiling = (48 * MIB).to_string();
    with_servers(
        &["--ws-deflate", "--memory-bytes-max", &ceiling],
        |server| {
            let before = server.resident_bytes();
            let mut peers: Vec<_> = (0..20).map(|_| agreed(server.address())).collect();
            for peer in &mut peers {
                // 8 MiB each, which have to be kept until the rest comes.
                peer.send([header(COMPRESSED, small.len() as u64), vec![0; 4]].concat());
                let _ = peer.try_send(front);
            }
            let mut healthy = server.connect();
            assert_eq!(healthy.fetch("/plaintext").text(), "Hello, World!");
            let mut codes = Vec::new();
            for peer in &mut peers {
                let _ = peer.try_send(back);
                let (first, payload) = peer.frame();
                assert_eq!(first, 0x88, "{}", server.backend);
                codes.push(u16::from_be_bytes([payload[0], payload[1]]));
                peer.ends();
            }
            let full = codes.iter().filter(|code| **code == 1013).count();
            let large = codes.iter().filter(|code| **code == 1009).count();
            assert_eq!(full + large, 20, "{codes:?}");
            assert!(full > 0 && large > 0, "{codes:?}");
            let grown = server.peak_bytes().saturating_sub(before);
            println!(
                "{}: {} KiB, {full} were told to come later",
                server.backend,
                grown / KIB
            );
            // The ceiling, and what the buffer that passed it took by doubling.
            assert!(
                grown < 48 * MIB + 2 * MESSAGE_MAX,
                "{}: {grown}",
                server.backend
            );
        },
    );
}

#[test]
fn ten_thousand_idle_connections_stay_under_the_budget() {
    if !may_open(CROWD as u64 + 3000) {
        return;
    }
    let message = pattern(1000);
    let (payload, plain) = (compressed(&message), frame(0x82, &message));
    for &backend in backends() {
        for keeps_contexts in [false, true] {
            let flags = ["--ws-deflate", "--ws-deflate-context"];
            let flags = &flags[..=usize::from(keeps_contexts)];
            let server = Server::start(backend, flags);
            drop(agreed(server.address()));
            let before = server.resident_bytes();
            // Who keeps contexts is few: the budget ends soon.
            let crowd = if keeps_contexts { CROWD / 10 } else { CROWD };
            let (mut with_contexts, mut first_echo) = (0, Vec::new());
            let peers: Vec<Peer> = (0..crowd)
                .map(|_| {
                    let (mut peer, agreed) = offering(server.address());
                    if agreed {
                        peer.send(frame(COMPRESSED, &payload));
                    } else {
                        peer.send(&plain);
                    }
                    let (first, echo) = peer.frame();
                    assert_eq!(first, if agreed { 0xC2 } else { 0x82 }, "{backend}");
                    if !agreed {
                        assert!(echo == message, "{backend}");
                    } else if first_echo.is_empty() {
                        assert!(inflated(&echo) == message, "{backend}");
                        first_echo = echo;
                    } else {
                        // The same message compresses to the same bytes.
                        assert!(echo == first_echo, "{backend}");
                    }
                    with_contexts += usize::from(agreed);
                    peer
                })
                .collect();
            let grown = server.resident_bytes().saturating_sub(before);
            println!(
                "{backend}: {with_contexts} compress, contexts kept: {keeps_contexts}; {} bytes for each connection",
                grown / crowd as u64
            );
            let records = CROWD as u64 * KIB;
            if keeps_contexts {
                // 429 KB each, as long as there is room; the others talk uncompressed.
                assert!((140..165).contains(&with_contexts), "{with_contexts}");
                assert!(grown < DEFLATE_MEMORY_MAX + records, "{backend}: {grown}");
            } else {
                assert_eq!(with_contexts, crowd);
                assert!(grown < records, "{backend}: {grown}");
            }
            // Those who came first still compress, now that there is no room.
            let mut peers = peers;
            peers[0].send(frame(COMPRESSED, &payload));
            assert_eq!(peers[0].frame().0, 0xC2);
            drop(peers);
            server.stop();
        }
    }
}
