//! The frozen plan of a training: settings, and what the data decided.

use toml::Table;

use crate::{ClassWeights, Settings};
use tinderbox_base::settings::Amount;
use tinderbox_base::{Error, Result};
use tinderbox_image::{Augment, Augmentation, Preprocessing};

/// What goes into the loop. Nothing in it changes any more.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The settings as resolved.
    pub settings: Settings,
    /// The network's name.
    pub model: String,
    /// How images become numbers.
    pub preprocessing: Preprocessing,
    /// The preset of how images are varied; never `Auto`.
    pub augment: Augment,
    /// How images are varied: the preset's parts, and what was changed of them.
    pub augmentation: Augmentation,
    /// How many loader threads decode ahead.
    pub loader_threads: usize,
    /// The names of the classes, in the order of their labels.
    pub classes: Vec<String>,
    /// How classes are balanced; never `Auto`.
    pub balance: ClassWeights,
    /// How much a sample of each class counts in the loss.
    pub class_weights: Vec<f32>,
    /// Images in a step.
    pub batch: usize,
    /// Images whose gradients are computed at once.
    pub micro_batch: usize,
    /// Steps in an epoch.
    pub steps_per_epoch: usize,
    /// BLAKE3 of `dataset.lock`: which sample is in which split.
    pub dataset_hash: String,
}

/// Settings that change no result, or that a continued training may have anew.
const FREE: [&str; 12] = [
    "cache",
    "lock",
    "dataset",
    "device",
    "threads",
    "loader-threads",
    "name",
    "overwrite",
    "stop-after",
    "checkpoint-every",
    "audit-every",
    "max-bad",
];

impl Plan {
    /// Steps in the whole training.
    #[must_use]
    pub fn total_steps(&self) -> usize {
        self.steps_per_epoch * self.settings.epochs
    }

    /// The settings that change the result, with what the data decided in place of what was open.
    ///
    /// # Errors
    /// If a value cannot be written as TOML.
    pub fn results(&self) -> Result<Table> {
        let [channels, height, _] = self.preprocessing.input();
        let settings = Settings {
            model: Some(self.model.clone()),
            size: Some(height),
            channels: Some(channels),
            lr: Some(self.settings.learning_rate()),
            batch: Amount::Of(self.batch),
            micro_batch: Some(Amount::Of(self.micro_batch)),
            augment: self.augment,
            class_weights: self.balance,
            ..self.settings.clone()
        };
        let mut table = Table::try_from(settings)
            .map_err(|cause| Error::failed("cannot write the settings").cause(cause))?;
        table.retain(|key, _| !FREE.contains(&key));
        Ok(table)
    }
}

#[cfg(test)]
impl Plan {
    /// A plan of ten classes and ten steps an epoch, for tests.
    #[must_use]
    pub fn sample(settings: Settings) -> Self {
        let (mean, std) = (vec![0.0], vec![1.0]);
        Self {
            settings,
            model: String::new(),
            preprocessing: Preprocessing { channels: 1, height: 1, width: 1, crop: 1.0, mean, std },
            augment: Augment::None,
            augmentation: Augmentation::NONE,
            balance: ClassWeights::None,
            loader_threads: 1,
            classes: (0..10).map(|class| class.to_string()).collect(),
            class_weights: vec![1.0; 10],
            batch: 10,
            micro_batch: 10,
            steps_per_epoch: 10,
            dataset_hash: String::new(),
        }
    }
}
