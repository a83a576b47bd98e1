//! CPU compute kernels of tinderbox: slices in, slices out. No files, no burn, no hidden state.
//!
//! One operation lives in one folder. The reference in it defines the result; every fast way is
//! compared to the reference by the tests. Images are `[N, H, W, C]`, channels last.

pub mod buffer;
pub mod alloc;
pub mod conv;
pub mod draw;
mod gemm;
pub mod layout;
pub mod linear;
pub mod norm;
pub mod dropout;
pub mod loss;
pub mod parallel;
#[doc(hidden)]
pub mod peak;
pub mod pool;
mod rows;
mod simd;
#[cfg(test)]
mod testing;
pub mod update;

pub use simd::Isa;
