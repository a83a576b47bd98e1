//! The vocabulary of settings: what a value can be, its range, what it affects, where it came from.
//! [`settings!`](crate::settings!) defines settings in these words.

mod amount;
mod interval;
#[doc(hidden)]
pub mod name;
mod origin;
mod setting;
mod spec;

pub use amount::Amount;
pub use interval::Interval;
pub use origin::{Given, Origin};
pub use setting::{ABOVE_ZERO, Effect, Heading, Kind, Setting, unknown};
pub use spec::Spec;

use crate::{Error, Result};

/// Checks a flag's whole number.
///
/// # Errors
/// If it is not from `low` to `high`.
pub fn check_range(flag: &str, value: usize, low: usize, high: usize) -> Result<()> {
    ensure((low..=high).contains(&value), flag, &value, &format!("{low} to {high}"))
}

/// Checks a flag.
///
/// # Errors
/// If the value is not `good`; `range` says what it must be.
pub fn ensure(good: bool, flag: &str, value: &dyn std::fmt::Display, range: &str) -> Result<()> {
    if good {
        return Ok(());
    }
    Err(Error::usage(format!("`--{flag} {value}` is out of range"))
        .hint(format!("it must be {range}")))
}
