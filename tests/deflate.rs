//! Compressed messages over real connections, on every backend.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use longshore::sys::Address;
use longshore::ws::deflate::{Compressor, Context, Inflater, WindowBits};
use longshore::ws::{Kind, Opcode, encode_header, unmask};
use longshore::{
    Backend, Deflate, Handler, Limits, Message, Origins, Replied, Reply, Request, Server, Socket,
    Stopper, Upgrade, Workers,
};

const BACKENDS: [Backend; 3] = [Backend::Epoll, Backend::IoUring, Backend::Mio];
const MASK: [u8; 4] = [7, 1, 9, 3];

struct Echo(Deflate);

impl Handler for Echo {
    type Connection = ();

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        let upgrade = Upgrade::new().origins(Origins::Any).deflate(self.0);
        let replied = reply.upgrade(&request, &upgrade);
        replied.expect("no field is no wrong field")
    }

    fn message(&mut self, message: Message<'_>, socket: &mut Socket<'_, '_>, (): &mut ()) {
        if message.bytes.starts_with(b"secret") {
            socket.send_uncompressed(message.kind, message.bytes);
        } else {
            socket.send(message.kind, message.bytes);
        }
    }
}

struct Running(u16, Stopper, Option<thread::JoinHandle<()>>);

fn start(backend: Backend, deflate: Deflate, limits: Limits) -> Running {
    let bound = Server::new()
        .listen("127.0.0.1:0".parse().expect("an address"))
        .backend(backend)
        .workers(Workers::Count(1))
        .limits(limits)
        .bind()
        .expect("a free port");
    let Some(Address::Inet(inet)) = bound.addresses().next() else {
        panic!("an internet address")
    };
    let (port, stopper) = (inet.port(), bound.stopper());
    let thread = thread::spawn(move || {
        bound.run(|_| Echo(deflate)).expect("the server runs");
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

/// A client, and what the server said about extensions.
fn open(server: &Running, offer: &str) -> (TcpStream, Option<String>) {
    let mut stream = TcpStream::connect(("127.0.0.1", server.0)).expect("it listens");
    let timeout = Some(Duration::from_secs(20));
    stream.set_read_timeout(timeout).expect("a timeout");
    let request = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Extensions: {offer}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(take(&mut stream, 1));
    }
    let head = String::from_utf8(head).expect("text");
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let line = head
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    (stream, line.map(str::to_owned))
}

fn take(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let (mut bytes, mut filled) = (vec![0; count], 0);
    while filled < count {
        match stream.read(&mut bytes[filled..]) {
            Ok(0) => panic!("the server has closed"),
            Ok(more) => filled += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("{error}"),
        }
    }
    bytes
}

/// Sends a frame; `compressed` sets RSV1.
fn send(stream: &mut TcpStream, opcode: Opcode, fin: bool, compressed: bool, payload: &[u8]) {
    let mut header = encode_header(opcode, fin, Some(MASK), payload.len() as u64);
    if compressed {
        header = header.compressed();
    }
    let mut masked = payload.to_vec();
    unmask(&mut masked, MASK, 0);
    stream.write_all(header.as_ref()).expect("sent");
    stream.write_all(&masked).expect("sent");
}

/// The first byte of a frame, and its payload.
fn receive(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let head = take(stream, 2);
    let length = match head[1] {
        126 => u64::from(u16::from_be_bytes(take(stream, 2).try_into().expect("two"))),
        127 => u64::from_be_bytes(take(stream, 8).try_into().expect("eight")),
        short => u64::from(short),
    };
    (
        head[0],
        take(stream, usize::try_from(length).expect("it fits")),
    )
}

fn text() -> String {
    "Käse, und noch einmal Käse. ".repeat(200)
}

#[test]
fn messages_travel_compressed_both_ways() {
    for backend in BACKENDS {
        for context in [Context::Dropped, Context::Kept] {
            let mut deflate = Deflate::default();
            deflate.settings.server_context = context;
            deflate.settings.client_context = context;
            let server = start(backend, deflate, Limits::default());
            let (mut stream, agreed) = open(&server, "permessage-deflate; client_max_window_bits");
            let agreed = agreed.expect("agreed");
            let dropped = agreed.contains("client_no_context_takeover");
            assert_eq!(dropped, context == Context::Dropped, "{agreed}");
            let mut compressor = Compressor::new(context, WindowBits::MAX, 8, 6);
            let mut inflater = Inflater::new(context);
            let mut lengths = Vec::new();
            for round in 0..3 {
                let mut payload = Vec::new();
                compressor.compress(text().as_bytes(), &mut payload);
                // In three frames, the cuts anywhere.
                let (first, rest) = payload.split_at(5 + round);
                let (second, third) = rest.split_at(1);
                send(&mut stream, Opcode::Text, false, true, first);
                send(&mut stream, Opcode::Continuation, false, false, second);
                send(&mut stream, Opcode::Continuation, true, false, third);
                let (first_byte, payload) = receive(&mut stream);
                assert_eq!(first_byte, 0xC1, "text, whole, compressed, on {backend}");
                lengths.push(payload.len());
                let mut message = Vec::new();
                let inflated = inflater.inflate(&payload, true, 1 << 20, &mut message);
                assert!(
                    inflated.is_ok() && message == text().as_bytes(),
                    "{backend}"
                );
            }
            let shrinks = lengths[2] < lengths[0];
            assert_eq!(shrinks, context == Context::Kept, "{backend}: {lengths:?}");
            // Short ones are sent as they are, and uncompressed ones are taken.
            send(&mut stream, Opcode::Text, true, false, b"short");
            assert_eq!(receive(&mut stream), (0x81, b"short".to_vec()));
            // So are those that the handler does not want compressed.
            let secret = format!("secret {}", text());
            send(&mut stream, Opcode::Text, true, false, secret.as_bytes());
            assert_eq!(receive(&mut stream), (0x81, secret.into_bytes()));
        }
    }
}

#[test]
fn what_is_wrong_is_closed_with_its_code() {
    let limits = Limits {
        message_bytes_max: 1 << 20,
        ..Limits::default()
    };
    for backend in BACKENDS {
        let server = start(backend, Deflate::default(), limits.clone());
        let bomb = vec![0; 8 << 20];
        let mut compressor = Compressor::new(Context::Dropped, WindowBits::MAX, 8, 9);
        let (mut inflating, mut invalid) = (Vec::new(), Vec::new());
        compressor.compress(&bomb, &mut inflating);
        compressor.compress(b"\xC3\x28 is no UTF-8, and long enough", &mut invalid);
        assert!(inflating.len() < 20_000);
        for (name, kind, payload, code) in [
            ("a bomb", Kind::Binary, inflating.as_slice(), 1009_u16),
            ("no UTF-8", Kind::Text, &invalid, 1007),
            ("no deflate", Kind::Binary, &[0xFF; 40], 1007),
        ] {
            let (mut stream, agreed) = open(&server, "permessage-deflate");
            assert!(agreed.is_some());
            send(&mut stream, kind.opcode(), true, true, payload);
            let (first_byte, payload) = receive(&mut stream);
            assert_eq!(first_byte, 0x88, "{name} on {backend}");
            assert_eq!(payload[..2], code.to_be_bytes(), "{name} on {backend}");
        }
        // RSV1 without an agreement is a protocol error.
        let (mut stream, agreed) = open(&server, "x-unknown");
        assert_eq!(agreed, None);
        send(&mut stream, Opcode::Text, true, true, b"text");
        let (_, payload) = receive(&mut stream);
        assert_eq!(payload[..2], 1002_u16.to_be_bytes(), "{backend}");
    }
}

#[test]
fn without_memory_for_contexts_the_offer_is_declined() {
    let mut deflate = Deflate::default();
    deflate.settings.server_context = Context::Kept;
    deflate.settings.client_context = Context::Kept;
    let limits = Limits {
        deflate_memory_bytes_max: 1_000_000,
        ..Limits::default()
    };
    let server = start(Backend::Epoll, deflate, limits);
    let (first, agreed) = open(&server, "permessage-deflate");
    assert!(agreed.is_some());
    let (_second, agreed) = open(&server, "permessage-deflate");
    assert!(agreed.is_some());
    let (mut third, agreed) = open(&server, "permessage-deflate");
    assert_eq!(agreed, None, "three contexts are more than the ceiling");
    send(&mut third, Opcode::Text, true, false, text().as_bytes());
    assert_eq!(receive(&mut third), (0x81, text().into_bytes()));
    // A connection that ends gives its memory back.
    drop(first);
    let given_back = (0..600).any(|_| {
        thread::sleep(Duration::from_millis(50));
        open(&server, "permessage-deflate").1.is_some()
    });
    assert!(given_back);
}
