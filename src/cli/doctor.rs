//! `longshore doctor`: what this machine allows, and what to change.

pub(super) mod connections;

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Args;
use longshore::{Backend, sys};

/// Say what this machine allows a server: backends, descriptors, backlog, ports.
#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Open N idle WebSocket connections on each backend, and say what each costs in user and kernel memory
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    connections: Option<u32>,
    /// With --connections: only this backend. epoll, io-uring or mio
    #[arg(short, long, requires = "connections")]
    backend: Option<Backend>,
}

/// One thing that was looked at.
struct Finding {
    /// What: a short name.
    name: &'static str,
    /// Whether it is as a server wants it.
    good: bool,
    /// What was found.
    found: String,
    /// What to do if it is not good.
    advice: &'static str,
}

impl Doctor {
    pub(crate) fn run(self) -> Result<ExitCode, String> {
        let text = match self.connections {
            Some(connections) => {
                connections::measure(connections as usize, self.backend, self.json)?
            }
            None if self.json => json(&examine()),
            None => table(&examine()),
        };
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            // A reader that has gone has seen enough.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(format!("cannot write to standard output: {error}"))
            }
            _ => Ok(ExitCode::SUCCESS),
        }
    }
}

fn examine() -> Vec<Finding> {
    vec![
        kernel(),
        backend(Backend::Epoll),
        backend(Backend::IoUring),
        backend(Backend::Mio),
        descriptors(),
        locked_memory(),
        at_least(
            "backlog",
            "/proc/sys/net/core/somaxconn",
            4096,
            "sysctl -w net.core.somaxconn=4096",
        ),
        at_least(
            "SYN queue",
            "/proc/sys/net/ipv4/tcp_max_syn_backlog",
            1024,
            "sysctl -w net.ipv4.tcp_max_syn_backlog=4096",
        ),
        ports(),
        processors(),
    ]
}

/// The text of a small file of /proc, without its line end.
fn read(path: &str) -> Option<String> {
    fs::read_to_string(path)
        .ok()
        .map(|text| text.trim().to_owned())
}

fn kernel() -> Finding {
    let release = read("/proc/sys/kernel/osrelease");
    let mut numbers = release
        .iter()
        .flat_map(|text| text.split(['.', '-']))
        .map_while(|part| part.parse().ok());
    let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    Finding {
        name: "kernel",
        good: version >= (6, 1),
        found: format!("Linux {}", release.as_deref().unwrap_or("unknown")),
        advice: "io_uring is used from Linux 6.1 on; epoll works everywhere",
    }
}

fn backend(backend: Backend) -> Finding {
    let chosen = backend.choose();
    let good = chosen.is_ok();
    let found = match chosen {
        Ok(_) => "works".to_owned(),
        Err(error) => match sysctl_io_uring() {
            Some(setting) if backend == Backend::IoUring => {
                format!("{} (kernel.io_uring_disabled = {setting})", error.cause)
            }
            _ => error.cause,
        },
    };
    let advice = match backend {
        Backend::IoUring => {
            "sysctl -w kernel.io_uring_disabled=0, or allow io_uring_setup in the container's seccomp filter"
        }
        _ => "build with this feature",
    };
    Finding {
        name: backend.name(),
        good,
        found,
        advice,
    }
}

fn sysctl_io_uring() -> Option<String> {
    read("/proc/sys/kernel/io_uring_disabled")
}

fn descriptors() -> Finding {
    let (soft, hard) = sys::nofile().unwrap_or((0, 0));
    Finding {
        name: "descriptors",
        good: hard >= 10_000,
        found: format!("ulimit -n is {soft}, at most {hard}; `serve` raises it by itself"),
        advice: "each connection needs one on epoll and mio; raise the hard limit in /etc/security/limits.conf or the service's LimitNOFILE=",
    }
}

fn locked_memory() -> Finding {
    let found = match sys::memlock() {
        Ok((u64::MAX, _)) => "unlimited".to_owned(),
        Ok((soft, _)) => format!(
            "ulimit -l is {} KiB; rings are not charged to it since Linux 5.12",
            soft / 1024
        ),
        Err(error) => error.to_string(),
    };
    Finding {
        name: "locked memory",
        good: true,
        found,
        advice: "",
    }
}

fn at_least(name: &'static str, path: &'static str, wanted: u64, advice: &'static str) -> Finding {
    let value = read(path);
    let number = value.as_deref().and_then(|text| text.parse::<u64>().ok());
    Finding {
        name,
        good: number.is_some_and(|number| number >= wanted),
        found: format!("{path} is {}", value.as_deref().unwrap_or("not readable")),
        advice,
    }
}

fn ports() -> Finding {
    let range = read("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut ends = range
        .split_whitespace()
        .filter_map(|end| end.parse::<u32>().ok());
    let count = match (ends.next(), ends.next()) {
        (Some(first), Some(last)) => last.saturating_sub(first) + 1,
        _ => 0,
    };
    Finding {
        name: "client ports",
        good: count >= 20_000,
        found: format!("{count} for each pair of addresses"),
        advice: "a load generator needs one for each connection: more source addresses (127.0.0.2 …), or sysctl -w net.ipv4.ip_local_port_range='1024 65535'",
    }
}

fn processors() -> Finding {
    let count = sys::allowed_cpus().map_or(0, |cpus| cpus.len());
    Finding {
        name: "processors",
        good: count > 0,
        found: format!("{count}, one worker each by default"),
        advice: "",
    }
}

fn table(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding {
        name,
        good,
        found,
        advice,
    } in findings
    {
        let mark = if *good { "ok  " } else { "look" };
        let _ = writeln!(text, "{mark}  {name:<14} {found}");
        if !good {
            let _ = writeln!(text, "{:20} → {advice}", "");
        }
    }
    text
}

fn json(findings: &[Finding]) -> String {
    let mut text = String::from("[\n");
    for (
        index,
        Finding {
            name,
            good,
            found,
            advice,
        },
    ) in findings.iter().enumerate()
    {
        let comma = if index + 1 < findings.len() { "," } else { "" };
        let advice = if *good { "" } else { advice };
        let (name, found, advice) = (quoted(name), quoted(found), quoted(advice));
        let _ = writeln!(
            text,
            "  {{\"name\":{name},\"ok\":{good},\"found\":{found},\"advice\":{advice}}}{comma}"
        );
    }
    text.push_str("]\n");
    text
}

/// A JSON string (RFC 8259 §7).
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            control if control < ' ' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
