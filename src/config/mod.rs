//! Settings: defaults, then a file, then the environment, then flags; each value remembers where
//! it came from. What the settings leave open is decided once, by the data, in a [`Plan`].

pub mod flags;
mod folders;
mod plan;
mod preprocessing;
mod settings;
mod table;

pub use folders::Folders;
pub use plan::Plan;
pub use preprocessing::Preprocessing;
pub use settings::{Augment, ClassWeights, Kernels, OptimizerKind, ScheduleKind, Settings};
pub use settings::{EMBEDDED, check_range, compute_threads};
pub use table::{Origin, Resolved, resolve, write};
