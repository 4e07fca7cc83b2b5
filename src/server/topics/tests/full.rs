//! Workers that do not keep up: what meets a full box arrives later, in order, or is counted.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::rig::{Rig, say, texts};
use crate::driver::sim::Shape;
use crate::limits::Limits;
use crate::server::topics::{Hub, WAITING_BYTES_MAX};
use crate::server::{PublishError, SUBSCRIPTIONS_MAX};
use crate::ws::Kind;

/// The most letters in a box.
const LETTERS_MAX: usize = 65_536;

/// What the other thread is asked to do with its worker.
enum Ask {
    Connect,
    Say(String),
    Turns(usize),
    Texts,
}

/// Worker 1, on a thread of its own. It makes turns only when it is asked to.
struct Other {
    ask: Sender<Ask>,
    told: Receiver<Vec<String>>,
}

impl Other {
    fn start(hub: &Arc<Hub>, limits: Limits) -> Self {
        let (hub, (ask, asked), (tell, told)) = (hub.clone(), channel(), channel());
        thread::spawn(move || {
            let mut rig = Rig::worker(1, &hub, Shape::Readiness, limits);
            let mut peer = None;
            let _ = tell.send(Vec::new());
            for ask in asked {
                let peer = match ask {
                    Ask::Connect => peer.insert(rig.connect()),
                    _ => peer.as_mut().expect("it is connected"),
                };
                let mut told = Vec::new();
                match ask {
                    Ask::Connect => rig.turns(5),
                    Ask::Say(text) => say(peer, &text),
                    Ask::Turns(count) => rig.turns(count),
                    Ask::Texts => told = texts(peer),
                }
                let _ = tell.send(told);
            }
        });
        let other = Self { ask, told };
        other.told.recv().expect("it runs");
        other
    }

    fn ask(&self, ask: Ask) -> Vec<String> {
        self.ask.send(ask).expect("it runs");
        self.told.recv().expect("it runs")
    }
}

/// Worker 0, here, worker 1 with one connection, and topics at home at worker 0.
fn two(limits: &Limits) -> (Rig, Other, Vec<String>) {
    let hub = Hub::new(2);
    let rig = Rig::worker(0, &hub, Shape::Readiness, limits.clone());
    let other = Other::start(&hub, limits.clone());
    other.ask(Ask::Connect);
    let names = (0..).map(|number| format!("t{number}"));
    let topics = names.filter(|name| hub.home(name) == 0).take(70).collect();
    (rig, other, topics)
}

#[test]
fn what_meets_a_full_box_comes_later_in_order() {
    let (mut rig, other, topics) = two(&Limits::default());
    let topic = &topics[0];
    other.ask(Ask::Say(format!("join {topic}")));
    other.ask(Ask::Turns(3));
    rig.turns(2);
    other.ask(Ask::Turns(2));
    // Worker 1 sleeps while more comes than its box holds.
    let count = LETTERS_MAX + 5000;
    for number in 0..count {
        rig.publisher
            .publish_text(topic, &number.to_string())
            .expect("room at home");
        if number % 10_000 == 0 {
            rig.turn();
        }
    }
    rig.turns(2);
    assert!(rig.publisher.hub.is_awaited(1), "worker 1 is asked to tell");
    other.ask(Ask::Turns(1));
    assert!(!rig.publisher.hub.is_awaited(1), "and has told");
    // A subscription whose welcome has to wait, too.
    other.ask(Ask::Say(format!("join {}", topics[1])));
    let mut got = Vec::new();
    for _ in 0..3 {
        other.ask(Ask::Turns(2));
        got.extend(other.ask(Ask::Texts));
        rig.turns(2);
    }
    other.ask(Ask::Turns(3));
    got.extend(other.ask(Ask::Texts));
    assert!(
        got.iter()
            .enumerate()
            .all(|(at, text)| *text == at.to_string())
    );
    assert_eq!(got.len(), count, "nothing is lost");
    assert_eq!(rig.figures().lost, 0);
    rig.publisher
        .publish_text(&topics[1], "welcome")
        .expect("room");
    rig.turns(2);
    other.ask(Ask::Turns(2));
    assert_eq!(other.ask(Ask::Texts), ["welcome"]);
}

#[test]
fn what_is_given_up_is_counted_and_the_newest_comes() {
    let limits = Limits {
        outbox_bytes_max: 1 << 30,
        outbox_high_bytes: 1 << 30,
        ..Limits::default()
    };
    let (mut rig, other, topics) = two(&limits);
    let topic = &topics[0];
    other.ask(Ask::Say(format!("join {topic}")));
    other.ask(Ask::Turns(3));
    rig.turns(2);
    other.ask(Ask::Turns(2));
    // 64 MiB in its box, 64 MiB before its box, and 72 MiB more. A turn at home after each: its own box is not the matter.
    let mut text = vec![b'x'; 1 << 16];
    for number in 0..3200 {
        let digits = format!("{number:08}");
        text[..8].copy_from_slice(digits.as_bytes());
        rig.publisher
            .publish(topic, Kind::Text, &text)
            .expect("room at home");
        rig.turn();
    }
    other.ask(Ask::Say("hello".to_owned()));
    for _ in 0..5 {
        other.ask(Ask::Turns(2));
        rig.turns(2);
    }
    let figures = rig.figures();
    assert_eq!(figures.encoded, 3200);
    assert_eq!(figures.delivered + figures.lost, 3200, "{figures:?}");
    let most = 2 * WAITING_BYTES_MAX as u64 / (1 << 16);
    assert!(
        (most - 20..=most).contains(&figures.delivered),
        "{figures:?}"
    );
}

#[test]
fn a_home_that_does_not_keep_up_says_so() {
    let (mut rig, other, topics) = two(&Limits::default());
    // Publishing is refused by bytes, the records among them, and by letters: from a thread that is not the home's.
    for (bytes, most) in [(1 << 20, (WAITING_BYTES_MAX >> 20) - 1), (0, LETTERS_MAX)] {
        rig.turns(2);
        let publisher = rig.publisher.clone();
        let topic = topics[0].clone();
        let published = thread::spawn(move || {
            let payload = vec![0; bytes];
            let mut count = 0;
            loop {
                match publisher.publish(&topic, Kind::Binary, &payload) {
                    Ok(()) => count += 1,
                    Err(error) => return (count, error),
                }
            }
        });
        let published = published.join().expect("no panic");
        assert_eq!(published, (most, PublishError::Full));
    }
    // So is a subscription, and its connection knows.
    other.ask(Ask::Say(format!("join {}", topics[0])));
    other.ask(Ask::Turns(2));
    assert_eq!(
        other.ask(Ask::Texts),
        ["the topic's worker does not keep up"]
    );
    rig.turns(2);
    other.ask(Ask::Say(format!("join {}", topics[0])));
    other.ask(Ask::Turns(2));
    rig.turns(2);
    rig.publisher.publish_text(&topics[0], "now").expect("room");
    rig.turns(2);
    other.ask(Ask::Turns(3));
    assert_eq!(other.ask(Ask::Texts), ["now"]);
}

#[test]
fn leaving_meets_a_full_box_and_is_not_forgotten() {
    let (mut rig, other, topics) = two(&Limits::default());
    for topic in &topics[..SUBSCRIPTIONS_MAX] {
        other.ask(Ask::Say(format!("join {topic}")));
    }
    other.ask(Ask::Turns(70));
    rig.turns(2);
    other.ask(Ask::Turns(2));
    assert!(!rig.reactor.service().topics.is_empty());
    let publisher = rig.publisher.clone();
    let topic = topics[69].clone();
    let filled = thread::spawn(move || while publisher.publish_text(&topic, "").is_ok() {});
    filled.join().expect("no panic");
    for topic in &topics[..SUBSCRIPTIONS_MAX] {
        other.ask(Ask::Say(format!("leave {topic}")));
    }
    other.ask(Ask::Turns(70));
    rig.turns(2);
    other.ask(Ask::Turns(2));
    rig.turns(2);
    assert!(rig.reactor.service().topics.is_empty(), "all have left");
}
