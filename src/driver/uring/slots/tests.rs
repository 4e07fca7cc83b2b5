//! Memory that is given back takes no name with it that could match again.

use super::*;

#[test]
fn a_stale_token_matches_nobody_behind_what_was_given_back() {
    let mut slots = Slots::new(10_000);
    let mut stale = Vec::new();
    // Some slots are used more often than others.
    for round in 0..5 {
        for index in (0..5000).filter(|index| round == 0 || index % 700 == round) {
            let token = slots.occupy_direct(index);
            slots.free(token);
            stale.push(token);
        }
    }
    let staying = slots.occupy_direct(1500);
    slots.give_back();
    assert!(slots.peek(staying).is_some());
    assert!(slots.slab.at(0).is_none() && slots.slab.at(1024).is_some());
    for round in 0..5 {
        for index in (0..5000).filter(|index| *index != 1500) {
            let token = slots.occupy_direct(index);
            assert!(slots.open(token).is_some());
            assert!(!stale.contains(&token), "{token:?} in round {round}");
            slots.free(token);
        }
        slots.give_back();
    }
    assert_eq!(slots.live(), 1);
}

#[test]
fn a_slot_whose_numbers_go_round_is_kept() {
    let mut slots = Slots::new(10_000);
    let seldom = slots.occupy_direct(0);
    slots.free(seldom);
    slots.slab.at_mut(1).expect("reached").generation = 1 << 23;
    slots.give_back();
    assert!(slots.slab.at(0).is_some());
    assert_eq!(slots.oldest, 0);
    slots.slab.at_mut(1).expect("reached").generation -= 1;
    slots.give_back();
    assert!(slots.slab.at(0).is_none());
    assert_eq!(slots.occupy_direct(0).generation, (1 << 23) - 1);
}
