//! The one error type: what happened, why, what to try next, and whose fault it is.

use std::fmt;

/// Whose fault an error is. It decides the exit code of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The work itself failed: divergence, a full disk.
    Failed,
    /// Wrong usage: an unknown name, a bad value, a bad configuration.
    Usage,
    /// An input cannot be used: data set, image, model file.
    Input,
    /// A device or the environment cannot be used: a folder that is not writable, no such GPU.
    Environment,
    /// A signal ended the work in good order; the state is saved.
    Interrupted {
        /// The number of the signal.
        signal: u8,
    },
}

impl Fault {
    /// The exit code of a program that ends with this fault.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Input => 3,
            Self::Environment => 4,
            Self::Interrupted { signal } => 128 + signal,
        }
    }
}

/// An error as a person reads it. Every room returns this type: what differs between errors is
/// their text and their fault, and the text is written where the names are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Whose fault it is.
    pub fault: Fault,
    /// What could not be done, naming the file, flag or device.
    pub message: String,
    /// Why, where something more can be said.
    pub cause: Option<String>,
    /// What to try next.
    pub hint: Option<String>,
}

/// A result with the project's error.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self { fault, message: message.into(), cause: None, hint: None }
    }

    /// The work itself failed (exit code 1).
    #[must_use]
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Fault::Failed, message)
    }

    /// Wrong usage (exit code 2).
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Fault::Usage, message)
    }

    /// An unusable input (exit code 3).
    #[must_use]
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(Fault::Input, message)
    }

    /// An unusable device or environment (exit code 4).
    #[must_use]
    pub fn environment(message: impl Into<String>) -> Self {
        Self::new(Fault::Environment, message)
    }

    /// A signal ended the work (exit code 128 + its number).
    #[must_use]
    pub fn interrupted(signal: u8, message: impl Into<String>) -> Self {
        Self::new(Fault::Interrupted { signal }, message)
    }

    /// The same error with its cause.
    #[must_use]
    pub fn cause(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// The same error with the next thing to try.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The error of what a file holds, with the file's name.
    #[must_use]
    pub fn in_file(mut self, path: &std::path::Path) -> Self {
        self.message = format!("cannot use `{}`: {}", path.display(), self.message);
        self
    }

    /// The same error, blaming `fault` instead.
    #[must_use]
    pub fn blame(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(cause) = &self.cause {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
