//! What the server's process and the kernel show of themselves in /proc.
#![forbid(unsafe_code)]

use std::fs;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::client::Shared;

pub(crate) struct Watch {
    pid: Option<u32>,
}

impl Watch {
    pub(crate) fn new(pid: Option<u32>) -> Self {
        Self { pid }
    }

    /// A number of KiB behind `name` in a file of /proc.
    fn kib(path: &str, name: &str) -> u64 {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.lines()
            .find_map(|line| {
                line.strip_prefix(name)?
                    .split_whitespace()
                    .next()?
                    .parse()
                    .ok()
            })
            .unwrap_or(0)
    }

    fn server(&self, file: &str, name: &str) -> u64 {
        self.pid
            .map_or(0, |pid| Self::kib(&format!("/proc/{pid}/{file}"), name))
    }

    /// Seconds that the server has had of the processors, in user space and in the kernel (proc_pid_stat(5)).
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let Some(pid) = self.pid else { return 0.0 };
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = text
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace();
        let ticks: u64 = fields
            .skip(11)
            .take(2)
            .filter_map(|text| text.parse::<u64>().ok())
            .sum();
        ticks as f64 / 100.0
    }

    pub(crate) fn peak_kib(&self) -> u64 {
        self.server("status", "VmHWM:")
    }

    /// What connections cost the server: how many it could take with a processor of its own, since here the clients have
    /// their part of it.
    pub(crate) fn cost(&self, what: &str, count: usize, seconds: f64, cpu: f64) {
        let count = count as f64;
        println!(
            "{what} {count}: {:.0} a second; server CPU {cpu:.2} s, {:.1} µs each: {:.0} a server-CPU-second",
            count / seconds,
            cpu * 1e6 / count,
            count / cpu
        );
    }

    /// One line of the log.
    pub(crate) fn line(&self, phase: &str, shared: &Shared, since: Option<Duration>) {
        let since = since.map_or(String::new(), |since| {
            format!("{:6.1} s", since.as_secs_f64())
        });
        println!(
            "{phase:<8} {since:>9}  {:>8} open {:>5} lost {:>8} pings   server: RSS {:>7} KiB, CPU {:>7.2} s   kernel: slab {:>6} MiB, free {:>6} MiB",
            shared.open.load(Ordering::Relaxed),
            shared.lost.load(Ordering::Relaxed),
            shared.pings.load(Ordering::Relaxed),
            self.server("smaps_rollup", "Rss:"),
            self.cpu_seconds(),
            Self::kib("/proc/meminfo", "Slab:") / 1024,
            Self::kib("/proc/meminfo", "MemAvailable:") / 1024,
        );
    }
}
