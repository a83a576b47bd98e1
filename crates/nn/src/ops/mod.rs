//! Operations: what a block, a loss, dropout and an update compute, on any device.

mod block;
mod composed;
pub(crate) mod fused;
mod loss;
mod parts;
mod registry;

pub use block::block;
pub use fused::{Prepared, adam, sgd, sum_of_squares};
pub use loss::cross_entropy;
pub use parts::{Activation, Layer, Pool, Tail};
pub use registry::Operation;
