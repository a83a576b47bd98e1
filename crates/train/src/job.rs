//! What goes into a training, and what comes out.

use std::time::Duration;

use burn::tensor::Device;

use crate::Plan;
use crate::Scores;
use crate::rescue::Rescue;
use crate::run_directory::RunFolder;
use crate::state::State;
use tinderbox_base::signals::Signals;
use tinderbox_data::Work;

/// What a training works on and where it leaves its files.
#[derive(Clone, Debug)]
pub struct Job {
    /// The frozen plan.
    pub plan: Plan,
    /// The training split.
    pub train: Work,
    /// The validation split.
    pub val: Work,
    /// The device, without autodiff.
    pub device: Device,
    /// Where the model and the checkpoint go; nowhere, where a caller only wants the model.
    pub folder: Option<RunFolder>,
    /// How long a file that cannot be written is tried again.
    pub patience: Duration,
    /// Signals that end the training in good order.
    pub signals: Signals,
    /// What saves the last complete step where one does not end after a signal.
    pub rescue: Rescue,
}

impl Job {
    /// A new training that leaves no files and hears no signals.
    #[must_use]
    pub fn new(plan: Plan, train: Work, val: Work, device: Device) -> Self {
        Self {
            plan,
            train,
            val,
            device,
            folder: None,
            patience: Duration::ZERO,
            signals: Signals::default(),
            rescue: Rescue::default(),
        }
    }
}

/// Why a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is complete, or its patience is at an end.
    Finished,
    /// A signal came.
    Signal(u8),
    /// It was to stop after this step.
    AsAsked,
}

/// What a training left.
#[derive(Clone, Debug)]
pub struct Outcome<M> {
    /// The best model, without autodiff; none when no epoch was complete.
    pub best: Option<(M, Scores)>,
    /// Counters and history.
    pub state: State,
    /// Why it ended.
    pub end: End,
    /// Training images in a second: the median of the epochs.
    pub images_per_second: f64,
}
