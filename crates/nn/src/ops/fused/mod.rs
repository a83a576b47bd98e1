//! Operations that our own kernels compute on the CPU, each as one node of burn's graph.
//!
//! An operation is a trait over burn's CPU backend with and without autodiff, in a file of its own.
//! Every caller asks [`Kernels::fuse`](crate::Kernels::fuse) first and keeps the same operation composed of
//! burn's operators: for other devices, for other kinds of numbers, and for `--kernels off`.

mod backward;
mod block;
mod dropout;
mod forward;
mod inputs;
mod layer;
mod loss;
mod recompute;
mod tensor;
#[cfg(test)]
mod tests;
mod update;

pub(super) use block::block;
pub use dropout::dropout;
pub use loss::cross_entropy;
pub use update::{adam, sgd, sum_of_squares};
