//! Subscribers against a naive model: everybody gets what was published between welcome and leave, once and in order.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::{Seated, call, entry, large, token};

const TOPICS: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Step {
    /// Comes to a topic, or leaves it.
    Turn(usize, u32),
    Publish(usize),
    /// A gap in the numbers: somebody gave up messages on their way.
    Skip(usize, u64),
    Call(usize),
    /// Everybody leaves.
    Empty(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let topic = 0..TOPICS.len();
    prop_oneof![
        6 => (topic.clone(), 0_u32..40).prop_map(|(topic, index)| Step::Turn(topic, index)),
        4 => topic.clone().prop_map(Step::Publish),
        1 => (topic.clone(), 1_u64..5).prop_map(|(topic, count)| Step::Skip(topic, count)),
        6 => (0_usize..50).prop_map(Step::Call),
        1 => topic.prop_map(Step::Empty),
    ]
}

/// Who is where, what each is owed, and how many messages it will find missing.
#[derive(Default)]
struct Model {
    /// Each topic's last number.
    numbers: [u64; TOPICS.len()],
    owed: [HashMap<u32, Vec<u64>>; TOPICS.len()],
}

/// A connection is in one topic only here, so that a call tells which one it is of.
fn index_of(topic: usize, index: u32) -> u32 {
    topic as u32 * 1000 + index
}

/// Makes one call and holds it to the model.
fn check(seated: &mut Seated, model: &mut Model) -> Result<bool, TestCaseError> {
    let Some((index, numbers)) = call(seated) else {
        return Ok(false);
    };
    let owed = model.owed[index as usize / 1000].get_mut(&index);
    let owed = owed.expect("only who is there is called");
    prop_assert!(!numbers.is_empty() && owed.starts_with(&numbers));
    owed.drain(..numbers.len());
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everybody_gets_what_was_said_while_it_was_there(steps in proptest::collection::vec(step(), 0..300)) {
        let names: Vec<Arc<str>> = TOPICS.map(Arc::from).to_vec();
        let (mut seated, mut model) = (Seated::default(), Model::default());
        for step in steps {
            match step {
                Step::Turn(topic, index) => {
                    let (name, index) = (&names[topic], index_of(topic, index));
                    if model.owed[topic].remove(&index).is_some() {
                        prop_assert!(seated.leave(name, token(index)));
                    } else {
                        let number = model.numbers[topic];
                        prop_assert!(seated.welcome(name, token(index), number));
                        model.owed[topic].insert(index, Vec::new());
                    }
                }
                Step::Publish(topic) => {
                    model.numbers[topic] += 1;
                    let number = model.numbers[topic];
                    seated.add(entry(&names[topic], number));
                    model.owed[topic].values_mut().for_each(|owed| owed.push(number));
                }
                Step::Skip(topic, count) => model.numbers[topic] += count,
                Step::Call(count) => {
                    for _ in 0..count {
                        if !check(&mut seated, &mut model)? {
                            break;
                        }
                    }
                }
                Step::Empty(topic) => {
                    for (index, _) in model.owed[topic].drain() {
                        prop_assert!(seated.leave(&names[topic], token(index)));
                    }
                }
            }
        }
        while check(&mut seated, &mut model)? {}
        prop_assert!(model.owed.iter().all(|owed| owed.values().all(Vec::is_empty)));
        prop_assert_eq!((seated.bytes(), seated.has_work()), (0, false));
        for (topic, owed) in model.owed.iter().enumerate() {
            for index in owed.keys() {
                prop_assert!(seated.leave(&names[topic], token(*index)));
            }
        }
        prop_assert!(seated.is_empty());
    }
}

proptest! {
    // Each copies a hundred MiB.
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is given up is counted: what somebody got and what it missed are all that was said while it was there.
    #[test]
    fn what_is_given_up_is_counted(
        sizes in proptest::collection::vec((0_usize..2, 4_usize..24), 1..16),
        calls in 0_usize..4,
    ) {
        let names: Vec<Arc<str>> = TOPICS.map(Arc::from).to_vec();
        let mut seated = Seated::default();
        for (topic, name) in names.iter().enumerate() {
            for index in 0..3 {
                seated.welcome(name, token(index_of(topic, index)), 0);
            }
        }
        let (mut numbers, mut got) = ([0; TOPICS.len()], 0);
        for (topic, mebibytes) in sizes {
            numbers[topic] += 1;
            seated.add(large(&names[topic], numbers[topic], mebibytes << 20));
            got += (0..calls).filter_map(|_| call(&mut seated)).map(|(_, got)| got.len()).sum::<usize>();
        }
        got += std::iter::from_fn(|| call(&mut seated)).map(|(_, got)| got.len()).sum::<usize>();
        let said: u64 = numbers.iter().sum();
        prop_assert_eq!(got as u64 + seated.take_lost(), 3 * said);
        prop_assert_eq!(seated.bytes(), 0);
    }
}
