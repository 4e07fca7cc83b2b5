//! A wait that ends early is waited anew, with the time that is left.

use std::time::{Duration, Instant};

use super::to_its_end;

#[test]
fn a_wait_that_ends_early_goes_on_with_the_time_that_is_left() {
    let within = Duration::from_millis(500);
    let mut times = Vec::new();
    let begin = Instant::now();
    let ready = to_its_end(within, |left| {
        times.push(left);
        // As EINTR: nothing has happened, and the time has not passed.
        std::thread::sleep(left / 4);
        Ok(0)
    });
    assert_eq!(ready.expect("no error"), 0);
    assert!(begin.elapsed() >= within, "it lasted as long as was meant");
    assert_eq!(times[0], within);
    assert!(times.len() > 1 && times.windows(2).all(|pair| pair[1] < pair[0]));
}

#[test]
fn what_happens_ends_the_wait() {
    let mut waits = 0;
    let ready = to_its_end(Duration::from_secs(60), |_| {
        waits += 1;
        Ok(waits - 1)
    });
    assert_eq!((ready.expect("no error"), waits), (1, 2));
}

#[test]
fn no_time_is_one_look() {
    let mut waits = 0;
    let ready = to_its_end(Duration::ZERO, |_| {
        waits += 1;
        Ok(0)
    });
    assert_eq!((ready.expect("no error"), waits), (0, 1));
}
