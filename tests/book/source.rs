//! Lines of a source file, found by the name of what they define: line numbers would go stale with every change above.
//!
//! It knows the layout that rustfmt gives, not Rust: an item begins with its keyword and name, and ends with the first
//! line of the same indentation that closes it.

use std::fs;

use crate::process::root;

/// What may be quoted by its name.
const KINDS: [&str; 10] = [
    "fn",
    "struct",
    "enum",
    "trait",
    "impl",
    "const",
    "static",
    "type",
    "mod",
    "macro_rules!",
];

/// What may stand before the keyword.
const BEFORE: [&str; 8] = [
    "pub",
    "pub(crate)",
    "pub(super)",
    "const",
    "unsafe",
    "async",
    "default",
    "extern \"C\"",
];

/// The whole file, its head comment (`doc`), or one item with its documentation.
pub(crate) fn quote(path: &str, item: Option<&str>) -> Result<String, String> {
    let text = fs::read_to_string(root().join(path)).map_err(|error| format!("{path}: {error}"))?;
    let quoted = match item {
        None => Ok(text),
        Some("doc") => Ok(head_comment(&text)),
        Some(item) => find(&text, item),
    };
    quoted.map_err(|why| format!("{path}: {why}"))
}

/// What the file says about itself, without the comment signs.
fn head_comment(text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    let lines: Vec<&str> = lines
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    lines.join("\n")
}

/// `fn name`, `enum Name`, or `fn Type::name` where a file has several functions of that name.
pub(crate) fn find(text: &str, item: &str) -> Result<String, String> {
    let lines: Vec<&str> = text.lines().collect();
    let (kind, name) = item
        .split_once(' ')
        .filter(|(kind, _)| KINDS.contains(kind))
        .ok_or(format!("`{item}` is no item; one of {}", KINDS.join(", ")))?;
    let (owner, name) = match name.rsplit_once("::") {
        Some((owner, name)) => (Some(owner), name),
        None => (None, name),
    };
    let within = |at: usize| owner.is_none_or(|owner| belongs(&lines, at, owner));
    let mut found = (0..lines.len()).filter(|at| defines(lines[*at], kind, name) && within(*at));
    let begin = found.next().ok_or(format!("there is no `{item}`"))?;
    if found.next().is_some() {
        return Err(format!(
            "there are two of `{item}`; say `{kind} Type::{name}`"
        ));
    }
    let end = end(&lines, begin).ok_or(format!("`{item}` has no end"))?;
    let is_about = |line: &&&str| {
        let line = line.trim_start();
        line.starts_with("///") || line.starts_with("#[")
    };
    let about = lines[..begin].iter().rev().take_while(is_about).count();
    let indent = indentation(lines[begin]);
    let quoted = lines[begin - about..=end].iter();
    let quoted: Vec<&str> = quoted
        .map(|line| line.get(indent..).unwrap_or(""))
        .collect();
    Ok(quoted.join("\n"))
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Whether the line begins an item of this kind and name.
fn defines(line: &str, kind: &str, name: &str) -> bool {
    let mut rest = line.trim_start();
    loop {
        let behind = |word: &str| rest.strip_prefix(word)?.strip_prefix([' ', '<']);
        if let Some(behind) = behind(kind) {
            return names(behind, kind, name);
        }
        match BEFORE.iter().find_map(|word| behind(word)) {
            Some(behind) => rest = behind,
            None => return false,
        }
    }
}

/// Whether what stands behind the keyword is the name. An `impl` has it anywhere before its brace.
fn names(behind: &str, kind: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    if kind == "impl" {
        let head = behind.split(" where").next().unwrap_or(behind);
        let mut words = head.split(|c: char| !is_part(c));
        return words.any(|word| word == name);
    }
    behind
        .strip_prefix(name)
        .is_some_and(|rest| !rest.starts_with(is_part))
}

/// Whether the line lies in an `impl` or `trait` of that owner.
fn belongs(lines: &[&str], at: usize, owner: &str) -> bool {
    let is_outer = |line: &&&str| {
        // A head with bounds ends in lines of its own.
        let ends_head = matches!(**line, "" | "{" | "where");
        !ends_head && indentation(line) < indentation(lines[at])
    };
    let outer = lines[..at].iter().rev().find(is_outer);
    outer.is_some_and(|line| defines(line, "impl", owner) || defines(line, "trait", owner))
}

/// The last line of the item.
fn end(lines: &[&str], begin: usize) -> Option<usize> {
    let indent = indentation(lines[begin]);
    let closes = |line: &str| {
        let inside = line.trim_start();
        indentation(line) == indent && !inside.is_empty() && {
            inside.starts_with('}') || inside.ends_with(';')
        }
    };
    if lines[begin].ends_with(';') || lines[begin].ends_with('}') {
        return Some(begin);
    }
    (begin + 1..lines.len()).find(|at| closes(lines[*at]))
}

mod tests;
