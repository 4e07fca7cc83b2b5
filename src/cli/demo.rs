//! The routes of `longshore serve`. They are fixed, so that tools can rely on them.

use std::time::Instant;

use longshore::http::{self, Head, Method, Status};
use longshore::{
    Body, Files, Handler, Incoming, Message, MessagePiece, Origins, Replied, Reply, Request,
    Socket, Upgrade,
};

use super::{chat, feed};

const INDEX: &str = include_str!("index.html");

/// What a path answers to, as its `Allow` field says it.
const READ: &str = "GET, HEAD, OPTIONS";
const READ_AND_POST: &str = "GET, HEAD, POST, OPTIONS";
const POST: &str = "POST, OPTIONS";
const ECHO: &str = "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS";

/// The demo server.
#[derive(Debug)]
pub(crate) struct Demo {
    /// What stands under `/static/`, if anything does.
    files: Option<Files>,
    /// On what terms `/ws` and `/ws/pieces` compress, if they do.
    #[cfg(feature = "deflate")]
    deflate: Option<longshore::Deflate>,
    /// What stands under `/chat`.
    room: chat::Room,
    /// What stands under `/feed`.
    feed: feed::Feed,
}

impl Demo {
    pub(crate) fn new(files: Option<Files>, room: chat::Room, feed: feed::Feed) -> Self {
        Self {
            files,
            #[cfg(feature = "deflate")]
            deflate: None,
            room,
            feed,
        }
    }

    /// Compresses the messages of `/ws` and `/ws/pieces`.
    #[cfg(feature = "deflate")]
    pub(crate) fn deflate(mut self, deflate: Option<longshore::Deflate>) -> Self {
        self.deflate = deflate;
        self
    }

    /// The terms of `/ws` and `/ws/pieces`. Open to every page, so that tools and demonstrations anywhere can use them:
    /// they only echo.
    #[cfg_attr(
        not(feature = "deflate"),
        expect(
            clippy::unused_self,
            reason = "without compression they are the same for all"
        )
    )]
    fn upgrade(&self) -> Upgrade<'static> {
        let upgrade = Upgrade::new().origins(Origins::Any);
        #[cfg(feature = "deflate")]
        if let Some(deflate) = self.deflate {
            return upgrade.deflate(deflate);
        }
        upgrade
    }

    /// What of a path counts from the root of the static files.
    fn file<'p>(&self, path: &'p [u8]) -> Option<(&Files, &'p [u8])> {
        let path = path.strip_prefix(b"/static")?;
        let files = self.files.as_ref()?;
        path.starts_with(b"/").then_some((files, path))
    }
}

/// What it keeps of each connection: most need nothing, so this is one pointer.
#[derive(Debug, Default)]
pub(crate) struct Connection(Option<Box<Purpose>>);

/// What a connection is used for.
#[derive(Debug)]
enum Purpose {
    /// An upload, of which so many bytes have come.
    Upload(u64),
    /// The chat, from the request for its WebSocket on.
    Chat(chat::Guest),
    /// The feed, from the request for its WebSocket on.
    Feed(feed::Listening),
}

/// The fixed paths.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Route {
    Index,
    Plaintext,
    Json,
    Pipeline,
    Baseline,
    Echo,
    Upload,
    WebSocket,
    Pieces,
    ChatPage,
    ChatStyle,
    ChatScript,
    ChatSocket,
    Feed(feed::Route),
}

impl Route {
    fn of(path: &[u8]) -> Option<Self> {
        Some(match path {
            b"/plaintext" => Self::Plaintext,
            b"/json" => Self::Json,
            b"/pipeline" => Self::Pipeline,
            b"/baseline11" => Self::Baseline,
            b"/echo" => Self::Echo,
            b"/upload" => Self::Upload,
            b"/ws" => Self::WebSocket,
            b"/ws/pieces" => Self::Pieces,
            b"/chat" => Self::ChatPage,
            b"/chat/chat.css" => Self::ChatStyle,
            b"/chat/chat.js" => Self::ChatScript,
            b"/chat/ws" => Self::ChatSocket,
            b"/" => Self::Index,
            _ => return feed::Route::of(path).map(Self::Feed),
        })
    }

    /// RFC 9110 §4.2.3: a letter is the same letter percent-encoded. Paths that need no decoding pay nothing for it.
    fn of_any(path: &[u8]) -> Option<Self> {
        Self::of(path).or_else(|| {
            let mut decoded = [b'/'; 64];
            let is_encoded = path.contains(&b'%');
            let rest = is_encoded.then(|| http::decode_path(path, &mut decoded[1..]).ok())??;
            let end = 1 + rest.as_bytes().len();
            Self::of(&decoded[..end])
        })
    }

    fn allow(self) -> &'static str {
        match self {
            Self::Index
            | Self::Plaintext
            | Self::Json
            | Self::Pipeline
            | Self::WebSocket
            | Self::Pieces
            | Self::ChatPage
            | Self::ChatStyle
            | Self::ChatScript
            | Self::ChatSocket
            | Self::Feed(_) => READ,
            Self::Baseline => READ_AND_POST,
            Self::Upload => POST,
            Self::Echo => ECHO,
        }
    }

    fn allows(self, method: Method<'_>) -> bool {
        match method {
            Method::Get | Method::Head => self != Self::Upload,
            Method::Post => matches!(self, Self::Baseline | Self::Upload | Self::Echo),
            Method::Options => true,
            Method::Put | Method::Delete | Method::Patch => self == Self::Echo,
            Method::Trace | Method::Connect | Method::Unknown(_) => false,
        }
    }
}

impl Handler for Demo {
    type Connection = Connection;

    fn head(&mut self, head: &Head<'_>, connection: &mut Connection) -> Body {
        connection.0 = None;
        match Route::of_any(head.target.path()) {
            Some(route) if !route.allows(head.method) => Body::Ignore,
            Some(Route::Upload) if head.method == Method::Post => Body::Stream,
            Some(_) => Body::Collect,
            None => Body::Ignore,
        }
    }

    fn body(&mut self, piece: &mut [u8], _: &mut Incoming<'_>, connection: &mut Connection) {
        let purpose = connection
            .0
            .get_or_insert_with(|| Box::new(Purpose::Upload(0)));
        if let Purpose::Upload(bytes) = &mut **purpose {
            *bytes += piece.len() as u64;
        }
    }

    #[inline]
    fn request(
        &mut self,
        request: Request<'_>,
        reply: Reply<'_>,
        connection: &mut Connection,
    ) -> Replied {
        let method = request.method();
        if matches!(method, Method::Unknown(_)) {
            return reply.error(Status::NOT_IMPLEMENTED, "This method is not known here.");
        }
        let Some(route) = Route::of_any(request.path()) else {
            return match self.file(request.path()) {
                Some((files, path)) => files.reply(&request, path, reply),
                None => elsewhere(&request, reply),
            };
        };
        if !route.allows(method) {
            return refused(reply, route.allow());
        }
        if method == Method::Options && route != Route::Echo {
            return options(reply, route.allow());
        }
        if !matches!(route, Route::WebSocket | Route::Pieces)
            && let Some(status) = request.failed_precondition()
        {
            return reply.status(status).empty();
        }
        match route {
            Route::Plaintext => reply.text("Hello, World!"),
            Route::Json => reply.json("{\"message\":\"Hello, World!\"}"),
            Route::Pipeline => reply.text("ok"),
            Route::Echo => echo(&request, reply),
            Route::WebSocket | Route::Pieces => {
                // The chat's may have been refused on this connection before.
                connection.0 = None;
                let upgrade = match route {
                    Route::Pieces => self.upgrade().pieces(),
                    _ => self.upgrade(),
                };
                reply
                    .upgrade(&request, &upgrade)
                    .expect("no field is no wrong field")
            }
            Route::Index => reply.ok("text/html; charset=utf-8", INDEX.as_bytes()),
            Route::Baseline => match sum(request.query().unwrap_or_default(), request.body()) {
                Some(sum) => reply.text(itoa::Buffer::new().format(sum)),
                None => reply.error(
                    Status::BAD_REQUEST,
                    "a, b and the body must be integers whose sum fits into 64 bits.",
                ),
            },
            Route::Upload => {
                let bytes = match connection.0.take().as_deref() {
                    Some(Purpose::Upload(bytes)) => *bytes,
                    _ => 0,
                };
                reply.text(itoa::Buffer::new().format(bytes))
            }
            Route::ChatPage => chat::page(reply),
            Route::ChatStyle => chat::style(reply),
            Route::ChatScript => chat::script(reply),
            Route::ChatSocket => {
                let guest = chat::Guest::new(Instant::now());
                connection.0 = Some(Box::new(Purpose::Chat(guest)));
                chat::upgrade(&request, reply)
            }
            Route::Feed(route) => {
                let mut listening = None;
                let replied = feed::answer(&self.feed, route, &request, reply, &mut listening);
                connection.0 = listening.map(|listening| Box::new(Purpose::Feed(listening)));
                replied
            }
        }
    }

    fn opened(&mut self, socket: &mut Socket<'_, '_>, connection: &mut Connection) {
        if let Some(Purpose::Feed(listening)) = connection.0.as_deref_mut() {
            feed::opened(listening, socket);
        }
    }

    #[inline]
    fn message(
        &mut self,
        message: Message<'_>,
        socket: &mut Socket<'_, '_>,
        connection: &mut Connection,
    ) {
        match connection.0.as_deref_mut() {
            Some(Purpose::Chat(guest)) => {
                guest.message(&message, socket, &self.room, Instant::now());
            }
            _ => {
                socket.send(message.kind, message.bytes);
            }
        }
    }

    fn piece(
        &mut self,
        piece: MessagePiece<'_>,
        socket: &mut Socket<'_, '_>,
        connection: &mut Connection,
    ) {
        match connection.0.as_deref() {
            Some(Purpose::Feed(_)) => feed::spoken_to(socket),
            _ => {
                socket.send_piece(piece.kind, piece.bytes, piece.last);
            }
        }
    }

    fn pong(&mut self, connection: &mut Connection) {
        if let Some(Purpose::Chat(guest)) = connection.0.as_deref() {
            guest.pong(Instant::now());
        }
    }

    fn closed(&mut self, connection: Connection) {
        if let Some(Purpose::Chat(mut guest)) = connection.0.map(|purpose| *purpose) {
            guest.leave(&self.room, Instant::now());
        }
    }
}

/// Returns the content. OPTIONS says in addition what else is possible (RFC 9110 §9.3.7), and a part to be put is refused:
/// there is nothing that it could be a part of (RFC 9110 §14.5).
#[inline]
fn echo(request: &Request<'_>, reply: Reply<'_>) -> Replied {
    const TYPE: &str = "application/octet-stream";
    match request.method() {
        Method::Options => reply
            .status(Status::OK)
            .field("Allow", ECHO)
            .expect("a constant")
            .content(TYPE, request.body()),
        Method::Put if request.head().fields.find("content-range").is_some() => {
            reply.error(Status::BAD_REQUEST, "Parts cannot be put here.")
        }
        _ => reply.ok(TYPE, request.body()),
    }
}

/// Not a path of ours: `*`, or nothing.
fn elsewhere(request: &Request<'_>, reply: Reply<'_>) -> Replied {
    match request.method() {
        Method::Options if request.head().target.raw() == b"*" => options(reply, ECHO),
        Method::Trace | Method::Connect => refused(reply, READ),
        _ => reply.error(Status::NOT_FOUND, "There is nothing here."),
    }
}

fn refused(reply: Reply<'_>, allow: &'static str) -> Replied {
    let reply = reply
        .status(Status::METHOD_NOT_ALLOWED)
        .field("Allow", allow)
        .expect("a constant");
    reply.content(
        "text/plain; charset=utf-8",
        b"This path does not answer to this method.\n",
    )
}

fn options(reply: Reply<'_>, allow: &'static str) -> Replied {
    reply
        .status(Status::NO_CONTENT)
        .field("Allow", allow)
        .expect("a constant")
        .empty()
}

/// `a` + `b` + the body. `None` if a term is missing or no integer, or the sum does not fit.
fn sum(query: &[u8], body: &[u8]) -> Option<i64> {
    let term = |name: &[u8]| {
        let mut values = query
            .split(|byte| *byte == b'&')
            .filter_map(|pair| pair.strip_prefix(name)?.strip_prefix(b"="));
        integer(values.next()?)
    };
    let mut sum = i128::from(term(b"a")?) + i128::from(term(b"b")?);
    if !body.is_empty() {
        sum += i128::from(integer(body)?);
    }
    i64::try_from(sum).ok()
}

fn integer(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text.trim_ascii()).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_needs_every_term_and_64_bits() {
        assert_eq!(sum(b"a=1&b=2", b""), Some(3));
        assert_eq!(sum(b"b=-2&x=9&a=1", b"10\n"), Some(9));
        assert_eq!(sum(b"a=9223372036854775807&b=0", b""), Some(i64::MAX));
        assert_eq!(sum(b"a=9223372036854775807&b=1", b"-1"), Some(i64::MAX));
        for bad in [
            "",
            "a=1",
            "a=1&b=",
            "a=1&b=x",
            "a=9223372036854775807&b=1",
            "aa=1&b=1",
            "a=1.0&b=1",
        ] {
            assert_eq!(sum(bad.as_bytes(), b""), None, "{bad}");
        }
        assert_eq!(sum(b"a=1&b=2", b"ten"), None);
    }

    #[test]
    fn allow_lists_what_is_allowed() {
        let paths = [
            "/",
            "/plaintext",
            "/json",
            "/pipeline",
            "/baseline11",
            "/echo",
            "/upload",
            "/ws",
            "/ws/pieces",
            "/chat",
            "/chat/chat.css",
            "/chat/chat.js",
            "/chat/ws",
            "/feed",
            "/feed/feed.css",
            "/feed/feed.js",
            "/feed/poll",
            "/feed/long-poll",
            "/feed/events",
            "/feed/ws",
        ];
        for route in paths.map(|path| Route::of(path.as_bytes()).expect("a fixed path")) {
            let named: Vec<_> = route.allow().split(", ").collect();
            for method in [
                "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT",
            ] {
                let allowed = route.allows(Method::of(method.as_bytes()));
                assert_eq!(named.contains(&method), allowed, "{method}");
            }
        }
    }

    #[test]
    fn paths_are_exact() {
        assert!(Route::of(b"/plaintext") == Some(Route::Plaintext));
        assert!(Route::of(b"/plaintext/").is_none());
        assert!(Route::of(b"/Plaintext").is_none());
        assert!(Route::of(b"/feed/").is_none());
        assert!(Route::of(b"/feeds").is_none());
    }
}
