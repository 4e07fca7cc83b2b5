//! Clients of the feed over raw sockets: a request and its reply, an event stream, a WebSocket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use longshore::client::{Event, Options, WebSocket};
use longshore::ws::CloseCode;
use serde_json::Value;

use crate::served::PATIENCE;

/// A connection that is kept for many requests.
pub(crate) struct Http {
    pub(crate) stream: BufReader<TcpStream>,
    port: u16,
}

/// A reply: its head with the blank line, and its content.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) content: String,
}

impl Answer {
    pub(crate) fn status(&self) -> &str {
        &self.head[9..12]
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.content).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Http {
    pub(crate) fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        Self::over(stream, port)
    }

    pub(crate) fn over(stream: TcpStream, port: u16) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("an open socket");
        Self {
            stream: BufReader::new(stream),
            port,
        }
    }

    /// Leaves with an RST. After a FIN the server could not know that nobody waits for its answer any more.
    pub(crate) fn reset(self) {
        let socket = socket2::SockRef::from(self.stream.get_ref());
        socket.set_linger(Some(Duration::ZERO)).expect("an option");
    }

    /// Sends a request without content. `fields` end with CRLF, each.
    pub(crate) fn send(&mut self, method: &str, path: &str, fields: &str) {
        let host = format!("Host: 127.0.0.1:{}\r\n", self.port);
        let request = format!("{method} {path} HTTP/1.1\r\n{host}{fields}\r\n");
        let stream = self.stream.get_mut();
        stream.write_all(request.as_bytes()).expect("sent");
    }

    /// The head of the next reply.
    pub(crate) fn head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let count = self.stream.read_line(&mut head).expect("a reply");
            assert_ne!(count, 0, "the server has closed behind {head:?}");
        }
        head
    }

    /// The next reply to anything but HEAD.
    pub(crate) fn answer(&mut self) -> Answer {
        let head = self.head();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "));
        let length = length.map_or(0, |digits| digits.parse().expect("a number"));
        let mut content = vec![0; length];
        self.stream.read_exact(&mut content).expect("the content");
        let content = String::from_utf8(content).expect("text");
        Answer { head, content }
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, "");
        self.answer()
    }
}

/// Asks once, on a connection of its own.
pub(crate) fn get(port: u16, path: &str) -> Answer {
    Http::connect(port).get(path)
}

/// What an event stream says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// Empty for an event without type.
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) data: String,
}

/// A client of an event stream.
pub(crate) struct Events {
    http: Http,
    pub(crate) head: String,
    /// What of the body was read and not looked at.
    body: String,
    /// What was passed over: comments and times.
    pub(crate) others: Vec<String>,
}

impl Events {
    /// Opens one; `fields` end with CRLF, each.
    pub(crate) fn open(port: u16, query: &str, fields: &str) -> Self {
        Self::over(Http::connect(port), query, fields)
    }

    pub(crate) fn over(mut http: Http, query: &str, fields: &str) -> Self {
        http.send("GET", &format!("/feed/events{query}"), fields);
        let head = http.head();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        Self {
            http,
            head,
            body: String::new(),
            others: Vec::new(),
        }
    }

    /// The next event of any type. `None` behind the last chunk.
    pub(crate) fn next(&mut self) -> Option<Said> {
        loop {
            if let Some((block, rest)) = self.body.split_once("\n\n") {
                let block = block.to_owned();
                self.body = rest.to_owned();
                let line = |name: &str| -> String {
                    let mut lines = block.lines();
                    let value = lines.find_map(|line| line.strip_prefix(name));
                    value.unwrap_or_default().to_owned()
                };
                if !block.contains("data: ") {
                    self.others.push(block);
                    continue;
                }
                return Some(Said {
                    kind: line("event: "),
                    id: line("id: "),
                    data: line("data: "),
                });
            }
            if !self.chunk() {
                assert_eq!(self.body, "", "it ends between events");
                return None;
            }
        }
    }

    /// The next event that counts, and the state before it if there was one.
    pub(crate) fn event(&mut self) -> (Option<Value>, Said) {
        let mut state = None;
        loop {
            let said = self.next().expect("the stream goes on");
            if said.kind.is_empty() {
                return (state, said);
            }
            assert_eq!(said.kind, "feed");
            state = Some(serde_json::from_str(&said.data).expect("JSON"));
        }
    }

    /// Takes a chunk (RFC 9112 §7.1). False if it was the last.
    fn chunk(&mut self) -> bool {
        let mut line = String::new();
        self.http.stream.read_line(&mut line).expect("a chunk");
        let length = usize::from_str_radix(line.trim_end(), 16).expect("its length");
        let mut chunk = vec![0; length + 2];
        self.http.stream.read_exact(&mut chunk).expect("all of it");
        self.body += std::str::from_utf8(&chunk[..length]).expect("text");
        length > 0
    }

    /// The connection behind the last chunk.
    pub(crate) fn into_http(self) -> Http {
        self.http
    }
}

/// A WebSocket of the feed, and the state that it was told.
pub(crate) struct Socket {
    socket: WebSocket<TcpStream>,
    pub(crate) state: Value,
}

impl Socket {
    pub(crate) fn open(port: u16, query: &str) -> Self {
        let uri = format!("ws://127.0.0.1:{port}/feed/ws{query}");
        let options = Options {
            read_timeout: Some(PATIENCE),
            ..Options::default()
        };
        let mut socket = Self {
            socket: WebSocket::connect(&uri, &options).expect("it opens"),
            state: Value::Null,
        };
        socket.state = serde_json::from_str(&socket.next().expect("the state")).expect("JSON");
        assert!(socket.state["feed"].is_string(), "{}", socket.state);
        socket
    }

    /// The next message; or the code with which it was closed.
    pub(crate) fn next(&mut self) -> Result<String, u16> {
        // The server pings who is told nothing, so a read alone would wait for ever.
        for _ in 0..3 {
            match self.socket.next().expect("it goes on") {
                Event::Text(text) => return Ok(text.to_owned()),
                Event::Closed(code, _) => return Err(code.map_or(1005, CloseCode::number)),
                Event::Ping(_) | Event::Pong(_) => {}
                Event::Binary(bytes) => panic!("{bytes:?}"),
            }
        }
        panic!("nothing but pings comes");
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.socket.send_text(text).expect("sent");
    }
}

/// The number of an event, from its JSON.
pub(crate) fn id(json: &str) -> u64 {
    let event: Value = serde_json::from_str(json).expect("JSON");
    event["id"].as_u64().expect("a number")
}

/// The events of a list, each as the text that it is.
pub(crate) fn listed(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status(), "200", "{answer:?}");
    let (_, list) = answer.content.split_once("\"events\":[").expect("a list");
    let list = list.strip_suffix("]}").expect("the end of the list");
    list.split_inclusive('}')
        .map(|event| event.trim_start_matches(',').to_owned())
        .collect()
}
