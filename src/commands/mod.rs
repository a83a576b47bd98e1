//! The verbs: each joins rooms and prints its result. No mathematics here.

pub mod bench;
pub mod datasets;
pub mod devices;
pub mod evaluate;
pub mod models;
mod output;
mod pictures;
mod plan;
pub mod predict;
pub mod runs;
pub mod train;

use crate::config::Folders;
use crate::events::Verbosity;

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
