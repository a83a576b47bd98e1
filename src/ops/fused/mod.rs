//! Operations of our own on the CPU, with gradients of their own: burn's backend extension over the
//! kernels. Everything here works on Flex, burn's CPU backend; other devices run the same
//! mathematics composed of burn's operators.

mod backward;
mod block;
mod forward;
mod tensor;
#[cfg(test)]
mod tests;

use burn::backend::DispatchDevice;
use burn::tensor::{DType, Device};

pub(super) use block::block;

/// Whether the kernels compute tensors of this device and type.
pub(super) fn runs_on(device: &Device, dtype: DType) -> bool {
    dtype == DType::F32
        && matches!(device.clone().without_autodiff().as_dispatch(), DispatchDevice::Flex(_))
}
