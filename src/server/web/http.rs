//! Requests: head, body, handler, reply.

use super::journal::Noted;
use super::{Web, guarded};
use std::sync::Arc;

use crate::buf::{Ceiling, Input};
use crate::conn::Io;
use crate::conn::exchange::Exchange;
use crate::http::{CONTINUE_REPLY, Error, Event, Framing, Head, Reading, ReplyTo, Status, Version};
use crate::reactor::Post;
use crate::server::answer::{Answer, Opening, Outcome, Portion, Then, encode_response};
use crate::server::compression::Offer;
use crate::server::incoming::Decision;
use crate::server::reply::Desk;
use crate::server::wake::Mail;
use crate::server::{Body, Handler, Incoming, Replied, Reply, Request, Response, Source};

/// What a peer is told at the memory ceiling.
const FULL: &str = "The server's memory limit is reached.";

impl<H: Handler> Web<H> {
    /// Answers every complete request in `input`. Says how the connection became a WebSocket, if it did; the frames follow.
    #[inline]
    pub(super) fn read_requests(
        &mut self,
        exchange: &mut Exchange,
        application: &mut H::Connection,
        input: &mut Input<'_>,
        io: &mut Io<'_>,
    ) -> Option<Box<Opening>> {
        while !io.wants_no_input() {
            let mut reading = Reading::START;
            let upgraded = match exchange.usual(input, io, &mut reading) {
                Some(raw) if reading.is_plain() => {
                    let head = reading.plain(raw);
                    let to = exchange.begin(head.reply_to());
                    self.answer(to, &head, &mut [], exchange, application, io)
                }
                // Nothing is left of most lends.
                None if input.is_empty() && exchange.is_between_requests() => break,
                read => {
                    let event = match read {
                        Some(raw) => exchange.judge(&reading, raw, io),
                        None => exchange.unusual(input, io),
                    };
                    let Some(event) = event else { break };
                    self.unit(event, exchange, application, input, io)
                }
            };
            if upgraded.is_some() {
                return upgraded;
            }
        }
        self.tell_refusal(input.unread(), io);
        exchange.set_deadline(input.unread(), io);
        None
    }

    /// Tells the journal of a refusal that no handler knows of. `unread` begins with the request, if no more of it was
    /// taken.
    pub(super) fn tell_refusal(&mut self, unread: &[u8], io: &mut Io<'_>) {
        let Some((status, bytes)) = io.shared.refused.take() else {
            return;
        };
        let index = io.token.index;
        // In a body, the head is stored.
        let stored = io.stored_message();
        let request = if stored.is_empty() { unread } else { stored };
        self.journal.refused(index, request, status, bytes);
    }

    /// A part of a request.
    #[inline(never)]
    fn unit<'b>(
        &mut self,
        event: Event<'b>,
        exchange: &mut Exchange,
        application: &mut H::Connection,
        input: &mut Input<'b>,
        io: &mut Io<'_>,
    ) -> Option<Box<Opening>> {
        match event {
            Event::Head(head) => self.head(&head, exchange, application, input, io),
            Event::Body(piece) => {
                self.body(piece, exchange, application, io);
                None
            }
            Event::End => self.end(exchange, application, io),
        }
    }

    /// A head has come. Most requests have no body, or one that lies right behind it: they are answered in place.
    #[inline(never)]
    fn head<'b>(
        &mut self,
        head: &Head<'b>,
        exchange: &mut Exchange,
        application: &mut H::Connection,
        input: &mut Input<'b>,
        io: &mut Io<'_>,
    ) -> Option<Box<Opening>> {
        let to = exchange.begin(head.reply_to());
        if !head.has_body() && head.framing != Framing::Chunked {
            // The end follows at once; it says nothing more.
            let _ = exchange.next(input, io);
            // An HTTP/1.0 peer has promised nothing: to close is what its version means.
            let says_close = to.version == Version::Http11 && !to.keep_alive;
            exchange.peer_done = says_close && input.is_empty() && !io.more_follows;
            return self.answer(to, head, &mut [], exchange, application, io);
        }
        let index = io.token.index;
        // Noted before anything is decided: a refusal is told with this head, not with the bytes behind it.
        let noted = self.journal.note(index, head);
        let plan = guarded(index, "head", || self.handler.head(head, application));
        let declared = if let Framing::Length(bytes) = head.framing {
            Some(bytes)
        } else {
            None
        };
        match plan {
            None => exchange.refuse_with(Status::INTERNAL_SERVER_ERROR, "The handler failed.", io),
            Some(Body::Refuse(status)) => {
                exchange.refuse_with(status, "The body is not wanted.", io);
            }
            Some(Body::Ignore)
                if head.expect_continue
                    || declared
                        .is_some_and(|bytes| bytes > io.shared.limits.collected_body_bytes_max) =>
            {
                let to = ReplyTo {
                    keep_alive: false,
                    ..to
                };
                let upgraded = self.answer(to, head, &mut [], exchange, application, io);
                if upgraded.is_some() {
                    // The body that was not read would be taken for frames.
                    io.abort();
                }
            }
            Some(Body::Collect)
                if declared
                    .is_some_and(|bytes| bytes > io.shared.limits.collected_body_bytes_max) =>
            {
                exchange.refuse_error(Error::BodyTooLarge, io);
            }
            Some(Body::Collect | Body::Ignore)
                if declared.is_some_and(|bytes| input.len() as u64 >= bytes) =>
            {
                let Some(Event::Body(body)) = exchange.next(input, io) else {
                    return None;
                };
                let _ = exchange.next(input, io);
                return self.answer(to, head, body, exchange, application, io);
            }
            Some(plan) => {
                self.journal.body_follows(index);
                store_head(
                    head,
                    plan == Body::Stream,
                    exchange,
                    input.is_empty() && !io.more_follows,
                    io,
                );
            }
        }
        self.tell(noted.as_ref(), None, io);
        None
    }

    /// A piece of a body that did not come in one lend with its head.
    fn body(
        &mut self,
        piece: &mut [u8],
        exchange: &mut Exchange,
        application: &mut H::Connection,
        io: &mut Io<'_>,
    ) {
        exchange.body_came(piece.len());
        if exchange.streams {
            let mut incoming = Incoming::new(desk(&self.post, &self.deflate, exchange, io));
            let called = guarded(io.token.index, "body", || {
                self.handler.body(piece, &mut incoming, application);
            });
            match called.map(|()| incoming.decision) {
                Some(Decision::Receive) => {}
                Some(Decision::Pause) => exchange.pause_body(io),
                Some(Decision::Refuse(status)) => {
                    exchange.refuse_with(status, "The body is not wanted.", io);
                }
                None => {
                    exchange.refuse_with(Status::INTERNAL_SERVER_ERROR, "The handler failed.", io);
                }
            }
            return;
        }
        if !io.has_room(piece.len()) {
            exchange.refuse_with(Status::SERVICE_UNAVAILABLE, FULL, io);
            return;
        }
        let limit = io.shared.limits.collected_body_bytes_max;
        let message = io.message();
        let collected = (message.len() - exchange.head_bytes as usize + piece.len()) as u64;
        if collected > limit {
            exchange.refuse_error(Error::BodyTooLarge, io);
        } else {
            message.extend_from_slice(piece);
        }
    }

    /// The body is complete: the stored head is read once more, for this one dispatch.
    fn end(
        &mut self,
        exchange: &mut Exchange,
        application: &mut H::Connection,
        io: &mut Io<'_>,
    ) -> Option<Box<Opening>> {
        let mut message = io.take_message();
        let (head, body) = message.split_at_mut(exchange.head_bytes as usize);
        let upgraded = match Head::parse(head) {
            Ok(head) => self.answer(exchange.to, &head, body, exchange, application, io),
            Err(error) => {
                debug_assert!(false, "a stored head was accepted before");
                exchange.refuse_with(error.status(), error.reason(), io);
                None
            }
        };
        io.recycle_message(message);
        upgraded
    }

    /// Lets the handler answer.
    ///
    /// What passes in and out of `guarded` is moved, and moving a record right after its fields were written one by one
    /// makes the processor wait for them. So request and reply are made inside, and a complete reply is settled there.
    fn answer(
        &mut self,
        to: ReplyTo,
        head: &Head<'_>,
        body: &mut [u8],
        exchange: &mut Exchange,
        application: &mut H::Connection,
        io: &mut Io<'_>,
    ) -> Option<Box<Opening>> {
        self.requests += 1;
        // Looked at only now: the stop may have come while the body did.
        let to = ReplyTo {
            keep_alive: to.keep_alive && !io.shared.stopping && !exchange.is_last(io),
            ..to
        };
        exchange.to = to;
        let index = io.token.index;
        let noted = self.journal.note(index, head);
        let before = io.said();
        let (mut told, mut rest) = (None, None);
        let returned = guarded(index, "request", || {
            let request = Request::new(head, body).from(self.journal.peer(index));
            let desk = desk(&self.post, &self.deflate, exchange, io);
            let (out, date) = io.out_and_date();
            let offer = Offer::to(self.compressor.as_mut(), &head.fields);
            let reply = Reply::new(out, date, to, desk, offer);
            let Replied(answer) = self.handler.request(request, reply, application);
            if noted.is_some() {
                told = Some(answer.outcome());
            }
            let Answer {
                then, keep_alive, ..
            } = answer;
            let may_keep = io.may_keep(before);
            match then {
                Then::Nothing if may_keep => exchange.replied(keep_alive, io),
                then => rest = Some((then, keep_alive, may_keep)),
            }
        });
        let upgraded = match rest {
            Some((then, keep_alive, true)) => answered(then, keep_alive, before, exchange, io),
            Some(_) => refuse_full(before, exchange, io),
            None => None,
        };
        if returned.is_none() {
            // Nothing of a reply that was begun may leave.
            io.take_back(before);
            exchange.to = ReplyTo {
                keep_alive: false,
                ..to
            };
            exchange.refuse_with(Status::INTERNAL_SERVER_ERROR, "The handler failed.", io);
            told = None;
        }
        self.tell(noted.as_ref(), told, io);
        upgraded
    }

    /// Tells the journal how a request that was noted was answered.
    #[inline]
    fn tell(&mut self, noted: Option<&Noted<'_>>, outcome: Option<Outcome>, io: &mut Io<'_>) {
        let Some(noted) = noted else { return };
        let index = io.token.index;
        match (io.shared.refused.take(), outcome) {
            (Some((status, bytes)), _) => self.journal.tell(index, noted, status, bytes),
            (None, Some(Outcome::Complete(status, bytes))) => {
                self.journal.tell(index, noted, status, bytes);
            }
            (None, Some(Outcome::Follows(status))) => self.journal.keep(index, noted, status),
            (None, None) => {}
        }
    }
}

impl<H: Handler> Web<H> {
    /// Tells the journal of a reply that came from another thread.
    pub(super) fn tell_later(&mut self, index: u32, outcome: Outcome, io: &mut Io<'_>) {
        match (io.shared.refused.take(), outcome) {
            (Some((status, bytes)), _) | (None, Outcome::Complete(status, bytes)) => {
                self.journal.status(index, status);
                self.journal.over(index, bytes);
            }
            (None, Outcome::Follows(Some(status))) => self.journal.status(index, status),
            (None, Outcome::Follows(None)) => {}
        }
    }

    /// There is room for more of a body that is on its way.
    pub(super) fn produce(&mut self, exchange: &mut Exchange, io: &mut Io<'_>) {
        // A source is the application's code.
        let so_far = exchange.sending_bytes();
        let sent = match guarded(io.token.index, "produce", || exchange.writable(io)) {
            Some(None) => return,
            Some(Some(sent)) => sent.bytes,
            None => {
                exchange.give_up(io);
                so_far
            }
        };
        self.journal.over(io.token.index, sent);
    }
}

/// A reply was begun, from where `out` held `before` bytes. Says how the connection became a WebSocket, if it did.
#[inline(never)]
fn answered(
    then: Then,
    keep_alive: bool,
    before: usize,
    exchange: &mut Exchange,
    io: &mut Io<'_>,
) -> Option<Box<Opening>> {
    if !io.has_room_if(then.held_bytes()) {
        return refuse_full(before, exchange, io);
    }
    match then {
        Then::Nothing => exchange.replied(keep_alive, io),
        Then::WebSocket(opening) => return Some(opening),
        Then::Defer(cancelled) => exchange.wait_for_reply(keep_alive, cancelled, io),
        Then::Produce(body) => exchange.send_body(*body, keep_alive, io),
        Then::Send(portions) => {
            for portion in portions {
                match portion {
                    Portion::Bytes(bytes) => io.out().extend_from_slice(&bytes),
                    Portion::File(slice) => io.send_file(slice),
                }
            }
            exchange.replied(keep_alive, io);
        }
    }
    None
}

/// At the memory ceiling: takes back what was said since `before` bytes were, and refuses instead.
#[cold]
fn refuse_full(before: usize, exchange: &mut Exchange, io: &mut Io<'_>) -> Option<Box<Opening>> {
    io.take_back(before);
    exchange.refuse_with(Status::SERVICE_UNAVAILABLE, FULL, io);
    None
}

/// Encodes a reply that came from another thread, and says what became of it.
pub(super) fn answer_later(
    response: &Response,
    body: Option<Box<dyn Source + Send>>,
    offer: Offer<'_>,
    exchange: &mut Exchange,
    io: &mut Io<'_>,
) -> Outcome {
    let to = ReplyTo {
        keep_alive: exchange.to.keep_alive && !io.shared.stopping,
        ..exchange.to
    };
    let before = io.said();
    let (out, date) = io.out_and_date();
    let answer = encode_response(response, body, out, date, to, offer);
    let outcome = answer.outcome();
    match answer.then {
        _ if !io.may_keep(before) => {
            refuse_full(before, exchange, io);
        }
        Then::Nothing => exchange.reply_came(answer.keep_alive, io),
        then => {
            answered(then, answer.keep_alive, before, exchange, io);
        }
    }
    outcome
}

fn desk<'d>(
    post: &'d Post<Mail>,
    deflate: &'d Arc<Ceiling>,
    exchange: &Exchange,
    io: &Io<'_>,
) -> Desk<'d> {
    Desk {
        post,
        deflate,
        token: io.token,
        number: exchange.number,
    }
}

/// Keeps a head until its body has come, and tells a peer that waits for it to go on.
fn store_head(
    head: &Head<'_>,
    streams: bool,
    exchange: &mut Exchange,
    nothing_follows: bool,
    io: &mut Io<'_>,
) {
    if !io.has_room(head.raw.len()) {
        exchange.refuse_with(Status::SERVICE_UNAVAILABLE, FULL, io);
        return;
    }
    let message = io.message();
    debug_assert!(message.is_empty(), "one request at a time");
    message.extend_from_slice(head.raw);
    exchange.head_bytes = head.raw.len() as u32;
    exchange.begin_body(streams, io);
    // RFC 9110 §10.1.1: not needed if the body is already on its way.
    if head.expect_continue && nothing_follows {
        io.out().extend_from_slice(CONTINUE_REPLY);
    }
}
