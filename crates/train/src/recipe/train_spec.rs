//! How a network learns: architecture, optimizer, schedule.

use tinderbox_base::settings;
use tinderbox_base::settings::Amount;

use crate::learning::OnDivergence;
use crate::optimizer::OptimizerKind;
use crate::schedule::ScheduleKind;

settings! {
    /// The settings of learning. What is `None` is decided by the data; see [`crate::Recipe`].
    pub struct TrainSpec {
        /// Network
        #[setting(kind = Text, value = "NAME", heading = Model, effect = Fixed,
            open = "cnn if all images share one size up to 96 pixels, otherwise mobilenet_v2")]
        pub model: Option<String> = None,

        /// Passes over the training images
        #[setting(kind = Whole { least: 1, most: 1_000_000 }, value = "N", heading = Learning,
            effect = Rate)]
        pub epochs: usize = 15,

        /// Images per training step; auto takes as many as fit into memory
        #[setting(kind = Amount { most: 65_536 }, value = "N|auto", heading = Learning,
            effect = Result)]
        pub batch: Amount = Amount::Of(64),

        /// Images per forward and backward pass; gradients accumulate over the batch
        #[setting(kind = Amount { most: 65_536 }, value = "N|auto", heading = Learning,
            effect = Result, open = "the whole batch; on a GPU auto")]
        pub micro_batch: Option<Amount> = None,

        /// Peak learning rate
        #[setting(kind = Real { least: 1e-12, most: 1e3 }, value = "RATE", heading = Learning,
            effect = Rate, open = "0.003; 0.05 for sgd")]
        pub lr: Option<f64> = None,

        /// Optimizer
        #[setting(kind = Choice(&["adamw", "adam", "sgd"]), value = "NAME", heading = Learning,
            effect = Fixed)]
        pub optimizer: OptimizerKind = OptimizerKind::Adamw,

        /// Learning-rate schedule after the warm-up
        #[setting(kind = Choice(&["cosine", "step", "constant"]), value = "NAME",
            heading = Learning, effect = Rate)]
        pub schedule: ScheduleKind = ScheduleKind::Cosine,

        /// Epochs of learning-rate warm-up, at most a third of the training
        #[setting(kind = Real { least: 0.0, most: 1e6 }, value = "EPOCHS", heading = Learning,
            effect = Rate)]
        pub warmup: f64 = 1.0,

        /// Momentum (sgd only)
        #[setting(kind = Real { least: 0.0, most: 0.9999 }, value = "M", heading = Learning,
            effect = Result)]
        pub momentum: f64 = 0.9,

        /// Weight decay; biases and normalization layers have none
        #[setting(kind = Real { least: 0.0, most: 10.0 }, value = "W", heading = Learning,
            effect = Result)]
        pub weight_decay: f64 = 0.01,

        /// Clip the gradient norm to this value; 0 disables clipping
        #[setting(kind = Real { least: 0.0, most: 1e9 }, value = "NORM", heading = Learning,
            effect = Result)]
        pub clip: f64 = 0.0,

        /// Stop after this many epochs without a better validation score; 0 disables early stopping
        #[setting(kind = Whole { least: 0, most: usize::MAX }, value = "EPOCHS",
            heading = Learning, effect = Later)]
        pub patience: usize = 0,

        /// If the loss diverges: stop, or roll back to the last good epoch with half the learning
        /// rate
        #[setting(kind = Choice(&["stop", "rollback"]), value = "ACTION", heading = Learning,
            effect = Later)]
        pub on_nan: OnDivergence = OnDivergence::Stop,

        /// Seed of all random draws
        #[setting(kind = Whole { least: 0, most: usize::MAX }, value = "N", heading = Run,
            effect = Result)]
        pub seed: u64 = 0,
    }
}

impl TrainSpec {
    /// The peak learning rate. Its help names the same defaults.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        self.lr.unwrap_or(match self.optimizer {
            OptimizerKind::Adamw | OptimizerKind::Adam => 0.003,
            OptimizerKind::Sgd => 0.05,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinderbox_base::settings::Spec;

    #[test]
    fn help_names_the_default_learning_rates() {
        let help = TrainSpec::SETTINGS.iter().find(|setting| setting.name == "lr").unwrap().open;
        let rate = |optimizer| TrainSpec { optimizer, ..TrainSpec::default() }.learning_rate();
        for adam in [OptimizerKind::Adamw, OptimizerKind::Adam].map(rate) {
            assert_eq!(help, format!("{adam}; {} for sgd", rate(OptimizerKind::Sgd)));
        }
    }
}
