//! The parts of a block.

use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::prepared::Prepared;
use crate::forward_context::ForwardContext;

/// An activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
}

/// A pooling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Pool {
    /// The largest value of a window; `padding` adds minus infinity.
    Max {
        /// Rows and columns of the window.
        kernel: usize,
        /// Step of the window.
        stride: usize,
        /// Elements added on each side.
        padding: usize,
    },
    /// The mean over all rows and columns: `[N, C, H, W]` to `[N, C, 1, 1]`.
    GlobalAverage,
}

/// The layer that a block starts with.
#[derive(Clone, Copy, Debug)]
pub enum Layer<'a> {
    /// A convolution over `[N, C, H, W]`.
    Conv(&'a Conv2d),
    /// A dense layer over the flattened input; it answers `[N, features, 1, 1]`.
    Linear(&'a Linear),
}

/// What follows the layer, in this order, each where present.
#[derive(Clone, Debug, Default)]
pub struct Tail<'a> {
    /// Batch normalisation: in training with the statistics of the batch.
    pub norm: Option<&'a BatchNorm>,
    /// Added before the activation.
    pub add: Option<Tensor<4>>,
    /// The activation.
    pub activation: Option<Activation>,
    /// The pooling.
    pub pool: Option<Pool>,
    /// Whether neither this block nor anything that it reads is trained: no gradient passes, and the
    /// norm uses its running statistics.
    pub constant: bool,
    /// Whether the norm uses its running statistics in training too.
    pub frozen_norm: bool,
    /// Where the layer keeps its weights in another form between inference passes.
    pub prepared: Option<&'a Prepared>,
}

impl Tail<'_> {
    /// Whether the norm takes its statistics from the batch.
    pub(super) fn uses_batch(&self, context: &ForwardContext) -> bool {
        context.training && !self.constant && !self.frozen_norm
    }
}

/// Moves the running statistics towards those of a batch; the variance is the unbiased one.
pub(super) fn update_statistics(norm: &BatchNorm, mean: Tensor<1>, variance: Tensor<1>) {
    let step = |old: Tensor<1>, new: Tensor<1>| old * (1.0 - norm.momentum) + new * norm.momentum;
    norm.running_mean.update(step(norm.running_mean.value_sync(), mean).detach());
    norm.running_var.update(step(norm.running_var.value_sync(), variance).detach());
}
