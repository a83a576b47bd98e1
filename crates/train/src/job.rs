//! What goes into a training, and what comes out.

use std::time::Duration;

use tinderbox_base::settings::Interval;
use tinderbox_base::signals::Signals;
use tinderbox_data::LoaderSpec;
use tinderbox_nn::{Context, Params};

use crate::learning::Learning;
use crate::package::ModelCard;
use crate::recipe::Recipe;
use crate::rescue::Rescue;
use crate::run_directory::RunDirectory;
use crate::state::State;
use crate::task::Task;

/// What a training reads.
#[derive(Clone, Debug)]
pub struct Splits {
    /// The training split.
    pub train: LoaderSpec,
    /// The validation split.
    pub val: LoaderSpec,
    /// Loader threads.
    pub threads: usize,
    /// The share of the images that may fail to decode.
    pub max_bad: f64,
}

/// What a training leaves on the disk, and when it ends early.
#[derive(Clone, Debug)]
pub struct Keeping {
    /// Where the model and the checkpoint go; nowhere, where a caller only wants the model.
    pub directory: Option<RunDirectory>,
    /// How often the state is saved.
    pub every: Interval,
    /// How long a file that cannot be written is tried again.
    pub retry_for: Duration,
    /// The step after which training stops, to go on another time.
    pub stop_after: Option<usize>,
    /// Signals that end the training in good order.
    pub signals: Signals,
    /// What saves the last complete step where one does not end after a signal.
    pub rescue: Rescue,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            directory: None,
            every: Interval::Auto,
            retry_for: Duration::ZERO,
            stop_after: None,
            signals: Signals::default(),
            rescue: Rescue::default(),
        }
    }
}

/// A training.
#[derive(Clone, Debug)]
pub struct Job<T> {
    /// What is learned.
    pub task: T,
    /// What it is learned from.
    pub splits: Splits,
    /// How.
    pub learning: Learning,
    /// Which parameters are trained; all, where not given.
    pub params: Option<Params>,
    /// What computes.
    pub context: Context,
    /// Steps between two that are computed on the CPU as well and compared; 0 for the first step only.
    pub audit_every: usize,
    /// What the files say beside weights.
    pub card: ModelCard,
    /// What is left on the disk.
    pub keeping: Keeping,
}

impl<T: Task> Job<T> {
    /// What a recipe describes, for a task: from the loader of the training split and that of the
    /// validation split. It leaves no files and hears no signals.
    #[must_use]
    pub fn new(recipe: &Recipe, task: T, [train, val]: [LoaderSpec; 2], context: Context) -> Self {
        let Recipe { settings, loader_threads, learning, card, .. } = recipe;
        Self {
            task,
            splits: Splits { train, val, threads: *loader_threads, max_bad: settings.data.max_bad },
            learning: learning.clone(),
            params: None,
            context,
            audit_every: settings.run.audit_every,
            card: card.clone(),
            keeping: Keeping::default(),
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
pub struct Outcome<M, T: Task> {
    /// The best model, without autodiff, and its figures on validation; none when no epoch was
    /// complete.
    pub best: Option<(M, T::Scores)>,
    /// Counters and history.
    pub state: State,
    /// Why it ended.
    pub end: End,
    /// Training images in a second: the median of the epochs.
    pub images_per_second: f64,
}
