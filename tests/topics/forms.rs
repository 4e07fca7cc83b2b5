//! A broadcast to peers with and without compression: each form is made once, for all workers.

use std::thread;
use std::time::{Duration, Instant};

use longshore::sys::Address;
use longshore::ws::Kind;
use longshore::ws::deflate::{Context, Inflater};
use longshore::{
    Backend, Deflate, Handler, Limits, Message, Publisher, Replied, Reply, Request, Server, Socket,
    Stopper, Upgrade, Workers,
};

use super::client::Client;
use super::on_every_backend;

/// Compresses on the terms that the path names.
struct Square;

impl Handler for Square {
    type Connection = ();

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        let mut terms = Deflate::default();
        match request.path() {
            b"/kept" => terms.settings.server_context = Context::Kept,
            b"/small" => terms.level = 9,
            b"/long" => terms.bytes_min = 100_000,
            _ => {}
        }
        let upgrade = Upgrade::new().deflate(terms);
        reply.upgrade(&request, &upgrade).expect("no fields")
    }

    fn message(&mut self, _: Message<'_>, socket: &mut Socket<'_, '_>, (): &mut ()) {
        socket.subscribe("news", 1).expect("there is room");
    }
}

struct Running(u16, Publisher, Stopper, Option<thread::JoinHandle<()>>);

fn start(backend: Backend) -> Running {
    let bound = Server::new()
        .listen("127.0.0.1:0".parse().expect("an address"))
        .backend(backend)
        .workers(Workers::Count(3))
        .limits(Limits {
            topic_history_max: 1,
            ..Limits::default()
        })
        .bind()
        .expect("a free port");
    let Some(Address::Inet(inet)) = bound.addresses().next() else {
        panic!("an internet address")
    };
    let (port, publisher, stopper) = (inet.port(), bound.publisher(), bound.stopper());
    let thread = thread::spawn(move || {
        bound.run(|_| Square).expect("the server runs");
    });
    Running(port, publisher, stopper, Some(thread))
}

impl Drop for Running {
    fn drop(&mut self) {
        self.2.stop();
        self.2.stop();
        if let Some(thread) = self.3.take() {
            assert!(thread.join().is_ok() || thread::panicking());
        }
    }
}

impl Running {
    fn publish(&self, payload: &[u8]) {
        let start = Instant::now();
        while self.1.publish("news", Kind::Binary, payload).is_err() {
            // It does not run yet.
            assert!(start.elapsed() < Duration::from_secs(40));
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// A client that subscribes, and has got the history.
    fn subscriber(&self, path: &str, offer: &str, history: &[u8]) -> Client {
        let extension = format!("Sec-WebSocket-Extensions: {offer}\r\n");
        let fields = if offer.is_empty() { "" } else { &extension };
        let mut client = Client::connect_to(self.0, path, fields);
        client.send("subscribe");
        assert_eq!(inflated(client.frame()).1, history, "{path} {offer}");
        client
    }
}

/// Whether it was compressed, and the message.
fn inflated((first, payload): (u8, Vec<u8>)) -> (bool, Vec<u8>) {
    if first == 0x82 {
        return (false, payload);
    }
    assert_eq!(first, 0xC2, "whole, binary, compressed");
    let mut message = Vec::new();
    let count = Inflater::new(Context::Dropped).inflate(&payload, true, 1 << 24, &mut message);
    assert!(count.is_ok());
    (true, message)
}

const OFFER: &str = "permessage-deflate";

#[test]
fn each_form_is_made_once_for_all() {
    on_every_backend(|backend| {
        let server = start(backend);
        server.publish(b"history");
        let kinds = [
            ("/", "", false),
            ("/", OFFER, true),
            ("/", "permessage-deflate; server_max_window_bits=9", true),
            ("/small", OFFER, true),
            ("/kept", OFFER, false),
            ("/long", OFFER, false),
        ];
        let mut clients = Vec::new();
        for (path, offer, compressed) in kinds {
            for _ in 0..12 {
                let client = server.subscriber(path, offer, b"history");
                clients.push((client, compressed));
            }
        }
        let before = server.1.figures();
        assert_eq!(before.compressed, 0, "a short one goes as it is");
        let said: Vec<Vec<u8>> = (0..10)
            .map(|number| format!("{number} {}", "to whom it may concern, ".repeat(400)).into())
            .collect();
        for said in &said {
            server.publish(said);
        }
        for (client, compressed) in &mut clients {
            for said in &said {
                assert!(
                    inflated(client.frame()) == (*compressed, said.clone()),
                    "{backend}"
                );
            }
        }
        let after = server.1.figures();
        assert_eq!(after.encoded - before.encoded, 10);
        assert_eq!(after.compressed, 30, "three forms of each");
        assert_eq!(after.delivered - before.delivered, 10 * 72);
        assert_eq!((after.dropped, after.lost), (0, 0));
        // A later subscriber gets the form that is there already.
        server.subscriber("/", OFFER, &said[9]);
        assert_eq!(server.1.figures().compressed, 30);
    });
}
