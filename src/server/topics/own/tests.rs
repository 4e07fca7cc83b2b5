//! Lists against vectors.

use proptest::prelude::*;

use super::*;

fn subscription(topic: u32, place: u32) -> Subscription {
    Subscription {
        topic: TopicNumber::of(topic),
        standing: Standing::welcomed(place),
    }
}

#[test]
fn numbers_and_standings_come_back() {
    for place in [0, 1, 1 << 30] {
        assert_eq!(TopicNumber::of(place).place(), place);
        assert_eq!(Standing::welcomed(place).place(), Some(place));
        assert_eq!(Standing::awaited(place).place(), None);
    }
    assert_eq!(Standing::awaited(5), Standing::awaited(5));
    assert_ne!(Standing::awaited(5), Standing::awaited(6));
}

#[test]
fn only_the_second_topic_makes_a_list() {
    let (mut lists, mut own) = (Lists::default(), Subscriptions::default());
    assert_eq!(lists.of(&own), []);
    lists.add(&mut own, subscription(3, 30));
    assert_eq!(lists.of(&own), [subscription(3, 30)]);
    assert_eq!(lists.len(), 0);
    lists.add(&mut own, subscription(0, 1));
    assert_eq!(lists.len(), 1);
    let found = lists.find_mut(&mut own, TopicNumber::of(0)).expect("there");
    found.standing = Standing::welcomed(2);
    assert_eq!(
        lists.remove(&mut own, TopicNumber::of(3)),
        Some(subscription(3, 30))
    );
    assert_eq!(lists.len(), 0, "one topic needs none");
    assert_eq!(own, Subscriptions::One(subscription(0, 2)));
    assert_eq!(lists.remove(&mut own, TopicNumber::of(3)), None);
    assert!(lists.remove(&mut own, TopicNumber::of(0)).is_some());
    assert_eq!(own, Subscriptions::default());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn they_are_vectors(steps in proptest::collection::vec((0_usize..5, 0_u32..6, any::<bool>()), 0..200)) {
        let mut lists = Lists::default();
        let mut owners = [Subscriptions::default(); 5];
        let mut vectors: [Vec<u32>; 5] = Default::default();
        for (owner, topic, adds) in steps {
            let (own, vector) = (&mut owners[owner], &mut vectors[owner]);
            let known = vector.iter().position(|own| *own == topic);
            let number = TopicNumber::of(topic);
            prop_assert_eq!(lists.find_mut(own, number).is_some(), known.is_some());
            match known {
                None if adds => {
                    lists.add(own, subscription(topic, topic + 10));
                    vector.push(topic);
                }
                Some(at) if !adds => {
                    let removed = lists.remove(own, number);
                    prop_assert_eq!(removed, Some(subscription(topic, topic + 10)));
                    vector.swap_remove(at);
                }
                Some(_) => {}
                None => prop_assert_eq!(lists.remove(own, number), None),
            }
            let listed = vectors.iter().filter(|vector| vector.len() > 1).count();
            prop_assert_eq!(lists.len(), listed);
            for (own, vector) in owners.iter().zip(&vectors) {
                let topics = lists.of(own).iter().map(|own| own.topic.place());
                prop_assert!(topics.eq(vector.iter().copied()));
            }
        }
    }
}
