//! One block: layer, norm, residual add, activation, pool. A whole block is one call, so that it
//! can be one fused operation on a device that has one.

use burn::tensor::Tensor;

use super::composed::composed;
use super::fused;
use super::parts::{Layer, Tail};
use super::registry::Operation;
use crate::forward_context::ForwardContext;

/// Computes one block on `x`, `[N, C, H, W]`. A dense layer answers with height and width 1.
#[must_use]
pub fn block(
    layer: Layer<'_>,
    x: Tensor<4>,
    tail: Tail<'_>,
    context: &ForwardContext,
) -> Tensor<4> {
    // The kernels fold fixed statistics into the weights; gradients cannot pass through that.
    let folded = tail.norm.is_some() && !tail.uses_batch(context);
    let wants_gradients = x.device().is_autodiff() && !tail.constant;
    if context.kernels.fuse(Operation::Block, &x) && !(folded && wants_gradients) {
        fused::block(layer, x, tail, context)
    } else {
        composed(layer, x, tail, context)
    }
}
