//! The room, shared by all workers: it numbers, keeps and publishes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{hash, io};

use longshore::trace::Trace;
use longshore::ws::Kind;
use longshore::{Presence, PublishError, Publisher, Seat, Socket};

use super::herald::Bell;
use super::log::Log;
use super::protocol::{Hello, Refusal, Said, Told, Who};
use super::{herald, text};

/// The topic that every guest subscribes to.
const TOPIC: &str = "chat";

/// The most members that are online or remembered.
const MEMBERS_MAX: usize = 200;

/// How long somebody who has gone still counts as online.
const GRACE: Duration = Duration::from_secs(5);

/// The room. All clones are one.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Tells a room from the one before a restart.
    id: String,
    presence: Presence,
    publisher: Publisher,
    /// Its lock is the room's order.
    log: Mutex<Log>,
    bell: Bell,
}

/// Somebody who has been let in.
#[derive(Debug)]
pub(super) struct Seated {
    pub(super) seat: Seat,
    pub(super) name: String,
}

impl Room {
    /// An empty room, and a thread that says who is there. That thread ends with the program.
    ///
    /// # Errors
    /// The thread could not be started.
    pub(crate) fn open(publisher: Publisher, trace: Option<Trace>) -> io::Result<Self> {
        let room = Self::new(publisher);
        let herald = room.clone();
        std::thread::Builder::new()
            .name("chat".to_owned())
            .spawn(move || {
                // What it publishes wakes workers, by calls of its own.
                let _watched = trace.as_ref().map(Trace::watch_thread);
                herald::run(&herald);
            })?;
        Ok(room)
    }

    pub(super) fn new(publisher: Publisher) -> Self {
        // The hasher of a new map has random keys.
        let id = hash::BuildHasher::hash_one(&hash::RandomState::new(), TOPIC);
        Self {
            shared: Arc::new(Shared {
                id: format!("{id:016x}"),
                presence: Presence::new(MEMBERS_MAX, GRACE),
                publisher,
                log: Mutex::default(),
                bell: Bell::default(),
            }),
        }
    }

    /// Lets somebody in, and tells it what it has missed and who is there.
    pub(super) fn enter(
        &self,
        hello: &Hello,
        socket: &mut Socket<'_, '_>,
        now: Instant,
    ) -> Result<Seated, Refusal> {
        let owner = hello.owner().ok_or(Refusal::Key)?;
        let name = text::nickname(&hello.name).ok_or(Refusal::Name)?;
        let seat = self.shared.presence.enter(&name, owner, now)?;
        let is_back = hello.room.as_ref() == Some(&self.shared.id);
        let since = if is_back { hello.since } else { 0 };
        let log = self.order();
        if let Some(replaced) = seat.replaces() {
            // Not heard? Then its next word is answered so.
            let _ = self.publish(&Told::Replaced { seat: replaced });
        }
        socket.subscribe(TOPIC, 0).map_err(|_| Refusal::Busy)?;
        let missed = log.since(since);
        let who = self.who(now);
        drop(log);
        self.shared.bell.ring();
        let welcome = Told::Welcome {
            room: &self.shared.id,
            name: &name,
            seat: seat.number(),
        };
        let messages = missed.iter().map(|said| &**said).collect();
        for told in [welcome, Told::History { messages }, who] {
            socket.send_text(&told.json());
        }
        Ok(Seated { seat, name })
    }

    /// Says something to everybody. What was said before is told to `socket` alone, so that its client knows.
    pub(super) fn say(
        &self,
        from: &str,
        id: &str,
        text: &str,
        socket: &mut Socket<'_, '_>,
    ) -> Result<(), Refusal> {
        let text = text::message(text).ok_or(Refusal::Text)?;
        let mut log = self.order();
        if let Some(said) = log.find(from, id) {
            socket.send_text(&Told::Said(&said).json());
            return Ok(());
        }
        let said = Said {
            number: log.next(),
            time: unix_ms(),
            from: from.to_owned(),
            id: id.to_owned(),
            text: text.to_owned(),
        };
        self.publish(&Told::Said(&said))
            .map_err(|_| Refusal::Busy)?;
        log.keep(said);
        Ok(())
    }

    /// Lets somebody go. It counts as online for some seconds more, because it may be back at once.
    pub(super) fn leave(&self, seated: Seated, now: Instant) {
        seated.seat.leave(now);
        self.shared.bell.ring();
    }

    /// Tells everybody who is there, if that is not what they know: `told` is the revision that they were told of.
    pub(super) fn announce(&self, told: u64, now: Instant) -> u64 {
        // In the room's order, so that nobody who is coming in hears an older list behind a newer one.
        let _order = self.order();
        let revision = self.shared.presence.revision(now);
        if revision != told && self.publish(&self.who(now)).is_err() {
            // The topic's home does not keep up: once more, after the rest.
            self.shared.bell.ring();
            return told;
        }
        revision
    }

    /// Waits until somebody comes or goes, or until it is clear that somebody does not come back.
    pub(super) fn wait(&self) {
        let longest = self.shared.presence.next_change(Instant::now());
        self.shared.bell.wait(longest);
    }

    fn order(&self) -> MutexGuard<'_, Log> {
        // A message is kept by one assignment, behind everything that can fail.
        self.shared
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, told: &Told<'_>) -> Result<(), PublishError> {
        let json = told.json();
        self.shared
            .publisher
            .publish(TOPIC, Kind::Text, json.as_bytes())
    }

    fn who(&self, now: Instant) -> Told<'static> {
        let unix_now = unix_ms();
        let members = self.shared.presence.list(now).into_iter();
        let who = members.map(|member| {
            let ago = now.saturating_duration_since(member.last_seen);
            Who {
                name: member.name,
                online: member.online,
                seen: unix_now.saturating_sub(ago.as_millis() as u64),
            }
        });
        Told::Who {
            members: who.collect(),
        }
    }
}

/// Milliseconds since 1970, as JavaScript counts them.
fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    // A clock that is set before 1970 is no reason to fail.
    since.map_or(0, |since| since.as_millis() as u64)
}
