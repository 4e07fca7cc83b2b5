//! An open WebSocket: messages out, events in, and the two ways in which it ends.
//!
//! ```text
//!   we close     close ──Close──▶   next ◀── what was under way …  ◀──Close──   wait for the server's FIN   Closed
//!   it closes                       next ◀──Close──   ──Close──▶               wait for the server's FIN   Closed
//!   it errs                         next ◀── bad ──   ──Close 1002 ──▶         wait for the server's FIN   Err
//! ```
//!
//! The server closes the TCP connection first (RFC 6455 §7.1.1): then TIME_WAIT is not ours, which would keep us from
//! connecting again from the same port, and our last frame is not lost to a reset. It does not know how the stream came
//! to be.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::connect::tcp;
use super::fault::Fault;
use super::handshake::{Opened, handshake, is_interruption, is_timeout};
use super::incoming::{Incoming, Step};
use super::outgoing::Outgoing;
use super::patience::{Patience, SetReadTimeout, deadline};
use super::{Error, Options};
#[cfg(feature = "deflate")]
use crate::ws::deflate::Agreed;
use crate::ws::{CloseCode, Kind, Opcode, SendClose, Session, State, Uri, Utf8Checker};

/// How much is read and forgotten while the server has not closed the TCP connection.
const LINGER_BYTES_MAX: usize = 256 << 10;
/// The longest payload of a control frame (RFC 6455 §5.5).
const CONTROL_BYTES_MAX: usize = 125;

/// What the server said, borrowed until the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'w> {
    /// A whole text message.
    Text(&'w str),
    /// A whole binary message.
    Binary(&'w [u8]),
    /// A Ping, which was answered already.
    Ping(&'w [u8]),
    /// An answer to a Ping of ours, or one that nobody asked for.
    Pong(&'w [u8]),
    /// The server's Close with its code and reason. Ours was sent, and the TCP connection has ended or was given its time
    /// to. This is the last event.
    Closed(Option<CloseCode>, &'w str),
}

/// A WebSocket as a client has it, over a stream that blocks.
///
/// Dropping it drops the stream. To part in order, [`close`](Self::close) and call [`next`](Self::next) until
/// [`Event::Closed`].
///
/// ```no_run
/// use longshore::client::{Error, Event, Options, WebSocket};
///
/// let mut socket = WebSocket::connect("ws://localhost:8080/feed", &Options::default())?;
/// socket.send_text("subscribe")?;
/// loop {
///     match socket.next()? {
///         Event::Text(text) => println!("{text}"),
///         Event::Closed(code, reason) => break println!("closed: {code:?} {reason}"),
///         _ => {}
///     }
/// }
/// # Ok::<(), Error>(())
/// ```
pub struct WebSocket<S> {
    pub(super) stream: S,
    session: Session,
    incoming: Incoming,
    outgoing: Outgoing,
    patience: Patience<S>,
    close_timeout: Duration,
    /// When the wait for the server's Close is over; set when ours is sent.
    closing: Option<Instant>,
    /// A write failed, perhaps within a frame: no other frame can follow. What the server said can still be read, and may
    /// be the reason.
    broken: bool,
    protocol: Option<String>,
    #[cfg(feature = "deflate")]
    agreed: Option<Agreed>,
}

impl WebSocket<TcpStream> {
    /// Connects over TCP and opens a WebSocket: `uri` is `ws://host[:port][/path][?query]`.
    ///
    /// # Errors
    /// [`Error::Uri`], [`Error::Tls`] for `wss`, [`Error::Resolve`], [`Error::Connect`], and those of
    /// [`handshake`](Self::handshake).
    pub fn connect(uri: &str, options: &Options<'_>) -> Result<Self, Error> {
        let uri = Uri::parse(uri)?;
        if uri.is_secure() {
            return Err(Error::Tls);
        }
        let stream = tcp(&uri, options)?;
        Self::open(stream, TcpStream::set_read_timeout, &uri, options)
    }
}

impl<S: Read + Write> WebSocket<S> {
    /// Opens a WebSocket over a stream that is connected already: a Unix socket, TLS, a pipe in a test. `uri` says what
    /// the request asks for; its scheme may be `wss`, if the stream is encrypted.
    ///
    /// How long a read or write waits is the stream's own affair here: set its timeouts before, or use
    /// [`handshake_timed`](Self::handshake_timed). The times of `options` are looked at between reads.
    ///
    /// # Errors
    /// [`Error::Uri`], [`Error::Request`], [`Error::Head`], [`Error::Refused`], [`Error::Reply`], `Error::Extension`,
    /// [`Error::HandshakeTimeout`], [`Error::HandshakeEnded`], [`Error::Read`], [`Error::Write`], [`Error::Random`].
    ///
    /// ```no_run
    /// use longshore::client::{Options, WebSocket};
    /// let stream = std::os::unix::net::UnixStream::connect("/run/app.sock")?;
    /// let socket = WebSocket::handshake(stream, "ws://localhost/feed", &Options::default())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn handshake(stream: S, uri: &str, options: &Options<'_>) -> Result<Self, Error> {
        Self::handshake_timed(stream, |_, _| Ok(()), uri, options)
    }

    /// As [`handshake`](Self::handshake), with the function that bounds the stream's reads, so that the times of `options`
    /// hold: `TcpStream::set_read_timeout`, `UnixStream::set_read_timeout`, or one that reaches the socket inside.
    ///
    /// # Errors
    /// As [`handshake`](Self::handshake).
    pub fn handshake_timed(
        stream: S,
        set_read_timeout: SetReadTimeout<S>,
        uri: &str,
        options: &Options<'_>,
    ) -> Result<Self, Error> {
        Self::open(stream, set_read_timeout, &Uri::parse(uri)?, options)
    }

    fn open(
        mut stream: S,
        set_read_timeout: SetReadTimeout<S>,
        uri: &Uri<'_>,
        options: &Options<'_>,
    ) -> Result<Self, Error> {
        let patience = Patience::new(set_read_timeout, options.read_timeout);
        let opened = handshake(&mut stream, &patience, uri, options)?;
        let Opened {
            protocol,
            terms,
            frames,
        } = opened;
        patience.usual(&stream).map_err(Error::Read)?;
        Ok(Self {
            stream,
            session: Session::new(),
            incoming: Incoming::new(&frames, options.message_bytes_max, terms),
            outgoing: Outgoing::new(terms),
            patience,
            close_timeout: options.close_timeout,
            closing: None,
            broken: false,
            protocol,
            #[cfg(feature = "deflate")]
            agreed: terms.map(|terms| terms.agreed),
        })
    }

    /// The subprotocol that the server chose, one of those on offer.
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// How messages are compressed: what the server made of [`Options::deflate`]. `None`: they travel as they are.
    ///
    /// ```no_run
    /// use longshore::client::{Deflate, Options, WebSocket};
    /// let options = Options { deflate: Some(Deflate::default()), ..Options::default() };
    /// let socket = WebSocket::connect("ws://localhost:8080/feed", &options)?;
    /// if let Some(agreed) = socket.compression() {
    ///     println!("the server looks back {} bits", agreed.server.window);
    /// }
    /// # Ok::<(), longshore::client::Error>(())
    /// ```
    #[cfg(feature = "deflate")]
    pub const fn compression(&self) -> Option<Agreed> {
        self.agreed
    }

    /// The stream beneath, to ask for its addresses, say. Reading or writing there would garble the frames.
    pub const fn stream(&self) -> &S {
        &self.stream
    }

    /// Lets [`next`](Self::next) wait so long for bytes from now on; `None` for ever. Behind our Close it waits for
    /// `close_timeout` instead.
    ///
    /// # Errors
    /// [`Error::Read`]: the stream takes no timeout.
    pub fn set_read_timeout(&mut self, time: Option<Duration>) -> Result<(), Error> {
        self.patience
            .change(&self.stream, time)
            .map_err(Error::Read)
    }

    /// Sends a whole message. It returns when the stream has taken all of it. Where compression was agreed on, a message of
    /// `Deflate::bytes_min` or more is compressed.
    ///
    /// # Errors
    /// [`Error::NotUtf8`], [`Error::Unfinished`], [`Error::Closed`], [`Error::Write`], [`Error::Random`].
    pub fn send(&mut self, kind: Kind, bytes: &[u8]) -> Result<(), Error> {
        self.check_may_begin()?;
        check_text(kind, bytes)?;
        let sent = self.outgoing.message(&mut self.stream, kind, bytes);
        self.noted(sent)
    }

    /// Sends a whole message as it is, also where compression was agreed on: for what is compressed already, and for what
    /// holds a secret, which the length of a compressed message may betray (RFC 7692 §8).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_uncompressed(&mut self, kind: Kind, bytes: &[u8]) -> Result<(), Error> {
        self.check_may_begin()?;
        check_text(kind, bytes)?;
        self.write(kind.opcode(), bytes)
    }

    /// Sends a whole text message, as [`send`](Self::send) does.
    ///
    /// # Errors
    /// As [`send`](Self::send), without `NotUtf8`.
    pub fn send_text(&mut self, text: &str) -> Result<(), Error> {
        self.check_may_begin()?;
        let (stream, bytes) = (&mut self.stream, text.as_bytes());
        let sent = self.outgoing.message(stream, Kind::Text, bytes);
        self.noted(sent)
    }

    /// Sends the next fragment of a message, which the first call begins and `last` ends (RFC 6455 §5.4). A fragment of text
    /// may end inside a character. In between, [`ping`](Self::ping) and [`next`](Self::next) work as ever.
    ///
    /// Where compression was agreed on, the message is compressed if its first fragment has `Deflate::bytes_min` bytes; the
    /// server can inflate each fragment when it comes. Begin with an empty fragment to send it as it is.
    ///
    /// # Errors
    /// As [`send`](Self::send); [`Error::Unfinished`] if `kind` is not that of the message in hand.
    ///
    /// ```no_run
    /// # use longshore::client::{Error, Options, WebSocket};
    /// # use longshore::ws::Kind;
    /// # let mut socket = WebSocket::connect("ws://localhost:8080/feed", &Options::default())?;
    /// socket.send_fragment(Kind::Text, b"in ", false)?;
    /// socket.send_fragment(Kind::Text, b"two", true)?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn send_fragment(&mut self, kind: Kind, bytes: &[u8], last: bool) -> Result<(), Error> {
        self.check_open()?;
        let head = self.outgoing.check_fragment(kind, bytes, last)?;
        let sent = self.outgoing.fragment(&mut self.stream, head, bytes);
        self.noted(sent)
    }

    /// Sends a Ping of at most 125 bytes; [`Event::Pong`] is the answer.
    ///
    /// # Errors
    /// [`Error::TooLong`], [`Error::Closed`], [`Error::Write`], [`Error::Random`].
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        if payload.len() > CONTROL_BYTES_MAX {
            return Err(Error::TooLong);
        }
        self.check_open()?;
        self.write(Opcode::Ping, payload)
    }

    /// Sends a Close, after which nothing can be sent. Call [`next`](Self::next) for what was under way, and for the
    /// server's answer, [`Event::Closed`]. A reason longer than 123 bytes is cut; without a code there is none. Does nothing
    /// if the connection is closing already.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::Random`].
    pub fn close(&mut self, code: Option<CloseCode>, reason: &str) -> Result<(), Error> {
        let Some(SendClose(code)) = self.session.close(code) else {
            return Ok(());
        };
        self.closing = Some(deadline(self.close_timeout));
        self.write_close(code, reason)
    }

    /// Waits for what the server says next: a whole message, a Ping (answered before it is told), a Pong, or the end.
    ///
    /// # Errors
    /// [`Error::Timeout`], after which it can be called again; [`Error::Protocol`] when the server breaks the rules, and
    /// `Error::Inflate` those of compression; [`Error::Ended`], [`Error::CloseTimeout`], [`Error::Read`]; and
    /// [`Error::Closed`] after any end.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Result<Event<'_>, Error> {
        let step = loop {
            if self.session.state() == State::Done {
                return Err(Error::Closed);
            }
            match self.incoming.step() {
                Ok(Some(step)) => break step,
                Ok(None) => self.receive()?,
                Err(fault) => return Err(self.fail(fault)),
            }
        };
        match step {
            Step::Ping => self.answer_ping(),
            Step::Close(code) => self.answer_close(code),
            Step::Message(_) | Step::Pong => {}
        }
        Ok(self.event(step))
    }

    fn event(&self, step: Step) -> Event<'_> {
        let text = |bytes| str::from_utf8(bytes).expect("incoming has checked it");
        match step {
            Step::Message(Kind::Text) => Event::Text(text(self.incoming.message())),
            Step::Message(Kind::Binary) => Event::Binary(self.incoming.message()),
            Step::Ping => Event::Ping(self.incoming.control()),
            Step::Pong => Event::Pong(self.incoming.control()),
            Step::Close(code) => Event::Closed(code, text(self.incoming.control())),
        }
    }

    /// One read, within the time that is allowed now.
    fn receive(&mut self) -> Result<(), Error> {
        if let Some(until) = self.closing {
            let in_time = self.patience.until(&self.stream, until);
            if !in_time.map_err(Error::Read)? {
                self.session.peer_gone();
                return Err(Error::CloseTimeout);
            }
        }
        let error = match self.stream.read(self.incoming.room()) {
            Ok(0) => Error::Ended,
            Ok(count) => {
                self.incoming.received(count);
                return Ok(());
            }
            Err(error) if is_interruption(&error) => return Ok(()),
            // Whether the time for the server's Close is over is asked again, by the clock.
            Err(error) if is_timeout(&error) && self.closing.is_some() => return Ok(()),
            Err(error) if is_timeout(&error) => return Err(Error::Timeout),
            Err(error) => Error::Read(error),
        };
        self.session.peer_gone();
        Err(error)
    }

    /// If the answer cannot be sent, that is told by the next call that sends, or reads the end: what the server has said
    /// is not lost for it.
    fn answer_ping(&mut self) {
        if !self.broken && self.session.answers_ping() {
            let (stream, payload) = (&mut self.stream, self.incoming.control());
            let sent = self.outgoing.plain(stream, Opcode::Pong, payload);
            self.broken |= sent.is_err();
        }
    }

    /// Sends the Close that is owed, with the code that came (§5.5.1), and lets the server hang up. It has said all, so
    /// neither can fail.
    fn answer_close(&mut self, code: Option<CloseCode>) {
        self.session.peer_closed();
        if let Some(SendClose(code)) = self.session.close(code) {
            let _ = self.write_close(code, "");
        }
        self.await_end();
    }

    /// Fails the connection (§7.1.7): tells the server why, as far as it listens.
    fn fail(&mut self, fault: Fault) -> Error {
        if let Some(SendClose(code)) = self.session.abandon(fault.code) {
            let _ = self.write_close(code, fault.reason);
        }
        self.await_end();
        fault.error
    }

    /// Reads and forgets until the server's FIN, at most `close_timeout` and a bounded number of bytes: closing with bytes
    /// unread would reset the connection, and the server would lose our Close.
    fn await_end(&mut self) {
        let until = deadline(self.close_timeout);
        let mut forgotten = 0;
        let mut buffer = [0; 4 << 10];
        while forgotten < LINGER_BYTES_MAX {
            if !self.patience.until(&self.stream, until).unwrap_or(false) {
                return;
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => forgotten += count,
                Err(error) if is_interruption(&error) || is_timeout(&error) => {}
                Err(_) => return,
            }
        }
    }

    fn check_open(&self) -> Result<(), Error> {
        if self.broken || !self.session.may_begin_message() {
            return Err(Error::Closed);
        }
        Ok(())
    }

    fn check_may_begin(&self) -> Result<(), Error> {
        self.check_open()?;
        if self.outgoing.is_inside_message() {
            return Err(Error::Unfinished);
        }
        Ok(())
    }

    fn write(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        let sent = self.outgoing.plain(&mut self.stream, opcode, payload);
        self.noted(sent)
    }

    /// What was not sent whole ends all sending: half a frame may have left, or the server's context lacks a message.
    fn noted(&mut self, sent: Result<(), Error>) -> Result<(), Error> {
        self.broken |= sent.is_err();
        sent
    }

    fn write_close(&mut self, code: Option<CloseCode>, reason: &str) -> Result<(), Error> {
        if self.broken {
            return Ok(());
        }
        let sent = self.outgoing.close(&mut self.stream, code, reason);
        self.noted(sent)
    }
}

fn check_text(kind: Kind, bytes: &[u8]) -> Result<(), Error> {
    match kind {
        Kind::Text => Utf8Checker::check_whole(bytes).map_err(|_| Error::NotUtf8),
        Kind::Binary => Ok(()),
    }
}

impl<S> std::fmt::Debug for WebSocket<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebSocket")
            .field("state", &self.session.state())
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}
