//! The frozen plan of a training: settings, and what the data decided.

use super::{Augment, Preprocessing, Settings};

/// What goes into the loop. Nothing in it changes any more.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The settings as resolved.
    pub settings: Settings,
    /// The network's name.
    pub model: String,
    /// How images become numbers.
    pub preprocessing: Preprocessing,
    /// How images are varied; never `Auto`.
    pub augment: Augment,
    /// How many loader threads decode ahead.
    pub loader_threads: usize,
    /// The names of the classes, in the order of their labels.
    pub classes: Vec<String>,
    /// How much a sample of each class counts in the loss.
    pub class_weights: Vec<f32>,
    /// Steps in an epoch.
    pub steps_per_epoch: usize,
}

impl Plan {
    /// Steps in the whole training.
    #[must_use]
    pub fn total_steps(&self) -> usize {
        self.steps_per_epoch * self.settings.epochs
    }
}
