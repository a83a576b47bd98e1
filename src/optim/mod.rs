//! From gradients to new weights: learning-rate schedules, update rules, clipping.

mod schedule;
mod update;

pub use schedule::learning_rate;
pub use update::{Moments, Optimizer};
