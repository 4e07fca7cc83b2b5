//! The `longshore` program. Everything it does is in [`cli`]; nothing below knows it.
#![forbid(unsafe_code)]

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
