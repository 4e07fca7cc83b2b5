//! Submissions that answer only a failure, and bytes that are no part of a stream.

use super::*;

/// What each failed completion answers, and for whom.
fn failures(events: &[Event]) -> Vec<(Option<u64>, Option<u64>)> {
    { events.iter() }
        .filter_map(|event| match &event.kind {
            Kind::Completed(completed) if completed.result < 0 => {
                let connection = event.connection.as_ref();
                Some((completed.operation, connection.map(|one| one.number)))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn a_failure_answers_the_submission_of_its_name() {
    let (events, text) = told(Options::default(), |probe| {
        submit(probe, "accept", &entry(ACCEPT, 0, 1, 5, 100), None);
        probe.completed("accept", 100, 12, MORE);
        for name in 1..=3 {
            submit(probe, "cancel", &entry(CANCEL, SKIPS, 0, -1, name), None);
        }
        probe.completed("cancel", 2, -libc::ENOENT, 0);
        // It is answered, and nobody else has its name.
        probe.completed("cancel", 2, -libc::ENOENT, 0);
        probe.completed("cancel", 1, -libc::ENOENT, 0);
    });
    assert_eq!(
        failures(&events),
        [(Some(3), None), (None, None), (Some(2), None)],
        "{text}"
    );
}

#[test]
fn of_several_with_one_name_none_is_guessed() {
    let (events, text) = told(Options::default(), |probe| {
        for _ in 0..2 {
            submit(probe, "cancel", &entry(CANCEL, SKIPS, 0, -1, 7), None);
        }
        probe.completed("cancel", 7, -libc::ENOENT, 0);
    });
    assert_eq!(failures(&events), [(None, None)], "{text}");
}

#[test]
fn the_sum_of_bytes_is_that_of_the_lines() {
    let kept = Kept::default();
    let summary = Summary::new(kept.clone()).json(true);
    let trace = Trace::start(vec![Box::new(summary)], Options::default()).unwrap();
    let mut probe = trace.recorder();
    let bell = sys::eventfd(&mut probe).unwrap();
    sys::eventfd_write(&mut probe, bell.as_fd()).unwrap();
    sys::eventfd_read(&mut probe, bell.as_fd()).unwrap();
    sys::eventfd_read(&mut probe, bell.as_fd()).unwrap_err();
    drop(probe);
    trace.finish().unwrap();
    let summary: serde_json::Value = serde_json::from_str(&kept.text()).unwrap();
    let calls = &summary["calls"];
    assert_eq!(
        (&calls["read"]["bytes"], &calls["read"]["calls"]),
        (&8.into(), &2.into())
    );
    assert_eq!(calls["write"]["bytes"], 8);
    assert_eq!(
        calls["eventfd2"]["bytes"], 0,
        "a descriptor is no number of bytes"
    );
}
