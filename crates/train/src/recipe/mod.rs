//! From settings and the facts of a data set to what is trained and how.

mod plan;
mod settings;

pub use plan::Plan;
pub use settings::{
    ClassWeights, OnDivergence, OptimizerKind, ScheduleKind, Settings, compute_threads,
};
