//! Who is there, as the others see it.

use std::time::Duration;

use serde_json::json;

use crate::client::{Client, text};
use crate::served::on_every_backend;

#[test]
fn a_name_has_one_owner_at_a_time() {
    on_every_backend(&[], |server| {
        let (mut ada, _) = Client::enter(server.port, "Ada");
        let mut other = Client::connect(server.port, " aDA ");
        other.send(&json!({"type": "hello", "name": other.name, "key": other.key}));
        assert_eq!(other.error(), "taken");
        // On the same connection with another name.
        other.send(&json!({"type": "hello", "name": "Ada L.", "key": other.key}));
        assert_eq!(text(&other.next("welcome"), "name"), "Ada L.");
        // She comes back while her old connection has not ended: that one is told, and is worth nothing any more.
        let (mut again, _) = ada.again(server.port, "", 0);
        ada.next("replaced");
        ada.say("1", "still me?");
        ada.next("replaced");
        ada.rest();
        assert_eq!(ada.closed, Some(1008));
        again.say("1", "me!");
        assert_eq!(text(&again.next("said"), "text"), "me!");
    });
}

#[test]
fn coming_going_and_coming_back() {
    on_every_backend(&[], |server| {
        let (mut bob, _) = Client::enter(server.port, "Bob");
        bob.sees("Bob");
        let (ada, _) = Client::enter(server.port, "Ada");
        bob.sees("Ada Bob");
        // Away for a moment, as a phone is that changes its network: nobody is told.
        let (back, _) = {
            let (key, name) = (ada.key.clone(), ada.name.clone());
            drop(ada);
            std::thread::sleep(Duration::from_millis(1500));
            let mut back = Client::connect(server.port, &name);
            back.key = key;
            back.send(&json!({"type": "hello", "name": back.name, "key": back.key}));
            let history = back.next("history");
            (back, history)
        };
        std::thread::sleep(Duration::from_secs(5));
        bob.say("mark", "nothing has happened");
        let unsaid = bob.until_said("mark");
        let lists = unsaid.iter().filter(|told| told["type"] == "who");
        assert_eq!(lists.count(), 0, "no list: {unsaid:?}");
        // For good.
        drop(back);
        bob.sees("Bob (Ada)");
        // Now the name is free for anybody.
        let (mut other, _) = Client::enter(server.port, "ADA");
        other.sees("ADA Bob");
        bob.sees("ADA Bob");
    });
}

#[test]
fn many_who_come_at_once_are_few_lists() {
    on_every_backend(&[], |server| {
        let (mut watcher, _) = Client::enter(server.port, "watcher");
        watcher.sees("watcher");
        let enter = |number| Client::enter(server.port, &format!("guest {number:02}")).0;
        let guests: Vec<Client> = (0..60).map(enter).collect();
        let mut lists = 0;
        while watcher.next("who")["members"]
            .as_array()
            .expect("members")
            .len()
            < 61
        {
            lists += 1;
        }
        assert!(lists < 30, "{lists} lists for 60 guests");
        drop(guests);
    });
}

#[test]
fn the_room_has_an_end() {
    on_every_backend(&[], |server| {
        let enter = |number| Client::enter(server.port, &format!("guest {number}")).0;
        let guests: Vec<Client> = (0..200).map(enter).collect();
        let mut late = Client::connect(server.port, "late");
        let hello = json!({"type": "hello", "name": "late", "key": late.key});
        late.send(&hello);
        assert_eq!(late.error(), "full");
        drop(guests);
        // They are offline in some seconds, and the longest gone is forgotten for a new one.
        let is_let_in = (0..40).any(|_| {
            // No more often than a guest may be mistaken.
            std::thread::sleep(Duration::from_secs(1));
            late.send(&hello);
            late.is_let_in()
        });
        assert!(is_let_in);
    });
}
