//! How a network learns, decided.

use serde::{Deserialize, Serialize};

use crate::optimizer::Rule;
use crate::schedule::Schedule;

/// What happens when the loss is not a finite number any more, or far above that of guessing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDivergence {
    /// The training stops.
    Stop,
    /// It goes back to the end of the last good epoch, with half the learning rate.
    Rollback,
}

/// How a network learns.
#[derive(Clone, Debug)]
pub struct Learning {
    /// The seed of every random draw.
    pub seed: u64,
    /// Images in a step.
    pub batch: usize,
    /// Images whose gradients are computed at once.
    pub micro_batch: usize,
    /// The learning rate of each step, and how many there are.
    pub schedule: Schedule,
    /// The update rule.
    pub rule: Rule,
    /// Epochs without a better validation after which training stops; 0 for never.
    pub patience: usize,
    /// What a divergence ends in.
    pub on_divergence: OnDivergence,
}
