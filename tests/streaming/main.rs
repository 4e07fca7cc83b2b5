//! Bodies that are produced while the peer reads, and bodies that are taken in as fast as somebody can use them.

mod bodies_in;
mod bodies_out;
mod senders;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use longshore::http::{Head, Status};
use longshore::sys::Address;
use longshore::{
    Backend, Body, BodySender, Handler, Incoming, Produced, Replied, Reply, Request, Response,
    SendError, Server, Source, Stopper, Ticket, Upgrade, Wake, Workers,
};

const BACKENDS: [Backend; 3] = [Backend::Epoll, Backend::IoUring, Backend::Mio];

/// `left` bytes of a pattern, some at a time.
struct Pattern {
    left: u64,
    at: u64,
    asked: Arc<AtomicU64>,
    trailers: Vec<(String, Vec<u8>)>,
    ending: Produced,
}

impl Source for Pattern {
    fn produce(&mut self, out: &mut Vec<u8>) -> Produced {
        let count = self.left.min(1000);
        out.extend((self.at..self.at + count).map(pattern));
        self.at += count;
        self.left -= count;
        self.asked.fetch_add(count, Ordering::SeqCst);
        if self.left == 0 {
            self.ending
        } else {
            Produced::More
        }
    }

    fn trailers(&mut self) -> Vec<(String, Vec<u8>)> {
        std::mem::take(&mut self.trailers)
    }
}

fn pattern(at: u64) -> u8 {
    (at % 251) as u8
}

fn patterned(count: u64) -> Vec<u8> {
    (0..count).map(pattern).collect()
}

struct Panics;

impl Source for Panics {
    fn produce(&mut self, _: &mut Vec<u8>) -> Produced {
        panic!("a source's bug")
    }
}

/// Says what it finds in its box, and waits for a wake when that is empty.
struct Box1(Arc<Mutex<Option<&'static str>>>);

impl Source for Box1 {
    fn produce(&mut self, out: &mut Vec<u8>) -> Produced {
        match self.0.lock().expect("no panic").take() {
            Some("end") => Produced::End,
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                Produced::More
            }
            None => Produced::Later,
        }
    }
}

enum Told {
    Waits(Wake, Arc<Mutex<Option<&'static str>>>),
    Sends(BodySender),
    Ticket(Ticket),
    Paused(Wake),
}

struct Application {
    tell: Sender<Told>,
    asked: Arc<AtomicU64>,
}

impl Application {
    fn source(&self, bytes: u64) -> Pattern {
        Pattern {
            left: bytes,
            at: 0,
            asked: self.asked.clone(),
            trailers: Vec::new(),
            ending: Produced::End,
        }
    }
}

fn number(query: Option<&[u8]>) -> u64 {
    let text = std::str::from_utf8(query.unwrap_or_default()).expect("digits");
    text.parse().unwrap_or(0)
}

impl Handler for Application {
    type Connection = u64;

    fn head(&mut self, head: &Head<'_>, _: &mut u64) -> Body {
        match head.target.path() {
            b"/in" | b"/in-paused" | b"/in-refused" => Body::Stream,
            _ => Body::Collect,
        }
    }

    fn body(&mut self, piece: &mut [u8], incoming: &mut Incoming<'_>, received: &mut u64) {
        *received += piece.len() as u64;
        // The last byte of a paused body says that somebody has time again.
        if piece[0] == b'p' {
            let _ = self.tell.send(Told::Paused(incoming.pause()));
        }
        if piece[0] == b'r' {
            incoming.refuse(Status::FORBIDDEN);
        }
    }

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, received: &mut u64) -> Replied {
        let bytes = number(request.query());
        match request.path() {
            b"/chunked" => reply.status(Status::OK).stream(self.source(bytes)),
            b"/sized" => {
                let source = self.source(bytes);
                reply.status(Status::OK).length(bytes).stream(source)
            }
            b"/too-many" => {
                let source = self.source(bytes + 1);
                reply.status(Status::OK).length(bytes).stream(source)
            }
            b"/too-few" => {
                let source = self.source(bytes);
                reply.status(Status::OK).length(bytes + 1).stream(source)
            }
            b"/trailers" => {
                let mut source = self.source(bytes);
                source.trailers = vec![("Digest".to_owned(), b"abc".to_vec())];
                reply.status(Status::OK).stream(source)
            }
            b"/bad-trailers" => {
                let mut source = self.source(bytes);
                source.trailers = vec![("Content-Length".to_owned(), b"5".to_vec())];
                reply.status(Status::OK).stream(source)
            }
            b"/fails" => {
                let mut source = self.source(bytes);
                source.ending = Produced::Failed;
                reply.status(Status::OK).stream(source)
            }
            b"/panics" => reply.status(Status::OK).stream(Panics),
            b"/not-modified" => reply.status(Status::NOT_MODIFIED).stream(Panics),
            b"/waits" => {
                let said = Arc::default();
                let _ = self.tell.send(Told::Waits(reply.wake(), Arc::clone(&said)));
                reply.status(Status::OK).stream(Box1(said))
            }
            b"/sends" => {
                let (replied, sender) = reply.status(Status::OK).channel();
                let _ = self.tell.send(Told::Sends(sender));
                replied
            }
            b"/ticket" => {
                let (replied, ticket) = reply.defer();
                let _ = self.tell.send(Told::Ticket(ticket));
                replied
            }
            b"/redirect" => reply
                .redirect(Status::FOUND, "/elsewhere")
                .expect("a plain location"),
            b"/split" => match reply.redirect(Status::FOUND, "/a\r\nSet-Cookie: b=c") {
                Ok(replied) => replied,
                Err(error) => panic!("refused, as it should be: {error:?}"),
            },
            b"/ws" => reply
                .upgrade(
                    &request,
                    &Upgrade::new().fields(&[("X-Server", b"of mine")]),
                )
                .expect("a plain field"),
            b"/ws-split" => {
                match reply.upgrade(&request, &Upgrade::new().fields(&[("X-A", b"a\r\nX-B: c")])) {
                    Ok(replied) => replied,
                    Err(error) => panic!("refused, as it should be: {error:?}"),
                }
            }
            b"/in" | b"/in-paused" => reply.text(&std::mem::take(received).to_string()),
            _ => reply.text("plain"),
        }
    }
}

struct Running {
    port: u16,
    stopper: Stopper,
    thread: Option<thread::JoinHandle<()>>,
    told: Receiver<Told>,
    asked: Arc<AtomicU64>,
}

fn start(backend: Backend) -> Running {
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
    let (tell, told) = channel();
    let asked = Arc::new(AtomicU64::new(0));
    let counter = asked.clone();
    let thread = thread::spawn(move || {
        let make = |_| Application {
            tell: tell.clone(),
            asked: counter.clone(),
        };
        bound.run(make).expect("the server runs");
    });
    Running {
        port,
        stopper,
        thread: Some(thread),
        told,
        asked,
    }
}

impl Running {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the server listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a timeout");
        stream
    }

    fn send(&self, request: &str) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).expect("sent");
        stream
    }

    /// Sends a GET that closes and reads everything.
    fn ask(&self, target: &str) -> (String, Vec<u8>) {
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        split(&read_all(&mut self.send(&request)))
    }

    fn told(&self) -> Told {
        self.told
            .recv_timeout(Duration::from_secs(20))
            .expect("the handler tells")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopper.stop();
        self.stopper.stop();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the server panicked");
        }
    }
}

/// Everything until the end, however that came.
fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
    bytes
}

fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end.as_bytes()) {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("more");
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).expect("text")
}

fn split(bytes: &[u8]) -> (String, Vec<u8>) {
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("a head");
    let head = String::from_utf8(bytes[..end + 2].to_vec()).expect("text");
    (head, bytes[end + 4..].to_vec())
}

/// The data of chunks, and what stands behind the last one; `None` if there is no last one.
fn unchunk(mut bytes: &[u8]) -> Option<(Vec<u8>, String)> {
    let mut data = Vec::new();
    loop {
        let end = bytes.windows(2).position(|window| window == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).ok()?, 16).ok()?;
        bytes = &bytes[end + 2..];
        if size == 0 {
            return Some((data, String::from_utf8(bytes.to_vec()).ok()?));
        }
        data.extend_from_slice(bytes.get(..size)?);
        bytes = bytes.get(size + 2..)?;
    }
}

fn on_every_backend(test: impl Fn(&Running)) {
    for backend in BACKENDS {
        println!("{backend}");
        test(&start(backend));
    }
}
