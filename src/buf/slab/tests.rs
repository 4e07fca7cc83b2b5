//! Segments come where they are needed, and go when nobody uses them.

use super::*;

/// How many elements take memory.
fn made<T>(slab: &Slab<T>) -> usize {
    slab.segments.iter().map(|segment| segment.len()).sum()
}

#[test]
fn an_index_costs_its_segment_only() {
    let mut slab = Slab::<u64>::default();
    slab.reach(20_000);
    assert_eq!((made(&slab), slab.len()), (1024, 20 * 1024));
    assert_eq!((slab.at(20_000), slab.at(0)), (Some(&0), None));
    let indices: Vec<u32> = slab.iter_mut().map(|(index, _)| index).collect();
    assert!(indices.into_iter().eq(19 * 1024..20 * 1024));
    slab.reach_with(5, || 7);
    assert_eq!(slab.run_mut(4, 3), [7, 7, 7]);
    assert_eq!(slab.run_mut(1000, 64).len(), 24);
    assert!(slab.run_mut(1024, 64).is_empty() && slab.run_mut(u32::MAX, 1).is_empty());
    assert_eq!((slab.at(5), slab.at(20_000)), (Some(&7), Some(&0)));
}

#[test]
fn what_nobody_uses_is_given_back_and_reached_again() {
    let mut slab = Slab::<u64>::default();
    for index in 0..10_000 {
        slab.reach(index);
    }
    for index in [3000, 5000] {
        *slab.at_mut(index).expect("reached") = 1;
    }
    let idle = |elements: &[u64]| elements.iter().all(|element| *element == 0);
    slab.give_back(idle);
    assert_eq!((made(&slab), slab.len()), (2 * 1024, 5 * 1024));
    assert_eq!((slab.at(3000), slab.at(5000)), (Some(&1), Some(&1)));
    for index in [0, 4000, 9000] {
        assert!(slab.at(index).is_none() && slab.at_mut(index).is_none());
        slab.reach(index);
        assert_eq!(slab.at(index), Some(&0));
    }
    slab.give_back(|_| true);
    assert_eq!((made(&slab), slab.len()), (0, 0));
}
