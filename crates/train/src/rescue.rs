//! The way out where a step does not end after a signal.

use std::sync::{Arc, Mutex, PoisonError};

use tinderbox_base::Result;

/// What saves the last complete step where a step does not end after a signal.
#[derive(Clone, Default)]
pub struct Rescue(Arc<Mutex<Stage>>);

type Save = Box<dyn FnOnce() -> Result<usize> + Send>;

#[derive(Default)]
pub(super) enum Stage {
    /// Steps are quick, or none has been taken: there is nothing beside the last checkpoint.
    #[default]
    Quick,
    /// What saves the state before the step in progress, and answers its number.
    Slow(Save),
    /// The training has seen the signal and saves by itself.
    Ending,
}

impl std::fmt::Debug for Rescue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rescue")
    }
}

impl Rescue {
    pub(super) fn set(&self, stage: Stage) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }

    /// Saves the state of the last complete step and answers its number; none where that is in the
    /// last checkpoint already, or the training saves by itself.
    ///
    /// # Errors
    /// If it cannot be saved.
    pub fn save(&self) -> Option<Result<usize>> {
        let stage = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        match stage {
            Stage::Slow(save) => Some(save()),
            Stage::Quick | Stage::Ending => None,
        }
    }

    /// Whether the training has seen the signal.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        matches!(*self.0.lock().unwrap_or_else(PoisonError::into_inner), Stage::Ending)
    }
}
