//! The training: the loop, one step of it, the loss, the state, the checkpoint.

mod audit;
mod bad;
mod checkpoint;
mod divergence;
mod folder;
#[cfg(test)]
mod gradients;
mod job;
mod loss;
mod meter;
mod rescue;
mod run;
mod snapshot;
mod state;
mod step;
#[cfg(test)]
mod tests;
mod training;

pub use audit::audit_device;
pub use bad::BadWatch;
pub use folder::RunFolder;
pub use job::{End, Job, Outcome};
pub use loss::{Targets, cross_entropy};
pub use rescue::Rescue;
pub use run::train;
pub use snapshot::{Point, Saved, Snapshot};
pub use state::{Bad, EpochRecord, State};
pub use step::{StepInput, step};
