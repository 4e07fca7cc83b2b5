//! What was queued leaves before our Close, if the peer reads.

use std::thread;
use std::time::Duration;

use longshore::sys::Address;
use longshore::ws::{CloseCode, Kind};
use longshore::{
    Backend, Handler, Limits, Message, Replied, Reply, Request, Sent, Server, SlowPeer, Socket,
    Stopper, Upgrade, Workers,
};

use super::client::Client;
use super::on_every_backend;

/// Messages of 64 KiB: 32 MiB, more than the kernel takes.
const COUNT: usize = 512;

/// Longer than a busy machine needs to read all of them.
const LONG: Duration = Duration::from_secs(60);

/// Says much, and then closes, unless it was told to wait for the stop.
struct Speaker;

impl Handler for Speaker {
    type Connection = ();

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        let upgrade = Upgrade::new().on_slow_peer(SlowPeer::DropNewest);
        reply.upgrade(&request, &upgrade).expect("no fields")
    }

    fn message(&mut self, message: Message<'_>, socket: &mut Socket<'_, '_>, (): &mut ()) {
        let mut text = vec![b'x'; 1 << 16];
        for number in 0..COUNT {
            text[..8].copy_from_slice(format!("{number:08}").as_bytes());
            assert_ne!(
                socket.send(Kind::Text, &text),
                Sent::Dropped,
                "there is room"
            );
        }
        if message.bytes == b"close" {
            socket.close(CloseCode::NORMAL, "all is said");
            assert_eq!(socket.send_text("more"), Sent::Closed);
        }
    }
}

struct Running(u16, Stopper, Option<thread::JoinHandle<()>>);

/// Who does not read has `close_timeout` for what was queued.
fn start(backend: Backend, close_timeout: Duration) -> Running {
    let bound = Server::new()
        .listen("127.0.0.1:0".parse().expect("an address"))
        .backend(backend)
        .workers(Workers::Count(1))
        .limits(Limits {
            outbox_bytes_max: 64 << 20,
            close_timeout,
            stop_timeout: LONG,
            ..Limits::default()
        })
        .bind()
        .expect("a free port");
    let Some(Address::Inet(inet)) = bound.addresses().next() else {
        panic!("an internet address")
    };
    let (port, stopper) = (inet.port(), bound.stopper());
    let thread = thread::spawn(move || {
        bound.run(|_| Speaker).expect("the server runs");
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

fn hears_everything(client: &mut Client) {
    for number in 0..COUNT {
        let text = client.text();
        assert_eq!(text[..8].parse::<usize>().expect("a number"), number);
    }
}

#[test]
fn a_close_goes_behind_what_was_queued() {
    on_every_backend(|backend| {
        let server = start(backend, LONG);
        let mut client = Client::connect(server.0);
        client.send("close");
        thread::sleep(Duration::from_millis(200));
        hears_everything(&mut client);
        assert_eq!(client.close(), (1000, "all is said".to_owned()));
    });
}

#[test]
fn a_stop_lets_what_was_queued_leave() {
    on_every_backend(|backend| {
        let server = start(backend, LONG);
        let mut client = Client::connect(server.0);
        client.send("wait");
        thread::sleep(Duration::from_millis(200));
        server.1.stop();
        thread::sleep(Duration::from_millis(200));
        hears_everything(&mut client);
        assert_eq!(client.close().0, 1001);
    });
}

#[test]
fn who_does_not_read_does_not_hold_the_close() {
    on_every_backend(|backend| {
        let server = start(backend, Duration::from_secs(3));
        let mut client = Client::connect(server.0);
        client.send("close");
        // Past close_timeout, what is in the kernel and the outbox still comes, whole, and then the Close.
        thread::sleep(Duration::from_secs(4));
        let mut count = 0;
        while client.next_is_text() {
            client.text();
            count += 1;
        }
        assert!((1..COUNT).contains(&count), "{backend}: {count} of {COUNT}");
        assert_eq!(client.close(), (1000, "all is said".to_owned()));
        client.ends();
    });
}
