//! What counts as a good answer: labels and the weight of classes.

use serde::{Deserialize, Serialize};
use tinderbox_base::settings;

settings! {
    /// The settings of a task.
    pub struct TaskSpec {
        /// Label smoothing: the share of each label spread over all classes
        #[setting(kind = Real { least: 0.0, most: 0.99 }, value = "SHARE", heading = Learning,
            effect = Result)]
        pub label_smoothing: f64 = 0.0,

        /// Balance classes of unequal size: balanced gives rare classes more weight in the loss,
        /// sampled shows them more often
        #[setting(kind = Choice(&["auto", "none", "balanced", "sampled"]), value = "HOW",
            heading = Learning, effect = Result)]
        pub class_weights: ClassWeights = ClassWeights::Auto,
    }
}

/// How much a class counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassWeights {
    /// The counts of the classes decide.
    Auto,
    /// Every sample counts the same.
    None,
    /// Every class counts the same in the loss: a sample counts one over its class's frequency.
    Balanced,
    /// Every class is shown equally often: those with few samples show them more than once.
    Sampled,
}
