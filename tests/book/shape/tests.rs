use std::path::Path;

use super::{anchors, commands, links, mentions, svg, terms, top};
use crate::process::root;

fn has(faults: &[String], wanted: &str) -> bool {
    faults.iter().any(|fault| fault.contains(wanted))
}

#[test]
fn links_lead_somewhere() {
    let page = root().join("docs/DESIGN.md");
    let good = "[a](MEASURING.md) ![b](../src/lib.rs) [c](https://x/y) [d](DESIGN.md#the-seam)\n\n# The seam\n";
    let faults = links(&page, good);
    assert!(
        has(&faults, "DESIGN.md#the-seam") && faults.len() == 1,
        "{faults:?}"
    );
    let faults = links(&page, "[a](NOWHERE.md) ![b](figures/no.svg) [c](#here)");
    assert_eq!(faults.len(), 3, "{faults:?}");
    let faults = links(&page, "[out](../../../../../../../../etc)");
    assert!(has(&faults, "out of the repository"), "{faults:?}");
    let faults = links(&page, "[not a page of the book](../README.md)");
    assert!(has(&faults, "mdbook"), "{faults:?}");
    assert!(links(Path::new("docs/DESIGN.md"), "`[no](link)`").is_empty());
}

#[test]
fn headings_are_named_as_links_name_them() {
    let anchors = anchors("# A seam, of `sys`\n\ntext\n\n## TIME_WAIT\n");
    assert!(
        anchors.contains("a-seam-of-sys") && anchors.contains("time_wait"),
        "{anchors:?}"
    );
}

#[test]
fn files_that_are_spoken_of_are_there() {
    let good = "`src/sys/socket.rs`, src/http/, examples/04, `examples/01_the_verbs`. In docs/DESIGN.md.\n\
                ```text\nsrc/nowhere.rs\n```\n";
    assert!(mentions(good).is_empty(), "{:?}", mentions(good));
    let bad = "`src/sys/sockets.rs`, examples/99, docs/NOTHING.md, examples/0";
    assert_eq!(mentions(bad).len(), 4, "{:?}", mentions(bad));
}

#[test]
fn a_chapter_says_what_to_read_and_what_to_run() {
    let good = "# Title\n\n*Read: [a](../../src/lib.rs). Run: `longshore lab 1`.*\n\nText.";
    assert!(top(good).is_empty(), "{:?}", top(good));
    let wrapped = "# Title\n\n*Read:\nthe page.\nRun: [an example](../../examples/06.rs).*\n";
    assert!(top(wrapped).len() == 1, "Read: is followed by a space");
    let example = "# Title\n\n*Read: the page.\nRun: [an example](../../examples/06.rs).*\n";
    assert!(top(example).is_empty(), "{:?}", top(example));
    for (bad, why) in [
        (
            "Title\n\n*Read: [a](../../src/lib.rs). Run: `longshore lab 1`.*\n",
            "begins with",
        ),
        ("# Title\n\nText.\n", "behind the title"),
        (
            "# Title\n\n*Read: [a](../../src/lib.rs).*\n",
            "behind the title",
        ),
        (
            "# Title\n\n*Read: nothing. Run: `longshore lab 1`.*\n",
            "no source file",
        ),
        (
            "# Title\n\n*Read: [a](../../src/lib.rs). Run: away.*\n",
            "names no command",
        ),
    ] {
        assert!(has(&top(bad), why), "{bad}: {:?}", top(bad));
    }
}

#[test]
fn terms_have_two_languages() {
    let head = "| term | 中文 | in English | 用中文说 | where |\n|---|---|---|---|---|\n";
    let good = "| socket | 套接字 | An end. | 一个端点。 | `src/sys` |\n";
    assert!(terms(&format!("{head}{good}")).is_empty());
    for (row, why) in [
        (format!("{good}{good}"), "twice"),
        ("| a | b | An end. | 端点 | c |\n".to_owned(), "no Chinese"),
        ("| a | 端 | An end | 端点 | c |\n".to_owned(), "no sentence"),
        ("| a | 端 | An end. | 端点 |\n".to_owned(), "a row of 4"),
    ] {
        let faults = terms(&format!("{head}{row}"));
        assert!(has(&faults, why), "{row}: {faults:?}");
    }
}

#[test]
fn a_figure_is_whole_and_stands_alone() {
    let wrap = |inside: &str| {
        format!(r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1">{inside}</svg>"#)
    };
    let told = "<title>a</title><desc>b</desc>";
    assert!(svg(&wrap(told)).is_empty(), "{:?}", svg(&wrap(told)));
    for (inside, why) in [
        ("<title>a</title>".to_owned(), "no <desc>"),
        (format!("{told}<g>"), "expected"),
        (format!("{told}<script>1</script>"), "<script>"),
        (
            format!("{told}<style>@import 'x'</style>"),
            "from elsewhere",
        ),
        (format!("{told}<a href='http://x'/>"), "from elsewhere"),
    ] {
        let faults = svg(&wrap(&inside));
        assert!(has(&faults, why), "{inside}: {faults:?}");
    }
    assert!(has(
        &svg("<svg><title>a</title><desc>b</desc></svg>"),
        "viewBox"
    ));
}

#[test]
fn subcommands_that_are_spoken_of_are_there() {
    let help = "Commands:\n  serve   Serve\n  lab     Lessons\n";
    let good = "`longshore serve --trace`, `longshore lab 4`, `longshore --help`; cargo run --release -- lab 1";
    assert!(
        commands(good, help).is_empty(),
        "{:?}",
        commands(good, help)
    );
    let bad = "`longshore served`, `longshore trace serve`; cargo run -- labs";
    assert_eq!(commands(bad, help).len(), 3, "{:?}", commands(bad, help));
}
