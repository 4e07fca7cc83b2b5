//! Settle: the one place where a connection's wishes become I/O.

use super::Reactor;
use super::deadlines::Deadlines;
use crate::conn::{Connection, Dispatch, Flags, Life, Service, Shared, Stream};
use crate::driver::{Driver, Submit, Token};

/// How often a connection goes on in one turn: with input that waited, or a body that it produces. Each time may fill the
/// outbox once; then the others are served first, or a peer that reads as fast as we write would hold the loop.
const ROUNDS_PER_TURN_MAX: u32 = 4;

impl<D: Driver, S: Service> Reactor<D, S> {
    /// Brings the driver in line with what the connection wants.
    pub(super) fn settle(&mut self, token: Token) {
        let entry = self.table.at_mut(token.index).and_then(Option::as_mut);
        if let Some(entry) = entry {
            let hands = Hands {
                driver: &mut self.driver,
                service: &mut self.service,
                deadlines: &mut self.deadlines,
                shared: &mut self.shared,
                cork: &mut self.cork,
                again: &mut self.again,
            };
            hands.settle(&mut entry.connection, token);
        }
    }
}

/// The parts of a reactor that settling needs besides the connection.
pub(super) struct Hands<'r, D: Driver, S: Service> {
    pub(super) driver: &'r mut D,
    pub(super) service: &'r mut S,
    pub(super) deadlines: &'r mut Deadlines,
    pub(super) shared: &'r mut Shared,
    pub(super) cork: &'r mut Vec<u8>,
    pub(super) again: &'r mut Vec<Token>,
}

impl<D: Driver, S: Service> Hands<'_, D, S> {
    /// Most dispatches end here: what was said leaves at once, from where it was written, and nothing is left to do. Such a
    /// reply costs no buffer, and its memory is still in the cache next time.
    #[inline]
    pub(super) fn settle(self, connection: &mut Connection<S::State>, token: Token) {
        let mut dispatch = Dispatch {
            cork: self.cork,
            shared: self.shared,
            token,
        };
        let mut taken = 0;
        if connection.may_leave(&mut dispatch) {
            taken = self.driver.send_at_once(token, dispatch.cork);
            if taken == dispatch.cork.len() {
                dispatch.shared.pool.renew(dispatch.cork);
                taken = 0;
            }
        }
        if dispatch.cork.is_empty() && connection.stream.is_quiet() {
            self.deadlines
                .set(token.index, connection.stream.deadline());
        } else {
            self.settle_rest(connection, token, taken);
        }
    }

    /// Whatever else may be wanted. Of what was said, `taken` bytes have left.
    #[inline(never)]
    fn settle_rest(self, connection: &mut Connection<S::State>, token: Token, mut taken: usize) {
        let Self {
            driver,
            service,
            deadlines,
            shared,
            cork,
            again,
        } = self;
        let mut rounds = 0;
        loop {
            let mut dispatch = Dispatch {
                cork,
                shared,
                token,
            };
            if matches!(connection.stream.life, Life::Over | Life::Closing) {
                break;
            }
            if let Some(mut buf) = connection.next_send(&mut dispatch) {
                buf.advance(std::mem::take(&mut taken));
                let held_bytes = buf.held_bytes();
                match driver.send(token, buf) {
                    Submit::Done(buf) => dispatch.shared.pool.put_sent(buf),
                    Submit::InFlight => {
                        let unsent = driver.unsent(token);
                        in_flight(&mut connection.stream, unsent, held_bytes, shared);
                    }
                    Submit::Failed(buf, _) => {
                        dispatch.shared.pool.put_sent(buf);
                        connection.stream.end();
                    }
                }
                continue;
            }
            if rounds == ROUNDS_PER_TURN_MAX {
                go_on_later(&mut connection.stream, token, again);
                break;
            }
            rounds += 1;
            // With room again, go on with what the service has to say, and with what was left unread.
            if !connection.resume(service, &mut dispatch) {
                break;
            }
            connection.seal(&mut dispatch);
        }
        cork.clear();
        let stream = &mut connection.stream;
        over_limit(stream, shared.limits.outbox_bytes_max);
        end_of_life(stream, driver, token, shared);
        receiving(stream, driver, token);
        shared.account(stream);
        deadlines.set(token.index, stream.deadline());
    }
}

/// Comes back to the connection in the next turn.
fn go_on_later(stream: &mut Stream, token: Token, again: &mut Vec<Token>) {
    if !stream.flags.has(Flags::AGAIN) {
        stream.flags.set(Flags::AGAIN);
        again.push(token);
    }
}

fn in_flight(stream: &mut Stream, unsent: usize, held_bytes: usize, shared: &mut Shared) {
    shared.note_in_flight(stream, held_bytes);
    stream.flags.set(Flags::IN_FLIGHT);
    stream.stall = shared.now.after(shared.timeouts.write_stall);
    stream.count = u32::try_from(unsent).unwrap_or(u32::MAX);
}

/// A peer that lets too much wait is disconnected. One message may be larger than the limit by itself.
fn over_limit(stream: &mut Stream, bytes_max: usize) {
    let Some(busy) = stream.busy.as_ref() else {
        return;
    };
    if busy.outbox.held_bytes() > bytes_max
        && busy.outbox.segments() > 1
        && stream.life == Life::Open
    {
        stream.end();
    }
}

/// Flushing → lingering → closed.
fn end_of_life<D: Driver>(stream: &mut Stream, driver: &mut D, token: Token, shared: &Shared) {
    let sent_all = !stream.flags.has(Flags::IN_FLIGHT) && stream.outbox_len() == 0;
    let half_closes = stream.flags.has(Flags::HALF_CLOSES) && stream.outbox_len() == 0;
    if half_closes && stream.life == Life::Open && !stream.flags.has(Flags::HALF_CLOSED) {
        // The driver sends it behind what is in flight.
        stream.flags.set(Flags::HALF_CLOSED);
        driver.shutdown_write(token);
    }
    if stream.life == Life::Flushing && sent_all {
        let nothing_follows = stream.flags.has(Flags::PEER_DONE) && stream.inbox_len() == 0;
        if stream.flags.has(Flags::ENDED) || nothing_follows {
            stream.end();
        } else {
            driver.shutdown_write(token);
            stream.life = Life::Lingering;
            stream.count = 0;
            stream.due = shared.now.after(shared.timeouts.linger);
        }
    }
    if stream.life == Life::Over {
        stream.life = Life::Closing;
        stream.due = crate::conn::Tick::NEVER;
        stream.stall = crate::conn::Tick::NEVER;
        if stream.flags.has(Flags::RESETS) {
            driver.reset(token);
        } else {
            driver.close(token);
        }
    }
}

/// Receives unless unread input waits already. Past the end of our interest, input is received to be forgotten: a peer
/// that is still sending would otherwise never read our last reply.
fn receiving<D: Driver>(stream: &mut Stream, driver: &mut D, token: Token) {
    let held = stream.flags.has(Flags::HELD) && stream.inbox_len() > 0;
    let pause = stream.life == Life::Open && (stream.flags.has(Flags::WAITING) || held);
    let paused = stream.flags.has(Flags::PAUSED);
    if pause == paused || stream.life == Life::Closing {
        return;
    }
    if pause {
        stream.flags.set(Flags::PAUSED);
        driver.pause_recv(token);
    } else {
        stream.flags.clear(Flags::PAUSED);
        driver.resume_recv(token);
    }
}
