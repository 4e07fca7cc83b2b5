//! Coming, going and being forgotten, with a clock moved by hand.

use std::time::{Duration, Instant};

use super::{EnterError, Member, Presence};

const GRACE: Duration = Duration::from_secs(5);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn room() -> (Presence, Instant) {
    (Presence::new(3, GRACE), Instant::now())
}

/// `Ada` for who is online, `(Ada)` for who is not.
fn shown(presence: &Presence, now: Instant) -> String {
    let shown = |member: Member| {
        if member.online {
            member.name
        } else {
            format!("({})", member.name)
        }
    };
    let list = presence.list(now).into_iter().map(shown);
    list.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_seat_is_presence() {
    let (presence, start) = room();
    assert_eq!(shown(&presence, start), "");
    let ada = presence.enter("Ada", 1, start).expect("free");
    let bob = presence.enter("bob", 2, start).expect("free");
    assert_ne!(ada.number(), bob.number());
    assert_eq!(shown(&presence, start), "Ada bob");
    assert!(ada.seen(start + seconds(2)));
    drop(ada);
    // Nobody knew when; from the next time that is brought on, the grace counts.
    assert_eq!(shown(&presence, start + seconds(100)), "Ada bob");
    assert_eq!(presence.next_change(start + seconds(101)), Some(seconds(4)));
    assert_eq!(shown(&presence, start + seconds(104)), "Ada bob");
    assert_eq!(shown(&presence, start + seconds(105)), "bob (Ada)");
    assert_eq!(presence.next_change(start + seconds(105)), None);
    assert_eq!(
        presence.list(start + seconds(200))[1].last_seen,
        start + seconds(2)
    );
    drop(bob);
}

#[test]
fn a_reconnect_within_the_grace_is_not_noticed() {
    let (presence, start) = room();
    let ada = presence.enter("Ada", 1, start).expect("free");
    let before = presence.revision(start);
    ada.leave(start + seconds(10));
    let again = presence
        .enter("Ada", 1, start + seconds(14))
        .expect("her own");
    assert_eq!(again.replaces(), None, "the old seat was given up");
    assert_eq!(presence.revision(start + seconds(60)), before);
    again.leave(start + seconds(60));
    assert_eq!(presence.revision(start + seconds(64)), before);
    assert_eq!(presence.revision(start + seconds(65)), before + 1);
    let late = presence.enter("Ada", 1, start + seconds(66)).expect("free");
    assert_eq!(presence.revision(start + seconds(66)), before + 2);
    drop(late);
}

#[test]
fn a_name_belongs_to_its_owner_while_it_counts_as_online() {
    let (presence, start) = room();
    let first = presence.enter("Straße", 1, start).expect("free");
    for same in ["Straße", "STRASSE", "strasse"] {
        let refused = presence.enter(same, 2, start).map(drop);
        assert_eq!(refused, Err(EnterError::Taken), "{same}");
    }
    // The owner may sit down elsewhere: the first connection may be dead without anybody knowing.
    let second = presence.enter("STRASSE", 1, start).expect("her own");
    assert_eq!(second.replaces(), Some(first.number()));
    assert!(!first.seen(start) && second.seen(start));
    drop(first);
    assert_eq!(shown(&presence, start + seconds(60)), "STRASSE");
    second.leave(start + seconds(60));
    let during = presence.enter("Strasse", 2, start + seconds(64)).map(drop);
    assert_eq!(during, Err(EnterError::Taken), "she may come back");
    let other = presence.enter("Strasse", 2, start + seconds(65));
    assert_eq!(other.expect("free again").replaces(), None);
}

#[test]
fn the_longest_gone_is_forgotten_and_nobody_who_is_online() {
    let (presence, start) = room();
    let a = presence.enter("a", 1, start).expect("free");
    let b = presence.enter("b", 2, start).expect("free");
    let c = presence.enter("c", 3, start).expect("free");
    let full = presence.enter("d", 4, start).map(drop);
    assert_eq!(full, Err(EnterError::Full));
    b.seen(start + seconds(1));
    a.seen(start + seconds(2));
    b.leave(start + seconds(3));
    a.leave(start + seconds(3));
    let still = presence.enter("d", 4, start + seconds(7)).map(drop);
    assert_eq!(still, Err(EnterError::Full), "both may come back");
    let later = start + seconds(8);
    assert_eq!(shown(&presence, later), "c (a) (b)", "last seen first");
    let d = presence.enter("d", 4, later).expect("b is forgotten");
    assert_eq!(shown(&presence, later), "c d (a)");
    drop((c, d));
}

#[test]
fn names_are_bounded() {
    let (presence, now) = room();
    for name in ["", &"x".repeat(257)] {
        let refused = presence.enter(name, 1, now).map(drop);
        assert_eq!(refused, Err(EnterError::InvalidName));
    }
    let longest = "x".repeat(256);
    drop(presence.enter(&longest, 1, now).expect("it fits"));
}

#[test]
fn clocks_of_workers_may_differ_a_little() {
    let (presence, start) = room();
    let seat = presence.enter("Ada", 1, start + seconds(1)).expect("free");
    assert!(seat.seen(start), "a worker that read its clock earlier");
    assert_eq!(presence.list(start)[0].last_seen, start + seconds(1));
    seat.leave(start + seconds(1));
    assert_eq!(shown(&presence, start), "Ada");
}

#[test]
fn it_is_shared_by_threads_and_keeps_its_secrets() {
    let (presence, now) = room();
    let seats: Vec<_> = std::thread::scope(|scope| {
        let enter = |owner: u128| {
            let presence = presence.clone();
            scope.spawn(move || presence.enter("Ada", owner, now).ok())
        };
        let threads: Vec<_> = (1..9).map(enter).collect();
        let seats = threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        seats.flatten().collect()
    });
    assert_eq!(seats.len(), 1, "one of eight owners got the name");
    assert!(!format!("{presence:?} {seats:?}").contains("owner"));
}
