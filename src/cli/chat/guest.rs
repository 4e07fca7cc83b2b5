//! One connection to the room: what it may ask for, and how often.
//!
//! Every byte that comes is hostile. Each refusal is told, and costs patience; a peer that uses it up is closed with 1008
//! (RFC 6455 §7.4.1).

use std::time::{Duration, Instant};

use longshore::ws::{CloseCode, Kind};
use longshore::{Message, Socket};

use super::Room;
use super::bucket::Bucket;
use super::protocol::{ASKED_BYTES_MAX, Asked, Refusal, Told, is_id};
use super::room::Seated;

/// Messages: five at once, then one a second.
const SAYS: (u32, Duration) = (5, Duration::from_secs(1));

/// Signs of life: the page sends one in 25 seconds.
const ALIVES: (u32, Duration) = (4, Duration::from_secs(5));

/// Refusals before the connection is closed: twenty at once, then one a second.
const PATIENCE: (u32, Duration) = (20, Duration::from_secs(1));

/// A connection to the room, let in or not yet.
#[derive(Debug)]
pub(crate) struct Guest {
    seated: Option<Seated>,
    says: Bucket,
    alives: Bucket,
    patience: Bucket,
    /// It was closed: what it had sent before it knew is not looked at.
    is_over: bool,
}

impl Guest {
    /// Somebody before the door.
    pub(crate) fn new(now: Instant) -> Self {
        let bucket = |(size, interval)| Bucket::new(size, interval, now);
        Self {
            seated: None,
            says: bucket(SAYS),
            alives: bucket(ALIVES),
            patience: bucket(PATIENCE),
            is_over: false,
        }
    }

    /// A message has come.
    pub(crate) fn message(
        &mut self,
        message: &Message<'_>,
        socket: &mut Socket<'_, '_>,
        room: &Room,
        now: Instant,
    ) {
        if self.is_over {
            return;
        }
        if message.bytes.len() > ASKED_BYTES_MAX {
            return self.end(CloseCode::TOO_BIG, "too long for a chat", socket, room, now);
        }
        if let Some(seated) = &self.seated
            && !seated.seat.seen(now)
        {
            let seat = seated.seat.number();
            socket.send_text(&Told::Replaced { seat }.json());
            return self.end(CloseCode::POLICY, "entered elsewhere", socket, room, now);
        }
        let asked = match message.kind {
            Kind::Text => serde_json::from_slice(message.bytes).ok(),
            Kind::Binary => None,
        };
        let (result, id) = match asked {
            None => (Err(Refusal::Message), None),
            Some(Asked::Hello(_)) if self.seated.is_some() => (Err(Refusal::Again), None),
            Some(Asked::Hello(hello)) => {
                let entered = room.enter(&hello, socket, now);
                (entered.map(|seated| self.seated = Some(seated)), None)
            }
            Some(Asked::Say { id, .. }) if !is_id(&id) => (Err(Refusal::Message), None),
            Some(Asked::Say { id, text }) => (self.say(&id, &text, socket, room, now), Some(id)),
            Some(Asked::Alive {}) => (self.alive(socket, now), None),
        };
        if let Err(refusal) = result {
            socket.send_text(&refusal.told(id.as_deref()).json());
            if self.patience.take(now).is_err() {
                self.end(CloseCode::POLICY, "refused too often", socket, room, now);
            }
        }
    }

    /// A pong has come.
    pub(crate) fn pong(&self, now: Instant) {
        if let Some(seated) = &self.seated {
            seated.seat.seen(now);
        }
    }

    /// The connection is over.
    pub(crate) fn leave(&mut self, room: &Room, now: Instant) {
        if let Some(seated) = self.seated.take() {
            room.leave(seated, now);
        }
    }

    fn say(
        &mut self,
        id: &str,
        text: &str,
        socket: &mut Socket<'_, '_>,
        room: &Room,
        now: Instant,
    ) -> Result<(), Refusal> {
        let seated = self.seated.as_ref().ok_or(Refusal::Hello)?;
        self.says.take(now).map_err(Refusal::Rate)?;
        room.say(&seated.name, id, text, socket)
    }

    fn alive(&mut self, socket: &mut Socket<'_, '_>, now: Instant) -> Result<(), Refusal> {
        self.alives.take(now).map_err(Refusal::Rate)?;
        socket.send_text(&Told::Alive {}.json());
        Ok(())
    }

    fn end(
        &mut self,
        code: CloseCode,
        reason: &str,
        socket: &mut Socket<'_, '_>,
        room: &Room,
        now: Instant,
    ) {
        self.is_over = true;
        socket.close(code, reason);
        self.leave(room, now);
    }
}
