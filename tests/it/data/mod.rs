//! Where samples come from, and what of them is refused.

pub mod bad_data;
pub mod mutations;
pub mod quarantine;
pub mod sources;
pub mod tables;
#[cfg(unix)]
pub mod vanish;
pub mod variety;
