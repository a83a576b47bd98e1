//! The training: the loop, one step of it, the loss, the state, the checkpoint.

mod bad;
mod checkpoint;
#[cfg(test)]
mod gradients;
mod loss;
mod meter;
mod run;
mod state;
mod step;

pub use bad::BadWatch;
pub use checkpoint::RunFolder;
pub use loss::{Targets, cross_entropy};
pub use run::{Job, Outcome, train};
pub use state::{EpochRecord, State};
pub use step::{StepInput, step};
