//! A ring's operations: submissions are kept until their last completion, and tie the two together.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::calls::{for_each_part, slot_of};
use super::pending::{Pending, Quiet};
use super::{Recorder, failure, opened};
use crate::sys::{Address, Call, CompletionFlags, Escaped, Submission};
use crate::trace::event::{Completed, Connection, Ends, Kind, Submitted};
use crate::trace::protocol::Direction;
use crate::trace::table::Place;

/// The completion that was told last.
#[derive(Debug)]
pub(super) struct Answered {
    user_data: u64,
    place: Option<Place>,
    name: &'static str,
}

impl Recorder {
    /// Tells of a submission.
    pub(super) fn submit(&mut self, call: &Call<'_>, user_data: u64) {
        let at = Instant::now();
        let Call::Ring { name, submission } = *call else {
            return;
        };
        let operation = 1 + self
            .trace
            .shared()
            .operations
            .fetch_add(1, Ordering::Relaxed);
        let place = self.place_of(submission);
        let mut begun = false;
        if let (Some(place), Some(to), Some(fd)) = (place, submission.to, submission.fd())
            && name == "connect"
        {
            let _ = self.connects(fd, to);
            let descriptor = self.descriptor(fd);
            self.connections().alias(place, descriptor);
            begun = true;
        }
        let connection = match (place, submission.cancels) {
            (Some(place), _) => self.connections().find(place),
            (None, Some((_, Some(slot)))) => {
                let thread = self.thread_id();
                self.connections().find(slot_of(thread, slot))
            }
            _ => None,
        };
        let multishot = submission.is_multishot();
        let skips_success = submission.skips_success();
        if skips_success {
            let connection = connection.clone();
            let quiet = Quiet {
                operation,
                connection,
            };
            self.pending.add_quiet(user_data, quiet);
        } else {
            let mut bytes = Vec::new();
            if name == "send" {
                for_each_part(submission.parts, usize::MAX, |part| {
                    bytes.extend_from_slice(part);
                });
            }
            let pending = Pending {
                operation,
                place,
                bytes,
                listener: submission.fd().filter(|_| name == "accept"),
            };
            self.pending.add(user_data, pending);
        }
        let arguments = call.arguments(None, self.trace.shared().text_bytes);
        let kind = Kind::Submitted(Submitted {
            name,
            arguments: arguments.to_string(),
            operation,
            multishot,
            skips_success,
        });
        self.tell(at, connection.clone(), kind);
        if begun {
            self.tell(at, connection, opened(name));
        }
    }

    /// The slot of a submission. One that has a descriptor of the process is known under that too.
    fn place_of(&mut self, submission: &Submission<'_>) -> Option<Place> {
        let place = slot_of(self.thread_id(), submission.slot?);
        if let Some(fd) = submission.fd() {
            let descriptor = self.descriptor(fd);
            self.connections().alias(place, descriptor);
        }
        Some(place)
    }

    /// Tells of a completion.
    pub(super) fn complete(&mut self, name: &'static str, user_data: u64, result: i32, flags: u32) {
        let at = Instant::now();
        let flags = CompletionFlags(flags);
        let pending = self.pending.take(user_data, flags.more());
        let quiet = match pending {
            None => self.pending.take_quiet(user_data),
            Some(_) => None,
        };
        let operation = pending.as_ref().map(|pending| pending.operation);
        let operation = operation.or(quiet.as_ref().map(|quiet| quiet.operation));
        let place = pending.as_ref().and_then(|pending| pending.place);
        let listener = pending.as_ref().and_then(|pending| pending.listener);
        let bytes = pending.map(|pending| pending.bytes).unwrap_or_default();
        let mut connection = place.and_then(|place| self.connections().find(place));
        connection = connection.or(quiet.and_then(|quiet| quiet.connection));
        let mut begun = false;
        if name == "accept"
            && let Ok(slot) = u32::try_from(result)
        {
            connection = Some(self.accepted(at, slot, listener));
            begun = true;
        }
        let kind = Kind::Completed(Completed {
            name,
            result,
            error: (result < 0)
                .then(|| failure(&io::Error::from_raw_os_error(result.saturating_neg()))),
            flags: flags.to_string(),
            operation,
            more: flags.more(),
            bytes: match u64::try_from(result) {
                Ok(count) if matches!(name, "recv" | "send" | "read" | "recvmsg" | "sendmsg") => {
                    count
                }
                _ => 0,
            },
        });
        self.tell(at, connection.clone(), kind);
        if begun {
            self.tell(at, connection.clone(), opened(name));
        }
        if let (Some(place), Ok(count)) = (place, usize::try_from(result)) {
            if name == "send" {
                let bytes = &bytes[..count.min(bytes.len())];
                self.read_bytes(at, place, Direction::Sent, bytes);
            }
            if name == "close" && self.connections().close(place).is_some() {
                self.tell(at, connection, Kind::Closed);
            }
        }
        self.answered = Some(Answered {
            user_data,
            place,
            name,
        });
    }

    /// A client has got a slot of the ring's table.
    fn accepted(&mut self, at: Instant, slot: u32, listener: Option<i32>) -> Connection {
        let place = slot_of(self.thread_id(), slot);
        let local = listener.and_then(|fd| {
            let listener = self.descriptor(fd);
            self.connections().listener(listener).cloned()
        });
        let ends = Ends {
            local,
            ..Ends::default()
        };
        let (connection, before) = self.connections().open(place, ends.of_stream(), false);
        if before.is_some() {
            self.tell(at, before, Kind::Closed);
        }
        connection
    }

    /// The bytes of the completion that was told last.
    pub(super) fn lent(&mut self, at: Instant, user_data: u64, bytes: &[u8]) {
        let Some(place) = self.place_of_answered(user_data) else {
            return;
        };
        let connection = self.connections().find(place);
        let text = Escaped(bytes, self.trace.shared().text_bytes).to_string();
        let kind = Kind::Lent {
            bytes: bytes.len(),
            text,
        };
        self.tell(at, connection, kind);
        if self
            .answered
            .as_ref()
            .is_some_and(|answered| answered.name == "recv")
        {
            self.read_bytes(at, place, Direction::Received, bytes);
        }
    }

    /// The peer of the completion that was told last.
    pub(super) fn named(&mut self, at: Instant, user_data: u64, peer: &Address) {
        let Some(place) = self.place_of_answered(user_data) else {
            return;
        };
        let named = self.connections().name(place, None, Some(peer));
        if named.is_some() {
            self.tell(at, named, Kind::Named);
        }
    }

    fn place_of_answered(&self, user_data: u64) -> Option<Place> {
        let answered = self.answered.as_ref()?;
        answered.place.filter(|_| answered.user_data == user_data)
    }

    fn read_bytes(&mut self, at: Instant, place: Place, direction: Direction, bytes: &[u8]) {
        let mut told = std::mem::take(&mut self.protocols);
        self.connections().read(place, direction, bytes, &mut told);
        self.protocols = told;
        self.tell_protocols(at, place);
    }
}
