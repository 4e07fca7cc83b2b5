//! Turns of one connection without a socket: what a server spends between a receive and its send.
//!
//! ```text
//!   lend ─▶ reactor ▶ connection ▶ HTTP or WebSocket ▶ handler ▶ settle ─▶ bytes that would be sent
//! ```
//!
//! A unit is a request or a message; `alone`, a whole turn with its two readings of the clock. The copy that stands for
//! recv(2) is in the figures.
#![forbid(unsafe_code)]

use longshore::ws::encode_masked_message;
use longshore::{Handler, Message, Replied, Reply, Request, Socket, Turns, Upgrade};

use crate::case::Case;
use crate::http::{BROWSER, TINY, TYPICAL};
use crate::sample::Content;

/// Answers with a constant, and echoes messages.
struct Application;

impl Handler for Application {
    type Connection = ();

    #[inline]
    fn request(&mut self, request: Request<'_>, reply: Reply<'_>, (): &mut ()) -> Replied {
        match request.path() {
            b"/ws" => reply
                .upgrade(&request, &Upgrade::new())
                .expect("no fields of our own"),
            _ => reply.text("Hello, World!"),
        }
    }

    #[inline]
    fn message(&mut self, message: Message<'_>, socket: &mut Socket<'_, '_>, (): &mut ()) {
        socket.send(message.kind, message.bytes);
    }
}

/// Every row.
pub(crate) fn cases() -> Vec<Case> {
    let handshake = "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let message = |bytes, content: Content| {
        let mut frame = Vec::new();
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        encode_masked_message(&mut frame, mask, content.kind(), &content.payload(bytes));
        frame
    };
    let (binary, text) = (message(125, Content::Binary), message(125, Content::Ascii));
    vec![
        turns("turn-http-tiny", "", TINY.as_bytes(), 1),
        turns("turn-http-tiny", "", TINY.as_bytes(), 16),
        turns("turn-http-typical", "", TYPICAL.as_bytes(), 1),
        turns("turn-http-browser", "", BROWSER.as_bytes(), 1),
        turns("turn-ws-binary-125", handshake, &binary, 1),
        turns("turn-ws-binary-125", handshake, &binary, 16),
        turns("turn-ws-text-125", handshake, &text, 1),
        turns("turn-ws-text-125", handshake, &text, 16),
        turns("turn-idle", "", b"", 1),
    ]
}

/// Turns that each receive `unit` so many times over, on a connection that has received `before`.
fn turns(name: &str, before: &'static str, unit: &[u8], times: usize) -> Case {
    let (name, unit) = (format!("{name}-x{times}"), unit.to_vec());
    Case::new(name, unit.len(), move || {
        let mut turns = Turns::new(Application);
        turns.said_to(before.as_bytes());
        let said = turns.said_to(&unit).len();
        turns.prepare(&unit.repeat(times));
        move |units| {
            let mut done = 0;
            while done < units {
                assert_eq!(turns.turn(), times * said, "every unit is answered alike");
                done += times;
            }
            done
        }
    })
}
