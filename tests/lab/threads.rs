//! A machine that gives few threads: a line that says so, and never a panic.

use std::process::{Command, Stdio};

use crate::few_threads::with_threads;

/// Runs the program to its end, with so many threads in all: its code, its output, and what it complains of.
fn ended(threads: usize, arguments: &[&str]) -> Option<(Option<i32>, String, String)> {
    let mut command: Command = with_threads(threads, arguments)?;
    let output = command.stdin(Stdio::null()).output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Some((
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    ))
}

#[test]
fn without_a_thread_a_lesson_ends_with_a_line() {
    // The guard of a lesson is its first thread; then come a client, a writer, a server, and one in another process.
    for (threads, lesson, how) in [
        (1, "verbs", "the lesson broke off: "),
        (2, "byte-stream", "the lesson broke off: "),
        (2, "models", "the lesson broke off: "),
        (2, "short-and-long", "the lesson broke off: "),
        (3, "models", "not here: epoll with 10 clients: longshore: "),
    ] {
        let arguments = ["lab", lesson, "--scale", "quick"];
        let Some((code, printed, said)) = ended(threads, &arguments) else {
            return;
        };
        let line = format!("{how}cannot start a thread: Resource temporarily unavailable");
        // Lines are broken where the terminal ends.
        let words: Vec<&str> = printed.split_whitespace().collect();
        assert!(
            words.join(" ").contains(&line),
            "{threads} {lesson}: {printed} {said}"
        );
        // What is not to be had here is told, and no failure.
        let whole = how.starts_with("not here");
        assert_eq!(code, Some(i32::from(!whole)), "{threads} {lesson}");
        assert_eq!(said, "", "{threads} {lesson}");
    }
}

#[test]
fn without_a_thread_the_doctor_measures_no_connections() {
    let arguments = ["doctor", "--connections", "10", "--backend", "epoll"];
    let Some((code, _, said)) = ended(1, &arguments) else {
        return;
    };
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.starts_with("longshore: epoll: cannot start a thread: ") && said.lines().count() == 1,
        "{said}"
    );
}
