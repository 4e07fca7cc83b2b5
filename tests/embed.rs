//! The library as an embedder uses it: handlers that stream, defer, refuse, panic.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use longshore::http::{Head, Method, Status};
use longshore::sys::{Address, SocketOption};
use longshore::{
    Backend, Body, Handler, Incoming, Message, Replied, Reply, Request, Response, Server, Socket,
    Stopper, Ticket, Workers,
};

/// A handler with a bit of everything.
struct Application {
    tickets: Sender<Ticket>,
    closed: Sender<u32>,
}

#[derive(Default)]
struct Visit {
    requests: u32,
    streamed: usize,
    closed: Option<Sender<u32>>,
}

impl Drop for Visit {
    fn drop(&mut self) {
        if let Some(closed) = &self.closed {
            let _ = closed.send(self.requests);
        }
    }
}

impl Handler for Application {
    type Connection = Visit;

    fn head(&mut self, head: &Head<'_>, _: &mut Visit) -> Body {
        match head.target.path() {
            b"/stream" => Body::Stream,
            b"/refuse" => Body::Refuse(Status::FORBIDDEN),
            b"/panic-head" => panic!("a handler's bug in head"),
            _ => Body::Collect,
        }
    }

    fn body(&mut self, piece: &mut [u8], _: &mut Incoming<'_>, visit: &mut Visit) {
        assert!(!piece.is_empty(), "pieces are never empty");
        visit.streamed += piece.len();
    }

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, visit: &mut Visit) -> Replied {
        visit.requests += 1;
        visit.closed = Some(self.closed.clone());
        match request.path() {
            b"/stream" => {
                assert!(request.method() == Method::Post && request.body().is_empty());
                reply.text(&visit.streamed.to_string())
            }
            b"/panic" => panic!("a handler's bug"),
            b"/defer" => {
                let (replied, ticket) = reply.defer();
                let _ = self.tickets.send(ticket);
                replied
            }
            b"/field" => match reply
                .status(Status::FOUND)
                .field("Location", request.body())
            {
                Ok(reply) => reply.empty(),
                Err(error) => panic!("the encoder refused it, as it should: {error:?}"),
            },
            b"/ws" => reply.websocket(&request),
            _ => reply.text("plain"),
        }
    }

    fn opened(&mut self, socket: &mut Socket<'_, '_>, _: &mut Visit) {
        socket.send_text("welcome");
    }

    fn message(&mut self, message: Message<'_>, _: &mut Socket<'_, '_>, _: &mut Visit) {
        assert!(message.bytes != b"panic", "a handler's bug in message");
    }

    fn pong(&mut self, _: &mut Visit) {
        panic!("a handler's bug in pong");
    }
}

/// A running server, its address, and what its handler tells.
struct Running {
    port: u16,
    stopper: Stopper,
    thread: Option<thread::JoinHandle<()>>,
    tickets: std::sync::mpsc::Receiver<Ticket>,
    closed: std::sync::mpsc::Receiver<u32>,
}

fn start(backend: Backend) -> Running {
    let address = "127.0.0.1:0".parse().expect("an address");
    let server = Server::new()
        .listen(address)
        .backend(backend)
        .workers(Workers::Count(1));
    let bound = server.bind().expect("a free port");
    let Some(Address::Inet(inet)) = bound.addresses().next() else {
        panic!("an internet address")
    };
    let (port, stopper) = (inet.port(), bound.stopper());
    let (tickets, take_tickets) = channel();
    let (closed, take_closed) = channel();
    let thread = thread::spawn(move || {
        let make = |_| Application {
            tickets: tickets.clone(),
            closed: closed.clone(),
        };
        bound.run(make).expect("the server runs");
    });
    Running {
        port,
        stopper,
        thread: Some(thread),
        tickets: take_tickets,
        closed: take_closed,
    }
}

impl Running {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the server listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(40)))
            .expect("a timeout");
        stream
    }

    /// Sends `request` and reads until the server closes.
    fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).expect("sent");
        read_to_end(&mut stream)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopper.stop();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(
                ended.is_ok() || thread::panicking(),
                "the server ended in order"
            );
        }
    }
}

fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    stream
        .read_to_end(&mut bytes)
        .expect("the server closes in order");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn backends() -> impl Iterator<Item = Backend> {
    [Backend::Epoll, Backend::IoUring, Backend::Mio]
        .into_iter()
        .filter(|backend| {
            let usable = backend.choose();
            if let Err(error) = &usable {
                eprintln!("SKIPPED: {error}");
            }
            usable.is_ok()
        })
}

const CLOSE: &str = "Host: a\r\nConnection: close\r\n";

#[test]
fn a_streamed_body_comes_in_pieces_and_a_refused_one_not_at_all() {
    for backend in backends() {
        let server = start(backend);
        let mut stream = server.connect();
        let head = format!("POST /stream HTTP/1.1\r\n{CLOSE}Transfer-Encoding: chunked\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("sent");
        for _ in 0..10 {
            stream.write_all(b"3e8\r\n").expect("sent");
            stream.write_all(&[b'x'; 1000]).expect("sent");
            stream.write_all(b"\r\n").expect("sent");
        }
        stream.write_all(b"0\r\n\r\n").expect("sent");
        assert!(
            read_to_end(&mut stream).ends_with("\r\n\r\n10000"),
            "{backend}"
        );

        let refused =
            server.ask("POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
        assert!(refused.starts_with("HTTP/1.1 403 "), "{backend}: {refused}");
        assert_eq!(
            refused.matches("HTTP/1.1").count(),
            1,
            "{backend}: {refused}"
        );
    }
}

#[test]
fn a_panic_costs_one_connection_and_leaves_nothing_half_said() {
    for backend in backends() {
        let server = start(backend);
        let mut healthy = server.connect();
        for (request, body) in [
            ("GET /panic", ""),
            ("POST /panic-head", "x"),
            ("POST /field", "a\r\nb: c"),
        ] {
            let length = body.len();
            let request =
                format!("{request} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}");
            let reply = server.ask(&format!(
                "GET / HTTP/1.1\r\nHost: a\r\n\r\n{request}GET / HTTP/1.1\r\n\r\n"
            ));
            assert_eq!(reply.matches("HTTP/1.1 ").count(), 2, "{backend}: {reply}");
            assert!(reply.contains("plainHTTP/1.1 500 "), "{backend}: {reply}");
            assert!(!reply.contains("302"), "{backend}: {reply}");
        }
        healthy
            .write_all(format!("GET / HTTP/1.1\r\n{CLOSE}\r\n").as_bytes())
            .expect("sent");
        assert!(read_to_end(&mut healthy).ends_with("plain"), "{backend}");
    }
}

#[test]
fn a_panic_on_a_message_or_a_pong_closes_with_1011() {
    // "panic", masked with zeros; and a Pong.
    let causes: [&[u8]; 2] = [b"\x81\x85\0\0\0\0panic", b"\x8a\x80\0\0\0\0"];
    for (backend, cause) in backends().flat_map(|backend| causes.map(|cause| (backend, cause))) {
        let server = start(backend);
        let mut stream = server.connect();
        let handshake = "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
        stream.write_all(handshake.as_bytes()).expect("sent");
        stream.write_all(cause).expect("sent");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("closed in order");
        let head_end = bytes
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .expect("a head")
            + 4;
        let welcome = b"\x81\x07welcome";
        assert_eq!(
            &bytes[head_end..head_end + welcome.len()],
            welcome,
            "{backend}"
        );
        let close = &bytes[head_end + welcome.len()..];
        assert_eq!(close[0], 0x88, "{backend}");
        assert_eq!(u16::from_be_bytes([close[2], close[3]]), 1011, "{backend}");
    }
}

#[test]
fn a_deferred_reply_comes_from_another_thread_in_its_place() {
    for backend in backends() {
        let server = start(backend);
        let mut stream = server.connect();
        let pipeline =
            format!("GET /defer HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\n{CLOSE}\r\n");
        stream.write_all(pipeline.as_bytes()).expect("sent");
        let ticket = server
            .tickets
            .recv_timeout(Duration::from_secs(40))
            .expect("a ticket");
        assert!(!ticket.is_cancelled());
        let response = Response::new(Status::OK)
            .field("X-From", "elsewhere")
            .expect("a good field");
        ticket.answer(response.content("later;"));
        let reply = read_to_end(&mut stream);
        let (first, second) = (reply.find("later;"), reply.find("plain"));
        assert!(first.is_some() && first < second, "{backend}: {reply}");
        assert!(
            reply.contains("X-From: elsewhere\r\n"),
            "{backend}: {reply}"
        );
    }
}

#[test]
fn a_half_closed_peer_still_gets_its_deferred_reply() {
    for backend in backends() {
        let server = start(backend);
        let mut stream = server.connect();
        stream
            .write_all(b"GET /defer HTTP/1.1\r\nHost: a\r\n\r\n")
            .expect("sent");
        stream
            .shutdown(std::net::Shutdown::Write)
            .expect("half-closed");
        let ticket = server
            .tickets
            .recv_timeout(Duration::from_secs(40))
            .expect("a ticket");
        ticket.answer(Response::new(Status::OK).content("for you"));
        assert!(read_to_end(&mut stream).ends_with("for you"), "{backend}");
    }
}

#[test]
fn a_dropped_ticket_answers_500_and_a_gone_peer_cancels_one() {
    for backend in backends() {
        let server = start(backend);
        let mut stream = server.connect();
        stream
            .write_all(format!("GET /defer HTTP/1.1\r\n{CLOSE}\r\n").as_bytes())
            .expect("sent");
        drop(
            server
                .tickets
                .recv_timeout(Duration::from_secs(40))
                .expect("a ticket"),
        );
        assert!(
            read_to_end(&mut stream).starts_with("HTTP/1.1 500 "),
            "{backend}"
        );
        let _ = server.closed.recv_timeout(Duration::from_secs(40));

        let mut gone = server.connect();
        gone.write_all(b"GET /defer HTTP/1.1\r\nHost: a\r\n\r\n")
            .expect("sent");
        let ticket = server
            .tickets
            .recv_timeout(Duration::from_secs(40))
            .expect("a ticket");
        let linger = std::os::fd::AsFd::as_fd(&gone);
        let abrupt = longshore::sys::SocketOption::Linger(Some(Duration::ZERO));
        longshore::sys::setsockopt(&mut longshore::sys::Silent, linger, &abrupt)
            .expect("SO_LINGER");
        drop(gone);
        let requests = server
            .closed
            .recv_timeout(Duration::from_secs(40))
            .expect("the reset is noticed");
        assert_eq!(requests, 1, "{backend}");
        assert!(ticket.is_cancelled(), "{backend}");
        ticket.answer(Response::new(Status::OK));
    }
}

#[test]
fn fields_from_other_threads_are_checked_too() {
    assert!(
        Response::new(Status::OK)
            .field("X-A", "b\r\nX-C: d")
            .is_err()
    );
    assert!(Response::new(Status::OK).field("X A", "b").is_err());
    assert!(
        Response::new(Status::OK)
            .field("Content-Length", "5")
            .is_err()
    );
}

#[test]
fn a_panic_when_it_is_ready_ends_the_server() {
    let server = Server::new().listen("127.0.0.1:0".parse().expect("an address"));
    let bound = server
        .workers(Workers::Count(2))
        .bind()
        .expect("a free port");
    let bound = bound.on_ready(|| panic!("an embedder's bug, on purpose"));
    let ended = thread::spawn(|| bound.run(|_| Plain)).join();
    assert!(ended.is_err(), "the panic goes on");
}

#[test]
fn an_option_that_no_address_has_is_a_mistake() {
    let address: Address = "127.0.0.1:0".parse().expect("an address");
    let server = Server::new()
        .listen(address)
        .socket_option(SocketOption::OnlyV6(true));
    let error = server
        .bind()
        .map(drop)
        .expect_err("IPv4 has no such option");
    assert!(error.to_string().contains("OnlyV6"), "{error}");
}

struct Plain;

impl Handler for Plain {
    type Connection = ();

    fn request(&mut self, _: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        reply.text("plain")
    }
}
