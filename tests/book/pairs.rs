//! A server and a client in two terminals: each by the words that a reader types, and what either prints.
//!
//! ```text
//!   first terminal    longshore trace serve …      starts, says that it listens  ─────────────┐ SIGINT once the
//!   second terminal                       printf … | longshore connect …   runs to its end ───┘ connection is closed
//! ```
//!
//! Where the usual port is taken, the next free one stands for it in the words of both, and the usual one for that in what
//! they print: it has as many digits, so no length changes. It knows no calls, only lines.

use std::collections::HashMap;
use std::io;
use std::net::TcpListener;
use std::process::Child;
use std::sync::{LazyLock, Mutex};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::command::{PROGRAM, Printed};
use crate::lines::Lines;
use crate::process;

/// More lines than that are no output of one short connection.
const LINES_MAX: usize = 2_000;
/// A port that was free a moment ago may be taken when the server wants it.
const TRIES: usize = 3;
/// So many ports from the usual one on are tried.
const PORTS: u16 = 500;

/// Which terminal a block shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    Server,
    Client,
}

/// What is typed in two terminals.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pair {
    server: Vec<String>,
    /// What the client reads.
    input: String,
    client: Vec<String>,
}

impl Pair {
    /// `longshore [trace …] serve|echo …`, and `[printf 'TEXT' |] longshore connect …`.
    pub(crate) fn parse(server: &str, client: &str) -> Result<Self, String> {
        let words = |text: &str| -> Vec<String> {
            let words = text.split_whitespace().map(str::to_owned);
            words.collect()
        };
        let server = server
            .strip_prefix("longshore ")
            .map(words)
            .filter(|words| usual_port(words).is_some())
            .ok_or_else(|| format!("`{server}` is no server of longshore"))?;
        let unknown = || format!("`{client}` is no client of longshore");
        let (input, command) = match client.strip_prefix("printf '") {
            Some(rest) => rest.split_once("' | ").ok_or_else(unknown)?,
            None => ("", client),
        };
        let client = command.strip_prefix("longshore connect ");
        let client = client.ok_or_else(unknown)?;
        Ok(Pair {
            server,
            input: input.replace("\\r", "\r").replace("\\n", "\n"),
            client: words(client),
        })
    }

    /// What one side printed. Both sides of a pair tell of the same run.
    pub(crate) fn run(&self, side: Side) -> Result<Printed, String> {
        type Both = Result<(Printed, Printed), String>;
        static RUNS: LazyLock<Mutex<HashMap<Pair, Both>>> = LazyLock::new(Mutex::default);
        let mut runs = RUNS.lock().expect("no run has panicked");
        let both = { runs.entry(self.clone()) }.or_insert_with(|| self.both());
        let (server, client) = both.clone()?;
        Ok(match side {
            Side::Server => server,
            Side::Client => client,
        })
    }

    /// Whether the server prints that a connection has been closed.
    fn shows_the_end(&self) -> bool {
        { self.server.iter() }.any(|word| word == "trace" || word == "-v")
    }

    fn both(&self) -> Result<(Printed, Printed), String> {
        let usual = usual_port(&self.server).expect("it was parsed");
        let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
        let mut failed = String::new();
        for _ in 0..TRIES {
            let port = (usual..usual + PORTS).find(is_free);
            let port = port.ok_or_else(|| format!("no port from {usual} on is free"))?;
            match self.at(usual, port) {
                Ok(both) => return Ok(both),
                Err(why) => failed = why,
            }
        }
        Err(failed)
    }

    fn at(&self, usual: u16, port: u16) -> Result<(Printed, Printed), String> {
        let mut words = self.server.clone();
        words.extend(["--listen".to_owned(), format!("127.0.0.1:{port}")]);
        let mut server = Server::start(&words)?;
        let place = |words: &String| words.replace(&format!(":{usual}"), &format!(":{port}"));
        let client = ["connect".to_owned()];
        let client = client.into_iter().chain(self.client.iter().map(place));
        let client: Vec<String> = client.collect();
        let client = process::fed(PROGRAM.as_ref(), &client, self.input.as_bytes());
        let mut closed = Ok(());
        if self.shows_the_end() {
            closed = server
                .lines
                .until(|line| line.ends_with(" closed") || line.contains(" closed "));
        }
        let server = server.stop()?;
        let client = client?;
        closed.map_err(|why| format!("{why}\n{}\n{}", server.text, client.text))?;
        let back = |printed: Printed| Printed {
            text: { printed.text }
                .replace(&format!(":{port}"), &format!(":{usual}"))
                .replace(&format!("htons({port})"), &format!("htons({usual})")),
            ..printed
        };
        Ok((back(server), back(client)))
    }
}

/// Where the server listens if it is not told: on the port that a reader sees.
fn usual_port(words: &[String]) -> Option<u16> {
    words.iter().find_map(|word| match word.as_str() {
        "serve" => Some(8080),
        "echo" => Some(7007),
        _ => None,
    })
}

/// A server that shows when a connection ends, killed if something fails.
struct Server {
    process: Child,
    lines: Lines,
}

impl Server {
    fn start(words: &[String]) -> Result<Self, String> {
        let told = |error: io::Error| format!("{PROGRAM}: {error}");
        let (reader, writer) = io::pipe().map_err(told)?;
        let process = process::command(PROGRAM.as_ref())
            .args(words)
            .stdout(writer.try_clone().map_err(told)?)
            .stderr(writer)
            .spawn()
            .map_err(told)?;
        let lines = Lines::of(reader, LINES_MAX);
        let mut server = Server { process, lines };
        let listening = server.lines.until(|line| line.starts_with("listening on "));
        listening.map_err(|why| format!("{why}\n{}", server.lines.seen().join("\n")))?;
        Ok(server)
    }

    /// Ends it as Ctrl-C does. Everything that it printed.
    fn stop(mut self) -> Result<Printed, String> {
        // It may have ended by itself, and then says so in its output.
        let _ = kill(
            Pid::from_raw(self.process.id().cast_signed()),
            Signal::SIGINT,
        );
        let (lines, has_ended) = self.lines.rest();
        let text = lines.join("\n");
        if !has_ended {
            return Err(format!("the server does not end:\n{text}"));
        }
        let status = self.process.wait().map_err(|error| error.to_string())?;
        let exit = status.code().ok_or(format!("{status}:\n{text}"))?;
        Ok(Printed { text, exit })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
