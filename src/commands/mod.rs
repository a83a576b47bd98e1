//! The verbs: each joins rooms and prints its result. No mathematics here.

mod banner;
mod batch_size;
pub mod bench;
pub mod check;
pub mod datasets;
pub mod devices;
pub mod doctor;
pub mod evaluate;
pub mod fetch;
pub mod models;
mod output;
mod pictures;
mod plan;
pub mod predict;
mod resume;
mod run_directory;
pub mod runs;
pub mod show;
pub mod speed;
pub mod train;
pub mod verify_resume;
mod watch;

use crate::terminal::Verbosity;
use tinderbox_base::Folders;
use tinderbox_base::Result;
use tinderbox_nn::Kernels;
use tinderbox_nn::{device, kernels};

/// What every verb is told.
#[derive(Clone, Debug)]
pub struct Context {
    /// The three folders.
    pub folders: Folders,
    /// How much is said on stderr.
    pub verbosity: Verbosity,
    /// Whether the result is JSON.
    pub json: bool,
}

/// The device of this name, with the operations that were asked for.
fn choose(device: &str, operations: Kernels) -> Result<device::Chosen> {
    let device = device.parse()?;
    kernels::set(operations.is_on());
    kernels::allow_winograd(operations.allows_winograd());
    device::choose(device)
}
