//! Topics: publish and subscribe across workers, slow peers, and who is told what.

mod client;
mod closing;
mod cork;
mod crowd;
#[cfg(feature = "deflate")]
mod forms;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use client::Client;
use longshore::sys::Address;
use longshore::ws::Kind;
use longshore::{
    Backend, Handler, Limits, Message, Publisher, Replied, Reply, Request, Sent, Server, SlowPeer,
    Socket, Stopper, SubscribeError, Workers,
};

const BACKENDS: [Backend; 3] = [Backend::Epoll, Backend::IoUring, Backend::Mio];

/// Does what messages say: `+topic`, `-topic`, `topic!text`.
struct Application {
    sent: Sender<Sent>,
}

impl Handler for Application {
    type Connection = bool;

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, _: &mut bool) -> Replied {
        reply.websocket(&request)
    }

    fn message(&mut self, message: Message<'_>, socket: &mut Socket<'_, '_>, slow: &mut bool) {
        let text = std::str::from_utf8(message.bytes).expect("text").to_owned();
        if let Some(topic) = text.strip_prefix('+') {
            let (topic, history) = topic.split_once('@').unwrap_or((topic, "0"));
            match socket.subscribe(topic, history.parse().expect("a number")) {
                Ok(()) => {}
                Err(SubscribeError::InvalidTopic) => {
                    assert_eq!(socket.send_text("invalid"), Sent::Now);
                }
                Err(SubscribeError::TooMany) => assert_eq!(socket.send_text("too many"), Sent::Now),
                Err(SubscribeError::Busy) => panic!("it keeps up"),
            }
        } else if let Some(topic) = text.strip_prefix('-') {
            socket.unsubscribe(topic);
            socket.send_text("left");
        } else if let Some((topic, said)) = text.split_once('!') {
            socket
                .publish(topic, Kind::Text, said.as_bytes())
                .expect("there is room");
        } else {
            let policy = match &*text {
                "newest" => SlowPeer::DropNewest,
                "oldest" => SlowPeer::DropOldest,
                "conflate" => SlowPeer::Conflate,
                "flood" => return self.flood(socket, slow),
                _ => SlowPeer::Disconnect,
            };
            socket.on_slow_peer(policy);
            socket.send_text(&text);
        }
    }

    fn drained(&mut self, socket: &mut Socket<'_, '_>, slow: &mut bool) {
        assert!(std::mem::take(slow), "asked for once, told once");
        socket.send_text("drained");
    }
}

impl Application {
    /// Ten thousand messages of 10 KB, the last with its number as its end.
    fn flood(&self, socket: &mut Socket<'_, '_>, slow: &mut bool) {
        let mut text = vec![b'x'; 10_000];
        for number in 0..10_000_u32 {
            let digits = format!("{number:08}");
            text[..8].copy_from_slice(digits.as_bytes());
            let _ = self
                .sent
                .send(socket.send_keyed(u64::from(number % 2), Kind::Text, &text));
        }
        *slow = true;
        socket.await_room();
    }
}

struct Running {
    port: u16,
    stopper: Stopper,
    publisher: Publisher,
    sent: Receiver<Sent>,
    thread: Option<thread::JoinHandle<()>>,
}

fn start(backend: Backend, workers: usize, history: u32) -> Running {
    let bound = Server::new()
        .listen("127.0.0.1:0".parse().expect("an address"))
        .backend(backend)
        .workers(Workers::Count(workers))
        .limits(Limits {
            topic_history_max: history,
            ..Limits::default()
        })
        .bind()
        .expect("a free port");
    let Some(Address::Inet(inet)) = bound.addresses().next() else {
        panic!("an internet address")
    };
    let (port, stopper, publisher) = (inet.port(), bound.stopper(), bound.publisher());
    let (tell, sent) = channel();
    let thread = thread::spawn(move || {
        bound
            .run(|_| Application { sent: tell.clone() })
            .expect("the server runs");
    });
    let running = Running {
        port,
        stopper,
        publisher,
        sent,
        thread: Some(thread),
    };
    // Whoever is answered knows that the workers run.
    drop(running.connect());
    running
}

impl Running {
    fn connect(&self) -> Client {
        Client::connect(self.port)
    }

    /// A client that subscribes to `topic`, and is welcomed.
    fn subscriber(&self, topic: &str) -> Client {
        let mut client = self.connect();
        client.send(&format!("+{topic}"));
        // It is welcomed behind what was published before: its own greeting comes back.
        let greeting = format!("hello {:p}", &client);
        let start = Instant::now();
        loop {
            client.send(&format!("{topic}!{greeting}"));
            if client.arrives(Duration::from_millis(200)) {
                break;
            }
            assert!(
                start.elapsed() < Duration::from_secs(40),
                "it is not welcomed"
            );
        }
        client
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopper.stop();
        self.stopper.stop();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the server panicked");
        }
    }
}

fn on_every_backend(test: impl Fn(Backend)) {
    for backend in BACKENDS {
        println!("{backend}");
        test(backend);
    }
}

#[test]
fn everybody_gets_everything_in_one_order() {
    on_every_backend(|backend| {
        let server = start(backend, 3, 0);
        let mut clients: Vec<Client> = (0..30).map(|_| server.subscriber("news")).collect();
        // What greeted the later ones came to the earlier ones too.
        server
            .publisher
            .publish_text("news", "BEGIN")
            .expect("room");
        for client in &mut clients {
            while client.text() != "BEGIN" {}
        }
        let before = server.publisher.figures();
        let publishers: Vec<_> = (0..3)
            .map(|number| {
                let publisher = server.publisher.clone();
                thread::spawn(move || {
                    for message in 0..200 {
                        let text = format!("{number}:{message}");
                        publisher.publish_text("news", &text).expect("room");
                    }
                })
            })
            .collect();
        let orders: Vec<Vec<String>> = clients
            .iter_mut()
            .map(|client| (0..600).map(|_| client.text()).collect())
            .collect();
        for publisher in publishers {
            publisher.join().expect("published");
        }
        for order in &orders {
            assert!(*order == orders[0], "one order for all");
        }
        for number in 0..3 {
            let prefix = format!("{number}:");
            let own: Vec<_> = orders[0]
                .iter()
                .filter(|text| text.starts_with(&prefix))
                .collect();
            assert_eq!(own.len(), 200);
            assert!(
                own.iter()
                    .enumerate()
                    .all(|(at, text)| **text == format!("{number}:{at}"))
            );
        }
        let now = server.publisher.figures();
        assert_eq!(now.encoded - before.encoded, 600, "each is encoded once");
        assert_eq!(now.delivered - before.delivered, 600 * 30);
        assert_eq!((now.compressed, now.dropped, now.lost), (0, 0, 0));
    });
}

#[test]
fn who_leaves_gets_nothing_more_and_the_others_everything() {
    on_every_backend(|backend| {
        let server = start(backend, 2, 0);
        let mut staying = server.subscriber("news");
        let mut leaving = server.subscriber("news");
        let gone = server.subscriber("news");
        drop(gone);
        leaving.send("-news");
        while leaving.text() != "left" {}
        // What was on its way may still have come before that; nothing does now.
        server
            .publisher
            .publish_text("news", "after")
            .expect("room");
        while staying.text() != "after" {}
        leaving.send("echo");
        assert_eq!(leaving.text(), "echo");
    });
}

#[test]
fn history_comes_first_and_nothing_twice() {
    on_every_backend(|backend| {
        let server = start(backend, 2, 10);
        for number in 0..25 {
            server
                .publisher
                .publish_text("log", &number.to_string())
                .expect("room");
        }
        // Through a subscriber, so that all 25 are at home.
        let mut first = server.connect();
        first.send("+log@1000");
        let texts: Vec<_> = (0..10).map(|_| first.text()).collect();
        assert_eq!(texts, (15..25).map(|n| n.to_string()).collect::<Vec<_>>());
        let mut second = server.connect();
        second.send("+log@3");
        assert_eq!(
            [second.text(), second.text(), second.text()],
            ["22", "23", "24"]
        );
        second.send("+log@3");
        second.send("log!25");
        assert_eq!(second.text(), "25", "subscribing again changes nothing");
        assert_eq!(first.text(), "25");
    });
}

#[test]
fn names_and_numbers_are_bounded() {
    let server = start(Backend::Epoll, 1, 0);
    let mut client = server.connect();
    client.send("+");
    assert_eq!(client.text(), "invalid");
    client.send(&format!("+{}", "x".repeat(256)));
    assert_eq!(client.text(), "invalid");
    for number in 0..65 {
        client.send(&format!("+topic {number}"));
    }
    assert_eq!(client.text(), "too many");
    assert!(server.publisher.publish_text("", "x").is_err());
}

#[test]
fn a_slow_peer_loses_whole_messages_and_keeps_its_connection() {
    on_every_backend(|backend| {
        for (policy, last) in [("newest", false), ("oldest", true), ("conflate", true)] {
            let server = start(backend, 1, 0);
            let mut client = server.connect();
            client.send(policy);
            assert_eq!(client.text(), policy);
            client.send("flood");
            let outcomes: Vec<Sent> = (0..10_000)
                .map(|_| {
                    server
                        .sent
                        .recv_timeout(Duration::from_secs(20))
                        .expect("told")
                })
                .collect();
            assert!(outcomes.contains(&Sent::Queued), "{policy}");
            assert_eq!(outcomes.contains(&Sent::Dropped), policy == "newest");
            let mut numbers = Vec::new();
            loop {
                let text = client.text();
                if text == "drained" {
                    break;
                }
                assert_eq!(text.len(), 10_000, "{policy}: a message is whole");
                numbers.push(text[..8].parse::<u32>().expect("a number"));
            }
            assert!(numbers.len() < 10_000, "{policy}: some were dropped");
            assert_eq!(numbers.contains(&9_999), last, "{policy}");
            if policy == "conflate" {
                // In the places of those that they replaced.
                let last = numbers.split_off(numbers.len() - 2);
                assert!(last.contains(&9_998) && last.contains(&9_999), "{last:?}");
            }
            assert!(numbers.is_sorted(), "{policy}: what came, came in order");
            client.send("echo");
            assert_eq!(client.text(), "echo", "{policy}: the connection lives");
        }
    });
}

#[test]
fn a_subscriber_that_never_reads_stops_nobody() {
    on_every_backend(|backend| {
        let server = start(backend, 2, 0);
        let stuck: Vec<Client> = (0..5).map(|_| server.subscriber("news")).collect();
        let mut reading = server.subscriber("news");
        let text = "y".repeat(100_000);
        for number in 0..200 {
            let said = format!("{number} {text}");
            server.publisher.publish_text("news", &said).expect("room");
            while reading.text() != said {}
        }
        drop(stuck);
    });
}
