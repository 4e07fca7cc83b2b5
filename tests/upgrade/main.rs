//! The terms on which a request becomes a WebSocket, over real connections and on every backend.
//!
//! ```text
//!   table   RFC 6455 §4.1, §4.2 and §4.4, rule by rule: raw requests, and the reply to each
//!   bytes   what comes before, with and behind the handshake
//!   here    origins, subprotocols, fields and refusals, as a handler sets them
//! ```
#![forbid(unsafe_code)]

mod bytes;
mod table;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use longshore::http::Status;
use longshore::sys::Address;
use longshore::{
    Backend, Handler, Message, Origins, Replied, Reply, Request, Server, Socket, Stopper, Upgrade,
    Workers,
};

const BACKENDS: [Backend; 3] = [Backend::Epoll, Backend::IoUring, Backend::Mio];

const HANDSHAKE: &str = "GET / HTTP/1.1\r\nHost: shop.example:8080\r\nUpgrade: WebSocket\r\n\
    Connection: keep-alive, upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

struct Application;

impl Handler for Application {
    type Connection = ();

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        let upgrade = match request.path() {
            b"/any" => Upgrade::new().origins(Origins::Any),
            b"/listed" => Upgrade::new().origins(Origins::Listed(&["https://good.example"])),
            b"/protocols" => Upgrade::new().protocols(&["chat.v2", "chat.v1"]),
            b"/fields" => Upgrade::new().fields(&[
                ("X-Mine", b"yes"),
                ("Set-Cookie", b"a=b"),
                ("Set-Cookie", b"c=d; Secure"),
            ]),
            b"/wrong" => Upgrade::new().fields(&[("Sec-WebSocket-Accept", b"forged")]),
            b"/body" => return reply.ok("text/plain", request.body()),
            b"/login" => return login(reply),
            b"/busy" => return reply.error(Status::SERVICE_UNAVAILABLE, "Try again later."),
            _ => Upgrade::new(),
        };
        if request.path() == b"/protocols" {
            let chosen = upgrade.choose(&request);
            assert!(chosen.is_none_or(|chosen| chosen.starts_with("chat.")));
        }
        match reply.upgrade(&request, &upgrade) {
            Ok(replied) => replied,
            Err(error) => panic!("refused, as it should be: {error:?}"),
        }
    }

    fn message(&mut self, message: Message<'_>, socket: &mut Socket<'_, '_>, (): &mut ()) {
        socket.send(message.kind, message.bytes);
    }
}

/// Any status and content refuse.
fn login(reply: Reply<'_>) -> Replied {
    let status = Status::new(401).expect("a status");
    let reply = reply
        .status(status)
        .field("WWW-Authenticate", "Basic realm=\"chat\"")
        .expect("a constant");
    reply.content("application/json", b"{\"error\":\"log in\"}")
}

struct Running(u16, Stopper, Option<thread::JoinHandle<()>>);

fn start_on(backend: Backend) -> Running {
    let bound = Server::new()
        .listen("127.0.0.1:0".parse().expect("an address"))
        .backend(backend)
        .workers(Workers::Count(1))
        .bind()
        .expect("a free port");
    let Some(Address::Inet(inet)) = bound.addresses().next() else {
        panic!("an internet address")
    };
    let (port, stopper) = (inet.port(), bound.stopper());
    let thread = thread::spawn(move || {
        bound.run(|_| Application).expect("the server runs");
    });
    Running(port, stopper, Some(thread))
}

fn start() -> Running {
    start_on(Backend::Epoll)
}

impl Drop for Running {
    fn drop(&mut self) {
        self.1.stop();
        self.1.stop();
        if let Some(thread) = self.2.take() {
            assert!(thread.join().is_ok() || thread::panicking());
        }
    }
}

/// A client that says exactly what it is told to.
struct Peer(TcpStream);

impl Peer {
    fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("sent");
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).expect("a reply");
        bytes
    }

    /// The head of the next reply.
    fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.take(1));
        }
        String::from_utf8(head).expect("text")
    }

    /// The next reply: its head, and its content.
    fn reply(&mut self) -> (String, Vec<u8>) {
        let head = self.head();
        let length = field(&head, "Content-Length").map(|length| length.parse().expect("a number"));
        let content = self.take(length.unwrap_or(0));
        (head, content)
    }

    /// Whether frames are read and answered from here on.
    fn is_websocket(&mut self) -> bool {
        self.send(b"\x89\x82\0\0\0\0hi");
        self.take(4) == b"\x8a\x02hi"
    }

    /// Everything up to the server's FIN. A reset fails the test.
    fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).expect("a FIN, not a reset");
        rest
    }
}

/// The value of a field of a head.
fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut fields = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "));
    let found = fields.find(|(own, _)| own.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}

impl Running {
    fn connect(&self) -> Peer {
        let stream = TcpStream::connect(("127.0.0.1", self.0)).expect("it listens");
        let timeout = Some(Duration::from_secs(20));
        stream.set_read_timeout(timeout).expect("a timeout");
        stream.set_nodelay(true).expect("a socket");
        Peer(stream)
    }

    /// The reply's head to a handshake with these further lines.
    fn ask(&self, path: &str, lines: &str) -> String {
        let mut peer = self.connect();
        let request = HANDSHAKE.replacen("GET /", &format!("GET {path}"), 1);
        let end = request.len() - 2;
        peer.send(format!("{}{lines}\r\n", &request[..end]).as_bytes());
        peer.head()
    }
}

#[test]
fn pages_of_the_same_origin_and_programs_may() {
    let server = start();
    for (path, origin, status) in [
        ("/", "", 101),
        ("/", "Origin: http://shop.example:8080\r\n", 101),
        ("/", "Origin: https://SHOP.example:8080\r\n", 101),
        ("/", "Origin: http://shop.example\r\n", 403),
        ("/", "Origin: http://evil.example:8080\r\n", 403),
        ("/", "Origin: null\r\n", 403),
        (
            "/",
            "Origin: http://a\r\nOrigin: http://shop.example:8080\r\n",
            400,
        ),
        ("/any", "Origin: http://evil.example\r\n", 101),
        ("/listed", "Origin: https://good.example\r\n", 101),
        ("/listed", "Origin: https://shop.example:8080\r\n", 403),
        ("/listed", "", 101),
    ] {
        let head = server.ask(path, origin);
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{path} {origin}: {head}"
        );
    }
}

#[test]
fn the_subprotocol_is_the_clients_most_preferred_one_that_is_spoken() {
    let server = start();
    for (offer, chosen) in [
        ("chat.v1, chat.v2", Some("chat.v1")),
        ("other, chat.v2", Some("chat.v2")),
        ("other", None),
        ("CHAT.V1", None),
    ] {
        let head = server.ask(
            "/protocols",
            &format!("Sec-WebSocket-Protocol: {offer}\r\n"),
        );
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let line = head
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Protocol: "));
        assert_eq!(line, chosen, "{offer}");
    }
    let head = server.ask("/", "Sec-WebSocket-Protocol: chat.v1\r\n");
    assert!(!head.contains("Sec-WebSocket-Protocol"), "{head}");
}

#[test]
fn the_101_takes_fields_but_not_those_of_the_handshake() {
    let server = start();
    let head = server.ask("/fields", "");
    assert!(head.contains("\r\nX-Mine: yes\r\n"), "{head}");
    assert!(head.contains("\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d; Secure\r\n"));
    assert!(head.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    assert!(server.ask("/wrong", "").starts_with("HTTP/1.1 500 "));
}

#[test]
fn any_status_and_content_refuse_and_the_connection_may_try_again() {
    for backend in BACKENDS {
        let server = start_on(backend);
        let mut peer = server.connect();
        peer.send(HANDSHAKE.replacen("GET /", "GET /login", 1).as_bytes());
        let (head, content) = peer.reply();
        assert!(head.starts_with("HTTP/1.1 401 "), "{backend}: {head}");
        assert_eq!(
            field(&head, "WWW-Authenticate"),
            Some("Basic realm=\"chat\"")
        );
        assert_eq!(field(&head, "Content-Type"), Some("application/json"));
        assert_eq!(content, b"{\"error\":\"log in\"}");
        for field_of_101 in ["Upgrade", "Sec-WebSocket-Accept"] {
            assert_eq!(field(&head, field_of_101), None);
        }
        peer.send(HANDSHAKE.replacen("GET /", "GET /busy", 1).as_bytes());
        assert!(peer.reply().0.starts_with("HTTP/1.1 503 "), "{backend}");
        peer.send(HANDSHAKE.as_bytes());
        assert!(peer.head().starts_with("HTTP/1.1 101 "), "{backend}");
        assert!(peer.is_websocket());
    }
}
