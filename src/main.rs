//! The `longshore` program. [`cli`] is its command line, [`lab`] its lessons; nothing below knows them.
#![forbid(unsafe_code)]

mod cli;
mod lab;

fn main() -> std::process::ExitCode {
    cli::main()
}
