use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::*;
use crate::trace::Thread;

fn address(text: &str) -> Option<Address> {
    (!text.is_empty()).then(|| text.parse().unwrap())
}

fn ends(local: &str, peer: &str) -> Ends {
    Ends {
        transport: None,
        local: address(local),
        peer: address(peer),
    }
}

/// Tells of a connection with these ends; an empty text is an end that nobody has told.
fn see(joins: &mut Joins, number: u64, local: &str, peer: &str) {
    joins.see(&Event {
        at: Duration::ZERO,
        wall: SystemTime::UNIX_EPOCH,
        took: None,
        thread: Thread {
            id: 1,
            name: Arc::default(),
        },
        turn: 0,
        connection: Some(Connection {
            number,
            ends: Arc::new(ends(local, peer)),
        }),
        kind: Kind::Named,
    });
}

fn number(joins: &Joins, from: &str, to: &str) -> Option<u64> {
    joins.between(&ends(from, to)).map(|found| found.number)
}

const SERVER: &str = "127.0.0.1:8080";

#[test]
fn both_ends_in_whichever_order() {
    let mut joins = Joins::default();
    see(&mut joins, 1, SERVER, "127.0.0.1:40000");
    see(&mut joins, 2, SERVER, "127.0.0.1:40001");
    assert_eq!(number(&joins, "127.0.0.1:40000", SERVER), Some(1));
    assert_eq!(number(&joins, SERVER, "127.0.0.1:40001"), Some(2));
    assert_eq!(number(&joins, "127.0.0.1:40002", SERVER), None);
    assert_eq!(number(&joins, "127.0.0.2:40000", SERVER), None);
    // The port has come again.
    see(&mut joins, 3, SERVER, "127.0.0.1:40000");
    assert_eq!(number(&joins, "127.0.0.1:40000", SERVER), Some(3));
}

#[test]
fn a_listener_on_all_interfaces_and_addresses_within_addresses() {
    let mut joins = Joins::default();
    see(&mut joins, 1, "0.0.0.0:80", "10.0.0.7:40000");
    see(&mut joins, 2, "[::]:81", "[::ffff:10.0.0.7]:40000");
    assert_eq!(number(&joins, "10.0.0.7:40000", "10.0.0.1:80"), Some(1));
    assert_eq!(number(&joins, "10.0.0.7:40000", "10.0.0.1:81"), Some(2));
    assert_eq!(number(&joins, "10.0.0.7:40000", "10.0.0.1:82"), None);
}

#[test]
fn half_of_the_addresses_only_if_nobody_has_all() {
    let mut joins = Joins::default();
    see(&mut joins, 1, "", SERVER);
    assert_eq!(number(&joins, "127.0.0.1:40000", SERVER), Some(1));
    see(&mut joins, 2, "127.0.0.1:40000", SERVER);
    see(&mut joins, 3, "", SERVER);
    assert_eq!(number(&joins, SERVER, "127.0.0.1:40000"), Some(2));
    assert_eq!(number(&joins, SERVER, "127.0.0.1:40001"), Some(3));
    // What was told later counts.
    see(&mut joins, 3, "127.0.0.1:40001", SERVER);
    assert_eq!(number(&joins, SERVER, "127.0.0.1:40002"), Some(1));
    // A socket of datagrams has many peers.
    see(&mut joins, 4, "127.0.0.1:53", "");
    assert_eq!(number(&joins, "127.0.0.1:40002", "127.0.0.1:53"), Some(4));
}

#[test]
fn only_the_newest_are_kept_in_mind() {
    let mut joins = Joins::default();
    for number in 1..=CONNECTIONS_MAX as u64 + 1 {
        let port = 1000 + number;
        see(&mut joins, number, SERVER, &format!("127.0.0.1:{port}"));
    }
    assert_eq!(joins.known.len(), CONNECTIONS_MAX);
    assert_eq!(number(&joins, "127.0.0.1:1001", SERVER), None);
    assert_eq!(number(&joins, "127.0.0.1:1002", SERVER), Some(2));
    assert_eq!(
        number(
            &joins,
            &format!("127.0.0.1:{}", 1001 + CONNECTIONS_MAX),
            SERVER
        ),
        Some(CONNECTIONS_MAX as u64 + 1)
    );
}
