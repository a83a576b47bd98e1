//! The frozen plan of a training: settings, and what the data decided.

use toml::Table;

use crate::{ClassWeights, Settings};
use tinderbox_base::Result;
use tinderbox_base::settings::{Amount, Effect};
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

impl Plan {
    /// Steps in the whole training.
    #[must_use]
    pub fn total_steps(&self) -> usize {
        self.steps_per_epoch * self.settings.train.epochs
    }

    /// The settings, with what the data set decided in place of what was open.
    #[must_use]
    pub fn decided(&self) -> Settings {
        let [channels, height, _] = self.preprocessing.input();
        let mut settings = self.settings.clone();
        settings.data.size = Some(height);
        settings.data.channels = Some(channels);
        settings.data.augment = self.augment;
        settings.task.class_weights = self.balance;
        settings.train.model = Some(self.model.clone());
        settings.train.batch = Amount::Of(self.batch);
        settings
    }

    /// The settings, with what took effect in place of all that was open.
    #[must_use]
    pub fn effective(&self) -> Settings {
        let mut settings = self.decided();
        settings.data.loader_threads = Some(self.loader_threads);
        settings.train.lr = Some(self.settings.train.learning_rate());
        settings.train.micro_batch = Some(Amount::Of(self.micro_batch));
        settings.run.threads = Some(self.settings.run.compute_threads());
        settings
    }

    /// The settings that change the result, each with the value that took effect.
    ///
    /// # Errors
    /// If a value cannot be written as TOML.
    pub fn results(&self) -> Result<Table> {
        let mut table = self.effective().to_table()?;
        for setting in Settings::all().filter(|setting| setting.effect == Effect::NoResult) {
            table.remove(setting.name);
        }
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
