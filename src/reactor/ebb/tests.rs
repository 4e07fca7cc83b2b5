//! When it is time, by hand.

use super::*;

#[test]
fn half_have_gone_and_stay_away() {
    let mut ebb = Ebb::default();
    for live in (0..=10_000).chain((5001..10_000).rev()) {
        assert!(!ebb.note(live, Tick(7)));
        assert_eq!(ebb.due(), Tick::NEVER, "{live}");
    }
    assert!(!ebb.note(5000, Tick(7)));
    let due = Tick(7).after(REST_TICKS);
    assert_eq!(ebb.due(), due);
    assert!(!ebb.note(4000, Tick(due.0 - 1)));
    assert!(ebb.note(4000, due));
    // From now on, 4000 are the most.
    assert_eq!(ebb.due(), Tick::NEVER);
    assert!(!ebb.note(2001, due));
    assert_eq!(ebb.due(), Tick::NEVER);
    assert!(!ebb.note(2000, due));
    assert_ne!(ebb.due(), Tick::NEVER);
}

#[test]
fn who_comes_back_finds_the_memory() {
    let mut ebb = Ebb::default();
    ebb.note(10_000, Tick(0));
    ebb.note(100, Tick(0));
    assert_ne!(ebb.due(), Tick::NEVER);
    assert!(!ebb.note(6000, ebb.due()));
    assert_eq!(ebb.due(), Tick::NEVER);
}

#[test]
fn a_few_wake_nobody() {
    let mut ebb = Ebb::default();
    ebb.note(CROWD_MIN - 1, Tick(0));
    assert!(!ebb.note(0, Tick(0)));
    assert_eq!(ebb.due(), Tick::NEVER);
}
