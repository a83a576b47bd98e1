//! Batch normalisation and the pointwise work around it, over images `[N, H, W, C]` seen as rows
//! `[R, C]`, R = N * H * W.
//!
//! In training: [`statistics()`], then [`apply`] with `scale = gamma / sqrt(variance + epsilon)` and
//! `shift = beta - mean * scale`; on the way back [`backward()`]. Sums are taken in single precision
//! within a chunk of rows and in double precision across chunks, in an order that depends on the
//! shape only.

mod backward;
mod gate;
mod pointwise;
pub mod reference;
mod statistics;
#[cfg(test)]
mod tests;

pub use backward::backward;
pub use gate::Backward;
pub use pointwise::{Apply, add_assign, apply, bias_act, mask};
pub use statistics::{statistics, sum_rows};
