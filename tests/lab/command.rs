//! The command itself: the list, names and numbers, what happens to a mistake.

use std::fs::File;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::lesson::lab;
use serde_json::Value;

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the program prints text")
}

#[test]
fn the_list_names_every_lesson_once_and_in_order() {
    let listed = lab(&[]);
    assert!(listed.status.success());
    let document: Value =
        serde_json::from_slice(&lab(&["--json"]).stdout).expect("one JSON document");
    let lessons = document["lessons"].as_array().expect("a list");
    let mut last = 0;
    for lesson in lessons {
        let (number, name) = (lesson["lesson"].as_u64(), lesson["name"].as_str());
        let (number, name) = (number.expect("a number"), name.expect("a name"));
        assert!(number > last, "{number} behind {last}");
        assert!(lesson.get("tables").is_none() && lesson.get("seconds").is_none());
        assert!(text(&listed.stdout).contains(&format!("{number:>3}  {name} ")));
        last = number;
    }
    assert!(last >= 1, "there are lessons");
}

#[test]
fn a_lesson_is_found_by_number_and_prints_what_it_does() {
    let output = lab(&["1", "--scale", "quick"]);
    assert!(output.status.success());
    let text = text(&output.stdout);
    assert!(text.starts_with("Lesson 1: "), "{text}");
    assert!(text.contains("    server    socket(AF_INET, SOCK_STREAM"));
    assert!(text.contains("  => "), "it concludes: {text}");
    assert!(!text.contains('\x1b'), "no colours but on a terminal");
}

#[test]
fn a_lesson_that_does_not_exist_is_a_mistake_of_the_command_line() {
    for wrong in ["0", "99", "nothing", ""] {
        let output = lab(&[wrong]);
        assert_eq!(output.status.code(), Some(2), "{wrong}");
        assert!(text(&output.stderr).contains("`longshore lab` lists them"));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn help_shows_examples() {
    let output = lab(&["--help"]);
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("longshore lab byte-stream"));
}

#[test]
fn the_beginning_of_a_name_is_enough_and_a_slip_is_answered_with_the_name() {
    let output = lab(&["ver", "--scale", "quick"]);
    assert!(text(&output.stdout).starts_with("Lesson 1: "));
    let output = lab(&["verbz"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("did you mean `verbs`?"));
}

#[test]
fn output_that_cannot_be_written_is_a_failure_in_one_line() {
    for arguments in [
        &["lab"][..],
        &["lab", "--json"],
        &["lab", "1", "--scale", "quick"],
        &["lab", "1", "--scale", "quick", "--json"],
    ] {
        let full = File::options().write(true).open("/dev/full");
        let output = Command::new(env!("CARGO_BIN_EXE_longshore"))
            .args(arguments)
            .stdout(full.expect("a full device"))
            .output()
            .expect("the program starts");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let errors = text(&output.stderr);
        assert!(errors.starts_with("longshore: cannot write to standard output"));
        assert_eq!(errors.lines().count(), 1, "{errors}");
    }
}

/// The lessons of crowds with so many descriptors.
fn with_descriptors(limit: u32, arguments: &str) -> Output {
    let program = env!("CARGO_BIN_EXE_longshore");
    let line = format!("ulimit -n {limit} && exec '{program}' lab {arguments}");
    let shell = Command::new("sh").args(["-c", &line]).output();
    shell.expect("a shell starts")
}

#[test]
fn with_few_descriptors_the_lessons_of_crowds_say_so_and_end() {
    let output = with_descriptors(60, "9 17 --scale normal");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = "  not here: ulimit -n is 60, this lesson needs 228\n";
    assert_eq!(text(&output.stdout).matches(said).count(), 2);
    assert!(!text(&output.stdout).contains("=>"), "nothing is concluded");
}

#[test]
fn as_many_descriptors_as_the_lessons_of_crowds_ask_for_are_enough() {
    let output = with_descriptors(228, "models many --scale quick --json");
    let document: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    for (at, crowd) in [(0, 100), (1, 100)] {
        let lesson = &document["lessons"][at];
        assert!(lesson["error"].is_null(), "{}", lesson["error"]);
        assert_eq!(lesson["findings"]["connections"], crowd);
    }
}

#[test]
fn a_lesson_that_is_refused_has_the_same_fields_and_is_no_failure() {
    let output = with_descriptors(64, "models many --json");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    for at in 0..2 {
        let lesson = &document["lessons"][at];
        assert!(lesson["steps"].is_array(), "{lesson:#}");
        assert_eq!(lesson["refused"].as_array().map(Vec::len), Some(1));
        assert!(lesson["error"].is_null());
    }
}

#[test]
fn sentences_are_as_wide_as_the_variable_columns_says() {
    let widest = |columns: &str, arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_longshore"))
            .arg("lab")
            .args(arguments)
            .env("COLUMNS", columns)
            .output()
            .expect("the program starts");
        let widths = text(&output.stdout)
            .lines()
            .map(|line| line.chars().count());
        widths.max().expect("some lines")
    };
    assert!(widest("50", &[]) <= 50);
    assert!(widest("80", &[]) > 50);
    // What is no width: lines are whole.
    let whole = widest("", &[]);
    assert!(whole > 80 && widest("0", &[]) == whole);
}

#[test]
fn tables_fold_to_the_width_and_without_one_stay_within_that_of_prose() {
    let widest = |columns: Option<&str>| {
        let mut lab = Command::new(env!("CARGO_BIN_EXE_longshore"));
        lab.args(["lab", "short-and-long", "frame", "--scale", "quick"]);
        // Calls are not folded: a line of each is what strace prints.
        lab.args(["--calls", "0"]).env_remove("COLUMNS");
        if let Some(columns) = columns {
            lab.env("COLUMNS", columns);
        }
        let output = lab.output().expect("the program starts");
        let widths = text(&output.stdout)
            .lines()
            .map(|line| line.chars().count());
        widths.max().expect("some lines")
    };
    assert!(widest(None) <= 100);
    assert!(widest(Some("70")) <= 70);
}

/// Processes whose parent is this one, and which are no zombies.
fn children(parent: u32) -> Vec<u32> {
    let running = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // `PID (name) state parent …`; a name may contain anything.
        let mut rest = stat.rsplit(')').next()?.split_whitespace();
        let (state, its) = (rest.next()?, rest.next()?);
        (state != "Z" && its == parent.to_string()).then_some(())
    };
    let entries = std::fs::read_dir("/proc").expect("processes are listed");
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| running(pid).is_some())
        .collect()
}

/// Whether a process is there and no zombie.
fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
    !state.is_empty() && !state.starts_with('Z')
}

/// Asks again until it is so; false if that takes longer than any busy machine would.
fn becomes(mut so: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(30) {
        if so() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

#[test]
fn a_lesson_that_is_killed_leaves_no_server_behind() {
    for lesson in ["models", "feeds", "many"] {
        let mut lab = Command::new(env!("CARGO_BIN_EXE_longshore"))
            .args(["lab", lesson])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut servers = Vec::new();
        let begun = becomes(|| {
            servers = children(lab.id());
            !servers.is_empty()
        });
        assert!(begun, "{lesson} starts a server");
        // SIGKILL: nothing of the lesson's own can clean up.
        lab.kill().expect("it runs");
        lab.wait().expect("it has ended");
        assert!(
            becomes(|| !servers.iter().any(|&pid| lives(pid))),
            "{lesson}"
        );
    }
}
