//! The decoder alone, as another crate uses it on sockets of its own: no reactor, no driver, no copy.
//!
//! ```text
//!   client ══socket pair══▶ read ──▶ buffer ──▶ Decoder ──▶ pieces, all of them inside the buffer
//!                                      └ at most 14 bytes of a header, or 131 of a control frame, wait in the inbox
//! ```
//!
//! It uses `longshore::{buf, ws}` and the standard library, so it also holds for a build with no default features.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::ops::Range;
use std::os::unix::net::UnixStream;

use longshore::buf::Input;
use longshore::ws::{
    CloseCode, Decoder, Error, Event, Kind, Limits, Opcode, Role, encode_frame,
    encode_masked_close, encode_masked_message,
};

/// The longest header: two bytes, a length of eight, a mask of four (RFC 6455 §5.2).
const HEADER_BYTES_MAX: usize = 14;
/// The longest control frame of a client (§5.5).
const CONTROL_FRAME_BYTES_MAX: usize = 2 + 4 + 125;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

thread_local! {
    /// Allocations of this thread; tests run on threads of their own.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to `System` unchanged, whose contract the caller keeps towards us.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: `layout` is the caller's, kept valid by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System` with `layout`, kept true by the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations_of(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

/// What came, with the payloads' bytes put together.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    Message(Kind, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<CloseCode>, String),
}

/// A receiver around the decoder: what an embedder writes.
struct Receiver {
    decoder: Decoder,
    inbox: Vec<u8>,
    /// The most that ever waited in the inbox for more, when it began as a data frame and as a control frame.
    stored_max: [usize; 2],
    /// Payload bytes that lay in the receive buffer, and in the inbox.
    in_place: usize,
    in_inbox: usize,
    message: Vec<u8>,
    came: Vec<Came>,
}

impl Receiver {
    fn new(role: Role) -> Self {
        Self {
            decoder: Decoder::new(role),
            inbox: Vec::new(),
            stored_max: [0; 2],
            in_place: 0,
            in_inbox: 0,
            message: Vec::new(),
            came: Vec::new(),
        }
    }

    /// Decodes what one read brought.
    fn received(&mut self, fresh: &mut [u8]) -> Result<(), Error> {
        let missing = self.decoder.missing(&self.inbox, fresh);
        if missing > 0 {
            self.inbox.extend_from_slice(&fresh[..missing]);
            let mut inbox = std::mem::take(&mut self.inbox);
            let unread = self.drain(&mut inbox)?;
            inbox.drain(..inbox.len() - unread);
            self.inbox = inbox;
        }
        let fresh = &mut fresh[missing..];
        if self.inbox.is_empty() {
            let before = self.in_inbox;
            let unread = self.drain(fresh)?;
            self.in_place += self.in_inbox - before;
            self.in_inbox = before;
            self.inbox.extend_from_slice(&fresh[fresh.len() - unread..]);
        } else {
            assert!(fresh.is_empty(), "one unit was not enough");
        }
        if let Some(first) = self.inbox.first() {
            let max = &mut self.stored_max[usize::from(first & 8 != 0)];
            *max = (*max).max(self.inbox.len());
        }
        Ok(())
    }

    /// Notes every event and checks where its bytes lie. Returns how many bytes are left unread.
    fn drain(&mut self, bytes: &mut [u8]) -> Result<usize, Error> {
        let lent = bytes.as_ptr_range();
        let mut input = Input::new(bytes);
        while let Some(event) = self.decoder.next(&mut input, &Limits::default())? {
            let payload = match &event {
                Event::Data(piece) => &*piece.bytes,
                Event::Ping(payload) | Event::Pong(payload) => payload,
                Event::Close(_, reason) => reason.as_bytes(),
            };
            assert!(lies_in(payload, &lent), "{payload:02x?} was copied");
            self.in_inbox += payload.len();
            match event {
                Event::Data(piece) => {
                    self.message.extend_from_slice(piece.bytes);
                    if piece.last {
                        let message = std::mem::take(&mut self.message);
                        self.came.push(Came::Message(piece.kind, message));
                    }
                }
                Event::Ping(payload) => self.came.push(Came::Ping(payload.to_vec())),
                Event::Pong(payload) => self.came.push(Came::Pong(payload.to_vec())),
                Event::Close(code, reason) => self.came.push(Came::Close(code, reason.to_owned())),
            }
        }
        Ok(input.len())
    }
}

fn lies_in(part: &[u8], whole: &Range<*const u8>) -> bool {
    let part = part.as_ptr_range();
    part.is_empty() || (whole.start <= part.start && part.end <= whole.end)
}

/// A client says something of everything, one message of it as long as asked for; what must come of it.
fn conversation(long_bytes: usize) -> (Vec<u8>, Vec<Came>) {
    let text = "grüß €, 😂 — ".repeat(9);
    let (start, rest) = text.as_bytes().split_at(2); // inside "ü"
    let long: Vec<u8> = (0..long_bytes).map(|i| (i % 251) as u8).collect();
    let mut out = Vec::new();
    encode_masked_message(&mut out, MASK, Kind::Text, text.as_bytes());
    encode_frame(&mut out, Opcode::Text, false, Some(MASK), start);
    encode_frame(&mut out, Opcode::Ping, true, Some(MASK), &[b'p'; 125]);
    encode_frame(&mut out, Opcode::Continuation, true, Some(MASK), rest);
    encode_masked_message(&mut out, MASK, Kind::Binary, &long[..300]);
    encode_masked_message(&mut out, MASK, Kind::Binary, &long);
    encode_masked_message(&mut out, MASK, Kind::Binary, b"");
    encode_frame(&mut out, Opcode::Pong, true, Some(MASK), b"pong");
    encode_masked_close(&mut out, MASK, Some(CloseCode::NORMAL), "bye");
    let came = vec![
        Came::Message(Kind::Text, text.clone().into_bytes()),
        Came::Ping(vec![b'p'; 125]),
        Came::Message(Kind::Text, text.into_bytes()),
        Came::Message(Kind::Binary, long[..300].to_vec()),
        Came::Message(Kind::Binary, long),
        Came::Message(Kind::Binary, Vec::new()),
        Came::Pong(b"pong".to_vec()),
        Came::Close(Some(CloseCode::NORMAL), "bye".to_owned()),
    ];
    (out, came)
}

/// Read calls of every size, from single bytes to more than there is.
#[test]
fn pieces_lie_in_the_receive_buffer() {
    let (bytes, came) = conversation(70_000);
    for read_bytes in [1, 2, 7, 13, 100, 131, 1460, 2048, 65_536, 1 << 20] {
        let (mut client, mut server) = UnixStream::pair().expect("a socket pair");
        let sent = bytes.clone();
        let sending = std::thread::spawn(move || client.write_all(&sent));
        let mut receiver = Receiver::new(Role::Server);
        let mut buffer = vec![0; read_bytes];
        loop {
            let count = server.read(&mut buffer).expect("a read");
            if count == 0 {
                break;
            }
            let received = receiver.received(&mut buffer[..count]);
            received.expect("a client that keeps the rules");
        }
        sending.join().expect("no panic").expect("all was sent");
        assert_eq!(receiver.came, came, "reads of {read_bytes}");
        assert!(receiver.decoder.is_over());
        let [data, control] = receiver.stored_max;
        assert!(data < HEADER_BYTES_MAX, "{data} bytes of a header waited");
        assert!(control < CONTROL_FRAME_BYTES_MAX, "{control}");
        // Only a control frame that was cut is read where it was put together. Ping, Pong and the close reason are 132.
        assert!(receiver.in_inbox <= 132, "{}", receiver.in_inbox);
        if read_bytes == 1 << 20 {
            assert_eq!((data, control, receiver.in_inbox), (0, 0, 0));
        }
    }
}

/// Two reads, cut at every byte; where one message has an eight-byte length, at every byte of its header.
#[test]
fn resumes_at_every_byte() {
    let (short, short_came) = conversation(400);
    let (long, long_came) = conversation(70_000);
    let header = long.windows(2).position(|two| two == [0x82, 0xff]);
    let header = header.expect("a length of eight bytes");
    let cuts = (0..=short.len()).map(|cut| (&short, &short_came, cut));
    let in_header = (header..=header + HEADER_BYTES_MAX).map(|cut| (&long, &long_came, cut));
    let mut stored = [0; 2];
    for (bytes, came, cut) in cuts.chain(in_header) {
        let mut receiver = Receiver::new(Role::Server);
        let (mut first, mut second) = (bytes[..cut].to_vec(), bytes[cut..].to_vec());
        receiver.received(&mut first).expect("good bytes");
        receiver.received(&mut second).expect("good bytes");
        assert_eq!(&receiver.came, came, "cut at {cut}");
        assert!(receiver.inbox.is_empty());
        for (max, stored) in stored.iter_mut().zip(receiver.stored_max) {
            *max = (*max).max(stored);
        }
    }
    // One byte less than the longest header, and than the longest control frame: with it, nothing waits.
    let longest = [HEADER_BYTES_MAX - 1, CONTROL_FRAME_BYTES_MAX - 1];
    assert_eq!(stored, longest);
}

/// RFC 6455 §5.2, §7.4.1: no payload byte has come, and none is waited for.
#[test]
fn oversized_lengths_are_refused_from_the_header() {
    let (mut client, mut server) = UnixStream::pair().expect("a socket pair");
    let limit = Limits::default().message_bytes_max;
    for (length, error) in [
        (limit + 1, Error::MessageTooBig),
        (u64::MAX >> 1, Error::MessageTooBig),
        (1 << 63, Error::HugeLength),
        (u64::MAX, Error::HugeLength),
        (65_535, Error::PaddedLength),
    ] {
        let mut header = [0; 10];
        header[..2].copy_from_slice(&[0x82, 0xff]);
        header[2..].copy_from_slice(&length.to_be_bytes());
        client.write_all(&header).expect("ten bytes fit");
        let mut buffer = [0; 64];
        let count = server.read(&mut buffer).expect("a read");
        let mut receiver = Receiver::new(Role::Server);
        assert_eq!(receiver.received(&mut buffer[..count]), Err(error));
        assert!(receiver.decoder.is_over() && receiver.inbox.capacity() == 0);
        // What follows is taken and ignored.
        let mut behind = [0x82; 64];
        assert_eq!(receiver.received(&mut behind), Ok(()));
        assert_eq!(receiver.came, []);
    }
    // The limit itself is allowed: the payload is waited for, and not one byte is set aside for it.
    let mut header = [0; 14];
    header[..2].copy_from_slice(&[0x82, 0xff]);
    header[2..10].copy_from_slice(&limit.to_be_bytes());
    let mut receiver = Receiver::new(Role::Server);
    let allocations = allocations_of(|| assert_eq!(receiver.received(&mut header), Ok(())));
    assert_eq!(allocations, 0);
    assert!(receiver.decoder.is_inside_message());
}

/// Everything that a decoder does, cut and whole, good and bad, without the heap.
#[test]
fn the_decoder_allocates_nothing() {
    let (good, came) = conversation(70_000);
    for lend_bytes in [1, 3, 1460, good.len()] {
        let (mut decoder, mut bytes) = (Decoder::new(Role::Server), good.clone());
        let mut events = 0;
        let allocations = allocations_of(|| {
            events = events_of(&mut decoder, &mut bytes, lend_bytes);
        });
        assert_eq!(allocations, 0, "lends of {lend_bytes}");
        assert!(decoder.is_over() && events >= came.len());
    }
    let mut bad = *b"\x81\x82\0\0\0\0\xc0\xaf"; // an overlong slash
    let allocations = allocations_of(|| {
        let mut decoder = Decoder::new(Role::Server);
        let error = decoder.next(&mut Input::new(&mut bad), &Limits::default());
        assert_eq!(error, Err(Error::InvalidUtf8));
    });
    assert_eq!(allocations, 0);
}

/// Decodes lends of one size, with an inbox on the stack.
fn events_of(decoder: &mut Decoder, bytes: &mut [u8], lend_bytes: usize) -> usize {
    fn drain(decoder: &mut Decoder, bytes: &mut [u8], events: &mut usize) -> usize {
        let mut input = Input::new(bytes);
        while let Ok(Some(_)) = decoder.next(&mut input, &Limits::default()) {
            *events += 1;
        }
        input.len()
    }
    let mut inbox = [0; CONTROL_FRAME_BYTES_MAX];
    let (mut stored, mut events) = (0, 0);
    for lend in bytes.chunks_mut(lend_bytes) {
        let missing = decoder.missing(&inbox[..stored], lend);
        let (completing, fresh) = lend.split_at_mut(missing);
        inbox[stored..][..missing].copy_from_slice(completing);
        stored += missing;
        if drain(decoder, &mut inbox[..stored], &mut events) == 0 {
            stored = drain(decoder, fresh, &mut events);
            inbox[..stored].copy_from_slice(&fresh[fresh.len() - stored..]);
        }
    }
    events
}
