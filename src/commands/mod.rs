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

/// What computes.
#[derive(Clone, Debug)]
pub struct Compute {
    /// The device.
    pub device: String,
    /// Which operations compute on the CPU.
    pub kernels: Kernels,
    /// Compute threads; the cores where not given.
    pub threads: Option<usize>,
}

impl Compute {
    /// The device, with the operations that were asked for.
    fn choose(&self) -> Result<device::Chosen> {
        choose(self.device.parse()?, self.kernels)
    }
}

/// The device for a request, with the operations that were asked for.
fn choose(device: device::Request, operations: Kernels) -> Result<device::Chosen> {
    kernels::set(operations.is_on());
    kernels::allow_winograd(operations.allows_winograd());
    device::choose(device)
}
