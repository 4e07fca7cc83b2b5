//! `docs/LIMITS.md` names every limit, with the default that the program has and the flag that the program takes. A limit
//! without a flag fails here.
#![forbid(unsafe_code)]

use std::sync::OnceLock;
use std::time::Duration;

use longshore::Limits;

const PAGE: &str = include_str!("../docs/LIMITS.md");

/// How the page writes a value.
trait Written {
    fn written(&self, is_bytes: bool) -> String;
}

impl Written for u64 {
    fn written(&self, is_bytes: bool) -> String {
        const UNITS: [(u32, &str); 3] = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
        let whole =
            |(bits, _): &&(u32, &str)| is_bytes && *self != 0 && self.is_multiple_of(1 << bits);
        match UNITS.iter().find(whole) {
            Some((bits, unit)) => format!("{} {unit}", self >> bits),
            None => self.to_string(),
        }
    }
}

macro_rules! written_as_u64 {
    ($($integer:ty),*) => {
        $(impl Written for $integer {
            fn written(&self, is_bytes: bool) -> String {
                u64::try_from(*self).expect("a limit is not negative").written(is_bytes)
            }
        })*
    };
}

written_as_u64!(u16, u32, usize);

impl Written for Duration {
    fn written(&self, _: bool) -> String {
        format!("{} s", self.as_secs_f64())
    }
}

/// Takes the defaults apart. A field that is missing here does not compile.
macro_rules! defaults {
    ($($field:ident),* $(,)?) => {{
        let Limits { $($field),* } = Limits::default();
        [$((stringify!($field), $field.written(stringify!($field).contains("bytes")))),*]
    }};
}

/// The cells of the row that begins with the limit's name.
fn row(name: &str) -> Vec<&'static str> {
    let start = format!("| `{name}` |");
    let mut rows = PAGE.lines().filter(|line| line.starts_with(&start));
    let row = rows
        .next()
        .unwrap_or_else(|| panic!("docs/LIMITS.md has no row for {name}"));
    assert!(rows.next().is_none(), "two rows for {name}");
    row.trim_matches('|').split('|').map(str::trim).collect()
}

#[test]
fn every_limit_stands_in_the_table_with_its_default() {
    let limits = defaults!(
        head_bytes_max,
        fields_max,
        target_bytes_max,
        chunk_extension_bytes_max,
        trailer_bytes_max,
        collected_body_bytes_max,
        streamed_body_bytes_max,
        requests_per_connection_max,
        message_bytes_max,
        streamed_message_bytes_max,
        outbox_high_bytes,
        outbox_low_bytes,
        outbox_bytes_max,
        memory_bytes_max,
        head_timeout,
        first_byte_timeout,
        idle_timeout,
        body_grace,
        body_bytes_per_second_min,
        write_stall_timeout,
        ping_interval,
        ping_timeout,
        close_timeout,
        websocket_idle_timeout,
        websocket_lifetime_max,
        deflate_memory_bytes_max,
        topic_history_max,
        topic_history_bytes_max,
        linger_timeout,
        linger_bytes_max,
        stop_timeout,
    );
    for (name, default) in limits {
        let cells = row(name);
        assert_eq!(cells.len(), 5, "name, default, flag, at it, attack: {name}");
        assert_eq!(cells[1], default, "the default of {name}");
        assert!(
            cells.iter().all(|cell| !cell.is_empty()),
            "an empty cell: {name}"
        );
        let flag = cells[2].trim_matches('`');
        assert!(flag.starts_with("--"), "{name} has no flag");
        assert!(help().contains(&format!("{flag} <")), "{flag} of {name}");
    }
}

/// What `longshore serve --help` says.
fn help() -> &'static str {
    static HELP: OnceLock<String> = OnceLock::new();
    HELP.get_or_init(|| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_longshore"))
            .args(["serve", "--help"])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    })
}

#[test]
fn the_table_and_the_program_name_the_same_flags() {
    let named: Vec<_> = PAGE
        .split('`')
        .filter(|quoted| quoted.starts_with("--"))
        .collect();
    let taken: Vec<_> = help()
        .split_whitespace()
        .filter(|word| word.starts_with("--"))
        .collect();
    for flag in &named {
        assert!(taken.contains(flag), "the program does not take {flag}");
    }
    let headings = [
        "Limits of requests:",
        "Limits of memory:",
        "Limits of time:",
        "Limits of WebSocket:",
    ];
    for heading in headings {
        let (_, group) = help().split_once(&format!("\n{heading}\n")).unwrap();
        let (group, _) = group.split_once("\n\nLimits of").unwrap_or((group, ""));
        let flags = group
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .filter(|word| word.starts_with("--"));
        for flag in flags {
            assert!(named.contains(&flag), "docs/LIMITS.md does not name {flag}");
        }
    }
}

/// Runs `longshore serve` with `limits`, on an address that nobody has: what is accepted fails there, with exit code 1.
fn refused(limits: &[&str]) -> (Option<i32>, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_longshore"))
        .args(["serve", "--listen", "192.0.2.1:0"])
        .args(limits)
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn values_that_make_no_sense_are_usage_errors() {
    let senseless: [&[&str]; 11] = [
        &["--head-bytes-max", "0"],
        &["--fields-max", "0"],
        &["--fields-max", "65536"],
        &["--target-bytes-max", "0x10"],
        &["--outbox-bytes-max", "0"],
        &["--memory-bytes-max", "0"],
        &["--memory-bytes-max", "1e9"],
        &["--linger-bytes-max", "many"],
        &["--linger-timeout", "0"],
        &["--outbox-low-bytes", "65537"],
        &["--outbox-high-bytes", "10", "--outbox-low-bytes", "11"],
    ];
    for limits in senseless {
        let (code, said) = refused(limits);
        assert_eq!(code, Some(2), "{limits:?}: {said}");
        assert!(
            said.starts_with("error: ") && said.contains(limits[0]),
            "{said}"
        );
        assert!(said.contains("--help"), "{said}");
    }
    let sensible: [&[&str]; 6] = [
        &[
            "--chunk-extension-bytes-max",
            "0",
            "--trailer-bytes-max",
            "0",
        ],
        &["--body-bytes-max", "0", "--message-bytes-max", "0"],
        &["--requests-per-connection-max", "0", "--body-rate-min", "0"],
        &["--linger-bytes-max", "0", "--linger-timeout", "0.05"],
        &["--outbox-high-bytes", "0"],
        &["--outbox-high-bytes", "10", "--outbox-low-bytes", "10"],
    ];
    for limits in sensible {
        let (code, said) = refused(limits);
        assert_eq!(code, Some(1), "{limits:?}: {said}");
    }
}
