//! Everything that is said in one call leaves in one send.

use std::thread;

use longshore::sys::Address;
use longshore::{
    Backend, Handler, Message, Replied, Reply, Report, Request, Server, Socket, Workers,
};

use super::client::Client;
use super::on_every_backend;

/// Says as many messages as it is told to.
struct Speaker;

impl Handler for Speaker {
    type Connection = ();

    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        reply.websocket(&request)
    }

    fn message(&mut self, message: Message<'_>, socket: &mut Socket<'_, '_>, (): &mut ()) {
        let text = String::from_utf8_lossy(message.bytes).into_owned();
        for number in 0..text.parse().expect("a number") {
            socket.send_text(&format!("message {number}"));
        }
    }
}

/// Serves one client that asks for `count` messages.
fn serve(backend: Backend, count: usize) -> Report {
    let bound = Server::new()
        .listen("127.0.0.1:0".parse().expect("an address"))
        .backend(backend)
        .workers(Workers::Count(1))
        .count_calls(true)
        .bind()
        .expect("a free port");
    let Some(Address::Inet(inet)) = bound.addresses().next() else {
        panic!("an internet address")
    };
    let (port, stopper) = (inet.port(), bound.stopper());
    let server = thread::spawn(move || bound.run(|_| Speaker).expect("it runs"));
    let mut client = Client::connect(port);
    client.send(&count.to_string());
    for number in 0..count {
        assert_eq!(client.text(), format!("message {number}"));
    }
    client.say_goodbye();
    stopper.stop();
    stopper.stop();
    server.join().expect("no panic")
}

#[test]
fn many_messages_are_one_send() {
    on_every_backend(|backend| {
        for count in [1, 200] {
            let counts = serve(backend, count).counts.expect("they were counted");
            let calls = counts.calls().filter(|(name, _)| name.contains("send"));
            let ring = counts.ring_operations();
            let ring = ring.filter(|(name, _)| name.to_lowercase().contains("send"));
            let sends = calls.map(|(_, figures)| figures.calls).sum::<u64>()
                + ring.map(|(_, figures)| figures.submitted).sum::<u64>();
            assert_eq!(
                sends, 3,
                "{backend}: the handshake, {count} messages, the Close"
            );
        }
    });
}
