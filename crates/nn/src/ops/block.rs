//! One block: layer, norm, residual add, activation, pool. A whole block is one call, so that it
//! can be one fused operation on a device that has one.

use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::module::{batch_norm, batch_norm_train, max_pool2d};
use burn::tensor::ops::MaxPoolOptions;
use serde::{Deserialize, Serialize};

use super::fused;
use super::fused::Prepared;

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
    /// Batch normalisation, with the statistics of the batch where `training`.
    pub norm: Option<&'a BatchNorm>,
    /// Added before the activation.
    pub add: Option<Tensor<4>>,
    /// The activation.
    pub activation: Option<Activation>,
    /// The pooling.
    pub pool: Option<Pool>,
    /// Whether this is a training step.
    pub training: bool,
    /// Where the layer keeps its weights in another form between inference passes.
    pub prepared: Option<&'a Prepared>,
}

/// Computes one block on `x`, `[N, C, H, W]`. A dense layer answers with height and width 1.
#[must_use]
pub fn block(layer: Layer<'_>, x: Tensor<4>, tail: Tail<'_>) -> Tensor<4> {
    // The kernels fold fixed statistics into the weights; gradients cannot pass through that.
    let folded = tail.norm.is_some() && !tail.training;
    if fused::computes(&x) && !(folded && x.device().is_autodiff()) {
        fused::block(layer, x, tail)
    } else {
        composed(layer, x, tail)
    }
}

/// The same, composed of burn's operators.
pub(super) fn composed(layer: Layer<'_>, x: Tensor<4>, tail: Tail<'_>) -> Tensor<4> {
    let mut y = match layer {
        Layer::Conv(conv) => conv.forward(x),
        Layer::Linear(linear) => dense(linear, x),
    };
    if let Some(norm) = tail.norm {
        y = normalise(norm, y, tail.training);
    }
    if let Some(other) = tail.add {
        y = y + other;
    }
    y = match tail.activation {
        Some(Activation::Relu) => relu(y),
        Some(Activation::Relu6) => y.clamp(0.0, 6.0),
        None => y,
    };
    match tail.pool {
        Some(Pool::Max { kernel, stride, padding }) => {
            let mut options = MaxPoolOptions::new([kernel; 2]);
            options.stride = [stride; 2];
            options.padding = [(padding, padding); 2];
            max_pool2d(y, options)
        }
        Some(Pool::GlobalAverage) => y.mean_dim(3).mean_dim(2),
        None => y,
    }
}

fn dense(linear: &Linear, x: Tensor<4>) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    let y: Tensor<2> = linear.forward(x.reshape([n, c * h * w]));
    let [n, features] = y.dims();
    y.reshape([n, features, 1, 1])
}

/// Batch normalisation whose running variance is the unbiased one, as PyTorch keeps it (burn's own
/// module keeps the biased one).
fn normalise(norm: &BatchNorm, x: Tensor<4>, training: bool) -> Tensor<4> {
    let (gamma, beta) = (norm.gamma.val(), norm.beta.val());
    if !training {
        let device = x.device();
        let mean = norm.running_mean.value_sync().to_device(&device);
        let variance = norm.running_var.value_sync().to_device(&device);
        return batch_norm(x, gamma, beta, mean, variance, norm.epsilon);
    }
    let [n, _, h, w] = x.dims();
    let count = (n * h * w) as f64;
    let result = batch_norm_train(x, gamma, beta, norm.epsilon);
    let unbiased = result.variance.detach() * (count / (count - 1.0).max(1.0));
    update_statistics(norm, result.mean.detach(), unbiased);
    result.output
}

/// Moves the running statistics towards those of a batch; the variance is the unbiased one.
pub(super) fn update_statistics(norm: &BatchNorm, mean: Tensor<1>, variance: Tensor<1>) {
    let step = |old: Tensor<1>, new: Tensor<1>| old * (1.0 - norm.momentum) + new * norm.momentum;
    norm.running_mean.update(step(norm.running_mean.value_sync(), mean).detach());
    norm.running_var.update(step(norm.running_var.value_sync(), variance).detach());
}
