//! What a probe is told of the queues.

use super::*;
use crate::driver::Token;
use crate::sys::{Silent, Verdict};

/// Keeps the names under which submissions are told, and those of failures.
#[derive(Default)]
struct Names {
    submitted: Vec<u64>,
    failed: Vec<u64>,
}

impl Probe for Names {
    const ACTIVE: bool = true;

    fn before(&mut self, _: &Call<'_>) -> Verdict {
        Verdict::Go
    }

    fn after(&mut self, _: &Call<'_>, _: Result<usize, &io::Error>) {}

    fn submitted(&mut self, _: &Call<'_>, user_data: u64) {
        self.submitted.push(user_data);
    }

    fn completed(&mut self, _: &'static str, user_data: u64, result: i32, _: u32) {
        assert_eq!(result, -libc::ENOENT);
        self.failed.push(user_data);
    }
}

/// Cancels three times what does not exist, and takes the answers.
fn cancel_nothing(probe: &mut impl Probe) -> (Ring, Vec<u64>) {
    let mut ring = Ring::open(probe, 8, 16).expect("this machine has rings");
    for name in [1, 2, 1] {
        // SAFETY: the entry points to nothing.
        unsafe { ring.push_quietly(probe, op::cancel(name)) };
    }
    let entered = ring.submit_and_wait(probe, Some(Duration::ZERO));
    entered.expect("there is a ring");
    let taken = std::iter::from_fn(|| ring.next(probe)).map(|completion| completion.user_data);
    let taken = taken.collect();
    (ring, taken)
}

#[test]
fn quiet_submissions_have_names_of_their_own_where_somebody_listens() {
    let mut names = Names::default();
    let (ring, taken) = cancel_nothing(&mut names);
    assert_eq!((ring.quiet, taken.len()), (3, 3));
    assert_eq!(names.failed, names.submitted);
    let mut each = names.submitted.clone();
    each.dedup();
    assert_eq!(each.len(), 3, "{each:x?}");
    let operations = each.iter().map(|name| Token::unpack(*name).0);
    assert!(
        operations
            .into_iter()
            .all(|operation| operation == op::NOBODY)
    );

    let (ring, taken) = cancel_nothing(&mut Silent);
    assert_eq!((ring.quiet, taken.len()), (0, 3), "nothing is counted");
}
