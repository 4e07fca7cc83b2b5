//! # 12: the parsers alone
//!
//! `http::Decoder` and `ws::Decoder` are state machines: bytes go in, events come out. They know no socket, so they fit
//! any: here the blocking sockets of the standard library, with a thread for each connection, as in 02. No reactor, no
//! backend and no `Handler` is built into this program.
//!
//! ```text
//!   TcpStream::read ──▶ bytes ──▶ http::Decoder ──▶ Head, Body, End ──▶ ReplyHead ──▶ out ──▶ TcpStream::write
//!                         │             │ GET /echo, Upgrade: websocket: 101
//!                         └──────▶ ws::Decoder ──▶ Data, Ping, Close ──▶ encode_frame ──▶ out
//! ```
//!
//! **Run it**, and give it requests in pieces and in heaps:
//!
//! ```text
//! cargo run --no-default-features --example 12_parser_only -- 127.0.0.1:8080
//! curl -i http://127.0.0.1:8080/
//! (printf 'GET / HT'; sleep 1; printf 'TP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n') | nc -q1 127.0.0.1 8080
//! printf 'GET / HTTP/1.1\nHost: a\n\n' | nc -q1 127.0.0.1 8080
//! node -e 'const s = new WebSocket("ws://127.0.0.1:8080/echo"); s.onopen = () => s.send("ahoy");
//!          s.onmessage = e => { console.log(e.data); s.close() }'
//! ```
//!
//! **Look at**: what is not complete stays in `bytes` and is offered again with what comes later, and the decoder does not
//! begin anew: it goes on where it stopped; a line that ends with a bare LF is refused by the parser (RFC 9112 §2.2); bytes
//! behind the handshake are frames already, and the same `Input` goes from one decoder to the other; a message is echoed
//! piece by piece, so one of any length needs no memory; payloads are unmasked where they lie.
//!
//! **What it leaves out**: a limit on threads, and on how slowly a request may come: the timeout here begins anew with each
//! byte. Those are what the layers above the parsers are for.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, thread};

use longshore::buf::Input;
use longshore::http::{
    self, Framing, Head, HeadLimits, Method, ReplyHead, ReplyTo, Status, Version,
};
use longshore::ws::{self, CloseCode, Opcode, Role};

/// How long a peer may be silent, or not read.
const SILENCE_MAX: Duration = Duration::from_secs(60);
const READ_BYTES: usize = 16 * 1024;
/// Read and forgotten behind our last byte, so that the peer is not reset before it has read that.
const LINGER_BYTES_MAX: u64 = 256 * 1024;

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or("127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on http://{}", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || {
            if let Err(error) = serve(stream) {
                eprintln!("a connection has failed: {error}");
            }
        });
    }
    Ok(())
}

/// What is to happen behind the bytes that were written.
#[derive(PartialEq, Eq)]
enum Then {
    ReadOn,
    Frames,
    Close,
}

/// A connection's life: read, decode as far as possible, write, and again.
fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    stream.set_write_timeout(Some(SILENCE_MAX))?;
    let (mut web, mut frames) = (Web::new(), None);
    let (mut bytes, mut out) = (Vec::new(), Vec::new());
    loop {
        let kept = bytes.len();
        bytes.resize(kept + READ_BYTES, 0);
        let count = stream.read(&mut bytes[kept..])?;
        bytes.truncate(kept + count);
        if count == 0 {
            return Ok(());
        }
        let mut input = Input::new(&mut bytes);
        let mut then = Then::ReadOn;
        if frames.is_none() {
            then = web.decode(&mut input, &mut out);
        }
        if then == Then::Frames {
            frames = Some(ws::Decoder::new(Role::Server));
        }
        if let Some(decoder) = &mut frames {
            then = echo(decoder, &mut input, &mut out);
        }
        let unread = input.len();
        bytes.drain(..bytes.len() - unread);
        // Replies to all that came together leave together.
        stream.write_all(&out)?;
        out.clear();
        if then == Then::Close {
            stream.shutdown(Shutdown::Write)?;
            io::copy(&mut stream.take(LINGER_BYTES_MAX), &mut io::sink())?;
            return Ok(());
        }
    }
}

/// What is to be answered when a request is complete.
struct Answer {
    to: ReplyTo,
    status: Status,
    fields: &'static [(&'static str, &'static str)],
    text: &'static str,
}

/// The HTTP half of a connection.
struct Web {
    decoder: http::Decoder,
    limits: HeadLimits,
    /// To the request whose body is being read.
    reply: Answer,
    date: http::DateCache,
}

impl Web {
    fn new() -> Self {
        let mut date = http::DateCache::new();
        // A parser reads no clock: whoever owns it says what time it is, once for every turn of a real loop.
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        date.update(now.map_or(0, |since| since.as_secs()));
        Self {
            decoder: http::Decoder::new(),
            limits: HeadLimits::default(),
            reply: answer(ReplyTo::CLOSING, Status::OK, ""),
            date,
        }
    }

    fn decode(&mut self, input: &mut Input<'_>, out: &mut Vec<u8>) -> Then {
        loop {
            match self.decoder.next(input, &self.limits) {
                Ok(None) => return Then::ReadOn,
                Ok(Some(http::Event::Head(head))) => {
                    let to = head.reply_to();
                    self.reply = match head.target.path() {
                        b"/" => answer(to, Status::OK, "Hello, World!\n"),
                        b"/echo" => match upgrade(&head, out) {
                            Ok(()) => return Then::Frames,
                            Err(refused) => refused,
                        },
                        _ => answer(to, Status::NOT_FOUND, "There is nothing here.\n"),
                    };
                    if head.expect_continue {
                        out.extend_from_slice(http::CONTINUE_REPLY);
                    }
                }
                // It is read because the next request stands behind it.
                Ok(Some(http::Event::Body(_))) => {}
                Ok(Some(http::Event::End)) => {
                    let Answer { to, status, .. } = self.reply;
                    let mut head = ReplyHead::new(out, to, status);
                    head = head.constant("Content-Type: text/plain\r\n");
                    for (name, value) in self.reply.fields {
                        head.field(name, value).expect("constants");
                    }
                    if !head.finish_with(self.reply.text.as_bytes()).keep_alive {
                        return Then::Close;
                    }
                }
                Err(error) => {
                    let to = self.decoder.refused();
                    http::encode_error(out, to, error.status(), error.reason(), &self.date);
                    return Then::Close;
                }
            }
        }
    }
}

fn answer(to: ReplyTo, status: Status, text: &'static str) -> Answer {
    Answer {
        to,
        status,
        fields: &[],
        text,
    }
}

/// Answers a handshake with 101 (RFC 6455 §4.2), or says what to answer instead.
fn upgrade(head: &Head<'_>, out: &mut Vec<u8>) -> Result<(), Answer> {
    let to = head.reply_to();
    if head.framing != Framing::None {
        let reason = "A handshake has no body.\n";
        return Err(answer(to, Status::BAD_REQUEST, reason));
    }
    let (is_get, is_1_1) = (head.method == Method::Get, head.version == Version::Http11);
    match ws::accept(is_get, is_1_1, head.fields.clone()) {
        Ok(accept) => {
            ws::encode_101(out, &accept.key_accept, &ws::Agreement::default());
            Ok(())
        }
        Err(refusal) => Err(Answer {
            to,
            status: Status::new(refusal.status).unwrap_or(Status::BAD_REQUEST),
            fields: refusal.fields(),
            text: refusal.reason,
        }),
    }
}

/// Sends every piece of every message back as a frame.
fn echo(decoder: &mut ws::Decoder, input: &mut Input<'_>, out: &mut Vec<u8>) -> Then {
    loop {
        match decoder.next(input, &ws::Limits::default()) {
            Ok(None) => return Then::ReadOn,
            Ok(Some(ws::Event::Data(piece))) => {
                let opcode = if piece.first {
                    piece.kind.opcode()
                } else {
                    Opcode::Continuation
                };
                ws::encode_frame(out, opcode, piece.last, None, piece.bytes);
            }
            Ok(Some(ws::Event::Ping(payload))) => ws::encode_pong(out, payload),
            Ok(Some(ws::Event::Pong(_))) => {}
            Ok(Some(ws::Event::Close(code, _))) => {
                ws::encode_close(out, code, "");
                return Then::Close;
            }
            Err(error) => {
                let code: CloseCode = error.close_code();
                ws::encode_close(out, Some(code), error.reason());
                return Then::Close;
            }
        }
    }
}
