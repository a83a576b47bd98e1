//! Devices and operations: which backend computes, and what a block computes on it.
//!
//! Nothing above this room names a backend. The functions here take burn tensors of any device.

mod block;
pub mod device;
pub(crate) mod fused;
#[cfg(feature = "gpu")]
mod gpu;
pub mod kernels;
pub mod memory;
mod pass;
pub mod threads;

pub use block::{Activation, Layer, Pool, Tail, block};
pub use fused::Prepared;
pub use pass::Pass;

/// Images that a network should see at once, at the most, to answer. On the CPU more only take memory:
/// what a layer answers for these still fits the caches, so that the next one finds it there.
#[must_use]
pub fn images_at_once(device: &burn::tensor::Device) -> usize {
    if fused::is_cpu(device) { 192 } else { usize::MAX }
}
