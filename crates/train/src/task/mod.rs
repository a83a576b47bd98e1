//! What is learned: how labels become targets, what the loss is, and which score decides.

mod metrics;
mod prediction;
mod single_label;

use std::fmt::Debug;

use burn::tensor::{Device, Tensor};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tinderbox_data::{Label, Labels};
use tinderbox_nn::Kernels;

pub use metrics::{ClassScores, Scores, confusion, wilson};
pub use prediction::{Prediction, probabilities};
pub use single_label::SingleLabel;

/// What is learned. The loop, the checkpoint and the evaluation know nothing else of labels.
pub trait Task: Clone + Send + Sync + 'static {
    /// What is remembered of the network's answer to one image.
    type Prediction: Clone + Send;
    /// The figures of a whole split.
    type Scores: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send;

    /// Logits an image.
    fn outputs(&self) -> usize;

    /// The targets of a batch, `[N, outputs]`, on a device. `mixing` is the mixing coefficient: this
    /// share of an image is the image itself, the rest is the one before it, for the first the last.
    fn targets(&self, labels: &Labels, mixing: f32, device: &Device) -> Tensor<2>;

    /// The loss of `logits`, `[N, outputs]`: one number, `[1]`. The targets of a whole batch are made
    /// at once, and the losses of its parts must add up to its own.
    fn loss(&self, logits: Tensor<2>, targets: Tensor<2>, kernels: Kernels) -> Tensor<1>;

    /// What is remembered of the logits of one image, which shows `label`.
    fn prediction(&self, logits: &[f32], label: &Label) -> Self::Prediction;

    /// The figures of a split.
    fn scores(&self, predictions: &[Self::Prediction]) -> Self::Scores;

    /// What of the figures decides which epoch is the best.
    fn verdict(&self, scores: &Self::Scores) -> Verdict;

    /// The loss of a network that has learned nothing: one far above it has diverged.
    fn guessing_loss(&self) -> f64;
}

/// What decides which epoch is the best: the higher score, of equals the lower loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// The name of the score, as in files: `top1`.
    pub name: &'static str,
    /// The score.
    pub score: f64,
    /// The loss.
    pub loss: f64,
}

impl Verdict {
    /// Whether it is better than another.
    #[must_use]
    pub fn is_better_than(&self, other: &Self) -> bool {
        (self.score, -self.loss) > (other.score, -other.loss)
    }
}
