//! Scripted sessions on loopback, captured: every packet, in order, with numbers that add up.
//!
//! A capture needs `CAP_NET_RAW`. Without it these tests say so and pass.
#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use longshore::sys::{self, Address, Family, Kind, Mode, Silent, SocketOption, TcpState};
use longshore::trace::packets::{
    Capture, CaptureError, Diag, Flags, Notice, Packet, Pcapng, Plan, Protocol, Report, Segment,
    Side, Step, Transport,
};
use longshore::{Backend, Handler, Replied, Reply, Request, Server, Workers};

const LONG: Duration = Duration::from_secs(10);

/// A capture and its packets as they come.
struct Watch {
    capture: Capture,
    packets: Receiver<Packet>,
    seen: Vec<Packet>,
}

impl Watch {
    /// `None`, and said so, without the capability.
    fn start(plan: &Plan) -> Option<Watch> {
        let (sender, packets) = channel();
        let sink = move |notice: Notice<'_>| {
            if let Notice::Frame {
                packet: Some(packet),
                ..
            } = notice
            {
                let _ = sender.send(*packet);
            }
        };
        let capture = started(Capture::start(plan, sink))?;
        Some(Watch {
            capture,
            packets,
            seen: Vec::new(),
        })
    }

    /// Waits for the packet with this step.
    fn until(&mut self, step: impl Fn(&Step) -> bool) -> Packet {
        loop {
            let packet = self.packets.recv_timeout(LONG);
            let packet =
                packet.unwrap_or_else(|_| panic!("no such packet behind {:#?}", lines(&self.seen)));
            self.seen.push(packet);
            if step(&packet.step) {
                return packet;
            }
        }
    }

    fn stop(mut self) -> (Vec<Packet>, Report) {
        let report = self.capture.stop().unwrap();
        self.seen.extend(self.packets.iter());
        (self.seen, report)
    }
}

/// The capture, or `None` where the capability is missing.
fn started(result: Result<Capture, CaptureError>) -> Option<Capture> {
    match result {
        Ok(capture) => Some(capture),
        Err(error @ CaptureError::NotPermitted) => {
            eprintln!("SKIPPED: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn lines(packets: &[Packet]) -> Vec<String> {
    packets.iter().map(ToString::to_string).collect()
}

fn segment(packet: &Packet) -> Segment {
    match packet.transport {
        Transport::Tcp(segment) => segment,
        Transport::Udp => panic!("{packet}"),
    }
}

fn close(ack: Option<u8>, fin: Option<u8>) -> impl Fn(&Step) -> bool {
    move |step| *step == Step::Close { ack, fin }
}

/// Each direction begins at 0, and every number is the sum of what was sent before it.
fn adds_up(packets: &[Packet]) {
    let mut next = [0u32; 2];
    for packet in packets {
        let (segment, from) = (
            segment(packet),
            usize::from(packet.from != packet.tuple.local),
        );
        assert_eq!(
            segment.seq.relative,
            next[from],
            "{packet}\n{:#?}",
            lines(packets)
        );
        assert!(!packet.retransmission, "{packet}");
        let flags =
            u32::from(segment.flags.has(Flags::SYN)) + u32::from(segment.flags.has(Flags::FIN));
        next[from] += packet.payload_bytes as u32 + flags;
        if let Some(ack) = segment.ack {
            assert!(
                ack.relative <= next[1 - from],
                "{packet} acknowledges what was not sent"
            );
        }
    }
}

/// The steps without acknowledgements, whose number depends on timers.
fn told(packets: &[Packet]) -> Vec<(Option<Side>, Step)> {
    let quiet = |packet: &&Packet| {
        !matches!(
            packet.step,
            Step::Acknowledgement { .. } | Step::WindowUpdate
        )
    };
    packets
        .iter()
        .filter(quiet)
        .map(|packet| (packet.sender, packet.step))
        .collect()
}

/// A request of 78 bytes, a reply of 13, the client's half-close, then the server's end.
fn session(listener: &TcpListener, watch: &mut Watch) -> (SocketAddr, SocketAddr) {
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, peer) = listener.accept().unwrap();
    client.write_all(&[b'q'; 78]).unwrap();
    server.read_exact(&mut [0; 78]).unwrap();
    server.write_all(b"Hello, World!").unwrap();
    client.read_exact(&mut [0; 13]).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(server.read(&mut [0; 1]).unwrap(), 0);
    // The kernel may put this acknowledgement into the server's FIN: let it leave first.
    watch.until(close(Some(2), None));
    drop(server);
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    watch.until(close(Some(4), None));
    (peer, listener.local_addr().unwrap())
}

#[test]
fn a_session_from_its_first_packet_to_its_last() {
    for at in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = TcpListener::bind(at) else {
            eprintln!("SKIPPED: there is no {at}");
            continue;
        };
        let port = listener.local_addr().unwrap().port();
        let Some(mut watch) = Watch::start(&Plan::new([port])) else {
            return;
        };
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        drop(TcpStream::connect(other.local_addr().unwrap()).unwrap());
        let (client, server) = session(&listener, &mut watch);
        let (packets, report) = watch.stop();

        let (c, s) = (Some(Side::Client), Some(Side::Server));
        let close = |ack, fin| Step::Close { ack, fin };
        let expected = [
            (c, Step::Handshake(1)),
            (s, Step::Handshake(2)),
            (c, Step::Handshake(3)),
            (c, Step::Data { bytes: 78 }),
            (s, Step::Data { bytes: 13 }),
            (c, close(None, Some(1))),
            (s, close(Some(2), None)),
            (s, close(None, Some(3))),
            (c, close(Some(4), None)),
        ];
        assert_eq!(told(&packets), expected, "{:#?}", lines(&packets));
        adds_up(&packets);
        let last = segment(packets.last().unwrap());
        let numbers = (last.seq.relative, last.ack.unwrap().relative);
        assert_eq!(numbers, (78 + 2, 13 + 2), "each byte, the SYN and the FIN");
        for packet in &packets {
            assert_eq!((packet.tuple.local, packet.tuple.remote), (server, client));
            assert!(packet.tuple.joins(packet.from, packet.to));
        }
        assert!(
            packets.is_sorted_by_key(|packet| packet.at),
            "in the order of time"
        );
        let offer = segment(&packets[0]).options.unwrap();
        assert!(
            offer.mss.unwrap() > 30_000,
            "loopback carries 64 KiB: {offer:?}"
        );
        assert_eq!(
            (report.packets, report.drops),
            (packets.len() as u64, 0),
            "the copies that leave are not kept"
        );
    }
}

#[test]
fn an_abrupt_end_and_a_refusal() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let Some(mut watch) = Watch::start(&Plan::new([port])) else {
        return;
    };
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let _server = listener.accept().unwrap();
    let abrupt = SocketOption::Linger(Some(Duration::ZERO));
    sys::setsockopt(&mut Silent, client.as_fd(), &abrupt).unwrap();
    drop(client);
    let reset = watch.until(|step| *step == Step::Reset);
    assert_eq!(reset.sender, Some(Side::Client));
    assert!(segment(&reset).flags.has(Flags::RST));
    let (packets, _) = watch.stop();
    adds_up(&packets);
    assert_eq!(told(&packets).len(), 4, "{:#?}", lines(&packets));

    // Bound and not listening: nobody else can take the port meanwhile.
    let closed = sys::socket(&mut Silent, Family::Inet, Kind::Stream, Mode::Blocking).unwrap();
    let any: Address = "127.0.0.1:0".parse().unwrap();
    sys::bind(&mut Silent, closed.as_fd(), &any).unwrap();
    let address = sys::getsockname(&mut Silent, closed.as_fd())
        .unwrap()
        .inet()
        .unwrap();
    let Some(mut watch) = Watch::start(&Plan::new([address.port()])) else {
        return;
    };
    TcpStream::connect(address).unwrap_err();
    let refused = watch.until(|step| *step == Step::Refused);
    assert_eq!(refused.from, address);
    let (packets, _) = watch.stop();
    let steps: Vec<Step> = packets.iter().map(|packet| packet.step).collect();
    assert_eq!(steps, [Step::Handshake(1), Step::Refused]);
}

#[test]
fn datagrams_and_nothing_after_the_stop() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = receiver.local_addr().unwrap();
    let Some(watch) = Watch::start(&Plan::new([to.port()])) else {
        return;
    };
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for len in [4, 0, 60_000] {
        sender.send_to(&vec![b'x'; len], to).unwrap();
    }
    // What was sent before the stop is in the queue, and the stop waits for it.
    let (packets, report) = watch.stop();
    sender.send_to(b"late", to).unwrap();
    let lengths: Vec<usize> = packets.iter().map(|packet| packet.payload_bytes).collect();
    assert_eq!((lengths, report.packets), (vec![4, 0, 60_000], 3));
    for packet in &packets {
        assert_eq!(
            (packet.step, packet.tuple.protocol),
            (Step::Datagram, Protocol::Udp)
        );
        assert_eq!((packet.from, packet.to), (sender.local_addr().unwrap(), to));
    }
}

#[test]
fn what_a_slow_reader_loses_is_counted_and_told() {
    const SENT: u64 = 300;
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = receiver.local_addr().unwrap();
    let (go, gate) = channel::<()>();
    let told = Arc::new(Mutex::new((0, 0)));
    let count = Arc::clone(&told);
    let sink = move |notice: Notice<'_>| match notice {
        Notice::Frame { .. } => {
            // Only the first one waits: behind it the sender is gone.
            let _ = gate.recv_timeout(LONG);
            count.lock().unwrap().0 += 1;
        }
        Notice::Dropped(lost) => count.lock().unwrap().1 += lost,
        other => panic!("{other:?}"),
    };
    let plan = Plan::new([to.port()]).buffer(1);
    let Some(capture) = started(Capture::start(&plan, sink)) else {
        return;
    };
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..SENT {
        sender.send_to(&[0; 1000], to).unwrap();
    }
    drop(go);
    let report = capture.stop().unwrap();
    assert!(report.drops > 0, "{report:?}");
    assert_eq!(
        report.packets + report.drops,
        SENT,
        "each is read or counted"
    );
    assert_eq!(*told.lock().unwrap(), (report.packets, report.drops));
}

#[test]
fn a_busy_port_does_not_keep_it_from_stopping() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = receiver.local_addr().unwrap();
    let Some(mut watch) = Watch::start(&Plan::new([to.port()])) else {
        return;
    };
    let over = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&over);
    let busy = thread::spawn(move || {
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        while !ended.load(Ordering::Relaxed) {
            sender.send_to(b"again and again", to).unwrap();
        }
    });
    watch.until(|step| *step == Step::Datagram);
    let (_, report) = watch.stop();
    over.store(true, Ordering::Relaxed);
    busy.join().unwrap();
    assert!(report.packets > 0);
}

#[test]
fn wireshark_reads_the_file_and_agrees() {
    let Ok(version) = Command::new("tshark").arg("--version").output() else {
        eprintln!("SKIPPED: tshark is not installed (apt install tshark)");
        return;
    };
    assert!(version.status.success());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let path = std::env::temp_dir().join(format!("longshore-{}.pcapng", std::process::id()));
    let file = BufWriter::new(File::create(&path).unwrap());
    let mut file = Some(Pcapng::new(file, "lo", &format!("port {port}")).unwrap());
    let (sender, packets) = channel();
    let (done, finished) = channel();
    let sink = move |notice: Notice<'_>| {
        let (Notice::Frame { frame, packet }, Some(open)) = (notice, &mut file) else {
            return;
        };
        open.write(&frame).unwrap();
        let Some(packet) = packet else { return };
        if close(Some(4), None)(&packet.step) {
            file.take().unwrap().finish(1, 0).unwrap();
            let _ = done.send(());
        }
        let _ = sender.send(*packet);
    };
    let Some(capture) = started(Capture::start(&Plan::new([port]), sink)) else {
        return;
    };
    let mut watch = Watch {
        capture,
        packets,
        seen: Vec::new(),
    };
    session(&listener, &mut watch);
    finished.recv_timeout(LONG).unwrap();
    let (packets, _) = watch.stop();

    let fields = "frame.time_epoch tcp.srcport tcp.flags tcp.seq tcp.ack tcp.len tcp.window_size";
    let mut tshark = Command::new("tshark");
    tshark
        .args([
            "-n",
            "-o",
            "tcp.relative_sequence_numbers:TRUE",
            "-T",
            "fields",
            "-r",
        ])
        .arg(&path);
    for field in fields.split(' ') {
        tshark.args(["-e", field]);
    }
    let output = tshark.output().unwrap();
    fs::remove_file(&path).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let read = String::from_utf8(output.stdout).unwrap();
    let ours: Vec<String> = packets.iter().map(as_tshark_prints).collect();
    assert_eq!(read.lines().collect::<Vec<_>>(), ours);
}

fn as_tshark_prints(packet: &Packet) -> String {
    let since = packet.at.duration_since(std::time::UNIX_EPOCH).unwrap();
    let segment = segment(packet);
    format!(
        "{}.{:09}\t{}\t0x{:04x}\t{}\t{}\t{}\t{}",
        since.as_secs(),
        since.subsec_nanos(),
        packet.from.port(),
        segment.flags.raw(),
        segment.seq.relative,
        segment.ack.map_or(0, |ack| ack.relative),
        packet.payload_bytes,
        segment.window.bytes.unwrap(),
    )
}

struct Hello;

impl Handler for Hello {
    type Connection = ();

    fn request(&mut self, _: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        reply.text("Hello, World!")
    }
}

#[test]
fn the_state_of_a_connection_that_has_no_descriptor() {
    let any: Address = "127.0.0.1:0".parse().unwrap();
    let server = Server::new().backend(Backend::IoUring).listen(any);
    let bound = match server.workers(Workers::Count(1)).bind() {
        Ok(bound) => bound,
        Err(error) => {
            eprintln!("SKIPPED: no io_uring here: {error}");
            return;
        }
    };
    let address = bound.addresses().next().and_then(Address::inet).unwrap();
    let stopper = bound.stopper();
    let running = thread::spawn(move || bound.run(|_| Hello).unwrap());
    let mut client = TcpStream::connect(address).unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let mut reply = [0; 16];
    client.read_exact(&mut reply).unwrap();
    // The server's end is a direct descriptor of its ring, so no getsockopt reaches it.
    let end = Diag::open()
        .unwrap()
        .tcp(address, client.local_addr().unwrap())
        .unwrap()
        .unwrap();
    assert_eq!(end.state, TcpState::Established);
    assert_eq!(end.info.unwrap().bytes_received, Some(27));
    drop(client);
    stopper.stop();
    running.join().unwrap();
}

/// Set in the child that has no rights.
const CHILD: &str = "LONGSHORE_PACKETS_CHILD";

#[test]
fn without_the_capability_one_line_says_so() {
    if std::env::var_os(CHILD).is_some() {
        return as_an_ordinary_user();
    }
    match Capture::start(&Plan::new([1]), |_| {}) {
        Err(CaptureError::NotPermitted) => return as_an_ordinary_user(),
        Err(error) => panic!("{error}"),
        Ok(capture) => assert_eq!(capture.stop().unwrap().drops, 0),
    }
    // This process may. One of a user without rights may not, wherever the build lies: so a copy of this program.
    let folder = std::env::temp_dir().join(format!("longshore-packets-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    let program = folder.join("packets");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut child = Command::new(&program);
    child.args([
        "--exact",
        "without_the_capability_one_line_says_so",
        "--nocapture",
    ]);
    let nobody = 65534;
    let output = child
        .env(CHILD, "1")
        .current_dir("/")
        .gid(nobody)
        .uid(nobody)
        .output();
    fs::remove_dir_all(&folder).unwrap();
    match output {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success() && text.contains("1 passed"),
                "{output:?}"
            );
            assert!(text.contains("an ordinary user was refused"), "{text}");
        }
        Err(error) => eprintln!("SKIPPED: no process of another user: {error}"),
    }
}

fn as_an_ordinary_user() {
    let error = Capture::start(&Plan::new([1]), |_| {}).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, CaptureError::NotPermitted), "{text}");
    assert!(
        text.contains("needs CAP_NET_RAW") && text.contains("setcap cap_net_raw+ep"),
        "{text}"
    );
    assert!(!text.contains('\n'));
    println!("an ordinary user was refused: {text}");
    // The state of every connection is for everybody.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (here, there) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
    let end = Diag::open().unwrap().tcp(here, there).unwrap().unwrap();
    assert!(end.info.is_some() && end.state == TcpState::Established);
}

#[test]
fn a_plan_that_cannot_be() {
    for ports in [vec![], (1..=33).collect()] {
        let error = Capture::start(&Plan::new(ports), |_| {}).unwrap_err();
        assert!(error.to_string().contains("1 to 32 ports"), "{error}");
    }
    let plan = Plan::new([1]).interface("no-such-interface");
    match Capture::start(&plan, |_| {}) {
        Err(error @ CaptureError::NotPermitted) => eprintln!("SKIPPED: {error}"),
        Err(error @ CaptureError::Interface(..)) => {
            assert!(
                error.to_string().contains("\"no-such-interface\""),
                "{error}"
            );
        }
        other => panic!("{other:?}"),
    }
}
