//! The same under every condition: both roles, RSV1 allowed or not, good streams and broken ones, with the replies that
//! [`Session`] owes. Every single cut of every stream, and random ones of random streams.

use proptest::prelude::*;

use super::*;
use crate::ws::{SendClose, Session, encode_masked_close};

/// Who decodes, and what was negotiated.
#[derive(Clone, Copy, Debug)]
struct Setting {
    role: Role,
    rsv1: bool,
    limits: Limits,
}

const SETTINGS: [Setting; 4] = {
    let limits = Limits {
        message_bytes_max: 600,
    };
    [
        Setting {
            role: Role::Server,
            rsv1: false,
            limits,
        },
        Setting {
            role: Role::Server,
            rsv1: true,
            limits,
        },
        Setting {
            role: Role::Client,
            rsv1: false,
            limits,
        },
        Setting {
            role: Role::Client,
            rsv1: true,
            limits,
        },
    ]
};

/// What an endpoint was told, and what it answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Deeds {
    told: Vec<Told>,
    error: Option<Error>,
    replies: Vec<u8>,
}

/// An endpoint that answers as RFC 6455 wants: Pong to Ping, Close to Close, and a code to an error.
fn answered(outcome: Outcome, role: Role) -> Deeds {
    let (told, error) = outcome;
    let mask = match role {
        Role::Server => None,
        Role::Client => Some(MASK_KEY),
    };
    let (mut session, mut replies) = (Session::new(), Vec::new());
    let close = |replies: &mut Vec<u8>, reply: Option<SendClose>| match (reply, mask) {
        (Some(SendClose(code)), None) => encode_close(replies, code, ""),
        (Some(SendClose(code)), Some(mask)) => encode_masked_close(replies, mask, code, ""),
        (None, _) => {}
    };
    for told in &told {
        match told {
            Told::Ping(payload) if session.answers_ping() => {
                encode_frame(&mut replies, Opcode::Pong, true, mask, payload);
            }
            Told::Close(code, _) => {
                session.peer_closed();
                let code = code.and_then(CloseCode::new);
                close(&mut replies, session.close(code));
            }
            _ => {}
        }
    }
    if let Some(error) = error {
        close(&mut replies, session.fail(error));
    }
    Deeds {
        told,
        error,
        replies,
    }
}

/// Decodes lends that end at `cuts`, keeping what is unread; what had come when the error was found.
fn lived(bytes: &[u8], cuts: &[usize], setting: Setting) -> (Deeds, usize) {
    let mut decoder = Decoder::new(setting.role);
    if setting.rsv1 {
        decoder.allow_rsv1();
    }
    let (mut outcome, mut kept) = (Outcome::default(), Vec::new());
    let (mut start, mut seen) = (0, 0);
    for end in cuts.iter().copied().chain([bytes.len()]) {
        let end = end.clamp(start, bytes.len());
        let missing = decoder.missing(&kept, &bytes[start..end]);
        kept.extend_from_slice(&bytes[start..start + missing]);
        let mut fresh = bytes[start + missing..end].to_vec();
        start = end;
        let mut input = Input::new(&mut kept);
        drain(&mut decoder, &mut input, setting.limits, &mut outcome);
        kept = input.unread().to_vec();
        if kept.is_empty() {
            let mut input = Input::new(&mut fresh);
            drain(&mut decoder, &mut input, setting.limits, &mut outcome);
            kept = input.unread().to_vec();
        } else {
            assert!(fresh.is_empty(), "one unit was not enough");
        }
        if outcome.1.is_none() {
            seen = end;
        }
    }
    (answered(settled(outcome), setting.role), seen)
}

/// Of a message that ends in an error some bytes are told or not, depending on the cut: forget it.
fn settled((mut told, error): Outcome) -> Outcome {
    if error.is_some() {
        told.pop_if(|last| matches!(last, Told::Data { last: false, .. }));
    }
    (told, error)
}

/// Byte by byte shows where the error is: the first byte behind which no rest could be good.
fn fault(bytes: &[u8], setting: Setting) -> (Deeds, usize) {
    let each: Vec<usize> = (1..bytes.len()).collect();
    lived(bytes, &each, setting)
}

/// The same deeds, and the error in the lend that holds the faulty byte: neither before nor behind it.
fn assert_invariant(bytes: &[u8], cuts: &[usize], setting: Setting, expected: &(Deeds, usize)) {
    let (deeds, seen) = lived(bytes, cuts, setting);
    assert_eq!(
        deeds, expected.0,
        "{bytes:02x?} cut at {cuts:?}, {setting:?}"
    );
    if deeds.error.is_some() {
        let fault = expected.1;
        let start_of_lend = cuts.iter().copied().filter(|&cut| cut <= fault).max();
        assert_eq!(
            seen,
            start_of_lend.unwrap_or(0),
            "{bytes:02x?} cut at {cuts:?}"
        );
    }
}

/// One frame of a stream, which may break any rule.
#[derive(Clone, Debug)]
struct Wire {
    first: u8,
    masked: bool,
    /// How the length is written: in as few bytes as it needs, or in two, or in eight.
    padded: u8,
    payload: Vec<u8>,
}

impl Wire {
    fn encode(&self, out: &mut Vec<u8>) {
        let mask_bit = if self.masked { frame::MASK } else { 0 };
        let length = self.payload.len();
        out.push(self.first);
        match (self.padded, length) {
            (0, 0..=125) => out.push(mask_bit | length as u8),
            (0 | 1, _) => {
                out.push(mask_bit | 0x7E);
                out.extend_from_slice(&(length as u16).to_be_bytes());
            }
            _ => {
                out.push(mask_bit | 0x7F);
                out.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        let start = out.len() + if self.masked { 4 } else { 0 };
        if self.masked {
            out.extend_from_slice(&MASK_KEY);
        }
        out.extend_from_slice(&self.payload);
        if self.masked {
            unmask(&mut out[start..], MASK_KEY, 0);
        }
    }
}

/// What a frame may be, mostly good.
fn wire(masked: bool) -> impl Strategy<Value = Wire> {
    let first = prop_oneof![
        8 => prop::sample::select(vec![0x81, 0x82, 0x89, 0x8A, 0x01, 0x02, 0x00, 0x80]),
        2 => prop::sample::select(vec![0xC1, 0xC2, 0x41, 0x42, 0x88]),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        3 => ".{0,40}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..=130),
        1 => prop::sample::select(vec![
            b"".to_vec(), b"\x03\xe8bye".to_vec(), b"\x03\xee".to_vec(), b"\x03".to_vec(),
            b"\xed\xa0\x80".to_vec(), b"\xf4\x8f".to_vec(), b"\xe2\x82".to_vec(), vec![b'z'; 300],
        ]),
    ];
    let padded = prop_oneof![12 => Just(0_u8), 1 => 1_u8..3];
    let other = prop::bool::weighted(0.03);
    (first, payload, padded, other).prop_map(move |(first, payload, padded, other)| Wire {
        first,
        masked: masked != other,
        padded,
        payload,
    })
}

/// Frames with their mask or without, for the server or the client that decodes them.
fn stream() -> impl Strategy<Value = (Vec<u8>, Setting)> {
    prop::sample::select(SETTINGS.to_vec()).prop_flat_map(|setting| {
        let frames = prop::collection::vec(wire(setting.role == Role::Server), 1..6);
        frames.prop_map(move |frames| {
            let mut bytes = Vec::new();
            for frame in &frames {
                frame.encode(&mut bytes);
            }
            (bytes, setting)
        })
    })
}

proptest! {
    #[test]
    fn any_cuts_of_any_stream(
        (bytes, setting) in stream(),
        mut cuts in prop::collection::vec(0_usize..900, 0..8),
    ) {
        cuts.sort_unstable();
        let expected = fault(&bytes, setting);
        assert_invariant(&bytes, &[], setting, &expected);
        assert_invariant(&bytes, &cuts, setting, &expected);
    }

    /// Short streams are cut at every byte.
    #[test]
    fn every_cut_of_any_stream((bytes, setting) in stream()) {
        let expected = fault(&bytes, setting);
        for cut in 0..bytes.len().min(200) {
            assert_invariant(&bytes, &[cut], setting, &expected);
        }
    }
}

/// Every first byte behind a good message, inside a message and at the start, cut at every byte; RFC 6455 §5.2.
#[test]
fn every_first_byte_cut_anywhere() {
    for setting in SETTINGS {
        let masked = setting.role == Role::Server;
        for before in [&[][..], &[0x81][..], &[0x01][..], &[0x42][..]] {
            for first in 0..=0xFF {
                let mut bytes = Vec::new();
                for first in before.iter().copied().chain([first]) {
                    let payload = b"\x03\xe8ok".to_vec(); // text breaks at 0xe8, binary and Close are good
                    let frame = Wire {
                        first,
                        masked,
                        padded: 0,
                        payload,
                    };
                    frame.encode(&mut bytes);
                }
                let expected = fault(&bytes, setting);
                for cut in 0..=bytes.len() {
                    assert_invariant(&bytes, &[cut], setting, &expected);
                }
            }
        }
    }
}
