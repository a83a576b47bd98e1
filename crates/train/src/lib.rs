//! Training: the loop, one step of it, the loss, the optimiser, the state, the checkpoint; and what a
//! trained model is good for: its file, evaluation, prediction.
#![warn(missing_docs)]

mod audit;
mod bad;
mod checkpoint;
mod divergence;
#[cfg(test)]
mod frozen;
#[cfg(test)]
mod gradients;
mod job;
mod learning;
mod locate;
mod meter;
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
mod task;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod torchvision;
mod training;

pub use audit::audit_device;
pub use bad::BadWatch;
pub use job::{End, Job, Keeping, Outcome, Splits};
pub use learning::{Learning, OnDivergence};
pub use locate::{locate, locate_run};
pub use optimizer::{Moments, Optimizer, OptimizerKind, Rule};
pub use package::{ModelCard, Package};
pub use predictions::{logits, predict_split};
pub use predictor::{Predictor, Ranked};
pub use recipe::{
    ClassWeights, Machine, Need, Recipe, RunSpec, Settings, TaskSpec, TrainSpec, check_batch,
    evaluation_loader, learning, open_split, resolve, training_loader,
};
pub use rescue::Rescue;
pub use run::train;
pub use run_directory::RunDirectory;
pub use schedule::{Schedule, ScheduleKind};
pub use snapshot::{Point, Saved, Snapshot};
pub use state::{Bad, EpochRecord, State};
pub use step::{StepAt, step};
pub use task::{
    ClassScores, Prediction, Scores, SingleLabel, Task, Verdict, confusion, probabilities, wilson,
};
