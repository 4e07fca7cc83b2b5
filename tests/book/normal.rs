//! What remains of an output when everything is taken away that differs from run to run.
//!
//! ```text
//!   exact     nothing but colours and spaces at the end of lines is taken away
//!   usual     dates, times, durations, keys, addresses in memory become words; ports, processes, descriptors and
//!             inodes are numbered in the order in which they come, so that which is which still counts
//!   vary      every number becomes N, and columns lose their widths: words, rows and their order are left
//! ```

use std::collections::HashMap;
use std::sync::OnceLock;

use regex_lite::{Captures, Regex};

/// How much of an output may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figures {
    Exact,
    Usual,
    Vary,
}

/// The text without what may differ.
pub(crate) fn normal(text: &str, figures: Figures) -> String {
    let mut text = replace(text, &PLAIN);
    match figures {
        Figures::Exact => {}
        Figures::Usual => {
            text = replace(&text, &MOMENTS);
            text = replace(&text, &SECRETS);
            text = replace(&text, &DURATIONS);
            text = in_order(&text);
        }
        Figures::Vary => {
            text = replace(&text, &MOMENTS);
            text = replace(&text, &SECRETS);
            text = replace(&unwrapped(&text), &NUMBERS);
        }
    }
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_end().to_owned()
}

/// Prose in one line each: where a line was broken depends on the width of its figures. Prose is what is not indented, and
/// what follows the `=>` of a conclusion (`??` of one that the measurement did not bear out).
fn unwrapped(text: &str) -> String {
    let mut out = String::new();
    let (mut in_prose, mut in_conclusion) = (false, false);
    for line in text.lines() {
        let inside = line.trim_start();
        let concludes = inside.starts_with("=> ") || inside.starts_with("?? ");
        let is_prose = !inside.is_empty() && inside.len() == line.len();
        let goes_on = !inside.is_empty() && in_conclusion && !concludes || is_prose && in_prose;
        out.push_str(match () {
            () if out.is_empty() => "",
            () if goes_on => " ",
            () => "\n",
        });
        out.push_str(if goes_on { inside } else { line });
        in_prose = is_prose;
        in_conclusion = concludes || in_conclusion && goes_on;
    }
    out
}

/// A pattern, and what takes the place of what it finds.
struct Rule {
    pattern: &'static str,
    with: &'static str,
    compiled: OnceLock<Regex>,
}

impl Rule {
    const fn new(pattern: &'static str, with: &'static str) -> Self {
        Rule {
            pattern,
            with,
            compiled: OnceLock::new(),
        }
    }

    fn regex(&self) -> &Regex {
        self.compiled
            .get_or_init(|| Regex::new(self.pattern).expect("the pattern is tested"))
    }
}

fn replace(text: &str, rules: &[Rule]) -> String {
    rules.iter().fold(text.to_owned(), |text, rule| {
        rule.regex().replace_all(&text, rule.with).into_owned()
    })
}

/// Colours and other commands to a terminal (ECMA-48), and the line ends of one.
static PLAIN: [Rule; 3] = [
    Rule::new(r"\x1b\[[0-9;?]*[ -/]*[@-~]", ""),
    Rule::new(r"\x1b\][^\x07\x1b]*(\x07|\x1b\\)", ""),
    Rule::new(r"\r\n", "\n"),
];

static MOMENTS: [Rule; 4] = [
    // As in HTTP: Sun, 06 Nov 1994 08:49:37 GMT (RFC 9110 §5.6.7).
    Rule::new(
        r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT",
        "DATE",
    ),
    Rule::new(
        r"\b\d{4}-\d\d-\d\d([T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?)?",
        "DATE",
    ),
    Rule::new(r"\b\d\d:\d\d:\d\d(\.\d+)?\b", "CLOCK"),
    // Seconds with microseconds, as strace(1) writes moments and, in angle brackets, durations.
    Rule::new(r"[+]?\b\d+\.\d{6}\b", "SECONDS"),
];

/// Chance of the peer or of the kernel.
static SECRETS: [Rule; 10] = [
    // The same byte by byte, over several lines.
    Rule::new(r"\b[0-9a-f]{2}(\s+[0-9a-f]{2}){7,}\b", "HEXADECIMAL"),
    // Hashes and keys of 8 bytes and more.
    Rule::new(r"\b[0-9a-f]{16,}\b", "HEXADECIMAL"),
    // Base64 of 20 and of 16 bytes: Sec-WebSocket-Accept and Sec-WebSocket-Key. It may begin with what no word begins with.
    Rule::new(r"[A-Za-z0-9+/]{27}=", "ACCEPT"),
    Rule::new(r"[A-Za-z0-9+/]{22}==", "KEY"),
    Rule::new(
        r"\b(mask|masking key|mask key)([ =:]+)(0x)?[0-9a-f]{2}([ :]?[0-9a-f]{2}){3}\b",
        "${1}${2}MASK",
    ),
    // As `connect -v` shows the key of a frame.
    Rule::new(r"\bkey 0x[0-9a-f]{8}\b", "key MASK"),
    // A pointer, not a small constant.
    Rule::new(r"\b0x[0-9a-f]{9,}\b", "POINTER"),
    // Timestamps of TCP begin anywhere (RFC 7323 §5.4).
    Rule::new(r"\bts \d+ echoes \d+", "ts STAMP echoes STAMP"),
    // Files of this run, and names that the kernel chose for Unix sockets (unix(7), autobind).
    Rule::new(r#"/tmp/[^\s"',)]+"#, "/tmp/FILE"),
    Rule::new(r"@[0-9a-f]{5}\b", "@NAME"),
];

const DURATION: &str =
    r"\b\d[\d,]*(\.\d+)? ?(ns|µs|μs|us|ms|s|min|(nano|micro|milli)?seconds?|minutes?)\b";

static DURATIONS: [Rule; 5] = [
    Rule::new(DURATION, "TIME"),
    // How long a wait may last is what is left until the next deadline.
    Rule::new(
        r"(\bepoll_p?wait2?\(.*, )[1-9]\d*(\) = )",
        "${1}TIMEOUT${2}",
    ),
    Rule::new(r"\{tv_sec=\d+, tv_nsec=\d+\}", "{TIMEOUT}"),
    // Columns are as wide as what stands in them.
    Rule::new(r"(\S)[ \t]{2,}", "${1} "),
    // Initial sequence numbers are chance; small ones are relative and count.
    Rule::new(r"\b(seq|ack)([ =:]+)\d{6,}", "${1}${2}SEQUENCE"),
];

static NUMBERS: [Rule; 8] = [
    Rule::new(DURATION, "N TIME"),
    Rule::new(
        r"\b\d[\d,]*(\.\d+)? ?(B|KB|MB|GB|KiB|MiB|GiB|bytes?)\b",
        "N BYTES",
    ),
    Rule::new(r"\b0x[0-9a-f]+\b", "N"),
    Rule::new(r"\b[0-9A-F]{8}:[0-9A-F]{4}\b", "N:N"),
    Rule::new(r"\b\d+([,.]\d+)*[kMG]?\b", "N"),
    // One call, two calls.
    Rule::new(r"\bN ([a-z]+?)s\b", "N ${1}"),
    // Bars and rules are as long as the numbers beside them.
    Rule::new(r"[\u{2580}-\u{259f}]+|[-+−](N)", "${1}"),
    Rule::new(r"(─|━|═|-){2,}|[ \t]+", " "),
];

/// Numbers that mean the same thing all through an output.
struct Names {
    word: &'static str,
    /// Each finds a number in its last group, behind what stays.
    rules: &'static [Rule],
    /// Smaller ones are the same on every machine.
    least: u64,
}

static PORTS: [Rule; 5] = [
    Rule::new(
        r"(\b\d+\.\d+\.\d+\.\d+:|\]:|\blocalhost:|\*:)(\d{4,5})\b",
        "",
    ),
    Rule::new(r"(\bhtons\()(\d+)", ""),
    Rule::new(r"(\b[Pp]orts?[ =:]+)(\d{4,5})\b", ""),
    Rule::new(r"(\b[0-9A-F]{8}:)([0-9A-F]{4})\b", ""),
    Rule::new(r"(\b[0-9A-F]{32}:)([0-9A-F]{4})\b", ""),
];

static PROCESSES: [Rule; 3] = [
    // The front of a line of a trace.
    Rule::new(r"(^CLOCK |\nCLOCK )(\d+)\b", ""),
    Rule::new(r"(\b(?:pid|tid|process|thread)[ =:]+)(\d{2,})\b", ""),
    Rule::new(r"(/proc/)(\d+)\b", ""),
];

static INODES: [Rule; 2] = [
    Rule::new(r"(\b(?:socket|pipe):\[)(\d+)", ""),
    Rule::new(r"(\binode[ =:]+)(\d+)", ""),
];

static DESCRIPTORS: [Rule; 4] = [
    Rule::new(
        r"(\b(?:recv(?:from|msg)?|send(?:to|msg|file)?|p?readv?|p?writev?|close|shutdown|bind|listen|accept4?|connect|getsockname|getpeername|[gs]etsockopt|epoll_ctl|epoll_p?wait2?|fstat|ioctl|fcntl|lseek|io_uring_\w+)\()(\d+)",
        "",
    ),
    Rule::new(r"(\bEPOLL_CTL_\w+, )(\d+)", ""),
    Rule::new(
        r"(\b(?:socket|accept4?|epoll_create1|eventfd2?|openat2?|open|dup[23]?|signalfd4|timerfd_create|io_uring_setup)\(.*\) = )(\d+)\b",
        "",
    ),
    Rule::new(r"(\b(?:fd|descriptor)s?[ =:/]+)(\d+)\b", ""),
];

static IN_ORDER: [Names; 4] = [
    Names {
        word: "INODE",
        rules: &INODES,
        least: 0,
    },
    Names {
        word: "PROCESS",
        rules: &PROCESSES,
        least: 2,
    },
    Names {
        word: "PORT",
        rules: &PORTS,
        least: 1024,
    },
    Names {
        word: "FD",
        rules: &DESCRIPTORS,
        least: 3,
    },
];

/// Gives each port, process, descriptor and inode the number of its first appearance: `PORT1`, `PORT2`.
fn in_order(text: &str) -> String {
    let mut text = text.to_owned();
    for names in &IN_ORDER {
        let mut seen: HashMap<u64, usize> = HashMap::new();
        for rule in names.rules {
            let name = |found: &Captures<'_>| {
                let before = &found[1];
                let hexadecimal = before.len() > 8 && rule.pattern.contains("A-F");
                let number = u64::from_str_radix(&found[2], if hexadecimal { 16 } else { 10 });
                match number {
                    Ok(number) if number >= names.least => {
                        let next = seen.len() + 1;
                        let ordinal = seen.entry(number).or_insert(next);
                        format!("{before}{}{ordinal}", names.word)
                    }
                    _ => found[0].to_owned(),
                }
            };
            text = rule.regex().replace_all(&text, name).into_owned();
        }
    }
    text
}

mod tests;
