//! Which driver a server runs on.

use std::fmt;
use std::str::FromStr;

/// A way to do input and output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Backend {
    /// io_uring where this machine allows it, epoll otherwise. The default.
    #[default]
    Auto,
    /// epoll(7), level-triggered. Feature `epoll`.
    Epoll,
    /// io_uring(7). Feature `io-uring`; Linux 6.1.
    IoUring,
    /// The mio crate. Feature `mio`.
    Mio,
}

impl Backend {
    /// The name as it is written on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Epoll => "epoll",
            Self::IoUring => "io-uring",
            Self::Mio => "mio",
        }
    }

    /// Finds out what can be used. `Auto` tries io_uring by using it, and says why if it falls back.
    ///
    /// # Errors
    /// A backend was asked for by name that this build or this machine does not have.
    pub fn choose(self) -> Result<Chosen, BackendError> {
        match self {
            Self::Auto => match io_uring() {
                Ok(()) => Ok(Chosen {
                    backend: Self::IoUring,
                    fell_back: None,
                }),
                Err(cause) => {
                    let backend = if cfg!(feature = "epoll") {
                        Self::Epoll
                    } else {
                        Self::Mio
                    };
                    backend.choose().map(|chosen| Chosen {
                        fell_back: Some(cause),
                        ..chosen
                    })
                }
            },
            Self::IoUring => match io_uring() {
                Ok(()) => Ok(Chosen {
                    backend: self,
                    fell_back: None,
                }),
                Err(cause) => Err(BackendError {
                    backend: self,
                    cause,
                }),
            },
            Self::Epoll if cfg!(feature = "epoll") => Ok(Chosen {
                backend: self,
                fell_back: None,
            }),
            Self::Mio if cfg!(feature = "mio") => Ok(Chosen {
                backend: self,
                fell_back: None,
            }),
            Self::Epoll | Self::Mio => Err(BackendError {
                backend: self,
                cause: not_built(self.name()),
            }),
        }
    }
}

fn not_built(name: &str) -> String {
    format!("this build has no {name}; build with `--features {name}`")
}

/// Whether a ring can be used here; the refusal and what to do about it, if not.
#[cfg(feature = "io-uring")]
fn io_uring() -> Result<(), String> {
    use crate::driver::uring;
    uring::available().map_err(|error| format!("{error}: {}", uring::explain(&error)))
}

#[cfg(not(feature = "io-uring"))]
fn io_uring() -> Result<(), String> {
    Err(not_built("io-uring"))
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Backend {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let all = [Self::Auto, Self::Epoll, Self::IoUring, Self::Mio];
        all.into_iter()
            .find(|backend| backend.name() == name)
            .ok_or_else(|| format!("`{name}` is none of auto, epoll, io-uring, mio"))
    }
}

/// The backend that will be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Never [`Backend::Auto`].
    pub backend: Backend,
    /// Why io_uring was not chosen although it would have been preferred.
    pub fell_back: Option<String>,
}

/// A backend cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendError {
    /// The one that was asked for.
    pub backend: Backend,
    /// Why not, and what to do.
    pub cause: String,
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the backend {} cannot be used: {}",
            self.backend, self.cause
        )
    }
}

impl std::error::Error for BackendError {}
