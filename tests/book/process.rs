//! A command that runs to its end, within bounds of time and output, as a reader without a terminal would see it.

use std::ffi::OsStr;
use std::io::{self, PipeReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::command::Printed;

/// A command that takes longer is stuck.
pub(crate) const SECONDS_MAX: u64 = 180;
/// More than that is no output for a book.
const BYTES_MAX: u64 = 1 << 20;

/// The crate's folder, in which every command runs.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A command whose surroundings do not show in what it prints.
pub(crate) fn command(program: &OsStr) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(root())
        .stdin(Stdio::null())
        .env("NO_COLOR", "1")
        .env("LC_ALL", "C.UTF-8")
        .env_remove("COLUMNS");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LONGSHORE_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a program to its end. Standard output and standard error come as on a terminal, in one.
pub(crate) fn run(program: &OsStr, arguments: &[String]) -> Result<Printed, String> {
    fed(program, arguments, b"")
}

/// The same with standard input, which must fit into a pipe.
pub(crate) fn fed(program: &OsStr, arguments: &[String], input: &[u8]) -> Result<Printed, String> {
    let shown = || format!("{} {}", program.to_string_lossy(), arguments.join(" "));
    let failed = |error: io::Error| format!("{}: {error}", shown());
    let (reader, writer) = io::pipe().map_err(failed)?;
    let mut child = command(program)
        .args(arguments)
        .stdin(given(input).map_err(failed)?)
        .stdout(writer.try_clone().map_err(failed)?)
        .stderr(writer)
        .spawn()
        .map_err(failed)?;
    let printed = read(&mut child, reader);
    let status = child.wait().map_err(failed)?;
    let text = printed.map_err(|why| format!("{}: {why}", shown()))?;
    let Some(exit) = status.code() else {
        return Err(format!("{}: {status}\n{text}", shown()));
    };
    Ok(Printed { text, exit })
}

/// Standard input that holds these bytes, and then ends.
fn given(input: &[u8]) -> io::Result<Stdio> {
    if input.is_empty() {
        return Ok(Stdio::null());
    }
    let (reader, mut writer) = io::pipe()?;
    writer.write_all(input)?;
    Ok(reader.into())
}

/// Everything that the child prints before it ends. A child that is too slow or says too much is killed.
fn read(child: &mut Child, reader: PipeReader) -> Result<String, String> {
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        let result = reader.take(BYTES_MAX + 1).read_to_string(&mut text);
        // Nobody listens any more if the time is over.
        let _ = done.send(result.map(|_| text));
    });
    let result = match wait.recv_timeout(Duration::from_secs(SECONDS_MAX)) {
        Ok(Ok(text)) if text.len() as u64 > BYTES_MAX => {
            Err(format!("it printed more than {BYTES_MAX} bytes"))
        }
        Ok(Ok(text)) => return Ok(text),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("it has not ended after {SECONDS_MAX} s")),
    };
    // It may have ended by itself meanwhile.
    let _ = child.kill();
    result
}
