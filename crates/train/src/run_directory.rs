//! A run's directory: its model and its checkpoint.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tinderbox_base::lock::Lock;
use tinderbox_base::{Error, Result, files};
use tinderbox_nn::Model;
use tinderbox_nn::io::{decode, encode};

use crate::package::{ModelCard, Package};
use crate::snapshot::{Saved, Snapshot};

/// The folder of a run in `models`.
#[derive(Clone, Debug)]
pub struct RunDirectory {
    path: PathBuf,
    lock: Option<Arc<Lock>>,
}

impl RunDirectory {
    /// A run in a folder that is there, to be read.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), lock: None }
    }

    /// The same, held by this process alone until the last copy is dropped. What a killed process
    /// left half-written in the folder is removed.
    ///
    /// # Errors
    /// If another process holds it, or it cannot be written.
    pub fn hold(mut self) -> Result<Self> {
        self.lock = Some(Arc::new(Lock::acquire(&self.path)?));
        files::remove_torn(&self.path)?;
        Ok(self)
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The best model's file.
    #[must_use]
    pub fn model_file(&self) -> PathBuf {
        self.path.join("model.safetensors")
    }

    /// The last complete state's file.
    #[must_use]
    pub fn checkpoint_file(&self) -> PathBuf {
        self.path.join("checkpoint.safetensors")
    }

    /// Writes the best model.
    ///
    /// # Errors
    /// If it cannot be written; the file before it is untouched.
    pub fn save_model<M: Model>(
        &self,
        model: &M,
        card: &ModelCard,
        scores: serde_json::Value,
    ) -> Result<()> {
        self.check_lock()?;
        files::replace(&self.model_file(), &Package::new(model, card, scores)?.encode()?)
    }

    /// Writes the checkpoint, and before it the best model where that is asked for.
    ///
    /// # Errors
    /// If one cannot be written; the file before it is untouched.
    pub fn save<M: Model>(
        &self,
        what: &Snapshot<M>,
        card: &ModelCard,
        verdict: &str,
        model: bool,
    ) -> Result<()> {
        self.check_lock()?;
        if let Some(best) = what.best.as_ref().filter(|_| model) {
            self.save_model(best, card, what.now.state.scores())?;
        }
        files::replace(&self.checkpoint_file(), &encode(&what.file(card, verdict)?))
    }

    /// Reads the checkpoint.
    ///
    /// # Errors
    /// If there is none, or it is damaged or something else.
    pub fn read(&self) -> Result<Saved> {
        let data = files::read(&self.checkpoint_file())?;
        decode(&data).and_then(Saved::new).map_err(|error| self.unusable(error))
    }

    /// The error of a checkpoint, with the name of its file.
    #[must_use]
    pub fn unusable(&self, error: Error) -> Error {
        let error = error.in_file(&self.checkpoint_file());
        let hint = error.hint.unwrap_or_else(|| {
            "restore the file from a copy, or start a new run; the `model.safetensors` beside it is a file of its own".to_owned()
        });
        Error { hint: Some(hint), ..error }
    }

    /// Whether this process still holds the folder.
    ///
    /// # Errors
    /// If it does not.
    pub(super) fn check_lock(&self) -> Result<()> {
        self.lock.as_ref().map_or(Ok(()), |lock| lock.check())
    }
}
