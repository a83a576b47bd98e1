//! Settings: defaults, then a file, then the environment, then flags; each value remembers where
//! it came from. What the settings leave open is decided once, by the data, in a plan.

mod effective;
pub mod flags;
mod table;

pub use effective::effective;
pub use table::{Resolved, resolve, resolve_run, write};
