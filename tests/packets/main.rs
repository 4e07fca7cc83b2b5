//! Scripted sessions on loopback, captured: every packet, in order, with numbers that add up.
//!
//! A capture needs `CAP_NET_RAW`. Without it these tests say so and pass.
#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use longshore::sys::{self, Address, Family, Kind, Mode, Silent, SocketOption, TcpState};
use longshore::trace::packets::{
    Capture, CaptureError, Diag, Flags, Notice, Packet, Plan, Protocol, Report, Segment, Side,
    Step, Transport,
};

mod judges;

const LONG: Duration = Duration::from_secs(40);

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

/// How many connections the kernel forgot where TIME-WAIT was due: there are `tcp_max_tw_buckets` of those at most, tcp(7).
fn forgotten() -> Option<String> {
    let text = std::fs::read_to_string("/proc/net/netstat").unwrap();
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt: "));
    let (names, counts) = (lines.next()?.split(' '), lines.next()?.split(' '));
    let mut both = names.zip(counts);
    both.find_map(|(name, count)| (name == "TCPTimeWaitOverflow").then(|| count.to_owned()))
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
        let before = forgotten();
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
        let states = packets.last().and_then(|packet| packet.states).unwrap();
        assert_eq!(states.remote, Some(TcpState::TimeWait));
        assert_eq!(states.local, Some(TcpState::Close));
        let mut diag = Diag::open().unwrap();
        let asked = diag.tcp(client, server).unwrap().map(|end| end.state);
        if forgotten() == before {
            assert_eq!(asked, states.remote, "the kernel says the same");
        } else {
            eprintln!("SKIPPED: the kernel has too many connections in TIME-WAIT to keep this one");
        }
        assert_eq!(diag.tcp(server, client).unwrap(), None);
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
