//! What each path of the feed answers.

use std::time::Instant;

use longshore::http::{Method, Status};
use longshore::ws::{CloseCode, Kind};
use longshore::{Replied, Reply, ReplyFields, Request, Response, Socket, Ticket, Upgrade};

use super::log::HISTORY_MAX;
use super::stream::EventStream;
use super::ticker::{Listening, TOPIC};
use super::told::{self, Client};
use super::{Feed, Route, asked, pages};

/// Of everything but the page. `no-store`: an answer is old when it comes a second time. `no-transform`: nothing is
/// compressed, by us neither, so that what the page counts is what was sent; and nothing between holds a stream back.
const CACHE_CONTROL: (&str, &str) = ("Cache-Control", "no-store, no-transform");

/// Answers a request. One that becomes a WebSocket leaves in `listening` what is to be done when it is open.
pub(crate) fn answer(
    feed: &Feed,
    route: Route,
    request: &Request<'_>,
    reply: Reply<'_>,
    listening: &mut Option<Listening>,
) -> Replied {
    match route {
        Route::Page => return pages::page(request.field("host"), reply),
        Route::Style => return pages::style(reply),
        Route::Script => return pages::script(reply),
        Route::Poll | Route::LongPoll | Route::Events | Route::Socket => {}
    }
    let query = request.query().unwrap_or_default();
    let after = match route {
        Route::Events => {
            let fields = request.fields();
            let ids = fields.filter(|(name, _)| name.eq_ignore_ascii_case(b"Last-Event-ID"));
            asked::last_event(ids.map(|(_, id)| id), query)
        }
        _ => asked::after(query),
    };
    let Ok(after) = after else {
        return reply.error(Status::BAD_REQUEST, asked::NUMBER_WANTED);
    };
    let request_bytes = request.head().raw.len() as u64;
    let must_wake = feed.lock().hear(Instant::now());
    feed.wake_if(must_wake);
    match route {
        Route::LongPoll if request.method() != Method::Head => {
            long_poll(feed, after, request_bytes, reply)
        }
        Route::Events => events(feed, after, request_bytes, reply),
        Route::Socket => {
            if !feed.lock().has_room(Ticket::is_cancelled) {
                return full(reply);
            }
            *listening = Some(Listening::new(feed, after, request_bytes));
            let upgraded = reply.upgrade(request, &Upgrade::new().pieces());
            upgraded.expect("no field is no wrong field")
        }
        _ => poll(feed, after, request_bytes, reply),
    }
}

/// At once, whatever there is.
fn poll(feed: &Feed, after: u64, request_bytes: u64, reply: Reply<'_>) -> Replied {
    let since = feed.lock().log.since(after, HISTORY_MAX);
    let client = Client {
        feed: feed.name(),
        request_bytes,
    };
    let list = told::list(client, &since);
    cached(reply.status(Status::OK)).content("application/json", list.as_bytes())
}

/// At once if there is something; otherwise the ticket waits for the ticker.
fn long_poll(feed: &Feed, after: u64, request_bytes: u64, reply: Reply<'_>) -> Replied {
    let mut desk = feed.lock();
    if !desk.log.since(after, 1).events.is_empty() {
        drop(desk);
        return poll(feed, after, request_bytes, reply);
    }
    if !desk.has_room(Ticket::is_cancelled) {
        drop(desk);
        return full(reply);
    }
    let (replied, ticket) = reply.defer();
    let must_wake = desk.wait(ticket, request_bytes, Instant::now());
    drop(desk);
    feed.wake_if(must_wake);
    replied
}

/// A reply to a long poll from the ticker's thread.
pub(super) fn listed(list: String) -> Response {
    let (name, value) = CACHE_CONTROL;
    let response = Response::new(Status::OK)
        .field("Content-Type", "application/json")
        .and_then(|response| response.field(name, value));
    response.expect("constants").content(list)
}

fn events(feed: &Feed, after: u64, request_bytes: u64, reply: Reply<'_>) -> Replied {
    if !feed.lock().has_room(Ticket::is_cancelled) {
        return full(reply);
    }
    let stream = EventStream::new(feed, reply.wake(), after, request_bytes);
    let reply = cached(reply.status(Status::OK));
    let reply = reply.field("Content-Type", "text/event-stream");
    reply.expect("a constant").stream(stream)
}

fn cached(reply: ReplyFields<'_>) -> ReplyFields<'_> {
    let (name, value) = CACHE_CONTROL;
    reply.field(name, value).expect("a constant")
}

/// As many listen as may, or the server stops.
fn full(reply: Reply<'_>) -> Replied {
    let reply = reply.status(Status::SERVICE_UNAVAILABLE);
    let reply = reply.field("Retry-After", "1").expect("a constant");
    cached(reply).content(
        "text/plain; charset=utf-8",
        b"Too many listen to the feed, or the server stops. Try again in a second, or ask /feed/poll.\n",
    )
}

/// A WebSocket is open: tells it the state and what it has missed. Who asked for the last place at the same time as others
/// hears here that it has gone.
pub(crate) fn opened(listening: &mut Listening, socket: &mut Socket<'_, '_>) {
    let mut desk = listening.feed.lock();
    if !desk.has_room(Ticket::is_cancelled) || socket.subscribe(TOPIC, 0).is_err() {
        drop(desk);
        return socket.close(CloseCode::TRY_LATER, "too many listen");
    }
    desk.add_socket();
    let since = desk.log.since(listening.after, HISTORY_MAX);
    drop(desk);
    listening.is_counted = true;
    let client = Client {
        feed: listening.feed.name(),
        request_bytes: listening.request_bytes,
    };
    socket.send_text(&told::state(client, since.last, since.missed));
    for event in &since.events {
        socket.send(Kind::Text, event.json.as_bytes());
    }
}

/// Only the server speaks on this WebSocket.
pub(crate) fn spoken_to(socket: &mut Socket<'_, '_>) {
    socket.close(CloseCode::POLICY, "nobody listens here");
}
