//! What is left of a lesson that hangs, and when the guard acts.

use std::sync::mpsc;
use std::time::Duration;

use super::{Guard, line, with_broken_off};
use crate::lab::LESSONS;
use crate::lab::frame::{Frame, How, Scale};
use crate::lab::report::Report;

const HOW: How = How {
    scale: Scale::Quick,
    calls: 4,
};

#[test]
fn what_was_measured_before_a_lesson_hung_is_kept() {
    let earlier = vec![Report::new(&LESSONS[0])];
    let frame = Frame::new(Report::new(&LESSONS[1]), HOW, None);
    frame.say("something");
    frame.finding("things", 4);
    let all = with_broken_off(earlier, frame, 60);
    assert_eq!(all.len(), 2);
    assert!(all[0].is_whole());
    let json = serde_json::to_value(&all[1]).expect("JSON");
    assert_eq!(json["findings"]["things"], 4);
    assert_eq!(json["steps"][0]["say"], "something");
    let error = json["error"].as_str().expect("an error");
    assert!(error.contains("did not end within 60 s"), "{error}");
}

#[test]
fn a_smaller_scale_is_proposed_where_there_is_one() {
    assert!(!line(&LESSONS[0], Scale::Quick, 60).contains("--scale"));
    assert!(line(&LESSONS[0], Scale::Normal, 120).ends_with("; try --scale quick"));
}

#[test]
fn a_guard_acts_when_its_time_has_passed_and_not_once_it_is_dropped() {
    let (sender, acted) = mpsc::channel();
    let guard = Guard::after(Duration::ZERO, move || {
        let _ = sender.send(());
    })
    .unwrap();
    assert_eq!(acted.recv(), Ok(()));
    drop(guard);
    let (sender, acted) = mpsc::channel::<()>();
    drop(
        Guard::after(Duration::MAX, move || {
            let _ = sender.send(());
        })
        .unwrap(),
    );
    // The thread ends, and its sender with it, unused.
    assert_eq!(acted.recv(), Err(mpsc::RecvError));
}
