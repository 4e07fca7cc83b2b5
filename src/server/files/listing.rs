//! A directory as a page of links.
//!
//! Names come from whoever may write into the directory, and are hostile: they are escaped where they are shown, and
//! percent-encoded where they are links. It does not know requests.

use crate::sys::{self, FileKind, Probe};
use std::fmt::Write;
use std::io;
use std::os::fd::BorrowedFd;

/// How many entries of a directory are read; of the rest only their existence is told.
pub(super) const ENTRIES_MAX: usize = 4096;

/// How long the list of links may grow, in bytes. Names of 255 bytes, each encoded as three, reach it before the limit
/// of entries.
pub(super) const LINKS_BYTES_MAX: usize = 256 * 1024;

/// What one getdents64 may fill: about a thousand names.
const READ_BYTES: usize = 32 * 1024;

/// Makes the page. `path` holds the decoded segments of the directory's path; names with a dot in front are left out
/// unless `hidden`.
///
/// # Errors
/// What the kernel says when the directory is read.
pub(super) fn page(
    probe: &mut impl Probe,
    directory: BorrowedFd<'_>,
    path: &[u8],
    hidden: bool,
) -> io::Result<String> {
    let (mut names, mut cut) = read(probe, directory, hidden)?;
    names.sort_unstable();
    let mut links = String::new();
    if !path.is_empty() {
        links += "<li><a href=\"../\">../</a></li>\n";
    }
    for name in &names {
        if links.len() > LINKS_BYTES_MAX {
            cut = true;
            break;
        }
        // The dot keeps a colon in the name from being read as the end of a scheme (RFC 3986 §4.2).
        links += "<li><a href=\"./";
        percent_encode(name, &mut links);
        links += "\">";
        escape(&String::from_utf8_lossy(name), &mut links);
        links += "</a></li>\n";
    }
    let mut title = String::from("/");
    if !path.is_empty() {
        escape(&String::from_utf8_lossy(path), &mut title);
        title.push('/');
    }
    let note = if cut {
        "<p>The directory holds more than is shown here.</p>\n"
    } else {
        ""
    };
    Ok(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n<body>\n\
         <h1>{title}</h1>\n<ul>\n{links}</ul>\n{note}</body>\n</html>\n"
    ))
}

/// The names that can be asked for, directories with a slash behind, and whether entries are missing.
fn read(
    probe: &mut impl Probe,
    directory: BorrowedFd<'_>,
    hidden: bool,
) -> io::Result<(Vec<Vec<u8>>, bool)> {
    let (mut names, mut seen) = (Vec::new(), 0);
    let mut buf = vec![0; READ_BYTES];
    loop {
        let mut entries = sys::getdents64(probe, directory, &mut buf)?.peekable();
        if entries.peek().is_none() {
            return Ok((names, false));
        }
        for entry in entries {
            // Hidden ones count: they are read, too.
            if seen == ENTRIES_MAX {
                return Ok((names, true));
            }
            seen += 1;
            // A FIFO, a device or a socket is not served, nor is a name with control characters.
            let served = !matches!(entry.kind, Some(FileKind::Socket | FileKind::Other))
                && !matches!(entry.name, b"." | b"..")
                && (hidden || !entry.name.starts_with(b"."))
                && !entry.name.iter().any(u8::is_ascii_control);
            if served {
                let slash: &[u8] = match entry.kind {
                    Some(FileKind::Directory) => b"/",
                    _ => b"",
                };
                names.push([entry.name, slash].concat());
            }
        }
    }
}

/// Everything but unreserved characters (RFC 3986 §2.3) and the slash.
fn percent_encode(name: &[u8], out: &mut String) {
    for &byte in name {
        match byte {
            b'-' | b'.' | b'_' | b'~' | b'/' => out.push(byte.into()),
            byte if byte.is_ascii_alphanumeric() => out.push(byte.into()),
            byte => {
                // A string takes everything.
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

/// For the text of an HTML page.
fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => *out += "&amp;",
            '<' => *out += "&lt;",
            '>' => *out += "&gt;",
            '"' => *out += "&quot;",
            '\'' => *out += "&#39;",
            character => out.push(character),
        }
    }
}
