//! Settings: defaults, then a file, then the environment, then flags; each value remembers where
//! it came from. What the settings leave open is decided once, by the data, in a [`Plan`].

mod amount;
mod augmentation;
pub mod flags;
mod folders;
mod interval;
mod plan;
mod preprocessing;
mod reading;
mod settings;
mod table;

pub use amount::Amount;
pub use augmentation::{Augmentation, Changes, Policy};
pub use folders::Folders;
pub use interval::Interval;
pub use plan::Plan;
pub use preprocessing::Preprocessing;
pub use reading::{Format, Reading};
pub use settings::{Augment, CacheKind, ClassWeights, Kernels, OnDivergence, OptimizerKind};
pub use settings::{EMBEDDED, ScheduleKind, Settings, check_range, compute_threads};
pub use table::{Given, Origin, Resolved, resolve, resolve_run, write};
