//! Is this container or workstation ready to train? One function a check, one file a subject.
//!
//! Nothing here changes anything. What cannot be known is left out, never guessed.

mod cpu;
mod disk;
mod gpu;
mod memory;
mod mounts;
mod places;
mod session;
mod volumes;

use serde::Serialize;
use tinderbox_base::{Error, Folders, Result};

pub use disk::require as require_space;
pub use memory::warning as memory_warning;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Training works, but something is probably not as it was meant.
    Warn,
    /// Training would fail, or its results would be lost.
    Fail,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub verdict: Verdict,
    /// What was looked at: `models`, `cpu`.
    pub subject: &'static str,
    /// What is there.
    pub message: String,
    /// What to do about it.
    pub fix: Option<String>,
}

impl Finding {
    fn new(verdict: Verdict, subject: &'static str, message: impl Into<String>) -> Self {
        Self { verdict, subject, message: message.into(), fix: None }
    }

    fn ok(subject: &'static str, message: impl Into<String>) -> Self {
        Self::new(Verdict::Ok, subject, message)
    }

    fn warn(subject: &'static str, message: impl Into<String>) -> Self {
        Self::new(Verdict::Warn, subject, message)
    }

    fn fail(subject: &'static str, message: impl Into<String>) -> Self {
        Self::new(Verdict::Fail, subject, message)
    }

    fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

/// All checks, in the order in which people fix things.
#[must_use]
pub fn examine(folders: &Folders) -> Vec<Finding> {
    let around = places::Surroundings::look();
    let mut findings: Vec<Finding> =
        places::Role::ALL.map(|role| volumes::check(role, folders, &around)).into();
    findings.push(disk::check(folders));
    findings.push(cpu::check());
    findings.push(memory::check());
    findings.extend(gpu::check(around.image));
    findings.extend(session::check());
    findings
}

/// Refuses to train where the results could not be written, or would be lost.
///
/// # Errors
/// The first check of the folders for models and images that fails.
pub fn require_outputs(folders: &Folders) -> Result<()> {
    let around = places::Surroundings::look();
    let outputs = [places::Role::Models, places::Role::Images];
    let mut findings = outputs.map(|role| volumes::check(role, folders, &around)).into_iter();
    match findings.find(|finding| finding.verdict == Verdict::Fail) {
        None => Ok(()),
        Some(Finding { message, fix, .. }) => {
            Err(Error::environment(message).hint(fix.unwrap_or_default()))
        }
    }
}

/// The error of a data set that was not found, with what is odd about the folder of the data sets.
#[must_use]
pub fn explain_missing(error: Error, name: &str, folders: &Folders) -> Error {
    volumes::explain_missing(error, name, folders, &places::Surroundings::look())
}
