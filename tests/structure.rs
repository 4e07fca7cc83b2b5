//! Reads the sources and holds them to the architecture: layers, `unsafe`, size, nothing unfinished.
//!
//! ```text
//!   sys 1 < buf 2 < driver 3 < http, ws 4 < conn 5 < trace, reactor 6 < server 7 < lab 8 < cli 9
//! ```
//!
//! It knows text, not Rust: comments and string literals are blanked first, so that prose may say what code may not.
#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};

/// Modules with their layer. A module uses only lower layers, and of its own layer only itself.
const LAYERS: [(&str, u8); 13] = [
    ("sys", 1),
    ("buf", 2),
    ("driver", 3),
    ("http", 4),
    ("ws", 4),
    ("tls", 4),
    ("conn", 5),
    ("trace", 6),
    ("reactor", 6),
    ("server", 7),
    ("client", 7),
    ("lab", 8),
    // The command line stands on the rest of the program.
    ("cli", 9),
];

/// Layers 4 and 5 make no system call and read no clock. `std::io` stands for errors of the kernel.
const KERNEL_NAMES: [&str; 5] = [
    "std::net",
    "std::io",
    "Instant",
    "SystemTime",
    "std::thread",
];

/// Where `unsafe` may stand.
const UNSAFE_PLACES: [&str; 4] = [
    "src/sys/",
    "src/driver/uring/",
    "src/http/plain_simd.rs",
    "src/ws/unmask_simd.rs",
];

const LINES_MAX: usize = 500;

/// How many lines above an `unsafe` its reason may begin.
const SAFETY_LINES: usize = 8;

/// One source file.
struct Source {
    /// From the crate's root, as `src/http/head.rs`.
    path: String,
    text: String,
    /// The text with comments and literals blanked, line by line.
    code: Vec<String>,
}

impl Source {
    /// The module below the crate's root: `http` of `src/http/head.rs`.
    fn module(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        Some(inside.split('/').next()?.trim_end_matches(".rs"))
    }

    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs")
            || self.path.contains("/tests/")
            || self.path.starts_with("tests/")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below the given folders.
fn sources(folders: &[&str]) -> Vec<Source> {
    let mut paths: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    let mut sources = Vec::new();
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path)
                .expect("a folder")
                .map(|entry| entry.expect("an entry").path());
            paths.extend(entries);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("text");
            let relative = path.strip_prefix(root()).expect("below the root");
            let path = relative.to_str().expect("a plain name").to_owned();
            let code = blank(&text).lines().map(str::to_owned).collect();
            sources.push(Source { path, text, code });
        }
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(!sources.is_empty(), "there are sources in {folders:?}");
    sources
}

/// Replaces comments, strings and character literals by spaces. Line ends stay.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = skipped(text, at);
        if end == at {
            let character = text[at..].chars().next().expect("inside the text");
            out.push(character);
            at += character.len_utf8();
        } else {
            out.extend(
                text[at..end]
                    .chars()
                    .map(|c| if c == '\n' { '\n' } else { ' ' }),
            );
            at = end;
        }
    }
    out
}

/// Where the comment or literal ends that begins at `at`; `at` itself if none does.
fn skipped(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    let after_name = text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    if rest.starts_with("//") {
        return at + rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return at + rest.find("*/").map_or(rest.len(), |end| end + 2);
    }
    if rest.starts_with('"') {
        return at + quoted(rest, '"');
    }
    let raw = rest
        .strip_prefix("br")
        .or_else(|| rest.strip_prefix('r'))
        .filter(|_| !after_name);
    if let Some(raw) = raw {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let begin = at + (rest.len() - raw.len()) + hashes + 1;
            let close = format!("\"{}", "#".repeat(hashes));
            return text[begin..]
                .find(&close)
                .map_or(text.len(), |end| begin + end + close.len());
        }
    }
    // A lifetime has no closing quote behind its first character.
    let mut inside = rest.chars().skip(1);
    if rest.starts_with('\'') {
        let (first, second) = (inside.next(), inside.next());
        if first == Some('\\') || second == Some('\'') {
            return at + quoted(rest, '\'');
        }
    }
    at
}

/// How long the literal is that begins with `quote`.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The modules that a line of code names by a path from the crate's root: `crate::http::Head`, and in the program
/// `longshore::http`.
fn named_modules(line: &str) -> impl Iterator<Item = &str> {
    let paths = line
        .match_indices("crate::")
        .filter(|(at, _)| !line[..*at].ends_with('$'));
    paths.flat_map(|(at, prefix)| {
        let rest = &line[at + prefix.len()..];
        let group = rest
            .strip_prefix('{')
            .map(|group| group.split('}').next().unwrap_or(group));
        let names = group.unwrap_or(rest).split(',');
        names
            .take(if group.is_some() { usize::MAX } else { 1 })
            .map(|name| {
                let name = name.trim();
                let end = name
                    .find(|c: char| !c.is_alphanumeric() && c != '_')
                    .unwrap_or(name.len());
                &name[..end]
            })
    })
}

fn layer(module: &str) -> Option<u8> {
    LAYERS
        .iter()
        .find(|(name, _)| *name == module)
        .map(|(_, layer)| *layer)
}

fn fail_on(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn a_layer_uses_only_lower_ones() {
    let mut faults = Vec::new();
    let mut used = 0;
    for source in sources(&["src"]) {
        let Some((module, own)) = source
            .module()
            .and_then(|module| Some((module, layer(module)?)))
        else {
            continue;
        };
        let joined = source.code.join("\n");
        // A `use` may go over several lines.
        for (number, line) in joined
            .split_inclusive(';')
            .flat_map(|piece| piece.split("\n\n"))
            .enumerate()
        {
            for name in named_modules(&line.replace('\n', " ")) {
                let Some(other) = layer(name) else { continue };
                used += 1;
                if name != module && other >= own {
                    faults.push(format!(
                        "{}: {module} uses {name} (statement {number})",
                        source.path
                    ));
                }
            }
        }
    }
    assert!(used > 100, "the reader finds the paths: {used}");
    fail_on(&faults);
}

#[test]
fn protocols_and_connections_know_no_kernel_and_no_clock() {
    let mut faults = Vec::new();
    for source in sources(&["src/http", "src/ws", "src/conn"]) {
        for (index, line) in source.code.iter().enumerate() {
            for name in KERNEL_NAMES {
                if line.contains(name) && !source.is_test() {
                    faults.push(format!("{}:{}: {name}", source.path, index + 1));
                }
            }
        }
    }
    fail_on(&faults);
}

/// Whether a line holds the keyword, not a part of another word as in `unsafe_code`.
fn is_unsafe(line: &str) -> bool {
    line.match_indices("unsafe").any(|(at, word)| {
        let around = |c: char| c.is_alphanumeric() || c == '_';
        !line[..at].ends_with(around) && !line[at + word.len()..].starts_with(around)
    })
}

#[test]
fn unsafe_stands_in_few_places_and_says_why() {
    let mut faults = Vec::new();
    let mut blocks = 0;
    for source in sources(&["src"]) {
        let allowed = UNSAFE_PLACES
            .iter()
            .any(|place| source.path.starts_with(place));
        let lines: Vec<&str> = source.text.lines().collect();
        for (index, code) in source
            .code
            .iter()
            .enumerate()
            .filter(|(_, code)| is_unsafe(code))
        {
            blocks += 1;
            let place = format!("{}:{}", source.path, index + 1);
            if !allowed {
                faults.push(format!("{place}: unsafe has no business here"));
            }
            let above = &lines[index.saturating_sub(SAFETY_LINES)..=index];
            let said = above
                .iter()
                .any(|line| line.contains("SAFETY:") || line.contains("# Safety"));
            // The declaration of a function that is unsafe to call says so in its documentation.
            if !said && !code.contains("unsafe extern") {
                faults.push(format!(
                    "{place}: no SAFETY comment within {SAFETY_LINES} lines"
                ));
            }
        }
    }
    assert!(blocks > 20, "the reader finds unsafe: {blocks}");
    fail_on(&faults);
}

/// The file of the module that `path` lies in: `src/conn/mod.rs` for `src/conn/io.rs`. Layers 8 and 9 belong to the program.
fn parent(path: &str) -> Option<String> {
    let folder = path
        .strip_suffix("/mod.rs")
        .unwrap_or(path.strip_suffix(".rs")?);
    let (folder, module) = folder.rsplit_once('/')?;
    if folder == "src" {
        let root = if layer(module) >= Some(8) {
            "src/main.rs"
        } else {
            "src/lib.rs"
        };
        return (path != root && path != "src/lib.rs").then(|| root.to_owned());
    }
    let candidates = [format!("{folder}/mod.rs"), format!("{folder}.rs")];
    candidates
        .into_iter()
        .find(|candidate| candidate != path && root().join(candidate).exists())
}

fn forbids(path: &str) -> bool {
    let text = fs::read_to_string(root().join(path)).expect("a source");
    text.lines()
        .any(|line| line.trim() == "#![forbid(unsafe_code)]")
}

#[test]
fn every_other_module_forbids_unsafe() {
    let mut faults = Vec::new();
    for source in sources(&["src"]) {
        let inherits = |path: &str| {
            let mut at = Some(path.to_owned());
            std::iter::from_fn(move || {
                let here = at.take()?;
                at = parent(&here);
                Some(here)
            })
            .any(|path| forbids(&path))
        };
        let may = UNSAFE_PLACES
            .iter()
            .any(|place| source.path.starts_with(place));
        // The crate's root and the parents of the exceptions cannot forbid, since that would reach down; they deny.
        let above = UNSAFE_PLACES.iter().any(|place| {
            let folder = source.path.strip_suffix("mod.rs").unwrap_or("src/lib.rs");
            source.path == "src/lib.rs"
                || (source.path.ends_with("mod.rs") && place.starts_with(folder))
        });
        if !may && !above && !inherits(&source.path) {
            faults.push(format!(
                "{}: neither carries nor inherits #![forbid(unsafe_code)]",
                source.path
            ));
        }
    }
    fail_on(&faults);
}

#[test]
fn no_file_is_too_long_and_nothing_is_unfinished() {
    // Put together here, so that this file does not find itself.
    let marks = [
        ["TO", "DO"],
        ["FIX", "ME"],
        ["to", "do!("],
        ["unimpl", "emented!("],
        ["allow(dead", "_code)"],
    ];
    let mut faults = Vec::new();
    for source in sources(&["src", "examples", "tests"]) {
        let lines = source.text.lines().count();
        if lines > LINES_MAX {
            faults.push(format!("{}: {lines} lines", source.path));
        }
        for mark in marks.map(|parts| parts.concat()) {
            if source.text.contains(&mark) {
                faults.push(format!("{}: {mark}", source.path));
            }
        }
    }
    fail_on(&faults);
}

#[test]
fn the_reader_tells_code_from_prose() {
    let source = "let a = \"crate::cli\"; // unsafe\nlet b = 'c'; let c: &'static str = r#\"unsafe \" x\"#; d\n/* unsafe */ e";
    let code = blank(source);
    assert!(!code.contains("unsafe") && !code.contains("cli"), "{code}");
    assert!(
        code.contains("let b") && code.contains("&'static str") && code.contains("; d\n"),
        "{code}"
    );
    assert!(code.ends_with(" e"));
    assert!(
        is_unsafe("unsafe { x }")
            && is_unsafe("pub unsafe fn")
            && !is_unsafe("forbid(unsafe_code)")
    );
    let named: Vec<&str> =
        named_modules("use crate::{http::Head, ws}; crate::sys::bind(x)").collect();
    assert_eq!(named, ["http", "ws", "sys"]);
    assert!(named_modules("$crate::sys").next().is_none());
}
