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
