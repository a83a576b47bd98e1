//! Operations: what a block, a loss, dropout and an update compute, on any device.

mod block;
pub(crate) mod fused;

pub use block::{Activation, Layer, Pool, Tail, block};
pub use fused::{Prepared, adam, computes, cross_entropy, sgd, sum_of_squares};

/// Images that a network should see at once, at the most, to answer. On the CPU more only take memory:
/// what a layer answers for these still fits the caches, so that the next one finds it there.
#[must_use]
pub fn images_at_once(device: &burn::tensor::Device) -> usize {
    if fused::is_cpu(device) { 192 } else { usize::MAX }
}
