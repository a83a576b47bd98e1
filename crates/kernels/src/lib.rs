//! CPU compute kernels of tinderbox: slices in, slices out. No files, no burn, no hidden state.
//!
//! One operation lives in one folder. The reference in it defines the result; every fast way is
//! compared to the reference by the tests. Images are `[N, H, W, C]`, channels last.

#![allow(clippy::inline_always)] // `Isa::run` compiles only what is inlined into it

pub mod alloc;
pub mod augmentation;
pub mod buffer;
pub mod conv;
pub mod draw;
pub mod dropout;
mod gemm;
pub mod layout;
pub mod linear;
pub mod loss;
pub mod norm;
pub mod optimizer;
mod options;
pub mod parallel;
#[doc(hidden)]
pub mod peak;
pub mod pool;
pub mod resize;
mod rows;
mod simd;
#[cfg(test)]
mod testing;

pub use options::Options;
pub use simd::Isa;
