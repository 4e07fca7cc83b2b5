//! Packets among the calls, and what is left where they may not be captured.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pcap_file::pcapng::{Block, PcapNgReader};
use serde_json::Value;

use crate::ended::PATIENCE;
use crate::session::{Folder, PROGRAM, Server, ask, connect, end, events, has_ring, program};

/// Whether this process may capture.
pub(crate) fn may_capture() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let capabilities = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let capabilities = u64::from_str_radix(capabilities.unwrap().trim(), 16).unwrap();
    // capabilities(7): CAP_NET_RAW is number 13.
    let may = capabilities & (1 << 13) != 0;
    if !may {
        eprintln!("SKIPPED: no CAP_NET_RAW; no packet was captured");
    }
    may
}

/// Events by when they happened: on a busy machine a packet may be told later than a trace holds its lines back.
pub(crate) fn by_time(mut events: Vec<Value>) -> Vec<Value> {
    events.sort_by(|one, other| {
        let at = |event: &Value| event["at"].as_f64().unwrap();
        at(one).total_cmp(&at(other))
    });
    events
}

/// Where the first event is of which this holds.
fn place(events: &[Value], what: &str, holds: impl Fn(&Value) -> bool) -> usize {
    let found = events.iter().position(holds);
    found.unwrap_or_else(|| panic!("no {what} in {events:#?}"))
}

fn packet(step: &str) -> impl Fn(&Value) -> bool {
    move |event| event["packet"]["step"] == step
}

/// A call, or a completion, of this name that went well with this result or a greater one.
fn answered(names: [&'static str; 2], least: i64) -> impl Fn(&Value) -> bool {
    move |event| {
        let is_answer = event["event"] == "call" || event["event"] == "completed";
        let is_named = names.iter().any(|name| event["name"] == *name);
        is_answer
            && is_named
            && event["result"]
                .as_i64()
                .is_some_and(|result| result >= least)
    }
}

#[test]
fn the_handshake_and_the_close_stand_around_the_calls() {
    if !may_capture() {
        return;
    }
    for backend in ["epoll", "io-uring"] {
        if backend == "io-uring" && !has_ring() {
            continue;
        }
        let folder = Folder::new(&format!("packets-{backend}"));
        let path = folder.path("trace");
        let trace = ["trace", "--packets", "--json", "--output", &path];
        let backend = ["--backend", backend];
        let server = Server::start(&[], &trace, &backend, Stdio::inherit(), &folder);
        let mut stream = server.connect();
        let client = stream.local_addr().unwrap().to_string();
        let reply = ask(&mut stream, "GET", "/plaintext");
        await_accounts(&path, 3);
        end(stream);
        server.stop();
        let events = by_time(events(&path));
        let handshake = [1, 2, 3].map(|part| {
            let step = format!("three-way handshake {part}/3");
            place(&events, &step, packet(&step))
        });
        let flags = handshake.map(|at| events[at]["packet"]["flags"].as_str().unwrap());
        assert_eq!(flags, ["SYN", "SYN|ACK", "ACK"]);
        assert!(handshake.is_sorted());
        let accepted = place(&events, "accept", answered(["accept4", "accept"], 0));
        assert!(
            handshake[2] < accepted,
            "{backend:?}: its ACK comes before accept returns"
        );
        let asked = place(&events, "data", packet("data 36 bytes"));
        let received = place(&events, "recv", answered(["recv", "recv"], 36));
        assert!(asked < received);
        assert_eq!(events[asked]["packet"]["from"], *client);
        let replied = place(
            &events,
            "reply",
            packet(&format!("data {} bytes", reply.len())),
        );
        assert!(received < replied);
        let fin = place(&events, "FIN of the client", |event| {
            event["packet"]["from"] == *client
                && event["packet"]["flags"]
                    .as_str()
                    .is_some_and(|flags| flags.contains("FIN"))
        });
        let ended = place(&events, "recv = 0", |event| {
            event["name"] == "recv" && event["result"] == 0
        });
        let last = place(&events, "close: ACK 4/4", packet("close: ACK 4/4"));
        assert!(replied < fin && fin < ended && ended < last);
        states_and_numbers(&events, reply.len());
    }
}

/// Waits until the kernel was asked so often, as long as there is a connection to ask about.
fn await_accounts(path: &str, count: usize) {
    let until = Instant::now() + PATIENCE;
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        if text.matches(r#""event":"tcp""#).count() >= count {
            return;
        }
        assert!(Instant::now() < until, "the kernel was not asked: {text}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// All packets belong to the one connection, the kernel was asked at each step, and the numbers add up.
fn states_and_numbers(events: &[Value], reply_bytes: usize) {
    let packets: Vec<_> = events
        .iter()
        .filter(|event| event["event"] == "packet")
        .collect();
    for packet in &packets {
        assert_eq!(packet["connection"], 1, "{packet}");
        assert!(packet["local"].is_string() && packet["peer"].is_string());
        assert!(
            packet.get("thread").is_none(),
            "a packet has no thread: {packet}"
        );
    }
    let last = &packets.last().unwrap()["packet"];
    assert_eq!(
        (&last["seq"], &last["flags"]),
        (&Value::from(38), &"ACK".into())
    );
    assert_eq!(
        last["ack"],
        reply_bytes + 2,
        "SYN and FIN count as one byte each"
    );
    assert_eq!(last["states"]["from"], "TIME-WAIT");
    assert_eq!(last["states"]["to"], "CLOSED");
    let accounts: Vec<_> = events
        .iter()
        .filter(|event| event["event"] == "tcp")
        .collect();
    // Behind the handshake and the first data of both directions; behind the FINs only if it was not too late.
    assert!(accounts.len() >= 3, "{accounts:?}");
    for account in &accounts[..3] {
        assert_eq!(account["tcp"]["state"], "ESTABLISHED");
    }
    for account in &accounts {
        let tcp = &account["tcp"];
        assert_eq!(
            (&tcp["local"], &account["connection"]),
            (&account["local"], &1.into())
        );
        assert_eq!(tcp["remote"], account["peer"]);
        assert!(tcp["later"].as_f64().unwrap() >= 0.0);
        if tcp["state"] == "ESTABLISHED" {
            assert!(tcp["cwnd"].as_u64().unwrap() > 0 && tcp["rtt"].as_f64().unwrap() > 0.0);
            assert_eq!(tcp["retransmits"], 0);
        }
    }
}

#[test]
fn a_client_sees_its_own_end() {
    if !may_capture() {
        return;
    }
    let folder = Folder::new("packets-client");
    let path = folder.path("trace");
    let server = Server::echo(&[], &[], "epoll");
    let before = ["trace", "--packets", "--output", &path];
    connect(&[], &before, &[&server.address.to_string()], "Hello\n");
    server.stop();
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("[packet]"))
        .collect();
    assert!(lines.iter().all(|line| line.contains(" #1 ")), "{text}");
    let order = [
        "SYN seq 0 win ",
        "SYN|ACK seq 0 ack 1 win ",
        "ACK seq 1 ack 1 win ",
        "  data 6 bytes",
        "close: FIN from the client 1/4  (client FIN-WAIT-1, server CLOSE-WAIT)",
        " 3/4  (client TIME-WAIT, server LAST-ACK)",
        "close: ACK from the client 4/4  (client TIME-WAIT, server CLOSED)",
    ];
    let mut rest = lines.iter();
    for part in order {
        assert!(rest.any(|line| line.contains(part)), "{part}: {text}");
    }
    // What the kernel says is of the moment when it is asked: on a busy machine the connection may be over by then.
    assert!(text.contains("[tcp] "), "{text}");
    // The kernel was asked of the end that did not come from the listening port.
    assert!(
        text.contains("[tcp] FIN-WAIT-") || text.contains("[tcp] TIME-WAIT"),
        "{text}"
    );
}

#[test]
fn a_file_for_wireshark_needs_no_lines() {
    if !may_capture() {
        return;
    }
    let folder = Folder::new("pcapng");
    let (lines, file) = (folder.path("trace"), folder.path("packets.pcapng"));
    let trace = ["trace", "--pcapng", &file, "--output", &lines];
    let backend = ["--backend", "epoll"];
    let server = Server::start(&[], &trace, &backend, Stdio::inherit(), &folder);
    let mut stream = server.connect();
    ask(&mut stream, "GET", "/plaintext");
    end(stream);
    server.stop();
    assert!(!fs::read_to_string(&lines).unwrap().contains("[packet]"));
    let mut reader = PcapNgReader::new(File::open(&file).unwrap()).unwrap();
    let (mut frames, mut ended) = (Vec::new(), false);
    while let Some(block) = reader.next_block() {
        match block.unwrap() {
            Block::EnhancedPacket(packet) => {
                assert!(!ended);
                frames.push(packet.data.to_vec());
            }
            Block::InterfaceStatistics(_) => ended = true,
            _ => {}
        }
    }
    assert!(ended, "it ends with how many were lost");
    // Behind an Ethernet and an IPv4 header of 14 and 20 bytes, the flags are byte 13.
    let flags: Vec<u8> = frames.iter().map(|frame| frame[14 + 20 + 13]).collect();
    assert_eq!(flags[..3], [0x02, 0x12, 0x10], "SYN, SYN-ACK, ACK");
    assert_eq!(
        flags.iter().filter(|flags| *flags & 1 != 0).count(),
        2,
        "FINs"
    );
    let tshark = Command::new("tshark")
        .args(["-r", &file, "-T", "fields", "-e", "tcp.flags.fin"])
        .output();
    match tshark {
        Ok(output) => {
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success(), "{text}");
            assert_eq!(text.lines().count(), frames.len());
        }
        Err(error) => eprintln!("SKIPPED the judgement of tshark, which is not here: {error}"),
    }
}

#[test]
fn the_summary_counts_packets_too() {
    if !may_capture() {
        return;
    }
    let folder = Folder::new("packets-summary");
    let (summary, perfetto) = (folder.path("summary"), folder.path("perfetto"));
    let trace = [
        "trace",
        "--packets",
        "--summary",
        "--json",
        "--output",
        &summary,
    ];
    let mut trace = trace.to_vec();
    trace.extend(["--perfetto", &perfetto]);
    let server = Server::start(
        &[],
        &trace,
        &["--backend", "epoll"],
        Stdio::inherit(),
        &folder,
    );
    let mut stream = server.connect();
    ask(&mut stream, "GET", "/plaintext");
    end(stream);
    server.stop();
    let summary: Value = serde_json::from_str(&fs::read_to_string(&summary).unwrap()).unwrap();
    let packets = &summary["packets"];
    assert_eq!((&packets["syn"], &packets["fin"]), (&2.into(), &2.into()));
    assert_eq!(packets["rst"], 0);
    let entries: Vec<Value> =
        serde_json::from_str(&fs::read_to_string(&perfetto).unwrap()).unwrap();
    let drawn = entries.iter().filter(|entry| entry["cat"] == "packet");
    assert_eq!(
        drawn.clone().count() as u64,
        packets["packets"].as_u64().unwrap()
    );
    assert!(
        drawn
            .into_iter()
            .all(|entry| entry["tid"] == 0 && entry["ph"] == "i")
    );
    let track = entries
        .iter()
        .find(|entry| entry["ph"] == "M" && entry["tid"] == 0);
    assert_eq!(track.unwrap()["args"]["name"], "packets");
}

/// A copy of the program, run as a user without rights, wherever the build lies.
fn without_rights(folder: &Folder, words: &[&str]) -> Option<std::process::Output> {
    let program = folder.path("longshore");
    fs::copy(PROGRAM, &program).unwrap();
    let mut command = Command::new(&program);
    command.args(words).current_dir("/");
    if may_capture() {
        let nobody = 65534;
        command.gid(nobody).uid(nobody);
    }
    match command.output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("SKIPPED: no process of another user: {error}");
            None
        }
    }
}

#[test]
fn without_the_capability_one_line_says_so_and_the_trace_goes_on() {
    let folder = Folder::new("packets-none");
    let server = Server::echo(&[], &[], "epoll");
    let address = server.address.to_string();
    let words = [
        "trace",
        "--packets",
        "connect",
        "--no-input",
        "--timeout",
        "0.1",
        &address,
    ];
    if let Some(output) = without_rights(&folder, &words) {
        let text = String::from_utf8(output.stderr).unwrap();
        let said: Vec<_> = text
            .lines()
            .filter(|line| line.contains("no packets"))
            .collect();
        assert_eq!(said.len(), 1, "{text}");
        assert!(
            said[0].contains("note: no packets: capturing needs CAP_NET_RAW"),
            "{text}"
        );
        assert!(text.contains("#1    connect("), "{text}");
        assert!(
            !text.contains("[packet]") && !text.contains("[tcp]"),
            "{text}"
        );
    }
    let words = [
        "trace",
        "--packets",
        "--json",
        "connect",
        "--no-input",
        "--timeout",
        "0.1",
        &address,
    ];
    if let Some(output) = without_rights(&folder, &words) {
        let text = String::from_utf8(output.stderr).unwrap();
        let objects = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let notes: Vec<_> = objects.filter(|event| event["event"] == "note").collect();
        assert_eq!(notes.len(), 1, "{text}");
    }
    server.stop();
}

#[test]
fn a_unix_socket_has_no_packets() {
    let folder = Folder::new("packets-unix");
    let at = format!("unix:{}", folder.path("nobody"));
    let output = program()
        .args(["trace", "--packets", "connect", &at])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "nobody listens there");
    assert!(
        text.contains("note: no packets: a Unix socket has none"),
        "{text}"
    );
    assert!(text.contains(" = -1 ENOENT "), "{text}");
}
