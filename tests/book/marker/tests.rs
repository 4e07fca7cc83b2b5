use super::{Marker, Need, Part};
use crate::command::Command;

fn marker(line: &str) -> Result<Marker, String> {
    Marker::parse(line).expect("a marker")
}

#[test]
fn a_plain_marker_names_a_command() {
    let marker = marker("<!-- output: longshore lab 4 --scale quick -->").unwrap();
    let words = ["lab", "4", "--scale", "quick"].map(str::to_owned).to_vec();
    assert_eq!(marker.command, Command::Longshore(words));
    assert_eq!((marker.part, marker.exit), (Part::All, 0));
    assert!(
        !marker.figures_vary
            && !marker.order_varies
            && !marker.calls_vary
            && marker.needs.is_empty()
    );
}

#[test]
fn attributes_stand_on_either_side() {
    let before = r#"<!-- output, figures vary, exit 2, from "a: b, c" to "d": longshore x -->"#;
    let after = r#"<!-- output, figures vary: longshore x, exit 2, from "a: b, c" to "d" -->"#;
    let marker = marker(before).unwrap();
    assert_eq!(self::marker(after).unwrap(), marker);
    let between = Part::Between("a: b, c".to_owned(), Some("d".to_owned()));
    assert_eq!(
        (marker.part, marker.exit, marker.figures_vary),
        (between, 2, true)
    );
    let needs =
        self::marker("<!-- output, needs io_uring, order varies, calls vary: longshore x -->")
            .unwrap();
    assert_eq!(
        (needs.needs, needs.order_varies && needs.calls_vary),
        (vec![Need::IoUring], true)
    );
}

#[test]
fn mistakes_are_told() {
    assert!(Marker::parse("<!-- a comment -->").is_none());
    assert!(Marker::parse("text").is_none());
    for (line, why) in [
        ("<!-- output: rm -rf / -->", "no command of the book"),
        ("<!-- output: -->", "no command of the book"),
        ("<!-- output longshore lab -->", "no `:`"),
        ("<!-- output: longshore lab", "no end"),
        (
            "<!-- output, figures wary: longshore lab -->",
            "figures wary",
        ),
        ("<!-- output: longshore lab, lines 2 -->", "lines 2"),
        ("<!-- output: longshore lab, from a to b -->", "from a to b"),
        ("<!-- output, needs luck: longshore lab -->", "needs luck"),
        ("<!-- output: source /etc/passwd -->", "of this repository"),
        ("<!-- output: source ../x fn y -->", "of this repository"),
    ] {
        let error = marker(line).unwrap_err();
        assert!(error.contains(why), "{line}: {error}");
    }
}

#[test]
fn a_part_is_chosen_by_number_or_by_text() {
    let text = "one\ntwo\nthree\ntwo again\n";
    let between = |from: &str, to: Option<&str>| {
        Part::Between(from.to_owned(), to.map(str::to_owned)).of(text)
    };
    assert_eq!(Part::All.of(text).unwrap(), text.trim_end());
    assert_eq!(Part::Lines(2, 3).of(text).unwrap(), "two\nthree");
    assert_eq!(between("two", Some("two")).unwrap(), "two");
    assert_eq!(between("two", Some("th")).unwrap(), "two\nthree");
    assert_eq!(between("three", None).unwrap(), "three\ntwo again");
    for wrong in [Part::Lines(0, 1), Part::Lines(3, 2), Part::Lines(2, 5)] {
        assert!(wrong.of(text).is_err(), "{wrong:?}");
    }
    assert!(between("four", None).unwrap_err().contains("four"));
    assert!(
        between("three", Some("one")).is_err(),
        "the end stands before the beginning"
    );
}

#[test]
fn what_is_typed_stands_above_the_output() {
    let lesson = marker("<!-- output, typed to cargo: longshore lab 1 | tail -n 3 -->").unwrap();
    let typed = "$ cargo run -q --release -- lab 1 | tail -n 3";
    assert_eq!(lesson.typed.as_deref(), Some(typed));
    assert_eq!(
        (&lesson.part, lesson.language()),
        (&Part::Last(3), "console")
    );
    assert_eq!(lesson.part.of("a\nb\nc\nd"), Ok("b\nc\nd".to_owned()));
    let client = r"printf 'a, b\n' | longshore connect 127.0.0.1:7007";
    let (server, client) = ("longshore echo -v", client.replace(", ", ","));
    let of_server = marker(&format!("<!-- output: {server}, while {client} -->")).unwrap();
    let of_client = marker(&format!(
        "<!-- output: {client}, typed, beside {server} -->"
    ))
    .unwrap();
    assert_eq!(of_client.typed, Some(format!("$ {client}")));
    assert_ne!(of_server.command, of_client.command);
}

#[test]
fn only_longshore_runs_beside_longshore() {
    for line in [
        "<!-- output: longshore lab 1, while longshore connect 127.0.0.1:7007 -->",
        "<!-- output: longshore echo, while rm -rf . -->",
        "<!-- output: longshore echo, while printf 'x' | sh -->",
        "<!-- output: rm -rf ., beside longshore echo -->",
        "<!-- output: longshore lab 1 | tail -n many -->",
    ] {
        assert!(marker(line).is_err(), "{line}");
    }
}
