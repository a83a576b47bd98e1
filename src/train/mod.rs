//! The training: the loop, one step of it, the loss, the state, the checkpoint.

mod audit;
mod bad;
mod checkpoint;
mod divergence;
#[cfg(test)]
mod gradients;
mod loss;
mod meter;
mod run;
mod snapshot;
mod state;
mod step;
#[cfg(test)]
mod tests;

pub use audit::audit_device;
pub use bad::BadWatch;
pub use checkpoint::{Rescue, RunFolder};
pub use loss::{Targets, cross_entropy};
pub use run::{End, Job, Outcome, train};
pub use snapshot::{Point, Saved, Snapshot};
pub use state::{Bad, EpochRecord, State};
pub use step::{StepInput, step};
