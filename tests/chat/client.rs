//! A chat client that speaks WebSocket over a plain socket.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use longshore::buf::Input;
use longshore::ws::{CloseCode, Decoder, Event, Kind, Limits, Role, encode_masked_message};
use serde_json::{Value, json};

use crate::served::PATIENCE;

pub(crate) struct Client {
    stream: TcpStream,
    decoder: Decoder,
    unread: Vec<u8>,
    /// Of a message that comes in pieces.
    partial: Vec<u8>,
    arrived: VecDeque<Value>,
    /// The code of the server's Close, if that has come.
    pub(crate) closed: Option<u16>,
    /// What it says to be recognised after a reconnect.
    pub(crate) key: String,
    pub(crate) name: String,
}

impl Client {
    /// A WebSocket, not yet in the room.
    pub(crate) fn connect(port: u16, name: &str) -> Self {
        let (stream, head) = handshake(port, "");
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains("longshore.chat.v1"), "{head}");
        // Good enough to be another one for each client of a test.
        let key = format!(
            "{:032x}",
            u128::from(stream.local_addr().expect("an address").port())
        );
        Self {
            stream,
            decoder: Decoder::new(Role::Client),
            unread: Vec::new(),
            partial: Vec::new(),
            arrived: VecDeque::new(),
            closed: None,
            key,
            name: name.to_owned(),
        }
    }

    /// Enters, and is welcomed. Gives the history.
    pub(crate) fn enter(port: u16, name: &str) -> (Self, Vec<Value>) {
        let mut client = Self::connect(port, name);
        let history = client.hello(&json!({}));
        (client, history)
    }

    /// The same person on a new connection, who has come as far as `since` in `room`.
    pub(crate) fn again(&self, port: u16, room: &str, since: u64) -> (Self, Vec<Value>) {
        let mut client = Self::connect(port, &self.name);
        client.key.clone_from(&self.key);
        let history = client.hello(&json!({"room": room, "since": since}));
        (client, history)
    }

    fn hello(&mut self, more: &Value) -> Vec<Value> {
        let mut hello = json!({"type": "hello", "name": self.name, "key": self.key});
        for (name, value) in more.as_object().expect("an object") {
            hello[name] = value.clone();
        }
        self.send(&hello);
        let history = self.next("history");
        history["messages"].as_array().expect("messages").clone()
    }

    pub(crate) fn send(&mut self, message: &Value) {
        self.send_raw(Kind::Text, message.to_string().as_bytes());
    }

    pub(crate) fn send_raw(&mut self, kind: Kind, bytes: &[u8]) {
        let mut frame = Vec::new();
        encode_masked_message(&mut frame, [1, 2, 3, 4], kind, bytes);
        // The server may have closed already.
        let _ = self.stream.write_all(&frame);
    }

    pub(crate) fn say(&mut self, id: &str, text: &str) {
        self.send(&json!({"type": "say", "id": id, "text": text}));
    }

    /// The next message of a type; the others are passed over.
    pub(crate) fn next(&mut self, kind: &str) -> Value {
        loop {
            let message = self.message().unwrap_or_else(|| {
                panic!("{}: closed ({:?}) before {kind}", self.name, self.closed)
            });
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// What comes before the message with this id is said.
    pub(crate) fn until_said(&mut self, id: &str) -> Vec<Value> {
        let mut before = Vec::new();
        loop {
            let message = self.message().expect("it is said");
            if message["type"] == "said" && message["id"] == id {
                return before;
            }
            before.push(message);
        }
    }

    /// The code of the next refusal.
    pub(crate) fn error(&mut self) -> String {
        text(&self.next("error"), "code")
    }

    /// Whether it was let in, where the room may still be full.
    pub(crate) fn is_let_in(&mut self) -> bool {
        loop {
            let message = self.message().expect("an answer");
            match message["type"].as_str() {
                Some("welcome") => return true,
                Some("error") => {
                    assert_eq!(text(&message, "code"), "full");
                    return false;
                }
                _ => {}
            }
        }
    }

    /// Waits for a list that shows `expected`: `Ada` for who is online, `(Ada)` for who is not.
    pub(crate) fn sees(&mut self, expected: &str) {
        loop {
            let who = self.next("who");
            let members = who["members"].as_array().expect("members").iter();
            let shown = members.map(|member| {
                if member["online"] == true {
                    text(member, "name")
                } else {
                    format!("({})", text(member, "name"))
                }
            });
            if shown.collect::<Vec<_>>().join(" ") == expected {
                return;
            }
        }
    }

    /// Reads until the server closes; gives what came before, and leaves the code in `closed`.
    pub(crate) fn rest(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.message()).collect()
    }

    /// The next message of any type. `None` at the end.
    fn message(&mut self) -> Option<Value> {
        loop {
            if let Some(message) = self.arrived.pop_front() {
                return Some(message);
            }
            if self.closed.is_some() {
                return None;
            }
            let mut buffer = vec![0; 1 << 16];
            let count = match self.stream.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                read => read.expect("something comes in time"),
            };
            if count == 0 {
                return None;
            }
            self.unread.extend_from_slice(&buffer[..count]);
            self.decode();
        }
    }

    fn decode(&mut self) {
        let limits = Limits {
            message_bytes_max: 1 << 24,
        };
        let mut input = Input::new(&mut self.unread);
        while let Some(event) = self
            .decoder
            .next(&mut input, &limits)
            .expect("the server speaks by the rules")
        {
            match event {
                Event::Data(piece) => {
                    self.partial.extend_from_slice(piece.bytes);
                    if piece.last {
                        let message = std::mem::take(&mut self.partial);
                        let message = serde_json::from_slice(&message).expect("JSON");
                        self.arrived.push_back(message);
                    }
                }
                Event::Close(code, _) => {
                    self.closed = Some(code.map_or(1005, CloseCode::number));
                }
                _ => {}
            }
        }
        let rest = input.len();
        self.unread.drain(..self.unread.len() - rest);
    }
}

/// A member of a message that is text.
pub(crate) fn text(message: &Value, name: &str) -> String {
    let value = message[name].as_str();
    value
        .unwrap_or_else(|| panic!("no {name}: {message}"))
        .to_owned()
}

/// Numbers of messages.
pub(crate) fn numbers(messages: &[Value]) -> Vec<u64> {
    let number = |message: &Value| message["number"].as_u64().expect("a number");
    messages.iter().map(number).collect()
}

/// Asks for the WebSocket, with further fields. Gives the head of the reply.
pub(crate) fn handshake(port: u16, fields: &str) -> (TcpStream, String) {
    let request = format!(
        "GET /chat/ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: longshore.chat.v1\r\n{fields}\r\n"
    );
    ask(port, &request)
}

/// Sends a request and reads the head of its reply.
pub(crate) fn ask(port: u16, request: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_nodelay(true).expect("an open socket");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a reply");
        head.push(byte[0]);
    }
    (stream, String::from_utf8(head).expect("text"))
}
