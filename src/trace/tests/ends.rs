//! How a trace ends.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::trace::{Event, Options, Sink, Trace};

/// A sink that takes its time to end.
struct Slow(Arc<AtomicBool>);

impl Sink for Slow {
    fn event(&mut self, _: &Event) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        thread::sleep(Duration::from_millis(100));
        self.0.store(true, Ordering::Release);
        Ok(())
    }
}

#[test]
fn whoever_ends_it_second_waits_for_the_first() {
    let ended = Arc::new(AtomicBool::new(false));
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(Slow(ended.clone()))];
    let trace = Trace::start(sinks, Options::default()).unwrap();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                trace.finish().unwrap();
                assert!(ended.load(Ordering::Acquire), "before the sink has ended");
            });
        }
    });
}
