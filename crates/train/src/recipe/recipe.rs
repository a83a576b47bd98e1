//! What the settings and a data set decide of a training.

use tinderbox_base::Result;
use tinderbox_base::settings::{Amount, Effect};
use tinderbox_image::{Augment, Augmentation};
use toml::Table;

use super::{ClassWeights, Settings};
use crate::learning::Learning;
use crate::package::ModelCard;
use crate::task::SingleLabel;

/// A training, decided: a pure function of the settings, the data set and the memory there is.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The settings as they were given.
    pub settings: Settings,
    /// The network's name.
    pub model: String,
    /// The preset of how images are varied; never `Auto`.
    pub augment: Augment,
    /// How images are varied: the preset's parts, and what was changed of them.
    pub augmentation: Augmentation,
    /// How classes are balanced; never `Auto`.
    pub balance: ClassWeights,
    /// How many loader threads decode ahead.
    pub loader_threads: usize,
    /// What is learned.
    pub task: SingleLabel,
    /// How.
    pub learning: Learning,
    /// What the files say beside weights.
    pub card: ModelCard,
}

impl Recipe {
    /// Notes in the card which settings decide the result.
    pub(super) fn with_results(mut self) -> Result<Self> {
        self.card.settings = self.results()?;
        Ok(self)
    }

    /// The classes with the most and with the fewest images of these counts, where the counts decided
    /// how classes are balanced.
    #[must_use]
    pub fn unequal_classes(&self, counts: &[usize]) -> Option<[usize; 2]> {
        let decided = self.settings.task.class_weights == ClassWeights::Auto;
        let [least, most] = extremes(counts).filter(|_| decided)?;
        (self.balance != ClassWeights::None).then_some([most, least])
    }

    /// The settings, with what the data set decided in place of what was open.
    #[must_use]
    pub fn decided(&self) -> Settings {
        let [channels, height, _] = self.card.preprocessing.input();
        let mut settings = self.settings.clone();
        settings.data.size = Some(height);
        settings.data.channels = Some(channels);
        settings.data.augment = self.augment;
        settings.task.class_weights = self.balance;
        settings.train.model = Some(self.model.clone());
        settings.train.batch = Amount::Of(self.learning.batch);
        settings
    }

    /// The settings, with what took effect in place of all that was open.
    #[must_use]
    pub fn effective(&self) -> Settings {
        let mut settings = self.decided();
        settings.data.loader_threads = Some(self.loader_threads);
        settings.train.lr = Some(self.settings.train.learning_rate());
        settings.train.micro_batch = Some(Amount::Of(self.learning.micro_batch));
        settings.run.threads = Some(self.settings.run.compute_threads());
        settings
    }

    /// The settings that change the result, each with the value that took effect.
    fn results(&self) -> Result<Table> {
        let mut table = self.effective().to_table()?;
        for setting in Settings::all().filter(|setting| setting.effect == Effect::NoResult) {
            table.remove(setting.name);
        }
        Ok(table)
    }
}

/// The classes with the fewest and with the most images, of those that have any.
pub(super) fn extremes(counts: &[usize]) -> Option<[usize; 2]> {
    let held = || (0..counts.len()).filter(|&class| counts[class] > 0);
    let (least, most) = (held().min_by_key(|&c| counts[c])?, held().max_by_key(|&c| counts[c])?);
    Some([least, most])
}
