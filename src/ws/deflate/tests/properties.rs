//! Whatever is compressed, however it is cut: it comes out as it went in, and the other implementation says the same.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Messages of every kind: noise, few letters, long repeats, and what repeats the messages before.
fn messages() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let noise = vec(any::<u8>(), 0..600);
    let letters = vec(b'a'..=b'd', 0..3_000);
    let repeats = (vec(any::<u8>(), 1..40), 1..3_000usize)
        .prop_map(|(part, times)| part.repeat(times).into_iter().take(70_000).collect());
    // The same bytes far apart: what a window too large would reach.
    let far = (vec(any::<u8>(), 30..200), 200..40_000usize).prop_map(|(part, gap)| {
        let between = (0..gap as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8);
        part.iter()
            .copied()
            .chain(between)
            .chain(part.iter().copied())
            .collect()
    });
    let message = prop_oneof![noise, letters, repeats, far];
    (vec(message, 1..5), any::<bool>()).prop_map(|(mut messages, again)| {
        if again {
            messages.extend_from_within(..);
        }
        messages
    })
}

fn context() -> impl Strategy<Value = Context> {
    prop_oneof![Just(Context::Kept), Just(Context::Dropped)]
}

/// Inflates a payload cut in pieces; into a vector, or through a room of `room` bytes.
fn in_pieces(
    inflater: &mut Inflater,
    payload: &[u8],
    cuts: &[usize],
    room: usize,
    limit: u64,
) -> Result<Vec<u8>, InflateError> {
    let mut borders: Vec<usize> = cuts.iter().map(|cut| cut % (payload.len() + 1)).collect();
    borders.sort_unstable();
    borders.push(payload.len());
    let (mut out, mut begin, mut buffer) = (Vec::new(), 0, vec![0; room]);
    for (index, end) in borders.iter().enumerate() {
        let (mut piece, last) = (&payload[begin..*end], index + 1 == borders.len());
        begin = *end;
        if room == 0 {
            inflater.inflate(piece, last, limit, &mut out)?;
            continue;
        }
        loop {
            let count = inflater.inflate_some(&mut piece, last, limit, &mut buffer)?;
            out.extend_from_slice(&buffer[..count]);
            if count < room {
                assert!(piece.is_empty());
                break;
            }
        }
    }
    Ok(out)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_goes_in_comes_out(
        messages in messages(),
        context in context(),
        bits in 9..=15u8,
        mem_level in 1..=9u8,
        level in 1..=9u8,
        cuts in vec(any::<usize>(), 0..6),
        room in prop_oneof![Just(0usize), 1..20usize, 200..5_000usize],
    ) {
        let mut compressor = Compressor::new(context, window(bits), mem_level, level);
        let mut inflater = Inflater::new(context);
        let mut other = OtherInflater::new(window(bits));
        for message in messages {
            let mut payload = Vec::new();
            compressor.compress(&message, &mut payload);
            prop_assert!(payload.len() <= message.len() + message.len() / 8 + 16, "{} of {}", payload.len(), message.len());
            let got = in_pieces(&mut inflater, &payload, &cuts, room, message.len() as u64);
            prop_assert!(got.as_ref() == Ok(&message), "{:?}", got.err());
            prop_assert!(!inflater.is_inside_message());
            if context == Context::Dropped {
                other = OtherInflater::new(window(bits));
            }
            prop_assert!(other.inflate(&payload) == Some(message), "the window of {bits} bits is kept to");
        }
    }

    #[test]
    fn fragments_can_be_read_as_they_come(
        messages in messages(),
        context in context(),
        bits in 9..=15u8,
        level in 1..=9u8,
        cuts in vec(any::<usize>(), 0..6),
    ) {
        let mut compressor = Compressor::new(context, window(bits), 8, level);
        let mut inflater = Inflater::new(context);
        let mut other = OtherInflater::new(window(bits));
        for message in messages {
            let mut borders: Vec<usize> = cuts.iter().map(|cut| cut % (message.len() + 1)).collect();
            borders.extend([0, message.len()]);
            borders.sort_unstable();
            let (mut payload, mut got) = (Vec::new(), Vec::new());
            for (number, pair) in borders.windows(2).enumerate() {
                let last = number + 2 == borders.len();
                let begin = payload.len();
                compressor.compress_fragment(&message[pair[0]..pair[1]], last, &mut payload);
                let taken = inflater.inflate(&payload[begin..], last, message.len() as u64, &mut got);
                prop_assert_eq!(taken, Ok(pair[1] - pair[0]), "nothing is held back");
            }
            prop_assert!(got == message);
            if context == Context::Dropped {
                other = OtherInflater::new(window(bits));
            }
            prop_assert!(other.inflate(&payload) == Some(message));
        }
    }

    #[test]
    fn what_another_compressor_writes_is_read(
        messages in messages(),
        context in context(),
        level in 0..=10u8,
        finals in any::<u8>(),
        cuts in vec(any::<usize>(), 0..6),
        room in prop_oneof![Just(0usize), 1..20usize, 200..5_000usize],
    ) {
        let mut compressor = OtherCompressor::new(level);
        let mut inflater = Inflater::new(context);
        for (index, message) in messages.iter().enumerate() {
            let last_of_stream = finals >> (index % 8) & 1 == 1;
            let mut payload = if last_of_stream {
                let mut payload = compressor.compress(message, MZFlush::Finish);
                payload.push(0);
                payload
            } else {
                let mut payload = compressor.compress(message, MZFlush::Sync);
                // This one writes nothing at all when nothing is new.
                payload.truncate(payload.len().saturating_sub(TAIL.len()));
                payload
            };
            if message.is_empty() && !last_of_stream {
                payload = vec![0];
            }
            if last_of_stream || context == Context::Dropped {
                compressor = OtherCompressor::new(level);
            }
            let got = in_pieces(&mut inflater, &payload, &cuts, room, message.len() as u64);
            prop_assert!(got.as_ref() == Ok(message), "{:?}", got.err());
        }
    }

    #[test]
    fn the_limit_is_the_length(
        message in vec(b'a'..=b'c', 1..9_000),
        short_by in 1..100u64,
        cuts in vec(any::<usize>(), 0..4),
        room in prop_oneof![Just(0usize), 1..50usize, 200..5_000usize],
    ) {
        let payload = compressed(&message);
        let exact = message.len() as u64;
        prop_assert!(in_pieces(&mut Inflater::new(Context::Kept), &payload, &cuts, room, exact).is_ok());
        let less = exact.saturating_sub(short_by);
        prop_assert_eq!(
            in_pieces(&mut Inflater::new(Context::Kept), &payload, &cuts, room, less),
            Err(InflateError::TooBig)
        );
    }
}

/// Else the test above would prove nothing about windows.
#[test]
fn the_other_inflater_has_no_more_than_its_window() {
    let part: Vec<u8> = (0..200u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let message = [&part[..], &[b'-'; 1_000], &part[..]].concat();
    let payload = compressed(&message);
    assert_eq!(
        OtherInflater::new(WindowBits::MAX)
            .inflate(&payload)
            .as_ref(),
        Some(&message)
    );
    assert_ne!(
        OtherInflater::new(WindowBits::MIN)
            .inflate(&payload)
            .as_ref(),
        Some(&message)
    );
}

#[test]
fn what_cannot_shrink_hardly_grows() {
    let mut state = 1u64;
    let noise: Vec<u8> = core::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    })
    .take(100_000)
    .collect();
    for (bits, mem_level, level) in [
        (15, 8, 1),
        (15, 8, 6),
        (12, 5, 1),
        (12, 5, 6),
        (9, 1, 1),
        (9, 1, 6),
        (9, 1, 9),
    ] {
        let mut compressor = Compressor::new(Context::Dropped, window(bits), mem_level, level);
        for length in [1, 10, 100, 1_000, 10_000, 100_000] {
            let mut payload = Vec::new();
            compressor.compress(&noise[..length], &mut payload);
            println!(
                "{bits}/{mem_level} level {level}: {length} -> {}",
                payload.len()
            );
            let more = match (level, mem_level) {
                (1, _) => length / 8,
                (_, 1) => length / 24,
                _ => length / 256,
            };
            let grown = payload.len() - length;
            assert!(
                grown <= more + 6,
                "{bits}/{mem_level} level {level}: {length} and {grown}"
            );
        }
    }
}
