//! The decoder against the rules of RFC 6455, one table per section. How input is cut is the concern of `cuts`.

mod both;
mod cuts;
mod tables;

use super::*;
use crate::ws::{encode_close, encode_frame};

const MASK_KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// An event that owns its bytes. Adjacent pieces of one message are one entry, however they came.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Data {
        kind: Kind,
        first: bool,
        last: bool,
        compressed: bool,
        bytes: Vec<u8>,
    },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

impl Told {
    fn whole(kind: Kind, bytes: &[u8]) -> Self {
        Self::Data {
            kind,
            first: true,
            last: true,
            compressed: false,
            bytes: bytes.to_vec(),
        }
    }

    /// Adds an event to what was told, merging pieces, and checks what holds for every piece.
    fn note(told: &mut Vec<Self>, event: &Event<'_>) {
        let piece = match event {
            Event::Ping(payload) => return told.push(Self::Ping(payload.to_vec())),
            Event::Pong(payload) => return told.push(Self::Pong(payload.to_vec())),
            Event::Close(code, reason) => {
                let code = code.map(CloseCode::number);
                return told.push(Self::Close(code, (*reason).to_owned()));
            }
            Event::Data(piece) => piece,
        };
        assert!(piece.first || piece.last || !piece.bytes.is_empty());
        if let Some(Self::Data {
            last: last @ false,
            bytes,
            ..
        }) = told.last_mut()
        {
            assert!(!piece.first, "the message before has not ended");
            bytes.extend_from_slice(piece.bytes);
            *last = piece.last;
            return;
        }
        told.push(Self::Data {
            kind: piece.kind,
            first: piece.first,
            last: piece.last,
            compressed: piece.compressed,
            bytes: piece.bytes.to_vec(),
        });
    }
}

type Outcome = (Vec<Told>, Option<Error>);

/// Decodes everything that `input` holds.
fn drain(decoder: &mut Decoder, input: &mut Input<'_>, limits: Limits, outcome: &mut Outcome) {
    let bytes = input.len();
    for _ in 0..=bytes {
        match decoder.next(input, &limits) {
            Ok(Some(event)) => Told::note(&mut outcome.0, &event),
            Ok(None) => return assert!(input.len() <= 130, "left unread: {}", input.len()),
            Err(error) => {
                assert!(outcome.1.replace(error).is_none(), "a second error");
                assert!(decoder.is_over() && input.is_empty());
            }
        }
    }
    panic!("more events than bytes");
}

/// Decodes `bytes` in one lend with the default limits.
fn decoded(role: Role, bytes: &[u8]) -> Outcome {
    let mut bytes = bytes.to_vec();
    let mut outcome = Outcome::default();
    drain(
        &mut Decoder::new(role),
        &mut Input::new(&mut bytes),
        Limits::default(),
        &mut outcome,
    );
    outcome
}

fn refused(role: Role, bytes: &[u8]) -> Option<Error> {
    decoded(role, bytes).1
}

/// A client's frame.
fn masked(opcode: Opcode, fin: bool, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    encode_frame(&mut frame, opcode, fin, Some(MASK_KEY), payload);
    frame
}

#[test]
fn the_examples_of_section_5_7() {
    let hello = Told::whole(Kind::Text, b"Hello");
    let bare = decoded(Role::Client, b"\x81\x05Hello");
    assert_eq!(bare, (vec![hello.clone()], None));
    let masked = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_eq!(decoded(Role::Server, masked), (vec![hello.clone()], None));
    let fragmented = b"\x01\x03Hel\x80\x02lo";
    assert_eq!(decoded(Role::Client, fragmented), (vec![hello], None));
    let ping = decoded(Role::Client, b"\x89\x05Hello");
    assert_eq!(ping, (vec![Told::Ping(b"Hello".to_vec())], None));
    let pong = decoded(
        Role::Server,
        b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
    );
    assert_eq!(pong, (vec![Told::Pong(b"Hello".to_vec())], None));
    for (header, length) in [
        (&b"\x82\x7e\x01\x00"[..], 256),
        (b"\x82\x7f\0\0\0\0\0\x01\0\0", 65536),
    ] {
        let bytes = [header, &vec![7; length]].concat();
        let told = Told::whole(Kind::Binary, &vec![7; length]);
        assert_eq!(decoded(Role::Client, &bytes), (vec![told], None));
    }
}

/// RFC 6455 §5.1, §5.2, §5.4, §5.5: refused from the header alone, with not one byte of payload there.
#[test]
fn headers_that_break_a_rule() {
    use Error::*;
    let table: &[(&[u8], Error)] = &[
        (b"\xc1", ReservedBit),
        (b"\xa1", ReservedBit),
        (b"\x91", ReservedBit),
        (b"\xf1", ReservedBit),
        (b"\xc9", ReservedBit),
        (b"\x83", ReservedOpcode),
        (b"\x84", ReservedOpcode),
        (b"\x85", ReservedOpcode),
        (b"\x86", ReservedOpcode),
        (b"\x87", ReservedOpcode),
        (b"\x8b", ReservedOpcode),
        (b"\x8c", ReservedOpcode),
        (b"\x8d", ReservedOpcode),
        (b"\x8e", ReservedOpcode),
        (b"\x8f", ReservedOpcode),
        (b"\x08", FragmentedControl),
        (b"\x09", FragmentedControl),
        (b"\x0a", FragmentedControl),
        (b"\x80", LoneContinuation),
        (b"\x00", LoneContinuation),
        (b"\x81\x05", Unmasked),
        (b"\x89\x00", Unmasked),
        (b"\x89\xfe", LongControl),
        (b"\x88\xff", LongControl),
        (b"\x82\xfe\x00\x7d", PaddedLength),
        (b"\x81\xfe\x00\x00", PaddedLength),
        (b"\x82\xff\0\0\0\0\0\0\xff\xff", PaddedLength),
        (b"\x82\xff\0\0\0\0\0\0\0\x05", PaddedLength),
        (b"\x82\xff\x80\0\0\0\0\0\0\0", HugeLength),
        (b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff", HugeLength),
        (b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff", MessageTooBig),
        (b"\x82\xff\0\0\0\0\x01\0\0\x01", MessageTooBig),
    ];
    for &(bytes, error) in table {
        assert_eq!(
            decoded(Role::Server, bytes),
            (vec![], Some(error)),
            "{bytes:02x?}"
        );
        let shorter = &bytes[..bytes.len() - 1];
        assert_eq!(
            decoded(Role::Server, shorter),
            (vec![], None),
            "{shorter:02x?}"
        );
        let behind = [bytes, &[0xAA; 20]].concat();
        assert_eq!(
            decoded(Role::Server, &behind),
            (vec![], Some(error)),
            "{behind:02x?}"
        );
    }
    assert_eq!(refused(Role::Client, b"\x81\x80"), Some(Masked));
    assert_eq!(
        refused(Role::Client, b"\x81\x7e\x00\x7d"),
        Some(PaddedLength)
    );
}

#[test]
fn fragments_in_the_wrong_place() {
    let begun = masked(Opcode::Text, false, b"Hel");
    for (next, error) in [
        (0x81, Error::InterleavedMessage),
        (0x01, Error::InterleavedMessage),
        (0x82, Error::InterleavedMessage),
        (0xC0, Error::ReservedBit),
        (0x09, Error::FragmentedControl),
    ] {
        let bytes = [&begun[..], &[next]].concat();
        assert_eq!(refused(Role::Server, &bytes), Some(error), "{next:02x}");
    }
    let after = [&begun[..], &masked(Opcode::Continuation, true, b"lo")].concat();
    assert_eq!(
        decoded(Role::Server, &after),
        (vec![Told::whole(Kind::Text, b"Hello")], None)
    );
    let again = [&after[..], b"\x80"].concat();
    assert_eq!(refused(Role::Server, &again), Some(Error::LoneContinuation));
}

#[test]
fn control_frames_come_between_fragments() {
    let bytes = [
        masked(Opcode::Text, false, "é".as_bytes().split_at(1).0),
        masked(Opcode::Ping, true, b"are you there"),
        masked(Opcode::Continuation, true, "é".as_bytes().split_at(1).1),
    ]
    .concat();
    let part = |first, bytes: &[u8]| Told::Data {
        kind: Kind::Text,
        first,
        last: !first,
        compressed: false,
        bytes: bytes.to_vec(),
    };
    let told = vec![
        part(true, b"\xc3"),
        Told::Ping(b"are you there".to_vec()),
        part(false, b"\xa9"),
    ];
    assert_eq!(decoded(Role::Server, &bytes), (told, None));
}

/// RFC 6455 §5.2: the three length forms, at both ends of each.
#[test]
fn length_edges() {
    for length in [0, 1, 2, 124, 125, 126, 127, 65535, 65536, 65537] {
        let payload: Vec<u8> = (0..length).map(|i| b'a' + (i % 23) as u8).collect();
        for (kind, opcode) in [(Kind::Text, Opcode::Text), (Kind::Binary, Opcode::Binary)] {
            for (role, mask) in [(Role::Server, Some(MASK_KEY)), (Role::Client, None)] {
                let mut bytes = Vec::new();
                encode_frame(&mut bytes, opcode, true, mask, &payload);
                let told = Told::whole(kind, &payload);
                assert_eq!(
                    decoded(role, &bytes),
                    (vec![told], None),
                    "{length} {role:?}"
                );
            }
        }
    }
}

/// RFC 6455 §5.5.1, §7.4.
#[test]
fn close_payloads() {
    let close = |payload: &[u8]| decoded(Role::Server, &masked(Opcode::Close, true, payload));
    assert_eq!(close(b""), (vec![Told::Close(None, String::new())], None));
    assert_eq!(close(b"\x03"), (vec![], Some(Error::CloseLength)));
    let told = Told::Close(Some(1000), "bye".to_owned());
    assert_eq!(close(b"\x03\xe8bye"), (vec![told], None));
    let longest = [b"\x03\xe8", &[b'z'; 123][..]].concat();
    let told = Told::Close(Some(1000), "z".repeat(123));
    assert_eq!(close(&longest), (vec![told], None));
    assert_eq!(close(b"\x03\xe8\xc3"), (vec![], Some(Error::InvalidUtf8)));
    assert_eq!(
        close(b"\x03\xe8\xed\xa0\x80"),
        (vec![], Some(Error::InvalidUtf8))
    );
    for number in 0..=u16::MAX {
        let allowed = matches!(number, 1000..=1003 | 1007..=1014 | 3000..=4999);
        let expected = if allowed {
            (vec![Told::Close(Some(number), String::new())], None)
        } else {
            (vec![], Some(Error::CloseCode))
        };
        assert_eq!(close(&number.to_be_bytes()), expected, "{number}");
    }
}

#[test]
fn nothing_is_decoded_behind_a_close_or_an_error() {
    let mut bytes = Vec::new();
    encode_close(&mut bytes, Some(CloseCode::NORMAL), "");
    bytes.extend_from_slice(b"\x81\x05Hello\xff\xff");
    let told = Told::Close(Some(1000), String::new());
    assert_eq!(decoded(Role::Client, &bytes), (vec![told], None));

    let mut decoder = Decoder::new(Role::Server);
    let mut outcome = Outcome::default();
    for lend in [&b"\xff"[..], &masked(Opcode::Text, true, b"Hello"), b"\xff"] {
        let mut bytes = lend.to_vec();
        let mut input = Input::new(&mut bytes);
        drain(&mut decoder, &mut input, Limits::default(), &mut outcome);
        assert!(input.is_empty());
    }
    assert_eq!(outcome, (vec![], Some(Error::ReservedBit)));
}

fn limited(message_bytes_max: u64, frames: &[Vec<u8>]) -> Option<Error> {
    let mut bytes = frames.concat();
    let mut outcome = Outcome::default();
    drain(
        &mut Decoder::new(Role::Server),
        &mut Input::new(&mut bytes),
        Limits { message_bytes_max },
        &mut outcome,
    );
    outcome.1
}

#[test]
fn the_limit_counts_whole_messages() {
    let too_big = Some(Error::MessageTooBig);
    let text = |fin, payload: &[u8]| masked(Opcode::Text, fin, payload);
    let more = |fin, payload: &[u8]| masked(Opcode::Continuation, fin, payload);
    assert_eq!(
        limited(5, &[text(true, b"Hello"), text(true, b"Hello")]),
        None
    );
    assert_eq!(limited(4, &[text(true, b"Hello")]), too_big);
    assert_eq!(limited(5, &[text(false, b"Hel"), more(true, b"lo")]), None);
    assert_eq!(
        limited(4, &[text(false, b"Hel"), more(true, b"lo")]),
        too_big
    );
    assert_eq!(
        limited(0, &[text(true, b""), text(false, b""), more(true, b"")]),
        None
    );
    let ping = masked(Opcode::Ping, true, &[0; 125]);
    assert_eq!(limited(0, &[ping]), None);
    let long = masked(Opcode::Binary, true, &[0; 300]);
    assert_eq!(limited(300, &[long.clone(), long.clone()]), None);
    assert_eq!(limited(299, &[long]), too_big);
}

/// A message of empty fragments never grows, so each is charged a byte; the ones that say something are free.
#[test]
fn a_flood_of_empty_fragments_meets_the_limit() {
    let mut frames = vec![masked(Opcode::Binary, false, b"")];
    frames.extend(vec![masked(Opcode::Continuation, false, b""); 10]);
    frames.push(masked(Opcode::Continuation, true, b""));
    assert_eq!(limited(10, &frames), None);
    assert_eq!(limited(9, &frames), Some(Error::MessageTooBig));
}

#[test]
fn rsv1_marks_compressed_messages_once_it_is_allowed() {
    let mut first = masked(Opcode::Text, false, b"\xff\xfe");
    first[0] |= frame::RSV1;
    let last = masked(Opcode::Continuation, true, b"\xfd");
    let plain = masked(Opcode::Text, true, b"plain");
    let mut bytes = [first, last, plain].concat();
    let mut decoder = Decoder::new(Role::Server);
    decoder.allow_rsv1();
    let mut outcome = Outcome::default();
    drain(
        &mut decoder,
        &mut Input::new(&mut bytes),
        Limits::default(),
        &mut outcome,
    );
    let squeezed = Told::Data {
        kind: Kind::Text,
        first: true,
        last: true,
        compressed: true,
        bytes: b"\xff\xfe\xfd".to_vec(), // not checked: only the inflated bytes are text
    };
    assert_eq!(
        outcome,
        (vec![squeezed, Told::whole(Kind::Text, b"plain")], None)
    );
    for bytes in [[0xC9], [0xC8], [0xC0]] {
        let mut bytes = bytes;
        let mut decoder = Decoder::new(Role::Server);
        decoder.allow_rsv1();
        let error = decoder.next(&mut Input::new(&mut bytes), &Limits::default());
        assert_eq!(error, Err(Error::ReservedBit));
    }
}

/// RFC 6455 §8.1, and Autobahn 6.4: the bad byte is refused when it arrives, not when the frame or the message ends.
#[test]
fn bad_text_fails_in_the_piece_that_holds_it() {
    let good = "κόσμε".as_bytes();
    for bad in [
        &b"\xf4\x90\x80\x80"[..],
        b"\xed\xa0\x80",
        b"\xc0\xaf",
        b"\xff",
    ] {
        let payload = [good, bad, b"edited"].concat();
        let mut bytes = masked(Opcode::Text, false, &payload);
        let bad_at = good.len() + usize::from(!matches!(bad[0], 0xC0 | 0xFF));
        let mut decoder = Decoder::new(Role::Server);
        for (at, byte) in bytes.iter_mut().enumerate().skip(6) {
            if at == 6 {
                let mut header = masked(Opcode::Text, false, &payload)[..6].to_vec();
                let none = decoder.next(&mut Input::new(&mut header), &Limits::default());
                assert_eq!(none, Ok(None));
            }
            let mut input = Input::new(std::slice::from_mut(byte));
            let event = decoder.next(&mut input, &Limits::default());
            if at - 6 == bad_at {
                assert_eq!(event, Err(Error::InvalidUtf8), "{bad:02x?}");
                break;
            }
            assert!(
                matches!(event, Ok(Some(Event::Data(_)))),
                "{bad:02x?} at {at}"
            );
        }
        assert!(decoder.is_over());
    }
}

#[test]
fn text_must_not_end_inside_a_character() {
    type Fragments<'a> = &'a [(bool, &'a [u8])];
    let table: &[(Fragments<'_>, bool)] = &[
        (&[(true, b"\xe2\x82\xac")], true),
        (&[(true, b"\xe2\x82")], false),
        (&[(false, b"\xe2\x82"), (true, b"\xac")], true),
        (&[(false, b"\xe2"), (false, b""), (true, b"\x82\xac")], true),
        (&[(false, b"\xe2\x82"), (true, b"")], false),
        (&[(false, b""), (true, b"\xe2\x82")], false),
    ];
    for (fragments, good) in table {
        let mut bytes = Vec::new();
        let mut opcode = Opcode::Text;
        for &(fin, payload) in *fragments {
            bytes.extend(masked(opcode, fin, payload));
            opcode = Opcode::Continuation;
        }
        let expected = (!good).then_some(Error::InvalidUtf8);
        assert_eq!(refused(Role::Server, &bytes), expected, "{fragments:02x?}");
    }
}

#[test]
fn errors_know_their_close_code() {
    assert_eq!(Error::MessageTooBig.close_code(), CloseCode::TOO_BIG);
    assert_eq!(Error::InvalidUtf8.close_code(), CloseCode::INVALID_PAYLOAD);
    assert_eq!(Error::CloseCode.close_code(), CloseCode::PROTOCOL_ERROR);
    assert_eq!(Error::Unmasked.to_string(), Error::Unmasked.reason());
}
