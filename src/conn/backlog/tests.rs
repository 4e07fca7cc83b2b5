//! Policies, without a connection.

use super::*;

fn message(key: Option<u64>, text: &str) -> Waiting {
    Waiting {
        kind: Kind::Text,
        key,
        payload: Payload::Own(text.as_bytes().to_vec()),
    }
}

fn texts(mut backlog: Backlog) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(message) = backlog.pop() {
        texts.push(String::from_utf8(message.payload.as_bytes().to_vec()).expect("text"));
    }
    assert_eq!(backlog.bytes(), 0);
    texts
}

/// Room for three messages of one byte.
const THREE: usize = 3 * (size_of::<Waiting>() + 1);

fn filled(policy: SlowPeer) -> (Backlog, Vec<Pushed>) {
    let mut backlog = Backlog::default();
    let pushed = ["a", "b", "c", "d", "e"]
        .map(|text| backlog.push(message(None, text), policy, THREE))
        .to_vec();
    (backlog, pushed)
}

#[test]
fn the_newest_or_the_oldest_are_dropped() {
    let (backlog, pushed) = filled(SlowPeer::DropNewest);
    assert_eq!(
        pushed[2..],
        [
            Pushed::Queued { dropped: 0 },
            Pushed::Dropped,
            Pushed::Dropped
        ]
    );
    assert_eq!(texts(backlog), ["a", "b", "c"]);
    let (backlog, pushed) = filled(SlowPeer::DropOldest);
    assert_eq!(pushed[3..], [Pushed::Queued { dropped: 1 }; 2]);
    assert_eq!(texts(backlog), ["c", "d", "e"]);
}

#[test]
fn a_key_is_replaced_in_its_place() {
    let mut backlog = Backlog::default();
    for (key, text) in [(Some(1), "a"), (Some(2), "b"), (None, "c"), (Some(1), "A")] {
        backlog.push(
            message(key, text),
            SlowPeer::Conflate,
            THREE + 3 * KEY_BYTES,
        );
    }
    assert_eq!(texts(backlog), ["A", "b", "c"]);
    let (backlog, _) = filled(SlowPeer::Conflate);
    assert_eq!(
        texts(backlog),
        ["c", "d", "e"],
        "without keys as the oldest"
    );
}

#[test]
fn one_large_message_waits_alone() {
    for policy in [
        SlowPeer::DropNewest,
        SlowPeer::DropOldest,
        SlowPeer::Conflate,
    ] {
        let mut backlog = Backlog::default();
        let large = "x".repeat(THREE * 2);
        backlog.push(message(None, &large), policy, THREE);
        assert_eq!(texts(backlog), [large]);
    }
}

#[test]
fn every_key_finds_its_place_however_many_wait() {
    // Each is replaced ten times and keeps its place, also when messages before it have gone. So many that a search from
    // the front, fifty billion steps, would be noticed.
    let mut backlog = Backlog::default();
    for round in 0..11_u64 {
        for key in 0..100_000 {
            let pushed = backlog.push(message(Some(key), ""), SlowPeer::Conflate, usize::MAX);
            let dropped = u32::from(round > 0);
            assert_eq!(pushed, Pushed::Queued { dropped });
        }
    }
    assert_eq!(backlog.messages.len(), 100_000);
    for _ in 0..10 {
        assert!(backlog.pop().is_some());
    }
    for key in 0..100_000 {
        let place = usize::try_from(key).expect("small").checked_sub(10);
        assert_eq!(backlog.place_of(key), place);
    }
}

#[test]
fn empty_messages_with_keys_are_bounded_too() {
    let mut backlog = Backlog::default();
    for key in 0..100_000 {
        backlog.push(message(Some(key), ""), SlowPeer::Conflate, 1 << 20);
    }
    assert!(backlog.bytes() <= 1 << 20);
    assert!(backlog.messages.len() < 15_000);
    assert_eq!(backlog.keys.len(), backlog.messages.len());
}

#[test]
fn the_last_value_of_a_key_is_never_the_one_that_goes() {
    let long = "x".repeat(THREE);
    let mut backlog = Backlog::default();
    for (key, text) in [(1, "a"), (2, "b"), (1, &*long)] {
        backlog.push(message(Some(key), text), SlowPeer::Conflate, THREE);
    }
    assert_eq!(texts(backlog), [long]);
}

/// The same rules, searched for from the front each time.
#[derive(Default)]
struct Naive(Vec<(Option<u64>, String)>);

impl Naive {
    fn bytes(&self) -> usize {
        let cost = |(key, text): &(Option<u64>, String)| message(*key, text).bytes();
        self.0.iter().map(cost).sum()
    }

    fn push(&mut self, key: Option<u64>, text: &str, policy: SlowPeer, bytes_max: usize) {
        let fresh = message(key, text).bytes();
        while policy == SlowPeer::Conflate && key.is_some() {
            let Some(place) = self.0.iter().rposition(|other| other.0 == key) else {
                break;
            };
            let (_, old) = &self.0[place];
            let others = self.bytes() - message(key, old).bytes();
            if others == 0 || others + fresh <= bytes_max {
                self.0[place].1 = text.to_owned();
                return;
            }
            self.0.remove(0);
        }
        if policy == SlowPeer::DropNewest && !self.0.is_empty() && self.bytes() + fresh > bytes_max
        {
            return;
        }
        while !self.0.is_empty() && self.bytes() + fresh > bytes_max {
            self.0.remove(0);
        }
        self.0.push((key, text.to_owned()));
    }
}

#[test]
fn any_sequence_is_as_the_naive_one() {
    let mut random = 1_u64;
    let mut below = |limit: u64| {
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (random >> 33) % limit
    };
    for _ in 0..300 {
        let (mut backlog, mut naive) = (Backlog::default(), Naive::default());
        for _ in 0..60 {
            let key = Some(below(5)).filter(|key| *key > 0);
            let text = "x".repeat(below(200) as usize);
            let policy = [
                SlowPeer::Conflate,
                SlowPeer::Conflate,
                SlowPeer::DropOldest,
                SlowPeer::DropNewest,
            ][below(4) as usize];
            if below(6) == 0 {
                let popped = backlog.pop();
                let expected = (!naive.0.is_empty()).then(|| naive.0.remove(0));
                assert_eq!(
                    popped.map(|popped| (popped.key, popped.payload.as_bytes().len())),
                    expected.map(|(key, text)| (key, text.len()))
                );
            }
            backlog.push(message(key, &text), policy, 2 * THREE);
            naive.push(key, &text, policy, 2 * THREE);
            assert_eq!(backlog.bytes(), naive.bytes());
            let found = backlog
                .messages
                .iter()
                .map(|m| (m.key, m.payload.as_bytes().len()));
            let expected = naive.0.iter().map(|(key, text)| (*key, text.len()));
            assert!(found.eq(expected));
        }
    }
}
