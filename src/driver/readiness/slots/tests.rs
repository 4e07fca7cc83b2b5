//! Memory that is given back takes no name with it that could match again.

use super::*;

fn occupy(slots: &mut Slots) -> Token {
    let token = slots.vacant();
    let (fd, _) = std::io::pipe().expect("descriptors");
    slots.occupy(
        token,
        std::os::fd::OwnedFd::from(fd).into(),
        Flags::default(),
        Interest::NONE,
    );
    token
}

fn free(slots: &mut Slots, token: Token) {
    let slot = slots.open_mut(token).expect("open");
    slot.fd = None;
    slot.flags.set(Flags::CLOSING);
    slots.free(token);
}

#[test]
fn who_comes_behind_a_crowd_takes_the_lowest_places_and_nobodys_name() {
    let limit = crate::sys::raise_nofile(&mut crate::sys::Silent).expect("allowed");
    if limit < 8000 {
        eprintln!("SKIPPED: {limit} descriptors (ulimit -Hn) are too few for a crowd");
        return;
    }
    let mut slots = Slots::default();
    let mut stale = Vec::new();
    for round in 0..3 {
        let mut crowd: Vec<Token> = (0..5000).map(|_| occupy(&mut slots)).collect();
        assert!(crowd.iter().all(|token| !stale.contains(token)));
        // One stays in the third segment, and one closes and has not been taken.
        let staying = crowd.swap_remove(2500);
        let closing = crowd.swap_remove(100);
        let slot = slots.open_mut(closing).expect("open");
        slot.fd = None;
        slot.flags.set(Flags::CLOSING);
        for token in &crowd {
            free(&mut slots, *token);
        }
        stale.append(&mut crowd);
        slots.give_back();
        assert!(slots.open(staying).is_some());
        let segments = [0, 1500, 2500, 3500].map(|index| slots.slab.at(index).is_some());
        assert_eq!(segments, [true, false, true, false], "round {round}");
        assert_eq!(slots.fresh, 3 * 1024);
        let next = slots.vacant();
        assert_eq!(next.index, 0, "round {round}");
        free(&mut slots, staying);
        slots.free(closing);
        stale.extend([staying, closing]);
        assert_eq!(slots.live(), 0);
        slots.give_back();
        assert_eq!((slots.slab.len(), slots.fresh, slots.free.len()), (0, 0, 0));
    }
}
