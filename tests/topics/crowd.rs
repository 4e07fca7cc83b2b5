//! Ten thousand subscribers, some of whom never read.
//!
//! The server is a process of its own: this program, started once more. Two ends in one process would need more descriptors
//! than many machines allow.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use longshore::sys::{self, Address, Silent};
use longshore::ws::{CloseCode, Kind};
use longshore::{
    Backend, Handler, Limits, Message, Publisher, Replied, Reply, Request, Server, SlowPeer,
    Socket, Workers,
};

use super::client::Client;
use super::on_every_backend;

const CROWD: usize = 10_000;
const BROADCASTS: usize = 20;
/// Messages of 64 KiB that only those who never read subscribe to: 64 MiB, much more than a kernel keeps for a peer.
const FLOOD: usize = 1024;
/// They are said in so many steps.
const STEPS: usize = 8;
/// Says to this program that it is to be the server.
const ROLE: &str = "LONGSHORE_TEST_TOPICS_SERVER";

/// Subscribes to what messages name, and tells the figures to whoever asks.
struct Square {
    publisher: Publisher,
}

impl Handler for Square {
    type Connection = ();

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        let figures = self.publisher.figures();
        let tell = |topic: &str, numbers: Range<usize>, bytes: usize, filler: &str| {
            for number in numbers {
                let text = format!("{number:08}{}", filler.repeat(bytes - 8));
                let said = self.publisher.publish_keyed(
                    topic,
                    Kind::Text,
                    text.as_bytes(),
                    (topic == "flood").then_some(number as u64 % 2),
                );
                said.expect("there is room");
            }
        };
        match request.path() {
            [b'/', step @ b'0'..=b'9'] => {
                let (first, count) = (usize::from(step - b'0') * FLOOD / STEPS, FLOOD / STEPS);
                tell("flood", first..first + count, 1 << 16, "x");
            }
            b"/welcome" => tell("news", 0..1, 1024, "x"),
            b"/news" => tell("news", 0..BROADCASTS, 1024, "y"),
            b"/figures" => {
                return reply.text(&format!(
                    "{} {} {}",
                    figures.encoded, figures.delivered, figures.lost
                ));
            }
            _ => return reply.websocket(&request),
        }
        reply.text("said")
    }

    fn message(&mut self, message: Message<'_>, socket: &mut Socket<'_, '_>, (): &mut ()) {
        let text = String::from_utf8_lossy(message.bytes);
        socket.on_slow_peer(match &*text {
            "newest" => SlowPeer::DropNewest,
            "oldest" => SlowPeer::DropOldest,
            "conflate" => SlowPeer::Conflate,
            _ => SlowPeer::Disconnect,
        });
        let is_stuck = &*text != "reader";
        if socket.subscribe("news", 0).is_err()
            || (is_stuck && socket.subscribe("flood", 0).is_err())
        {
            socket.close(CloseCode::TRY_LATER, "busy");
        }
    }
}

/// The server, if this program was started to be one. As a test of its own it does nothing.
#[test]
fn be_the_server() {
    let Ok(backend) = env::var(ROLE) else { return };
    let backend = match &*backend {
        "epoll" => Backend::Epoll,
        "mio" => Backend::Mio,
        _ => Backend::IoUring,
    };
    let bound = Server::new()
        .listen("127.0.0.1:0".parse().expect("an address"))
        .backend(backend)
        .workers(Workers::Count(2))
        .limits(Limits {
            // Whoever never reads is to be met by its policy, not by the clock.
            write_stall_timeout: Duration::from_secs(600),
            ping_interval: Duration::from_secs(600),
            ..Limits::default()
        })
        .bind()
        .expect("a free port");
    let Some(Address::Inet(inet)) = bound.addresses().next() else {
        panic!("an internet address")
    };
    println!("\nport {}", inet.port());
    let (publisher, stopper) = (bound.publisher(), bound.stopper());
    thread::spawn(move || {
        // Until the other process ends, whatever becomes of it.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        stopper.stop();
        stopper.stop();
    });
    let make = |_| Square {
        publisher: publisher.clone(),
    };
    bound.run(make).expect("the server runs");
}

struct Other {
    process: Child,
    port: u16,
}

impl Other {
    fn start(backend: Backend) -> Self {
        let name = match backend {
            Backend::Epoll => "epoll",
            Backend::Mio => "mio",
            _ => "io-uring",
        };
        let mut process = Command::new(env::current_exe().expect("this program"))
            .args(["--exact", "crowd::be_the_server", "--nocapture"])
            .env(ROLE, name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let stdout = BufReader::new(process.stdout.take().expect("piped"));
        let mut lines = stdout.lines().map_while(Result::ok);
        let port = lines.find_map(|line| line.strip_prefix("port ")?.parse().ok());
        // The rest goes nowhere, but it must go.
        thread::spawn(move || lines.for_each(drop));
        Self {
            process,
            port: port.expect("it listens"),
        }
    }

    fn ask(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("a reply");
        assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
        reply.split_once("\r\n\r\n").expect("a body").1.to_owned()
    }

    /// Encoded, delivered, lost.
    fn figures(&self) -> [u64; 3] {
        let text = self.ask("/figures");
        let mut figures = text
            .split(' ')
            .map(|figure| figure.parse().expect("a number"));
        std::array::from_fn(|_| figures.next().expect("three"))
    }

    fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(path).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.expect("a figure in kB") * 1024
    }

    /// Waits until so many were delivered since `before`.
    fn until_delivered(&self, before: u64, count: u64) {
        let start = Instant::now();
        while self.figures()[1] - before < count {
            let patience = start.elapsed() < Duration::from_secs(60);
            assert!(patience, "{:?} and no more", self.figures());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let ended = self.process.wait();
        let well = ended.is_ok_and(|status| status.success());
        assert!(well || thread::panicking(), "the server ends well");
    }
}

fn number(text: &str) -> usize {
    text[..8].parse().expect("a number")
}

#[test]
fn ten_thousand_get_everything_whoever_does_not_read() {
    let limit = sys::raise_nofile(&mut Silent).expect("allowed");
    if limit < CROWD as u64 + 1000 {
        eprintln!("SKIPPED: {limit} descriptors are too few");
        return;
    }
    on_every_backend(|backend| {
        let server = Other::start(backend);
        let stuck = |policy: &str| {
            let mut client = Client::connect(server.port);
            client.send(policy);
            client
        };
        let mut newest = stuck("newest");
        let mut oldest = stuck("oldest");
        let mut conflate = stuck("conflate");
        let mut disconnect = stuck("disconnect");
        let mut crowd: Vec<Client> = (0..CROWD)
            .map(|_| {
                let mut client = Client::connect(server.port);
                client.send("reader");
                client
            })
            .collect();
        // Welcomed: the last one hears what is said. What the others miss of it, they miss before they are welcomed.
        let last = crowd.last_mut().expect("many");
        let rounds = (1..100).find(|_| {
            server.ask("/welcome");
            last.arrives(Duration::from_millis(300))
        });
        assert!(rounds.is_some(), "nobody is welcomed");
        let resident = server.resident_bytes();
        let before = server.figures()[1];
        for step in 0..STEPS {
            server.ask(&format!("/{step}"));
            // What the policy of the newest drops is not delivered to it. Of the others some may be late: what it and the
            // one that is cut were given counts as well.
            let said = (step + 1) * FLOOD / STEPS;
            server.until_delivered(before, 2 * said as u64);
            thread::sleep(Duration::from_millis(50));
        }
        disconnect.ends();
        let [encoded, delivered, lost] = server.figures();
        assert_eq!(lost, 0);
        server.ask("/news");
        // The oldest and the conflated are given everything, too.
        server.until_delivered(delivered, (BROADCASTS * (CROWD + 2)) as u64);
        assert_eq!(server.figures()[0] - encoded, BROADCASTS as u64, "once");
        let grown = server.resident_bytes().saturating_sub(resident);
        println!(
            "{backend}: {} KiB more for three who never read",
            grown >> 10
        );
        // At most outbox_bytes_max, and what is in flight, for each; and steps of 8 MiB on their way.
        assert!(grown < 40 << 20, "{grown} bytes");
        for client in &mut crowd {
            let mut texts = Vec::new();
            while texts.len() < BROADCASTS {
                // Behind those that told who is welcomed.
                texts.extend(Some(client.text()).filter(|text| text.ends_with('y')));
            }
            assert!(texts.iter().all(|text| text.len() == 1024));
            assert!(texts.iter().map(|text| number(text)).eq(0..BROADCASTS));
            assert!(client.is_drained());
        }
        for (client, policy) in [
            (&mut newest, "newest"),
            (&mut oldest, "oldest"),
            (&mut conflate, "conflate"),
        ] {
            let (mut flood, mut news) = (Vec::new(), Vec::new());
            loop {
                // What has to come is awaited for as long as it takes; a little longer, for what should not come.
                let is_whole = match policy {
                    "newest" => flood.len() > 1,
                    _ => news.len() == BROADCASTS && flood.contains(&(FLOOD - 1)),
                };
                let time = Duration::from_millis(if is_whole { 300 } else { 20_000 });
                if !client.arrives(time) {
                    break;
                }
                let text = client.text();
                let list = match text.len() {
                    1024 if text.ends_with('y') => &mut news,
                    1024 => continue,
                    _ => &mut flood,
                };
                list.push(number(&text));
            }
            assert!(!flood.is_empty() && flood.len() < FLOOD, "{policy}");
            if policy == "newest" {
                assert!(flood.starts_with(&[0, 1]), "what came first: {flood:?}");
            } else {
                let all = news.iter().copied().eq(0..BROADCASTS);
                let tail = flood.iter().rev().take(2);
                let has_last = tail.copied().any(|number| number == FLOOD - 1);
                assert!(all && has_last, "{policy}: {flood:?} {news:?}");
            }
            // A value takes the place of the one that it replaces.
            let in_order = flood.is_sorted() || policy == "conflate";
            assert!(in_order, "{policy}: {flood:?}");
        }
    });
}
