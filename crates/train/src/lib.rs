//! Training: the loop, one step of it, the loss, the optimiser, the state, the checkpoint; and what a
//! trained model is good for: its file, evaluation, prediction.
#![warn(missing_docs)]

mod audit;
mod bad;
mod checkpoint;
mod divergence;
#[cfg(test)]
mod gradients;
mod job;
mod loss;
mod meter;
mod metrics;
mod optimizer;
mod package;
mod predictions;
mod predictor;
mod recipe;
mod rescue;
mod run;
mod run_directory;
mod schedule;
mod snapshot;
mod state;
mod step;
#[cfg(test)]
mod tests;
mod training;

pub use audit::audit_device;
pub use bad::BadWatch;
pub use job::{End, Job, Outcome};
pub use loss::{Targets, cross_entropy};
pub use metrics::{ClassScores, Scores, confusion, scores, wilson};
pub use optimizer::{Moments, Optimizer};
pub use package::{Package, fill, locate, locate_run};
pub use predictions::{Answer, answer, answer_split};
pub use predictor::{Predictor, Ranked};
pub use recipe::{
    ClassWeights, OnDivergence, OptimizerKind, Plan, RunSpec, ScheduleKind, Settings, TaskSpec,
    TrainSpec,
};
pub use rescue::Rescue;
pub use run::train;
pub use run_directory::RunFolder;
pub use schedule::learning_rate;
pub use snapshot::{Point, Saved, Snapshot};
pub use state::{Bad, EpochRecord, State};
pub use step::{StepInput, step};
