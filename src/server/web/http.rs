//! Requests: head, body, handler, reply.

use super::{Web, guarded};
use crate::buf::Input;
use crate::conn::Io;
use crate::conn::exchange::Exchange;
use crate::http::{CONTINUE_REPLY, Event, Framing, Head, ReplyTo, Status};
use crate::server::reply::{Answer, Desk, encode_response};
use crate::server::{Body, Handler, Replied, Reply, Request, Response};

/// What a peer is told at the memory ceiling.
const FULL: &str = "The server's memory limit is reached.";

impl<H: Handler> Web<H> {
    /// Answers every complete request in `input`. True when the connection became a WebSocket; the frames follow.
    #[inline]
    pub(super) fn read_requests(
        &mut self,
        exchange: &mut Exchange,
        application: &mut H::Connection,
        input: &mut Input<'_>,
        io: &mut Io<'_>,
    ) -> bool {
        while !io.wants_no_input() {
            let upgraded = match exchange.next(input, io) {
                None => break,
                Some(Event::Head(head)) => self.head(head, exchange, application, input, io),
                Some(Event::Body(piece)) => {
                    self.body(piece, exchange, application, io);
                    false
                }
                Some(Event::End) => self.end(exchange, application, io),
            };
            if upgraded {
                return true;
            }
        }
        exchange.set_deadline(input.len(), io);
        false
    }

    /// A head has come. Most requests have no body, or one that lies right behind it: they are answered in place.
    #[inline]
    fn head<'b>(
        &mut self,
        head: Head<'b>,
        exchange: &mut Exchange,
        application: &mut H::Connection,
        input: &mut Input<'b>,
        io: &mut Io<'_>,
    ) -> bool {
        exchange.begin(head.reply_to());
        if !head.has_body() && head.framing != Framing::Chunked {
            // The end follows at once; it says nothing more.
            let _ = exchange.next(input, io);
            return self.answer(Request::new(head, &mut []), exchange, application, io);
        }
        let plan = guarded(|| self.handler.head(&head, application));
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
                exchange.to.keep_alive = false;
                let request = Request::new(head, &mut []);
                if self.answer(request, exchange, application, io) {
                    // The body that was not read would be taken for frames.
                    io.abort();
                }
            }
            Some(Body::Collect)
                if declared
                    .is_some_and(|bytes| bytes > io.shared.limits.collected_body_bytes_max) =>
            {
                exchange.refuse_with(Status::CONTENT_TOO_LARGE, "The body is too large.", io);
            }
            Some(Body::Collect | Body::Ignore)
                if declared.is_some_and(|bytes| input.len() as u64 >= bytes) =>
            {
                let Some(Event::Body(body)) = exchange.next(input, io) else {
                    return false;
                };
                let _ = exchange.next(input, io);
                return self.answer(Request::new(head, body), exchange, application, io);
            }
            Some(plan) => store_head(
                &head,
                plan == Body::Stream,
                exchange,
                input.is_empty() && !io.more_follows,
                io,
            ),
        }
        false
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
            if guarded(|| self.handler.body(piece, application)).is_none() {
                exchange.refuse_with(Status::INTERNAL_SERVER_ERROR, "The handler failed.", io);
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
            exchange.refuse_with(Status::CONTENT_TOO_LARGE, "The body is too large.", io);
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
    ) -> bool {
        let mut message = io.take_message();
        let (head, body) = message.split_at_mut(exchange.head_bytes as usize);
        let upgraded = match Head::parse(head) {
            Ok(head) => self.answer(Request::new(head, body), exchange, application, io),
            Err(error) => {
                debug_assert!(false, "a stored head was accepted before");
                exchange.refuse_with(error.status(), error.reason(), io);
                false
            }
        };
        io.recycle_message(message);
        upgraded
    }

    /// Lets the handler answer.
    #[inline]
    fn answer(
        &mut self,
        request: Request<'_>,
        exchange: &mut Exchange,
        application: &mut H::Connection,
        io: &mut Io<'_>,
    ) -> bool {
        self.requests += 1;
        // Looked at only now: the stop may have come while the body did.
        exchange.to.keep_alive &= !io.shared.stopping;
        let to = exchange.to;
        let desk = Desk {
            post: &self.post,
            token: io.token,
            number: exchange.number,
        };
        let (out, date) = io.out_and_date();
        let before = out.len();
        let reply = Reply::new(out, date, to, desk);
        match guarded(|| self.handler.request(request, reply, application)) {
            Some(Replied(Answer::Encoded { keep_alive })) => {
                if io.may_keep(before) {
                    exchange.replied(keep_alive, io);
                } else {
                    io.out().truncate(before);
                    exchange.refuse_with(Status::SERVICE_UNAVAILABLE, FULL, io);
                }
            }
            Some(Replied(Answer::WebSocket)) => return true,
            Some(Replied(Answer::Deferred {
                keep_alive,
                cancelled,
            })) => exchange.wait_for_reply(keep_alive, cancelled, io),
            None => {
                // Nothing of a reply that was begun may leave.
                io.out().truncate(before);
                exchange.to = ReplyTo {
                    keep_alive: false,
                    ..to
                };
                exchange.refuse_with(Status::INTERNAL_SERVER_ERROR, "The handler failed.", io);
            }
        }
        false
    }
}

impl<H: Handler> Web<H> {
    /// Encodes a reply that came from another thread.
    pub(super) fn answer_later(response: &Response, exchange: &mut Exchange, io: &mut Io<'_>) {
        let to = ReplyTo {
            keep_alive: exchange.to.keep_alive && !io.shared.stopping,
            ..exchange.to
        };
        let (out, date) = io.out_and_date();
        let keep_alive = encode_response(response, out, date, to);
        exchange.reply_came(keep_alive, io);
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
