//! Who is there: online, offline, and when last seen.
//!
//! ```text
//!   enter ──▶ Online ── the seat is dropped ──▶ Leaving ── the grace is over ──▶ Offline ──▶ forgotten
//!               ▲                                  │                                │        when room is needed,
//!               └── enter, as the same owner ──────┴── enter, as anybody ───────────┘        longest gone first
//! ```
//!
//! A connection that breaks and comes back within the grace period was never away for the others. It has no clock and no
//! thread: every call brings the time. It knows no sockets either; who has sat down says when it heard from its peer,
//! usually from [`Handler::pong`](crate::Handler::pong) and [`Handler::message`](crate::Handler::message).

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The most bytes of a member's name.
pub const MEMBER_NAME_BYTES_MAX: usize = 256;

/// Who is there. Cheap to clone; all clones are one, so that every worker's handler can have it.
///
/// Names are told apart without regard to case, and one name has one seat. A name belongs to its owner, a number that
/// only its client knows, as long as it counts as online: so nobody else can take it, while a client whose broken
/// connection was not noticed yet gets it back.
///
/// ```
/// use longshore::{EnterError, Presence};
/// use std::time::{Duration, Instant};
///
/// let presence = Presence::new(100, Duration::from_secs(5));
/// let start = Instant::now();
/// let seat = presence.enter("Ada", 0x5ec2e7, start)?;
/// assert_eq!(presence.enter("ADA", 0xbad, start).unwrap_err(), EnterError::Taken);
/// seat.seen(start + Duration::from_secs(30)); // a pong, or a message
///
/// drop(seat);
/// let later = start + Duration::from_secs(60);
/// assert!(presence.list(later)[0].online, "she may be back at once");
/// let ada = &presence.list(later + Duration::from_secs(5))[0];
/// assert!(!ada.online);
/// assert_eq!(ada.last_seen, start + Duration::from_secs(30));
/// # Ok::<(), EnterError>(())
/// ```
#[derive(Clone)]
pub struct Presence {
    members: Arc<Mutex<Members>>,
    members_max: usize,
    grace: Duration,
}

/// A member, as [`Presence::list`] tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The name, as the member wrote it.
    pub name: String,
    /// Whether it is there, or may still come back without anybody having noticed.
    pub online: bool,
    /// The last sign of life.
    pub last_seen: Instant,
}

/// Why nobody could sit down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnterError {
    /// Somebody else has this name now.
    Taken,
    /// As many members as may be remembered are online.
    Full,
    /// The name is empty or longer than [`MEMBER_NAME_BYTES_MAX`].
    InvalidName,
}

impl fmt::Display for EnterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Taken => "somebody else has this name now",
            Self::Full => "no more members can be here at once",
            Self::InvalidName => "a name has 1 to 256 bytes",
        })
    }
}

impl std::error::Error for EnterError {}

impl Presence {
    /// Nobody is there yet.
    ///
    /// `members_max` bounds online and offline members together, and with them what a call may cost: some hundreds are
    /// meant. `grace` is how long a member that has gone still counts as online; a few seconds cover a reconnect.
    pub fn new(members_max: usize, grace: Duration) -> Self {
        Self {
            members: Arc::default(),
            members_max,
            grace,
        }
    }

    /// Sits down under a name. Dropping the seat is leaving.
    ///
    /// The same owner gets a seat that is still taken, and the old one is worth nothing from then on:
    /// [`Seat::replaces`] names it. If `members_max` are remembered, the one that has been offline for longest is
    /// forgotten.
    ///
    /// # Errors
    /// [`EnterError`].
    pub fn enter(&self, name: &str, owner: u128, now: Instant) -> Result<Seat, EnterError> {
        if name.is_empty() || name.len() > MEMBER_NAME_BYTES_MAX {
            return Err(EnterError::InvalidName);
        }
        let key = key_of(name);
        let mut members = self.settled(now);
        let mut replaces = None;
        if let Some(record) = members.records.get(&key) {
            match record.state {
                State::Online { .. } | State::Leaving { .. } if record.owner != owner => {
                    return Err(EnterError::Taken);
                }
                State::Online { seat } => replaces = Some(seat),
                State::Leaving { .. } | State::Offline => {}
            }
        } else if members.records.len() >= self.members_max && !members.forget_one() {
            return Err(EnterError::Full);
        }
        let number = members.sit_down(key.clone(), name, owner, now);
        drop(members);
        Ok(Seat {
            presence: self.clone(),
            key,
            number,
            replaces,
        })
    }

    /// Everybody who is remembered: those online first, by name; then the others, last seen first.
    pub fn list(&self, now: Instant) -> Vec<Member> {
        let members = self.settled(now);
        let mut list: Vec<(&Box<str>, Member)> = members
            .records
            .iter()
            .map(|(key, record)| (key, record.member()))
            .collect();
        list.sort_by(|(one_key, one), (other_key, other)| {
            other.online.cmp(&one.online).then_with(|| {
                let by_time = other.last_seen.cmp(&one.last_seen);
                if one.online { Ordering::Equal } else { by_time }.then(one_key.cmp(other_key))
            })
        });
        list.into_iter().map(|(_, member)| member).collect()
    }

    /// A number that grows whenever somebody comes, goes or is forgotten. A last sign of life alone does not change it.
    pub fn revision(&self, now: Instant) -> u64 {
        self.settled(now).revision
    }

    /// How long until a member's grace period ends, if one is running: when to look at [`revision`](Self::revision)
    /// again although nothing has happened.
    pub fn next_change(&self, now: Instant) -> Option<Duration> {
        let members = self.settled(now);
        let leaving = members
            .records
            .values()
            .filter_map(|record| match record.state {
                State::Leaving { since: Some(since) } => Some(
                    self.grace
                        .saturating_sub(now.saturating_duration_since(since)),
                ),
                _ => None,
            });
        leaving.min()
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        // Every change is complete before the lock is given back: a panic elsewhere leaves nothing half done.
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The members, as they are at this time.
    fn settled(&self, now: Instant) -> MutexGuard<'_, Members> {
        let mut members = self.lock();
        members.settle(now, self.grace);
        members
    }
}

impl fmt::Debug for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Owners are secrets: they are not shown.
        let members = self.lock();
        f.debug_struct("Presence")
            .field("members", &members.records.len())
            .field("members_max", &self.members_max)
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}

/// A place among those who are online. Dropping it is leaving.
#[derive(Debug)]
#[must_use = "dropping the seat is leaving"]
pub struct Seat {
    presence: Presence,
    key: Box<str>,
    number: u64,
    replaces: Option<u64>,
}

impl Seat {
    /// Its number. None is given twice.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The seat that the same owner still had, if it did.
    pub fn replaces(&self) -> Option<u64> {
        self.replaces
    }

    /// A sign of life has come. False if the owner has sat down elsewhere meanwhile: then this seat is worth nothing.
    pub fn seen(&self, now: Instant) -> bool {
        let mut members = self.presence.lock();
        let own = members.record_of(self);
        if let Some(record) = own {
            // Workers read the clock each for itself.
            record.last_seen = record.last_seen.max(now);
            return true;
        }
        false
    }

    /// Leaves at a time that is known. Where a seat is only dropped, the grace period counts from the next call that
    /// brings a time.
    pub fn leave(self, now: Instant) {
        self.give_up(Some(now));
    }

    fn give_up(&self, now: Option<Instant>) {
        let mut members = self.presence.lock();
        if let Some(record) = members.record_of(self) {
            record.state = State::Leaving { since: now };
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // After `leave` the seat is not this one's any more, and nothing happens.
        self.give_up(None);
    }
}

/// What is remembered.
#[derive(Default)]
struct Members {
    records: HashMap<Box<str>, Record>,
    revision: u64,
    /// The number of the seat that was given last.
    seats: u64,
}

struct Record {
    name: Box<str>,
    owner: u128,
    last_seen: Instant,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    Online {
        seat: u64,
    },
    /// Gone, and nobody has noticed. `None`: since when is not known yet.
    Leaving {
        since: Option<Instant>,
    },
    Offline,
}

impl Members {
    /// Lets those go whose grace is over.
    fn settle(&mut self, now: Instant, grace: Duration) {
        for record in self.records.values_mut() {
            if let State::Leaving { since } = &mut record.state {
                let since = *since.get_or_insert(now);
                if now.saturating_duration_since(since) >= grace {
                    record.state = State::Offline;
                    self.revision += 1;
                }
            }
        }
    }

    /// Forgets the member that has been offline for longest. False if nobody is offline.
    fn forget_one(&mut self) -> bool {
        let offline = self
            .records
            .iter()
            .filter(|(_, record)| matches!(record.state, State::Offline));
        let oldest = offline.min_by_key(|(_, record)| record.last_seen);
        let Some(key) = oldest.map(|(key, _)| key.clone()) else {
            return false;
        };
        self.records.remove(&key);
        self.revision += 1;
        true
    }

    fn sit_down(&mut self, key: Box<str>, name: &str, owner: u128, now: Instant) -> u64 {
        self.seats += 1;
        let record = Record {
            name: name.into(),
            owner,
            last_seen: now,
            state: State::Online { seat: self.seats },
        };
        let before = self.records.insert(key, record);
        // Who comes back before anybody has noticed changes nothing, unless it writes its name in another way.
        let unnoticed = before
            .is_some_and(|before| !matches!(before.state, State::Offline) && *before.name == *name);
        self.revision += u64::from(!unnoticed);
        self.seats
    }

    /// The record of a seat, if that still counts.
    fn record_of(&mut self, seat: &Seat) -> Option<&mut Record> {
        let record = self.records.get_mut(&seat.key)?;
        matches!(record.state, State::Online { seat: number } if number == seat.number)
            .then_some(record)
    }
}

impl Record {
    fn member(&self) -> Member {
        Member {
            name: self.name.to_string(),
            online: !matches!(self.state, State::Offline),
            last_seen: self.last_seen,
        }
    }
}

/// Names that differ only in case have one key. Upper case first, because ß becomes SS there and a final ς is no other
/// letter than σ.
fn key_of(name: &str) -> Box<str> {
    name.to_uppercase().to_lowercase().into()
}
