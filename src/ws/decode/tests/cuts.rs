//! However the bytes are cut into lends, the decoder tells the same: every cut of fixed sequences, and random cuts of
//! random ones, with a caller that keeps everything and one that appends only what is missing.

use proptest::prelude::*;

use super::*;

/// Offers what is left together with the whole next lend.
fn keeping_all(bytes: &[u8], cuts: &[usize], limits: Limits) -> Outcome {
    let mut decoder = Decoder::new(Role::Server);
    let mut outcome = Outcome::default();
    let mut kept = Vec::new();
    for lend in lends(bytes, cuts) {
        kept.extend_from_slice(lend);
        let mut input = Input::new(&mut kept);
        drain(&mut decoder, &mut input, limits, &mut outcome);
        kept = input.unread().to_vec();
    }
    outcome
}

/// Completes what is left with `missing` bytes, then decodes the rest of the lend where it lies.
fn appending_missing(bytes: &[u8], cuts: &[usize], limits: Limits) -> Outcome {
    let mut decoder = Decoder::new(Role::Server);
    let mut outcome = Outcome::default();
    let mut inbox: Vec<u8> = Vec::new();
    for lend in lends(bytes, cuts) {
        let mut fresh = lend.to_vec();
        let missing = decoder.missing(&inbox, &fresh);
        let progress = missing > 0 || inbox.is_empty() || fresh.is_empty();
        assert!(progress, "none is missing, and yet it was not whole");
        inbox.extend_from_slice(&fresh[..missing]);
        let mut input = Input::new(&mut inbox);
        drain(&mut decoder, &mut input, limits, &mut outcome);
        if !input.is_empty() {
            assert_eq!(missing, fresh.len(), "one unit was not enough");
            assert_eq!(input.len(), inbox.len(), "a unit was taken in part");
            continue;
        }
        inbox.clear();
        let mut input = Input::new(&mut fresh[missing..]);
        drain(&mut decoder, &mut input, limits, &mut outcome);
        inbox.extend_from_slice(input.unread());
    }
    outcome
}

fn lends<'a>(bytes: &'a [u8], cuts: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let ends = cuts.iter().copied().chain([bytes.len()]);
    ends.scan(0, move |start, end| {
        let end = end.min(bytes.len()).max(*start);
        Some(&bytes[std::mem::replace(start, end)..end])
    })
}

/// Decodes without the short cut for whole messages, in pieces of at most `slice` bytes.
fn step_by_step(bytes: &[u8], limits: Limits, slice: usize) -> Outcome {
    let mut decoder = Decoder::new(Role::Server);
    let mut bytes = bytes.to_vec();
    let mut input = Input::new(&mut bytes);
    let mut outcome = Outcome::default();
    loop {
        match decoder.step(&mut input, limits.message_bytes_max, slice) {
            Ok(Some(event)) => {
                if let Event::Data(piece) = &event {
                    assert!(piece.bytes.len() <= slice);
                }
                Told::note(&mut outcome.0, &event);
            }
            Ok(None) => return outcome,
            Err(error) => return (outcome.0, Some(error)),
        }
    }
}

/// Of a message that ends in an error some bytes are told or not, depending on the cut: forget it.
fn settled((mut told, error): Outcome) -> Outcome {
    if error.is_some() {
        told.pop_if(|last| matches!(last, Told::Data { last: false, .. }));
    }
    (told, error)
}

fn assert_same(bytes: &[u8], cuts: &[usize], limits: Limits, expected: &Outcome) {
    let all = settled(keeping_all(bytes, cuts, limits));
    assert_eq!(&all, expected, "keeping all, {bytes:02x?} cut at {cuts:?}");
    let some = settled(appending_missing(bytes, cuts, limits));
    assert_eq!(&some, expected, "appending, {bytes:02x?} cut at {cuts:?}");
}

fn sequences() -> Vec<Vec<u8>> {
    let text = "grüß €, 😂".as_bytes();
    let good = [
        masked(Opcode::Text, true, text),
        masked(Opcode::Ping, true, b"p"),
        masked(Opcode::Binary, false, b""),
        masked(Opcode::Continuation, false, b""),
        masked(Opcode::Pong, true, b""),
        masked(Opcode::Continuation, true, &[9; 33]),
        masked(Opcode::Text, false, &text[..3]),
        masked(Opcode::Continuation, false, &text[3..8]),
        masked(Opcode::Continuation, true, &text[8..]),
        masked(Opcode::Binary, true, &[1; 126]),
    ]
    .concat();
    let end = |frame: Vec<u8>| [&good[..], &frame].concat();
    vec![
        end(masked(Opcode::Close, true, b"\x03\xe9bye")),
        end(masked(Opcode::Close, true, b"\x03")),
        end(masked(Opcode::Close, true, b"\x03\xee")),
        end(masked(Opcode::Text, true, b"a\xed\xa0\x80z")),
        end(masked(Opcode::Text, true, b"ab\xe2\x82")),
        end(b"\x81\x05Hello".to_vec()),
        end(b"\x82\xfe\x00\x7dmask".to_vec()),
        end(b"\x82\xff\0\0\0\0\x01\0\0\x01mask".to_vec()),
        end(b"\x89\xfe\x00\xc8maskandsoon".to_vec()),
        end(b"\x80\x80mask".to_vec()),
    ]
}

#[test]
fn every_cut_tells_the_same() {
    let limits = Limits::default();
    for bytes in sequences() {
        let expected = settled(keeping_all(&bytes, &[], limits));
        assert!(expected.0.len() >= 7, "{expected:?}");
        for slice in (1..40).chain([usize::MAX]) {
            assert_eq!(
                settled(step_by_step(&bytes, limits, slice)),
                expected,
                "{slice}"
            );
        }
        let each: Vec<usize> = (0..bytes.len()).collect();
        assert_same(&bytes, &each, limits, &expected);
        for cut in 0..=bytes.len() {
            assert_same(&bytes, &[cut], limits, &expected);
            assert_same(&bytes, &[cut, cut + 1], limits, &expected);
            assert_same(&bytes, &[cut, cut + 7], limits, &expected);
        }
    }
}

#[derive(Clone, Debug)]
enum Saying {
    Message(Kind, Vec<u8>, Vec<usize>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

fn saying() -> impl Strategy<Value = Saying> {
    let short = || prop::collection::vec(any::<u8>(), 0..=125);
    let splits = || prop::collection::vec(0_usize..400, 0..4);
    prop_oneof![
        2 => (prop::collection::vec(any::<u8>(), 0..400), splits())
            .prop_map(|(bytes, splits)| Saying::Message(Kind::Binary, bytes, splits)),
        2 => (".{0,100}", splits())
            .prop_map(|(text, splits)| Saying::Message(Kind::Text, text.into_bytes(), splits)),
        1 => short().prop_map(Saying::Ping),
        1 => short().prop_map(Saying::Pong),
    ]
}

/// Encodes what is said, and what the decoder must tell.
fn encoded(sayings: &[Saying], mask: [u8; 4]) -> (Vec<u8>, Vec<Told>) {
    let (mut out, mut told) = (Vec::new(), Vec::new());
    for saying in sayings {
        match saying {
            Saying::Ping(payload) => {
                encode_frame(&mut out, Opcode::Ping, true, Some(mask), payload);
                told.push(Told::Ping(payload.clone()));
            }
            Saying::Pong(payload) => {
                encode_frame(&mut out, Opcode::Pong, true, Some(mask), payload);
                told.push(Told::Pong(payload.clone()));
            }
            Saying::Message(kind, payload, splits) => {
                let mut splits = splits.clone();
                splits.sort_unstable();
                let count = splits.len();
                for (at, fragment) in lends(payload, &splits).enumerate() {
                    let opcode = if at == 0 {
                        kind.opcode()
                    } else {
                        Opcode::Continuation
                    };
                    encode_frame(&mut out, opcode, at == count, Some(mask), fragment);
                }
                told.push(Told::whole(*kind, payload));
            }
        }
    }
    (out, told)
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0_usize..1500, 0..12).prop_map(|mut cuts| {
        cuts.sort_unstable();
        cuts
    })
}

proptest! {
    #[test]
    fn what_was_encoded_is_told(
        sayings in prop::collection::vec(saying(), 0..6),
        mask: [u8; 4],
        cuts in cuts(),
    ) {
        let (bytes, told) = encoded(&sayings, mask);
        assert_same(&bytes, &cuts, Limits::default(), &(told.clone(), None));
        prop_assert_eq!(step_by_step(&bytes, Limits::default(), usize::MAX), (told, None));
    }

    /// Broken streams end in the same error, and every stream ends.
    #[test]
    fn what_was_broken_is_refused_the_same(
        sayings in prop::collection::vec(saying(), 1..6),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        mask: [u8; 4],
        cuts in cuts(),
        message_bytes_max in 0_u64..600,
    ) {
        let (mut bytes, _) = encoded(&sayings, mask);
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        let limits = Limits { message_bytes_max };
        let expected = settled(keeping_all(&bytes, &[], limits));
        assert_same(&bytes, &cuts, limits, &expected);
        prop_assert_eq!(settled(step_by_step(&bytes, limits, 7)), expected);
    }

    #[test]
    fn noise_never_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        cuts in prop::collection::vec(0_usize..300, 0..6),
        client: bool,
        rsv1: bool,
    ) {
        let mut decoder = Decoder::new(if client { Role::Client } else { Role::Server });
        if rsv1 {
            decoder.allow_rsv1();
        }
        let mut outcome = Outcome::default();
        for lend in lends(&bytes, &cuts) {
            let mut lend = lend.to_vec();
            drain(&mut decoder, &mut Input::new(&mut lend), Limits::default(), &mut outcome);
        }
        let mut sorted = cuts;
        sorted.sort_unstable();
        let expected = settled(keeping_all(&bytes, &[], Limits::default()));
        assert_same(&bytes, &sorted, Limits::default(), &expected);
    }
}
