//! CPU compute kernels of tinderbox: slices in, slices out. No files, no burn, no hidden state.
//!
//! One operation lives in one folder. The reference in it defines the result; every fast way is
//! compared to the reference by the tests. Images are `[N, H, W, C]`, channels last.

pub mod alloc;
pub mod conv;
pub mod draw;
pub mod parallel;
mod simd;
#[cfg(test)]
mod testing;

pub use simd::Isa;
