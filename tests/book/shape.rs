//! What holds for a book whatever its commands print: nothing is missing, nothing points nowhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use regex_lite::Regex;

use crate::command::PROGRAM;
use crate::compare::pages;
use crate::process::{self, root};

const SUMMARY: &str = "SUMMARY.md";
const GLOSSARY: &str = "glossary.md";

/// Everything that is wrong with the book in this folder.
pub(crate) fn faults(folder: &Path) -> Vec<String> {
    let mut faults = summary(folder);
    for page in pages(folder) {
        let text = fs::read_to_string(&page).expect("a page is text");
        let mut told = links(&page, &text);
        told.extend(mentions(&text));
        told.extend(commands(&text, program_help()));
        if !is_named(&page, SUMMARY) && !is_named(&page, GLOSSARY) {
            told.extend(top(&text));
        }
        if is_named(&page, GLOSSARY) {
            told.extend(terms(&text));
        }
        faults.extend(with_name(&page, told));
    }
    faults.extend(figures(folder));
    faults
}

/// Each fault once, behind the name of its file.
fn with_name(path: &Path, faults: Vec<String>) -> Vec<String> {
    let once: BTreeSet<String> = faults.into_iter().collect();
    let name = path.strip_prefix(root()).unwrap_or(path).display();
    { once.into_iter() }
        .map(|fault| format!("{name}: {fault}"))
        .collect()
}

fn is_named(page: &Path, name: &str) -> bool {
    page.file_name().is_some_and(|file| file == name)
}

/// What the text links to, and shows.
fn targets(text: &str) -> Vec<String> {
    let events = Parser::new_ext(text, Options::ENABLE_TABLES);
    let targets = events.filter_map(|event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            Some(dest_url.into_string())
        }
        _ => None,
    });
    targets.collect()
}

/// The summary lists each page, and no other.
fn summary(folder: &Path) -> Vec<String> {
    let text = match fs::read_to_string(folder.join(SUMMARY)) {
        Ok(text) => text,
        Err(error) => return vec![format!("{SUMMARY}: {error}")],
    };
    let listed: BTreeSet<String> = targets(&text).into_iter().collect();
    let there: BTreeSet<String> = pages(folder)
        .iter()
        .filter(|page| !is_named(page, SUMMARY))
        .filter_map(|page| Some(page.file_name()?.to_str()?.to_owned()))
        .collect();
    let missing = listed.difference(&there);
    let missing = missing.map(|page| format!("{SUMMARY} lists {page}, which is not there"));
    let unlisted = there.difference(&listed);
    let unlisted = unlisted.map(|page| format!("{SUMMARY} does not list {page}"));
    missing.chain(unlisted).collect()
}

/// Each relative link leads to a file of the repository, and behind `#` to one of its headings.
fn links(page: &Path, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for target in targets(text) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
        let file = match path {
            "" => page.to_owned(),
            path => page.parent().expect("a page lies in a folder").join(path),
        };
        let Ok(file) = file.canonicalize() else {
            faults.push(format!("there is no {target}"));
            continue;
        };
        if !file.starts_with(root().canonicalize().expect("the crate's folder")) {
            faults.push(format!("{target} leads out of the repository"));
        }
        let is_page = file.extension().is_some_and(|end| end == "md");
        if is_page && path.contains('/') {
            let why = "mdbook renders the pages of the book only: name the file, do not link to it";
            faults.push(format!("{target}: {why}"));
        }
        if is_page && !anchor.is_empty() {
            let text = fs::read_to_string(&file).expect("a page is text");
            if !anchors(&text).contains(anchor) {
                faults.push(format!("{target}: no such heading"));
            }
        }
    }
    faults
}

/// The headings as links name them: lower case, hyphens for spaces, no punctuation.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let text = heading.take().unwrap_or_default().to_lowercase();
                let kept = text
                    .chars()
                    .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
                anchors.insert(kept.collect::<String>().replace(' ', "-"));
            }
            _ => {}
        }
    }
    anchors
}

/// What `longshore --help` prints.
fn program_help() -> &'static str {
    static HELP: OnceLock<String> = OnceLock::new();
    HELP.get_or_init(|| {
        let printed = process::run(PROGRAM.as_ref(), &["--help".to_owned()]);
        printed.map_or_else(|why| why, |printed| printed.text)
    })
}

/// Each subcommand that is spoken of is one: the help has a line for it.
fn commands(text: &str, help: &str) -> Vec<String> {
    let pattern =
        Regex::new(r"(`longshore|cargo run (?:--release )?--) ([a-z]+)").expect("a pattern");
    let is_known = |name: &str| {
        let mut lines = help.lines();
        lines.any(|line| line.split_whitespace().next() == Some(name) && line.starts_with(' '))
    };
    let names = pattern.captures_iter(text).map(|found| found[2].to_owned());
    let unknown = names.filter(|name| !is_known(name));
    unknown
        .map(|name| format!("longshore has no `{name}`"))
        .collect()
}

/// Each file of the repository that is spoken of is there. Code blocks are output, and tested as that.
fn mentions(text: &str) -> Vec<String> {
    let pattern = Regex::new(r"\b(src|examples|docs|tests|benches)/[\w./-]*\w").expect("a pattern");
    let mut in_block = false;
    let mut faults = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        if in_block {
            continue;
        }
        for path in pattern.find_iter(line) {
            // `src/http/` and `examples/04`, as prose names a folder or an example.
            let path = path.as_str();
            if !root().join(path).exists() && !is_example(path) {
                faults.push(format!("there is no {path}"));
            }
        }
    }
    faults
}

/// Whether it is the number or the name of an example without its ending: `examples/04`.
fn is_example(path: &str) -> bool {
    let Some(wanted) = path.strip_prefix("examples/") else {
        return false;
    };
    let entries = fs::read_dir(root().join("examples")).expect("the examples");
    { entries }.any(|entry| {
        let name = entry.expect("an entry").file_name();
        let name = name.to_string_lossy();
        let behind = name.strip_prefix(wanted);
        behind.is_some_and(|rest| rest == ".rs" || wanted.len() == 2 && rest.starts_with('_'))
    })
}

/// A chapter begins with its title, and says what to read and what to run:
/// *Read: [src/sys/socket.rs](…). Run: `longshore lab 1`.*
fn top(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut paragraphs = text.split("\n\n");
    let title = paragraphs.next().unwrap_or_default();
    if !title.starts_with("# ") || title.lines().count() != 1 {
        faults.push("a chapter begins with `# Title`, and an empty line".to_owned());
    }
    let told = paragraphs.next().unwrap_or_default().trim();
    let run = told
        .strip_prefix("*Read: ")
        .and_then(|rest| rest.strip_suffix('*'))
        .and_then(|rest| rest.split_once("Run: "));
    let Some((_, run)) = run else {
        faults.push("behind the title comes `*Read: … Run: ….*`".to_owned());
        return faults;
    };
    let is_source = |target: &String| target.contains("/src/") || target.contains("/examples/");
    if !targets(told).iter().any(is_source) {
        faults.push("`Read:` and `Run:` link to no source file".to_owned());
    }
    let is_example = targets(run)
        .iter()
        .any(|target| target.contains("/examples/"));
    if !run.contains("`longshore ") && !is_example {
        faults.push("`Run:` names no command of longshore and no example".to_owned());
    }
    faults
}

/// Each row of the glossary has five cells, two of them in Chinese, and each term stands there once.
fn terms(text: &str) -> Vec<String> {
    let is_chinese = |cell: &&str| cell.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for row in text.lines().filter(|line| line.starts_with('|')) {
        if row.starts_with("|---") || row.starts_with("| term |") {
            continue;
        }
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        match cells[..] {
            [term, chinese, english, sentence, place] => {
                if !seen.insert(term.to_lowercase()) {
                    faults.push(format!("{term} stands there twice"));
                }
                if [chinese, sentence]
                    .iter()
                    .filter(|cell| is_chinese(cell))
                    .count()
                    < 2
                {
                    faults.push(format!("{term} has no Chinese"));
                }
                if !english.ends_with('.') || place.is_empty() {
                    faults.push(format!("{term} has no sentence, or no place"));
                }
            }
            _ => faults.push(format!("a row of {} cells: {row}", cells.len())),
        }
    }
    faults
}

/// Each figure is well-formed, says what it shows, needs nothing from elsewhere, and stands in a page.
fn figures(folder: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    let shown: BTreeSet<PathBuf> = pages(folder)
        .iter()
        .flat_map(|page| targets(&fs::read_to_string(page).expect("a page is text")))
        .filter_map(|target| folder.join(target).canonicalize().ok())
        .collect();
    for entry in fs::read_dir(folder.join("figures")).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a figure is text");
        let mut told = svg(&text);
        told.extend(mentions(&text));
        if !shown.contains(&path.canonicalize().expect("it was listed")) {
            told.push("no page shows it".to_owned());
        }
        faults.extend(with_name(&path, told));
    }
    faults
}

fn svg(text: &str) -> Vec<String> {
    let document = match roxmltree::Document::parse(text) {
        Ok(document) => document,
        Err(error) => return vec![error.to_string()],
    };
    let mut faults = Vec::new();
    let root = document.root_element();
    if !root.has_tag_name(("http://www.w3.org/2000/svg", "svg")) || !root.has_attribute("viewBox") {
        faults.push("no <svg> of SVG's name space with a viewBox".to_owned());
    }
    for wanted in ["title", "desc"] {
        let said = { root.children() }.find(|child| child.tag_name().name() == wanted);
        if said.and_then(|node| node.text()).is_none() {
            faults.push(format!("no <{wanted}> for those who cannot see it"));
        }
    }
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        let name = node.tag_name().name();
        if ["script", "image", "foreignObject"].contains(&name) {
            faults.push(format!("<{name}> has no business in a figure"));
        }
        let values = node.attributes().map(|attribute| attribute.value());
        for value in values.chain(node.text()) {
            if value.contains("://") || value.contains("@import") {
                faults.push(format!("it needs something from elsewhere: {value}"));
            }
        }
    }
    faults
}

mod tests;
