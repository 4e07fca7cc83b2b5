//! What was done how often, in the manner of `strace -c`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::packets::{Flags, Packet, Transport};
use super::text::Seconds;
use super::{Event, Kind, Sink};

/// Counts events, and writes a table when the trace ends: each system call with its time, errors and bytes, and a ring's
/// operations apart.
///
/// A ring's operation is no entry to the kernel of its own, so adding both kinds up would hide what a ring saves. Time is
/// from asking to the answer: of a wait, mostly sleep (`strace -c` without `-w` counts the kernel's work instead).
#[derive(Debug)]
pub struct Summary<W> {
    output: W,
    json: bool,
    calls: BTreeMap<&'static str, Figures>,
    operations: BTreeMap<&'static str, Operations>,
    packets: Packets,
    notes: Vec<String>,
}

/// How many notes are kept: the first ones say what is missing.
const NOTES_MAX: usize = 16;

/// What was counted of packets, both directions together.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Packets {
    #[serde(rename = "packets")]
    count: u64,
    bytes: u64,
    syn: u64,
    fin: u64,
    rst: u64,
    sent_again: u64,
}

/// What was counted of one system call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How often it was made.
    pub calls: u64,
    /// How often it failed, "not ready" (EAGAIN) included.
    pub errors: u64,
    /// How long all of them took.
    pub time: Duration,
    /// How many bytes of data they moved.
    pub bytes: u64,
}

/// What was counted of one operation of a ring.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Operations {
    submitted: u64,
    completed: u64,
    errors: u64,
    bytes: u64,
}

/// A call as an object of JSON.
#[derive(Serialize)]
struct CallLine {
    calls: u64,
    errors: u64,
    seconds: f64,
    bytes: u64,
}

#[derive(Serialize)]
struct Whole<'a> {
    calls: BTreeMap<&'static str, CallLine>,
    ring_operations: &'a BTreeMap<&'static str, Operations>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packets: Option<Packets>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
}

impl<W: Write> Summary<W> {
    /// Writes to `output` at the end.
    pub fn new(output: W) -> Self {
        Self {
            output,
            json: false,
            calls: BTreeMap::new(),
            operations: BTreeMap::new(),
            packets: Packets::default(),
            notes: Vec::new(),
        }
    }

    /// Writes one object of JSON instead of a table.
    pub fn json(mut self, json: bool) -> Self {
        self.json = json;
        self
    }

    /// The figures of a call so far.
    pub fn figures(&self, name: &str) -> Figures {
        self.calls.get(name).copied().unwrap_or_default()
    }

    fn count(&mut self, event: &Event) {
        match &event.kind {
            Kind::Call(call) => {
                let figures = self.calls.entry(call.name).or_default();
                figures.calls += 1;
                figures.errors += u64::from(call.error.is_some());
                figures.time += event.took.unwrap_or_default();
                figures.bytes += call.bytes;
            }
            Kind::Submitted(submitted) => {
                self.operations.entry(submitted.name).or_default().submitted += 1;
            }
            Kind::Completed(completed) => {
                let figures = self.operations.entry(completed.name).or_default();
                figures.completed += 1;
                figures.errors += u64::from(completed.result < 0);
                figures.bytes += completed.bytes;
            }
            Kind::Packet(packet, _) => self.packets.add(packet),
            Kind::Note(text) if self.notes.len() < NOTES_MAX => self.notes.push(text.clone()),
            _ => {}
        }
    }

    fn write_json(&mut self) -> io::Result<()> {
        let calls = self.calls.iter().map(|(name, figures)| {
            let line = CallLine {
                calls: figures.calls,
                errors: figures.errors,
                seconds: figures.time.as_secs_f64(),
                bytes: figures.bytes,
            };
            (*name, line)
        });
        let whole = Whole {
            calls: calls.collect(),
            ring_operations: &self.operations,
            packets: (self.packets.count > 0).then_some(self.packets),
            notes: &self.notes,
        };
        let mut line = serde_json::to_vec(&whole)?;
        line.push(b'\n');
        self.output.write_all(&line)
    }

    fn write_table(&mut self) -> io::Result<()> {
        let mut table = String::from(
            "% time     seconds  usecs/call     calls    errors         bytes syscall\n",
        );
        let total: Duration = self.calls.values().map(|figures| figures.time).sum();
        let mut calls: Vec<_> = self.calls.iter().collect();
        calls.sort_by_key(|(name, figures)| (std::cmp::Reverse(figures.time), **name));
        let mut all = Figures::default();
        for (name, figures) in calls {
            all.calls += figures.calls;
            all.errors += figures.errors;
            all.bytes += figures.bytes;
            table.push_str(&row(*figures, total, name));
        }
        all.time = total;
        table.push_str(&row(all, total, "total"));
        if !self.operations.is_empty() {
            table.push_str("\nsubmitted completed    errors         bytes ring operation\n");
            for (name, figures) in &self.operations {
                let Operations {
                    submitted,
                    completed,
                    errors,
                    bytes,
                } = figures;
                // Writing to a String cannot fail.
                let _ = writeln!(
                    table,
                    "{submitted:>9} {completed:>9} {errors:>9} {bytes:>13} {name}"
                );
            }
        }
        if self.packets.count > 0 {
            let Packets {
                count,
                bytes,
                syn,
                fin,
                rst,
                sent_again,
            } = self.packets;
            let _ = write!(
                table,
                "\n  packets         bytes       SYN       FIN       RST    sent again\n\
                 {count:>9} {bytes:>13} {syn:>9} {fin:>9} {rst:>9} {sent_again:>13}\n"
            );
        }
        for note in &self.notes {
            let _ = writeln!(table, "note: {note}");
        }
        self.output.write_all(table.as_bytes())
    }
}

impl Packets {
    fn add(&mut self, packet: &Packet) {
        let has = |flag| match &packet.transport {
            Transport::Tcp(segment) => u64::from(segment.flags.has(flag)),
            Transport::Udp => 0,
        };
        self.count += 1;
        self.bytes += packet.payload_bytes as u64;
        self.syn += has(Flags::SYN);
        self.fin += has(Flags::FIN);
        self.rst += has(Flags::RST);
        self.sent_again += u64::from(packet.retransmission);
    }
}

/// A line of the table.
fn row(figures: Figures, total: Duration, name: &str) -> String {
    let Figures {
        calls,
        errors,
        time,
        bytes,
    } = figures;
    let share = if total.is_zero() {
        0.0
    } else {
        100.0 * time.as_secs_f64() / total.as_secs_f64()
    };
    let each = time.as_micros() / u128::from(calls.max(1));
    let time = Seconds(time).to_string();
    format!("{share:>6.2} {time:>11} {each:>11} {calls:>9} {errors:>9} {bytes:>13} {name}\n")
}

impl<W: Write + Send> Sink for Summary<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.count(event);
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.json {
            self.write_json()?;
        } else {
            self.write_table()?;
        }
        self.output.flush()
    }
}
