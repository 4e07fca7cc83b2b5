//! What the driver is asked for, and when the answer comes: at once, or some turns later.

use std::io;
use std::os::unix::fs::FileExt;

use super::{Event, Kind, SendBuf, Shape, Sim, Submit, Token};
use crate::buf::{FileSlice, Part};
use crate::sys::Address;

/// The most turns that an answer is late.
const LATE_MAX: usize = 4;

impl Sim {
    /// Answers as the plan says: a poller's driver at once, a ring in a later turn.
    pub(super) fn answer(&mut self, event: Event<'static>) {
        match self.plan.shape {
            Shape::Readiness => self.queued.push_back(event),
            Shape::Completion => {
                let late = self.late();
                self.later.push((late, event));
            }
        }
    }

    /// How many turns an answer is late.
    fn late(&mut self) -> usize {
        if self.plan.chance {
            self.random.below(LATE_MAX)
        } else {
            0
        }
    }

    pub(super) fn start_send(&mut self, token: Token, mut buf: SendBuf) -> Submit {
        let delay = self.late();
        let Some(slot) = self.slots.open(token) else {
            return Submit::Failed(buf, io::ErrorKind::NotConnected.into());
        };
        assert!(
            slot.send.is_none(),
            "at most one send is in flight per connection"
        );
        slot.delay = delay;
        if self.plan.shape == Shape::Readiness {
            slot.delay = 0;
            match self.take(token, &mut buf) {
                Ok(()) if buf.remaining() == 0 => return Submit::Done(buf),
                Ok(()) => {}
                Err(error) => return Submit::Failed(buf, error),
            }
        }
        if let Some(slot) = self.slots.open(token) {
            slot.send = Some(buf);
        }
        Submit::InFlight
    }

    /// As a poller's driver does; a ring's takes none.
    pub(super) fn lend_out(&mut self, token: Token, bytes: &[u8]) -> usize {
        if self.plan.shape != Shape::Readiness {
            return 0;
        }
        let mut buf = SendBuf::new(Part::Pooled(bytes.to_vec()));
        match self.take(token, &mut buf) {
            Ok(()) => bytes.len() - buf.remaining(),
            Err(_) => 0,
        }
    }

    fn take(&mut self, token: Token, buf: &mut SendBuf) -> io::Result<()> {
        let whole = buf.remaining();
        let limit = if self.plan.chance && whole > 0 && self.random.below(2) == 0 {
            self.random.size(whole)
        } else {
            whole
        };
        let link = self.slots.open(token).and_then(|slot| slot.link().cloned());
        match link {
            Some(link) => link.borrow_mut().take(buf, limit),
            None => Err(io::Error::from_raw_os_error(libc::ENOTCONN)),
        }
    }

    pub(super) fn continue_send(&mut self, token: Token) -> Option<Event<'static>> {
        let slot = self.slots.open(token)?;
        if slot.delay > 0 {
            slot.delay -= 1;
            return None;
        }
        let mut buf = slot.send.take()?;
        let result = self.take(token, &mut buf);
        let slot = self.slots.open(token)?;
        if result.is_ok() && buf.remaining() > 0 {
            slot.send = Some(buf);
            return None;
        }
        if slot.ending
            && result.is_ok()
            && let Some(link) = slot.link()
        {
            link.borrow_mut().driver_ended = true;
        }
        Some(Event::Sent { token, buf, result })
    }

    pub(super) fn send_datagram(
        &mut self,
        socket: Token,
        to: &Address,
        mut buf: SendBuf,
    ) -> Submit {
        debug_assert!(buf.file_left().is_none(), "a datagram has no file");
        let kind = self.slots.peek(socket).and_then(|slot| slot.kind.clone());
        let Some(Kind::Datagram(from)) = kind else {
            return Submit::Failed(buf, io::ErrorKind::NotConnected.into());
        };
        let whole = buf.pieces().collect::<Vec<_>>().concat();
        if let Some(mail) = self.world.borrow_mut().mail.get_mut(to) {
            mail.push_back((from, whole));
        }
        buf.advance(buf.remaining());
        if self.plan.shape == Shape::Readiness {
            return Submit::Done(buf);
        }
        let (token, result) = (socket, Ok(()));
        self.answer(Event::Sent { token, buf, result });
        Submit::InFlight
    }

    pub(super) fn start_read(&mut self, token: Token, file: &FileSlice, mut buf: Vec<u8>) {
        if self.slots.open(token).is_none() {
            return;
        }
        let mut wanted = file.wanted(buf.capacity());
        if self.plan.chance && wanted > 0 {
            wanted = self.random.size(wanted);
        }
        buf.resize(wanted, 0);
        let result = file.file.read_at(&mut buf, file.range.start);
        buf.truncate(*result.as_ref().unwrap_or(&0));
        let result = result.map(drop);
        self.answer(Event::FileRead { token, buf, result });
    }
}
