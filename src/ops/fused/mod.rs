//! Operations that our own kernels compute on the CPU, each as one node of burn's graph.
//!
//! An operation is a trait over burn's CPU backend with and without autodiff, in a file of its own.
//! Every caller asks [`computes`] first and keeps the same operation composed of burn's operators:
//! for other devices, for other kinds of numbers, and for `--kernels off`.

mod backward;
mod block;
mod dropout;
mod forward;
mod loss;
mod tensor;
#[cfg(test)]
mod tests;
mod update;

pub(super) use block::block;
pub use dropout::dropout;
pub use loss::cross_entropy;
pub use update::{adam, sgd, sum_of_squares};

use std::borrow::Cow;

use burn::backend::DispatchDevice;
use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::{Bytes, DType, Shape, Tensor};

use super::kernels;

/// Whether our kernels compute on `x`: it lies on the CPU in single precision, and they are on.
#[must_use]
pub fn computes<const D: usize>(x: &Tensor<D>) -> bool {
    kernels::enabled()
        && x.dtype() == DType::F32
        && matches!(x.device().without_autodiff().as_dispatch(), DispatchDevice::Flex(_))
}

/// `x` itself where its elements lie in order, else a copy in which they do.
fn in_order(x: &FlexTensor) -> Cow<'_, FlexTensor> {
    if x.is_contiguous() { Cow::Borrowed(x) } else { Cow::Owned(x.to_contiguous()) }
}

/// The elements of a tensor whose elements lie in order.
fn elements(x: &FlexTensor) -> &[f32] {
    let (start, end) = x.layout().contiguous_offsets().unwrap_or_default();
    &x.storage::<f32>()[start..end]
}

/// A tensor of `values` in order.
fn new_tensor(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(shape), DType::F32)
}
