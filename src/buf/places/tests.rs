//! Places against a map.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// How many bytes the places and their segments are.
fn bytes<T>(places: &Places<T>) -> usize {
    let segments = places.segments.iter();
    let seats: usize = segments.map(|segment| segment.seats.capacity()).sum();
    seats * size_of::<Seat<T>>() + places.segments.capacity() * size_of::<Segment<T>>()
}

#[test]
fn a_crowd_keeps_its_places_and_leaves_no_memory_behind() {
    let mut places = Places::default();
    let taken: Vec<u32> = (0..10_000_u64).map(|number| places.put(number)).collect();
    assert!(taken.iter().copied().eq(0..10_000));
    // All but the first of each hundred go.
    for place in taken.iter().copied().filter(|place| place % 100 != 0) {
        assert_eq!(places.take(place), Some(u64::from(place)));
        assert_eq!(places.take(place), None, "once");
    }
    assert_eq!(places.len(), 100);
    let before = bytes(&places);
    let next: Vec<u32> = std::iter::successors(places.next_from(0), |(place, _)| {
        places.next_from(place + 1)
    })
    .map(|(place, _)| place)
    .collect();
    assert!(next.iter().copied().eq((0..10_000).step_by(100)));
    // Who comes takes a place in the first segment, so the last ones fall empty.
    for number in 0..900 {
        assert!(places.put(number) < 1024);
    }
    assert_eq!(bytes(&places), before);
    for place in (1024..10_000).filter(|place| place % 100 == 0) {
        assert_eq!(places.take(place), Some(u64::from(place)));
    }
    assert!(bytes(&places) <= 1024 * 16 + 16 * size_of::<Segment<u64>>());
    for place in 0..1024 {
        places.take(place);
    }
    assert!(places.is_empty());
    assert_eq!(bytes(&places), 0);
}

#[test]
fn a_few_cost_little() {
    let mut places = Places::default();
    places.put(1_u64);
    assert!(bytes(&places) <= 4 * 16 + size_of::<Segment<u64>>());
}

#[test]
fn what_lies_behind_the_last_place_is_nobodys() {
    let mut places = Places::<u64>::default();
    assert!(places.next_from(0).is_none() && places.at(0).is_none());
    places.put(7);
    for place in [1, 1023, 1024, u32::MAX] {
        assert!(places.next_from(place).is_none());
        assert!(places.at(place).is_none() && places.at_mut(place).is_none());
        assert!(places.take(place).is_none());
    }
    assert_eq!(places.next_from(0), Some((0, &7)));
}

#[test]
fn a_segment_in_the_middle_is_given_back_and_used_again() {
    let mut places = Places::default();
    for number in 0..3000_u64 {
        places.put(number);
    }
    let full = bytes(&places);
    for place in 1024..2048 {
        places.take(place);
    }
    assert_eq!(bytes(&places), full - 1024 * size_of::<Seat<u64>>());
    assert_eq!(places.next_from(1023), Some((1023, &1023)));
    assert_eq!(places.next_from(1500), Some((2048, &2048)));
    assert!((0..1024).map(|number| places.put(number)).eq(1024..2048));
    assert_eq!(places.put(0), 3000);
}

#[derive(Clone, Debug)]
enum Step {
    Put,
    /// Takes one of those who are there, by its place among them.
    Take(usize),
    TakeMany(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Put),
        4 => any::<usize>().prop_map(Step::Take),
        1 => (any::<usize>(), 0_usize..1500).prop_map(|(first, count)| Step::TakeMany(first, count)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn they_are_a_map(start in 0_u64..3000, steps in proptest::collection::vec(step(), 1..100)) {
        let mut places = Places::default();
        let mut map: BTreeMap<u32, u64> = (0..start).map(|number| (places.put(number), number)).collect();
        prop_assert_eq!(map.len(), start as usize);
        for (number, step) in (start..).zip(steps) {
            let (first, count) = match step {
                Step::Put => {
                    let before = map.insert(places.put(number), number);
                    prop_assert!(before.is_none(), "a place is one element's");
                    continue;
                }
                Step::Take(first) => (first, 1),
                Step::TakeMany(first, count) => (first, count),
            };
            let first = first.checked_rem(map.len()).unwrap_or(0);
            let gone: Vec<u32> = map.keys().copied().skip(first).take(count).collect();
            for place in gone {
                prop_assert_eq!(places.take(place), map.remove(&place));
            }
        }
        prop_assert_eq!(places.len(), map.len());
        prop_assert!(places.iter().eq(map.values()));
        prop_assert!(places.iter_mut().map(|(place, number)| (place, *number)).eq(map.clone()));
        for from in (0..4096).step_by(7) {
            let next = map.range(from..).next().map(|(place, number)| (*place, number));
            prop_assert_eq!(places.next_from(from), next);
        }
        for (place, number) in &map {
            prop_assert_eq!(places.at(*place), Some(number));
        }
    }
}
