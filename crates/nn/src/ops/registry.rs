//! Which operations are one call of ours, by backend. Everything else is composed of burn's operators.

use burn::backend::DispatchDevice;
use burn::tensor::{DType, Device, Tensor};

use crate::kernels::Kernels;

/// An operation that can be one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Layer, norm, residual, activation and pool.
    Block,
    /// Dropout by address.
    Dropout,
    /// Softmax and cross entropy with soft targets.
    CrossEntropy,
    /// A step of the optimiser, and the sum of squares that clipping needs.
    Optimizer,
}

/// A backend that has operations of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backend {
    /// burn's CPU backend: `fused/`, over `tinderbox-kernels`.
    Flex,
}

/// The table: to add a backend is a row here and an implementation of the traits in `fused/`.
const FUSED: &[(Backend, &[Operation])] = &[(
    Backend::Flex,
    &[Operation::Block, Operation::Dropout, Operation::CrossEntropy, Operation::Optimizer],
)];

impl Kernels {
    /// Whether `operation` on `x` is one call of ours: the table has it for the device of `x`, `x` is in
    /// single precision, and our kernels are on.
    #[must_use]
    pub fn fuse<const D: usize>(self, operation: Operation, x: &Tensor<D>) -> bool {
        self != Self::Off
            && x.dtype() == DType::F32
            && backend(&x.device()).is_some_and(|backend| {
                FUSED.iter().any(|(of, all)| *of == backend && all.contains(&operation))
            })
    }
}

/// The backend of a device, with or without autodiff.
fn backend(device: &Device) -> Option<Backend> {
    match device.clone().without_autodiff().as_dispatch() {
        DispatchDevice::Flex(_) => Some(Backend::Flex),
        #[allow(unreachable_patterns)] // a build without other backends
        _ => None,
    }
}
