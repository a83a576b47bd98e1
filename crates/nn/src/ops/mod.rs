//! Operations: what a block, a loss, dropout and an update compute, on any device.

mod block;
mod composed;
mod dropout;
pub(crate) mod fused;
mod loss;
mod parts;
mod prepared;
mod registry;

pub use block::block;
pub use fused::{adam, sgd, sum_of_squares};
pub use loss::cross_entropy;
pub use parts::{Activation, Layer, Pool, Tail};
pub use prepared::Prepared;
pub use registry::Operation;
