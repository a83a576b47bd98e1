//! The loss over classes that exclude each other.

use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;

use super::fused;
use super::registry::Operation;
use crate::kernels::Kernels;

/// Softmax cross entropy of `logits`, `[N, classes]`, with soft targets of the same shape whose sum
/// is 1: the mean over the batch, in nats. The targets are given numbers: they have no gradient.
#[must_use]
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<2>, kernels: Kernels) -> Tensor<1> {
    let fuse = |x| kernels.fuse(Operation::CrossEntropy, x);
    if fuse(&logits) && fuse(&targets) {
        return fused::cross_entropy(logits, targets);
    }
    (log_softmax(logits, 1) * targets).sum().neg()
}
