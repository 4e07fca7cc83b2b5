//! Any bytes: no panic, no number out of its range, and no memory beyond the limit.

use super::*;
use crate::trace::packets::{Step, Transport};
use proptest::prelude::*;

/// What holds for every packet, however it came about.
fn holds(packet: &Packet, bytes: usize) -> Result<(), TestCaseError> {
    prop_assert!(packet.payload_bytes <= bytes);
    let line = packet.stamped().to_string();
    prop_assert!(!line.contains(|c: char| c.is_control()), "{line:?}");
    match packet.step {
        Step::Handshake(part) => prop_assert!((1..=3).contains(&part)),
        Step::Close { ack, fin } => {
            let parts = ack.into_iter().chain(fin);
            prop_assert!(parts.clone().count() > 0);
            for part in parts {
                prop_assert!((1..=4).contains(&part));
            }
        }
        _ => {}
    }
    Ok(())
}

/// A header that is right but for a few bytes, and then cut.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let kinds = prop_oneof![
        Just(tcp(&Segment {
            options: &[2, 4, 5, 6, 3, 3, 7, 0],
            ..from_client(SYN, 9, 0)
        })),
        Just(tcp(&Segment {
            payload: b"payload",
            ..from_server(FIN | ACK, 9, 10)
        })),
        Just(udp(1, 2, b"datagram")),
        Just(super::ipv6(6, &tcp(&from_client(ACK, 1, 2))[34..])),
    ];
    let changes = proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6);
    (kinds, changes, any::<proptest::sample::Index>()).prop_map(|(mut bytes, changes, cut)| {
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let kept = cut.index(bytes.len() * 2).min(bytes.len());
        bytes.truncate(kept);
        bytes
    })
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Some(packet) = Script::new().frame(&bytes) {
            holds(&packet, bytes.len())?;
        }
    }

    #[test]
    fn almost_right_frames(frames in proptest::collection::vec(mutated(), 0..20)) {
        let mut script = Script::new();
        for bytes in frames {
            if let Some(packet) = script.frame(&bytes) {
                holds(&packet, bytes.len())?;
            }
        }
        prop_assert!(script.tracker.connections() <= 20);
    }

    /// One connection, every combination of flags and numbers near each other.
    #[test]
    fn senseless_connections(
        segments in proptest::collection::vec((any::<bool>(), any::<u8>(), 0u32..6, 0u32..6, 0usize..3), 0..60),
    ) {
        let mut script = Script::new();
        let mut parts = 0;
        for (client, flags, seq, ack, len) in segments {
            let near = |number: u32| number.wrapping_sub(3);
            let side = if client { from_client } else { from_server };
            let segment = Segment { payload: &[0; 3][..len], ..side(flags, near(seq), near(ack)) };
            let packet = script.segment(&segment);
            holds(&packet, 100)?;
            let Transport::Tcp(seen) = packet.transport else { panic!("{packet}") };
            prop_assert_eq!(seen.flags.raw(), flags);
            prop_assert_eq!(seen.seq.raw, near(seq));
            if let Step::Close { .. } = packet.step { parts += 1; }
        }
        prop_assert!(parts <= 60);
    }
}
