//! Packets taken apart: names, counts that add up, bounds, and where the lines stand.

use std::fs::{self, File};
use std::process::Stdio;

use pcap_file::pcapng::{Block, PcapNgReader};
use serde_json::Value;

use crate::packets::{by_time, may_capture};
use crate::session::{Folder, Server, ask, connect, end, events};

/// The names and counts of a packet's layers, which add up to the length that its IP header and the link header tell.
fn layers(packet: &Value) -> Vec<(String, u64)> {
    let layers = packet["packet"]["layers"].as_array();
    let layers = layers.unwrap_or_else(|| panic!("no layers: {packet}"));
    let counts: Vec<(String, u64)> = layers
        .iter()
        .map(|layer| {
            let (bytes, hex) = (&layer["bytes"], layer["hex"].as_str().unwrap());
            let bytes = bytes.as_u64().unwrap();
            assert_eq!(
                hex.len() as u64,
                2 * bytes.min(16),
                "--bytes bounds: {layer}"
            );
            assert!(layer["text"].is_string());
            (layer["layer"].as_str().unwrap().to_owned(), bytes)
        })
        .collect();
    let ip = layers[1]["hex"].as_str().unwrap();
    let total = u64::from_str_radix(&ip[4..8], 16).unwrap();
    let sum: u64 = counts.iter().map(|(_, bytes)| bytes).sum();
    assert_eq!(sum, 14 + total, "{packet}");
    counts
}

#[test]
fn layers_are_named_and_add_up_to_the_captured_packet() {
    if !may_capture() {
        return;
    }
    let folder = Folder::new("packets-layers");
    let (path, file) = (folder.path("trace"), folder.path("packets.pcapng"));
    let mut trace = vec!["trace", "--layers", "--bytes", "16", "--json"];
    trace.extend(["--output", &path, "--pcapng", &file]);
    let backend = ["--backend", "epoll"];
    let server = Server::start(&[], &trace, &backend, Stdio::inherit(), &folder);
    let mut stream = server.connect();
    let reply = ask(&mut stream, "GET", "/plaintext");
    end(stream);
    server.websocket();
    server.stop();
    let events = by_time(events(&path));
    let packets = events.iter().filter(|event| event["event"] == "packet");
    let all: Vec<Vec<(String, u64)>> = packets.map(layers).collect();
    // The same lengths as the capture has them.
    let mut reader = PcapNgReader::new(File::open(&file).unwrap()).unwrap();
    let mut lengths = Vec::new();
    while let Some(block) = reader.next_block() {
        if let Block::EnhancedPacket(packet) = block.unwrap() {
            lengths.push(packet.data.len() as u64);
        }
    }
    let sums = all
        .iter()
        .map(|layers| layers.iter().map(|(_, bytes)| bytes).sum());
    assert_eq!(sums.collect::<Vec<u64>>(), lengths);
    for layers in &all {
        let outer: Vec<&str> = layers[..3].iter().map(|(name, _)| &**name).collect();
        assert_eq!(outer, ["link", "IPv4", "TCP"]);
    }
    // The payloads in their order.
    let inner: Vec<(&str, u64)> = { all.iter().flat_map(|layers| &layers[3..]) }
        .map(|(name, bytes)| (&**name, *bytes))
        .collect();
    let head = reply.len() as u64 - 13;
    assert_eq!(inner[..3], [("HTTP", 36), ("HTTP", head), ("data", 13)]);
    let upgrade = inner[3..5].iter().all(|(name, _)| *name == "HTTP");
    assert!(upgrade, "{inner:?}");
    let frames = [
        ("WebSocket", 6),
        ("data", 5),
        ("WebSocket", 2),
        ("data", 5),
        ("WebSocket", 6),
        ("data", 2),
        ("WebSocket", 2),
        ("data", 2),
    ];
    assert_eq!(inner[5..], frames);
    let is_echo = |event: &&Value| event["packet"]["layers"][4]["text"] == r#"unmasked "Hello""#;
    assert_eq!(events.iter().filter(is_echo).count(), 1);
}

#[test]
fn layers_stand_below_the_line_of_their_packet() {
    if !may_capture() {
        return;
    }
    let folder = Folder::new("packets-layers-text");
    let path = folder.path("trace");
    let before = ["trace", "--layers", "--output", &path];
    let server = Server::echo(&[], &[], "epoll");
    connect(&[], &before, &[&server.address.to_string()], "Hello\n");
    server.stop();
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains('\x1b'), "colours are for terminals: {text}");
    let mut lines = text.lines();
    let packet = lines.find(|line| line.contains("  data 6 bytes"));
    assert!(
        packet.is_some_and(|line| line.contains("[packet] ")),
        "{text}"
    );
    let below: Vec<&str> = lines.take_while(|line| line.starts_with("    ")).collect();
    let begins = [
        "    link         14 bytes  00 00 00 00 00 00 ",
        "    IPv4         20 bytes  45 00 00 3a ",
        "    TCP          32 bytes  ",
        "    data          6 bytes  48 65 6c 6c 6f 0a  \"Hello\\n\"",
    ];
    assert_eq!(below.len(), begins.len(), "{text}");
    for (line, begin) in below.iter().zip(begins) {
        assert!(line.starts_with(begin), "{line}");
    }
    // Without the flag there are none, and a summary has no place for them.
    let server = Server::echo(&[], &[], "epoll");
    for flags in [&["--packets"][..], &["--layers", "--summary"]] {
        let before = [&["trace", "--output", &path], flags].concat();
        connect(&[], &before, &[&server.address.to_string()], "Hello\n");
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("\n    link "), "{text}");
    }
    server.stop();
}
