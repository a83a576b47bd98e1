//! From settings and the facts of a data set to what is trained and how.

mod plan;
mod run_spec;
mod settings;
mod task_spec;
mod train_spec;

pub use plan::Plan;
pub use run_spec::RunSpec;
pub use settings::Settings;
pub use task_spec::{ClassWeights, TaskSpec};
pub use train_spec::{OnDivergence, OptimizerKind, ScheduleKind, TrainSpec};
