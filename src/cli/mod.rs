//! Layer 8, the program: subcommands, their options, and what they print.
//!
//! Exit codes: 0 for success, 1 for a failure, 2 for a mistake on the command line. An error is one line on standard
//! error that says what happened and what to do.

mod access_log;
mod chat;
mod connect;
mod content;
#[cfg(feature = "deflate")]
mod deflate;
mod demo;
mod doctor;
mod echo;
mod feed;
mod lab;
mod limits;
mod page;
mod say;
mod seconds;
mod serve;
mod signals;
mod tally;
mod trace;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use longshore::sys::{self, Silent};

/// A low-level socket server for Linux: epoll, io_uring and mio, with HTTP/1.1 and WebSocket.
#[derive(Debug, Parser)]
#[command(
    name = "longshore",
    version,
    about,
    max_term_width = 100,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    // Not under `trace`, where they need no flag.
    #[command(mut_group("TraceOptions", |group| group.requires("trace")))]
    Serve(Box<serve::Serve>),
    Echo(echo::Echo),
    Connect(Box<connect::Connect>),
    Trace(Box<trace::TraceCommand>),
    Doctor(doctor::Doctor),
    Lab(lab::Lab),
    // Lessons start the program again with it, to measure a server apart from its clients.
    #[command(hide = true)]
    LabServer(crate::lab::LabServer),
}

impl Command {
    fn run(self) -> Result<ExitCode, String> {
        match self {
            Command::Serve(serve) => serve.run(None),
            Command::Echo(echo) => echo.run(|| Silent, |_| ()),
            Command::Connect(connect) => connect.run(|| Silent),
            Command::Trace(trace) => trace.run(),
            Command::Doctor(doctor) => doctor.run(),
            Command::Lab(lab) => lab.run(),
            Command::LabServer(server) => server.run(),
        }
    }
}

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    // A limit of file sizes costs lines of a log or a trace, and not the program. What it starts inherits this, and is
    // always this program.
    let _ = sys::ignore_sigxfsz();
    let result = match Cli::try_parse() {
        Ok(cli) => cli.command.run(),
        Err(answer) if answer.exit_code() == 0 => help(&answer),
        // With 2.
        Err(mistake) => mistake.exit(),
    };
    match result {
        Ok(code) => code,
        Err(message) => {
            signals::ending();
            // Not `eprintln!`, which panics when nobody can be told.
            let _ = writeln!(io::stderr(), "longshore: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Prints what --help and --version ask for.
fn help(answer: &clap::Error) -> Result<ExitCode, String> {
    match answer.print().and_then(|()| io::stdout().flush()) {
        // A reader that has gone has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {error}"))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}
