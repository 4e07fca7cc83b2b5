//! HTTP and, after an upgrade, WebSocket: the service that calls a [`Handler`].
//!
//! ```text
//!   input ──▶ Exchange ──head, body──▶ handler ──▶ reply in the cork
//!     │           │ 101
//!     └──────▶ WebSocket ──message──▶ handler ──▶ frames in the cork
//! ```
//!
//! The upgrade keeps the cursor: bytes that came with the handshake are read as frames by the next round of the same
//! loop. It does not know the loop, the driver or the clock.

mod http;
mod journal;
mod member;
mod websocket;

pub(super) use journal::Journal;

use std::sync::Arc;

use super::Handler;
use super::compression::{Compressor, Offer};
use super::guarded::guarded;
use super::stop::Farewell;
use super::topics::News;
use super::wake::{Mail, What};
use crate::buf::{Ceiling, Input};
use crate::conn::exchange::Exchange;
use crate::conn::websocket::WebSocket;
use crate::conn::{Io, Service};
use crate::driver::Token;
use crate::reactor::Post;
use crate::sys::Address;
use http::answer_later;
pub use member::SubscribeError;
pub(super) use member::{Member, Topics};

/// What a connection speaks.
pub(crate) enum Protocol {
    Http(Exchange),
    WebSocket(Member),
}

/// What a connection keeps.
pub(crate) struct State<C> {
    protocol: Protocol,
    application: C,
}

/// An idle connection owns this, its stream, its deadline and the driver's slot: 24 + 4 + 24 bytes. The whole must stay
/// within 128, the application's own state apart.
const _: () = assert!(size_of::<State<()>>() <= 128 - 24 - 4 - 24 - 8);

/// HTTP and WebSocket for one reactor.
pub(crate) struct Web<H> {
    handler: H,
    /// Where mail from other threads comes in.
    post: Post<Mail>,
    /// Who the peers are, and what is told of their requests.
    journal: Journal,
    compressor: Option<Compressor>,
    pub(in crate::server) topics: Topics,
    /// Over the memory of all connections' compression.
    deflate: Arc<Ceiling>,
    /// What peers are told when the server stops.
    farewell: Farewell,
    /// How many requests were answered.
    pub(crate) requests: u64,
    /// How many WebSocket messages came.
    pub(crate) messages: u64,
}

impl<H: Handler> Web<H> {
    pub(crate) fn new(
        handler: H,
        post: Post<Mail>,
        journal: Journal,
        compressor: Option<Compressor>,
        topics: Topics,
        deflate: Arc<Ceiling>,
    ) -> Self {
        Self {
            handler,
            post,
            journal,
            compressor,
            topics,
            deflate,
            farewell: Farewell::default(),
            requests: 0,
            messages: 0,
        }
    }

    /// Ends WebSockets with what `farewell` says.
    pub(in crate::server) fn parting(mut self, farewell: Farewell) -> Self {
        self.farewell = farewell;
        self
    }

    pub(in crate::server) fn handler(&self) -> &H {
        &self.handler
    }

    pub(in crate::server) fn handler_mut(&mut self) -> &mut H {
        &mut self.handler
    }

    /// The server stops: so does this WebSocket.
    fn part(&self, member: &mut Member, io: &mut Io<'_>) {
        let (code, reason) = self.farewell.words();
        member.websocket.close(code, reason, io);
    }
}

impl<H: Handler> Service for Web<H> {
    type State = State<H::Connection>;
    type Mail = Mail;

    fn accepted(&mut self, _listener: u32, io: &mut Io<'_>) -> Self::State {
        State {
            protocol: Protocol::Http(Exchange::new(io)),
            application: H::Connection::default(),
        }
    }

    #[inline]
    fn received(&mut self, state: &mut Self::State, input: &mut Input<'_>, io: &mut Io<'_>) {
        loop {
            let upgraded = match &mut state.protocol {
                Protocol::Http(exchange) => {
                    self.read_requests(exchange, &mut state.application, input, io)
                }
                Protocol::WebSocket(member) => {
                    self.read_messages(member, &mut state.application, input, io);
                    return;
                }
            };
            let Some(opening) = upgraded else { return };
            let mut websocket = WebSocket::new(opening.policy, opening.deflated, io);
            websocket.set_pieces(opening.pieces);
            let mut member = Member::new(websocket);
            self.open(&mut member, &mut state.application, io);
            if io.shared.stopping {
                self.part(&mut member, io);
            }
            state.protocol = Protocol::WebSocket(member);
        }
    }

    fn missing(&mut self, state: &mut Self::State, stored: &[u8], fresh: &[u8]) -> usize {
        match &mut state.protocol {
            Protocol::Http(exchange) => exchange.missing(stored, fresh),
            Protocol::WebSocket(member) => member.websocket.missing(stored, fresh),
        }
    }

    fn ended(&mut self, state: &mut Self::State, unfinished: bool, io: &mut Io<'_>) {
        match &mut state.protocol {
            Protocol::Http(exchange) => {
                exchange.ended(unfinished, io);
                self.tell_refusal(b"", io);
            }
            // Without a Close frame it is an abnormal end (1006), and there is nobody to tell.
            Protocol::WebSocket(_) => io.finish(),
        }
    }

    fn expired(&mut self, state: &mut Self::State, io: &mut Io<'_>) {
        match &mut state.protocol {
            Protocol::Http(exchange) => {
                exchange.expired(io);
                self.tell_refusal(b"", io);
            }
            Protocol::WebSocket(member) => member.websocket.expired(io),
        }
    }

    fn mail(&mut self, state: &mut Self::State, mail: Self::Mail, io: &mut Io<'_>) {
        let (exchange, number, what) = match (&mut state.protocol, mail) {
            (Protocol::Http(exchange), Mail::Exchange { number, what }) => (exchange, number, what),
            (Protocol::WebSocket(member), Mail::News(News::Welcome(welcome))) => {
                return self.topics.welcome(member, welcome, io);
            }
            _ => return,
        };
        match what {
            What::Wake => {
                let held = io.wants_no_input();
                exchange.wake(number, io);
                if held && !io.wants_no_input() {
                    // The piece that paused may have been the last: then nothing more comes that would tell of the end.
                    self.received(state, &mut Input::new(&mut []), io);
                }
            }
            _ if !exchange.waits_for(number) => {}
            What::Answer {
                response,
                body,
                accepts_gzip,
            } => {
                let offer = Offer::known(self.compressor.as_mut(), accepts_gzip);
                let (index, outcome) = (
                    io.token.index,
                    answer_later(&response, body, offer, exchange, io),
                );
                self.tell_later(index, outcome, io);
            }
        }
    }

    fn writable(&mut self, state: &mut Self::State, io: &mut Io<'_>) {
        match &mut state.protocol {
            Protocol::Http(exchange) => self.produce(exchange, io),
            Protocol::WebSocket(member) => self.room(member, &mut state.application, io),
        }
    }

    fn letter(&mut self, mail: Self::Mail) {
        if let Mail::News(news) = mail {
            self.topics.take(news);
        }
    }

    fn lost(&mut self, _token: Token, mail: Self::Mail) {
        self.letter(mail);
    }

    fn has_calls(&self) -> bool {
        self.topics.locals.has_work()
    }

    fn next_call(&mut self) -> Option<Token> {
        self.topics.next_call()
    }

    fn call(&mut self, state: &mut Self::State, io: &mut Io<'_>) {
        if let Protocol::WebSocket(member) = &mut state.protocol {
            self.topics.deliver(member, io);
        }
    }

    fn wants_peers(&self) -> bool {
        self.journal.wants_peers()
    }

    fn peer(&mut self, _state: &mut Self::State, address: Option<Address>, io: &mut Io<'_>) {
        self.journal.set_peer(io.token.index, address);
    }

    fn turned(&mut self) {
        self.journal.turned();
        self.topics.turned();
    }

    fn give_back(&mut self) {
        self.journal.give_back();
    }

    fn stopping(&mut self, state: &mut Self::State, io: &mut Io<'_>) {
        match &mut state.protocol {
            Protocol::Http(exchange) => exchange.stopping(io),
            Protocol::WebSocket(member) => self.part(member, io),
        }
    }

    fn closed(&mut self, token: Token, mut state: Self::State) {
        let (index, mut sent) = (token.index, 0);
        match &mut state.protocol {
            Protocol::Http(exchange) => {
                exchange.cancel();
                sent = exchange.sending_bytes();
            }
            Protocol::WebSocket(member) => self.leave_all(member),
        }
        self.journal.closed(index, sent);
        guarded(index, "closed", || self.handler.closed(state.application));
    }
}
