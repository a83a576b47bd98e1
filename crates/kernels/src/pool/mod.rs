//! Pooling over images `[N, H, W, C]`.

mod average;
mod max;
pub mod reference;
mod shape;
#[cfg(test)]
mod tests;
mod view;

pub use average::{
    average_backward, average_forward, global_average_backward, global_average_forward,
};
pub use max::{max_backward, max_forward};
pub use shape::PoolShape;
