//! A block of burn's operators: on every device that has no operation of ours, and the reference.

use burn::nn::{BatchNorm, Linear};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::module::{batch_norm, batch_norm_train, max_pool2d};
use burn::tensor::ops::MaxPoolOptions;

use super::parts::{Activation, Layer, Pool, Tail, update_statistics};
use crate::forward_context::ForwardContext;

/// Computes a block on `x`, `[N, C, H, W]`.
pub(super) fn composed(
    layer: Layer<'_>,
    x: Tensor<4>,
    tail: Tail<'_>,
    context: &ForwardContext,
) -> Tensor<4> {
    let training = tail.uses_batch(context);
    let mut y = match layer {
        Layer::Conv(conv) => conv.forward(x),
        Layer::Linear(linear) => dense(linear, x),
    };
    if let Some(norm) = tail.norm {
        y = normalise(norm, y, training);
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
