//! Operations that our own kernels compute on the CPU, each as one node of burn's graph.
//!
//! An operation is a trait over burn's CPU backend with and without autodiff, in a file of its own.
//! Every caller asks [`computes`] first and keeps the same operation composed of burn's operators:
//! for other devices, for other kinds of numbers, and for `--kernels off`.

mod backward;
mod block;
mod dropout;
mod forward;
mod inputs;
mod layer;
mod loss;
mod prepared;
mod recompute;
mod tensor;
#[cfg(test)]
mod tests;
mod update;

pub(super) use block::block;
pub use dropout::dropout;
pub use loss::cross_entropy;
pub use prepared::Prepared;
pub use update::{adam, sgd, sum_of_squares};

use burn::backend::DispatchDevice;
use burn::tensor::{DType, Device, Tensor};

use crate::kernels;

/// Whether our kernels compute on `x`: it lies on the CPU in single precision, and they are on.
#[must_use]
pub fn computes<const D: usize>(x: &Tensor<D>) -> bool {
    kernels::enabled() && x.dtype() == DType::F32 && is_cpu(&x.device())
}

/// Whether the device is the CPU, with or without autodiff.
pub(super) fn is_cpu(device: &Device) -> bool {
    matches!(device.clone().without_autodiff().as_dispatch(), DispatchDevice::Flex(_))
}
