//! The commands: each joins crates and prints its result. No mathematics here.

mod banner;
pub mod bench;
pub mod check;
mod data;
pub mod datasets;
pub mod devices;
pub mod doctor;
pub mod evaluate;
pub mod fetch;
pub mod models;
mod output;
mod pictures;
pub mod predict;
mod resume;
mod run_directory;
pub mod runs;
pub mod show;
pub mod speed;
pub mod train;
mod trial;
pub mod verify_resume;
mod watch;

use tinderbox_base::{Folders, Result};
use tinderbox_nn::{Context, Kernels, device};

use crate::terminal::Verbosity;

/// What every command is told.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The three folders.
    pub folders: Folders,
    /// How much is said on stderr.
    pub verbosity: Verbosity,
    /// Whether the result is JSON.
    pub json: bool,
}

/// The device of this name, and what computes on it with the operations that were asked for.
fn choose(device: &str, kernels: Kernels) -> Result<(device::Chosen, Context)> {
    let chosen = device::choose(device.parse()?)?;
    let context = Context::new(&chosen, kernels);
    Ok((chosen, context))
}
