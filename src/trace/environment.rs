//! `LONGSHORE_TRACE`, for programs without options of their own.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, IsTerminal as _};

use super::{Options, Text, Trace};

/// The variable's name.
const VARIABLE: &str = "LONGSHORE_TRACE";

impl Trace {
    /// A trace on standard error if `LONGSHORE_TRACE` is `1`; none if it is `0`, empty or not set.
    ///
    /// ```
    /// # fn main() -> Result<(), longshore::trace::EnvironmentError> {
    /// let trace = longshore::trace::Trace::from_env()?;
    /// assert!(trace.is_none(), "the variable is not set here");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// It is anything else, or no thread can be made. The error is one line that says what to do.
    pub fn from_env() -> Result<Option<Self>, EnvironmentError> {
        match env::var_os(VARIABLE) {
            None => Ok(None),
            Some(value) if value.is_empty() || value == "0" => Ok(None),
            Some(value) if value == "1" => Self::to_stderr()
                .map(Some)
                .map_err(EnvironmentError::Thread),
            Some(value) => Err(EnvironmentError::Value(value)),
        }
    }

    /// A trace as text on standard error, in colours if that is a terminal.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn to_stderr() -> io::Result<Self> {
        let colours = io::stderr().is_terminal();
        let text = Text::new(io::stderr()).colours(colours);
        Self::start(vec![Box::new(text)], Options::default())
    }
}

/// `LONGSHORE_TRACE` cannot be followed.
#[non_exhaustive]
pub enum EnvironmentError {
    /// It is neither 0 nor 1.
    Value(OsString),
    /// No thread could be made.
    Thread(io::Error),
}

impl fmt::Display for EnvironmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(
                f,
                "{VARIABLE} must be 1 (show every system call on standard error) or 0, not {:?}",
                value.to_string_lossy()
            ),
            Self::Thread(error) => write!(f, "{VARIABLE}: cannot start a thread: {error}"),
        }
    }
}

/// The same line: a `main` that returns the error prints it in this form.
impl fmt::Debug for EnvironmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for EnvironmentError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Value(_) => None,
            Self::Thread(error) => Some(error),
        }
    }
}
