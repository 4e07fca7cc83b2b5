//! Every event, heard by a subscriber that writes down what it is told.

use std::io;
use std::time::Duration;

use super::*;

/// Tells each event once.
fn tell_all() {
    worker_started(1, "epoll", Some(3));
    worker_failed(1, &io::Error::from_raw_os_error(libc::ENOMEM));
    listening(&"http://127.0.0.1:80");
    accepted(7, 0);
    closed(7, true);
    answered(
        7,
        b"GET",
        b"/x\n\x1b[2J",
        200,
        2326,
        Some(Duration::from_millis(3)),
    );
    refused(7, 431, "too many fields");
    upgraded(7, b"/ws");
    timed_out(7, "head_timeout");
    accept_failed(&io::Error::from_raw_os_error(libc::EMFILE));
    memory_full(7, 1024);
    handler_panicked(7, "request");
    stop_begun(12, false);
    stop_ended(true);
}

/// Without a subscriber, and without the feature, telling is no more than a call.
#[test]
fn telling_nobody_does_nothing() {
    tell_all();
}

#[cfg(feature = "tracing")]
mod heard {
    use std::fmt::{self, Write};
    use std::sync::{Arc, Mutex};

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    /// Writes each event down as one line.
    #[derive(Clone, Default)]
    struct Notebook(Arc<Mutex<Vec<String>>>);

    impl Subscriber for Notebook {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            unreachable!("there are no spans")
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            let about = event.metadata();
            let mut line = Line(format!("{} {}", about.level(), about.target()));
            event.record(&mut line);
            self.0.lock().expect("no panic").push(line.0);
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    struct Line(String);

    impl Visit for Line {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            write!(self.0, " {}={value:?}", field.name()).expect("memory");
        }
    }

    #[test]
    fn every_event_has_its_level_and_its_fields() {
        let notebook = Notebook::default();
        tracing::subscriber::with_default(notebook.clone(), super::tell_all);
        let lines = notebook.0.lock().expect("no panic");
        let expected = [
            r#"INFO longshore message=worker started worker=1 backend="epoll" cpu=3"#,
            "ERROR longshore message=worker failed worker=1 error=Cannot allocate memory (os error 12)",
            "INFO longshore message=listening address=http://127.0.0.1:80",
            "TRACE longshore message=connection accepted connection=7 listener=0",
            "TRACE longshore message=connection closed connection=7 ended=true",
            r"DEBUG longshore message=request answered connection=7 status=200 bytes=2326 duration_us=3000 method=GET target=/x\n\x1b[2J",
            r#"DEBUG longshore message=request refused connection=7 status=431 reason="too many fields""#,
            "DEBUG longshore message=upgraded connection=7 target=/ws",
            r#"DEBUG longshore message=timed out connection=7 limit="head_timeout""#,
            "WARN longshore message=accept failed error=Too many open files (os error 24)",
            "WARN longshore message=memory ceiling reached connection=7 limit_bytes=1024",
            r#"ERROR longshore message=handler panicked connection=7 call="request""#,
            "INFO longshore message=stop begun connections=12 again=false",
            "INFO longshore message=stop ended cut=true",
        ];
        assert_eq!(*lines, expected);
    }
}
