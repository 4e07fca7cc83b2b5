//! The terms on which a request becomes a WebSocket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use longshore::sys::Address;
use longshore::{
    Backend, Handler, Origins, Replied, Reply, Request, Server, Stopper, Upgrade, Workers,
};

struct Application;

impl Handler for Application {
    type Connection = ();

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        let upgrade = match request.path() {
            b"/any" => Upgrade::new().origins(Origins::Any),
            b"/listed" => Upgrade::new().origins(Origins::Listed(&["https://good.example"])),
            b"/protocols" => Upgrade::new().protocols(&["chat.v2", "chat.v1"]),
            b"/fields" => Upgrade::new().fields(&[("X-Mine", b"yes")]),
            b"/wrong" => Upgrade::new().fields(&[("Sec-WebSocket-Accept", b"forged")]),
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
}

struct Running(u16, Stopper, Option<thread::JoinHandle<()>>);

fn start() -> Running {
    let bound = Server::new()
        .listen("127.0.0.1:0".parse().expect("an address"))
        .backend(Backend::Epoll)
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

impl Drop for Running {
    fn drop(&mut self) {
        self.1.stop();
        self.1.stop();
        if let Some(thread) = self.2.take() {
            assert!(thread.join().is_ok() || thread::panicking());
        }
    }
}

impl Running {
    /// The reply's head to a handshake with these further lines.
    fn ask(&self, path: &str, lines: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.0)).expect("it listens");
        let timeout = Some(Duration::from_secs(20));
        stream.set_read_timeout(timeout).expect("a timeout");
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: shop.example:8080\r\nUpgrade: WebSocket\r\n\
             Connection: keep-alive, upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{lines}\r\n"
        );
        stream.write_all(request.as_bytes()).expect("sent");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a reply");
            head.push(byte[0]);
        }
        String::from_utf8(head).expect("text")
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
    assert!(head.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    assert!(server.ask("/wrong", "").starts_with("HTTP/1.1 500 "));
}
