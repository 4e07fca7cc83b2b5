//! In which order events are shown.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use crate::sys::{self, Call, Probe};
use crate::trace::{Event, Options, Sink, Trace};

/// Tells the test of every event.
struct Told(Sender<Event>);

impl Sink for Told {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.0.send(event.clone()).map_err(io::Error::other)
    }
}

fn name(event: &Event) -> &str {
    match &event.kind {
        crate::trace::Kind::Call(call) => call.name,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_thread_is_about_to_tell_holds_up_what_came_later() {
    let (told, telling) = mpsc::channel();
    let options = Options {
        hold: Duration::ZERO,
        ..Options::default()
    };
    let trace = Trace::start(vec![Box::new(Told(told))], options).unwrap();
    let (mut slow, mut quick) = (trace.recorder(), trace.recorder());
    // The kernel takes the processor from a thread between the end of its call and the queue.
    let close = Call::Close { fd: 7 };
    slow.before(&close);
    slow.speaks();
    let at = std::time::Instant::now();
    let eventfd = sys::eventfd(&mut quick).unwrap();
    let wait = telling.recv_timeout(Duration::from_millis(60));
    assert!(matches!(wait, Err(RecvTimeoutError::Timeout)), "{wait:?}");
    slow.answer(at, None, &close, Ok(0));
    slow.flush();
    let shown: Vec<Event> = (0..2).map(|_| telling.recv().unwrap()).collect();
    let names: Vec<_> = shown.iter().map(name).collect();
    assert_eq!(names, ["close", "eventfd2"]);
    assert!(shown[0].at < shown[1].at && shown[0].wall < shown[1].wall);
    // Who is silent holds up nobody.
    sys::close(&mut quick, eventfd).unwrap();
    assert_eq!(name(&telling.recv().unwrap()), "close");
    trace.finish().unwrap();
}

#[test]
fn times_are_not_moved_and_agree() {
    let (told, telling) = mpsc::channel();
    let trace = Trace::start(vec![Box::new(Told(told))], Options::default()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut recorder = trace.recorder();
                for _ in 0..200 {
                    let fd = sys::eventfd(&mut recorder).unwrap();
                    sys::close(&mut recorder, fd).unwrap();
                }
            });
        }
    });
    trace.finish().unwrap();
    drop(trace);
    let shown: Vec<Event> = telling.iter().collect();
    assert_eq!(shown.len(), 4 * 400);
    let began = shown[0].wall - shown[0].at;
    for pair in shown.windows(2) {
        assert!(pair[0].at <= pair[1].at && pair[0].wall <= pair[1].wall);
        assert_eq!(pair[1].wall - pair[1].at, began);
    }
}
