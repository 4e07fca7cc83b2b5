//! What a transcript keeps and shortens, and how a table and a long sentence look.

use super::{Stage, wrapped};
use crate::lab::LESSONS;
use crate::lab::report::{Report, Step, Table};

fn silent() -> Stage {
    Stage::new(Report::new(&LESSONS[0]), None, 4)
}

/// The transcript, one line each.
fn lines(stage: &Stage) -> Vec<String> {
    let line = |step: &Step| match step {
        Step::Say(text) => format!("say {text}"),
        Step::Call { by, line } => format!("{by}: {line}"),
        Step::More(text) => text.clone(),
    };
    stage.report.steps.iter().map(line).collect()
}

#[test]
fn a_long_run_of_calls_is_shortened_and_counted() {
    let mut stage = silent();
    for _ in 0..100 {
        stage.call("a", "send(7, \"x\", 1, 0) = 1");
        stage.call("a", "recv(7, \"x\", 1, 0) = 1");
    }
    stage.say("on".to_owned());
    let lines = lines(&stage);
    assert_eq!(lines.len(), 4 + 4 + 1 + 1, "{lines:#?}");
    assert_eq!(lines[8], "… 192 more: 96 recv, 96 send");
}

#[test]
fn calls_can_be_left_out() {
    let mut stage = Stage::new(Report::new(&LESSONS[0]), None, 0);
    stage.call("a", "send(7, \"x\", 1, 0) = 1");
    stage.say("on".to_owned());
    assert_eq!(lines(&stage), ["say on"]);
}

#[test]
fn an_error_is_shown_behind_a_run_of_successes() {
    let mut stage = silent();
    for _ in 0..10 {
        stage.call("", "send(7, \"x\", 1, 0) = 1");
    }
    stage.call(
        "",
        "send(7, \"x\", 1, 0) = -1 EAGAIN (Resource temporarily unavailable)",
    );
    let lines = lines(&stage);
    assert_eq!(lines[4], "… 6 more: 6 send");
    assert!(lines[5].contains("EAGAIN"));
}

#[test]
fn what_one_shows_does_not_hide_the_other_and_a_sentence_begins_anew() {
    let mut stage = silent();
    for who in ["client", "server", "client"] {
        for _ in 0..4 {
            stage.call(who, "read(3, \"\", 8) = 0");
        }
        stage.say("next".to_owned());
    }
    assert!(lines(&stage).iter().all(|line| !line.starts_with('…')));
}

#[test]
fn the_transcript_of_a_talkative_lesson_ends_somewhere() {
    let mut stage = silent();
    for at in 0..10_000 {
        stage.say(at.to_string());
    }
    assert_eq!(stage.report.steps.len(), super::STEPS_MAX);
}

#[test]
fn numbers_stand_to_the_right_and_text_to_the_left() {
    let mut table = Table::new("t", &["kind", "bytes"]);
    table.row(["a".into(), 1_234_567.into()]);
    table.row(["long one".into(), (-1_000).into()]);
    assert_eq!(
        table.lines(96),
        [
            "kind          bytes",
            "a         1,234,567",
            "long one     -1,000"
        ]
    );
}

#[test]
fn sentences_are_broken_between_words_and_none_is_lost() {
    let words = vec!["words"; 60].join(" ");
    for columns in [40, 100] {
        let text = wrapped(columns, "=> ", "   ", &words);
        assert!(text.lines().all(|line| line.chars().count() <= columns));
        assert!(text.lines().count() > 3);
        let joined: Vec<&str> = text.split_ascii_whitespace().skip(1).collect();
        assert_eq!(joined.join(" "), words);
    }
}

#[test]
fn what_is_quoted_behind_a_sentence_stays_as_it_is() {
    let head = format!("\n    > GET /{} HTTP/1.1\n    > Host: a", "x".repeat(120));
    let text = wrapped(100, "", "", &format!("It asks:{head}"));
    assert_eq!(text, format!("It asks:{head}"));
}
