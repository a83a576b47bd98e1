//! `datasets fetch`.

pub mod archives;
#[cfg(feature = "fetch")]
pub mod network;
pub mod sets;
#[cfg(feature = "fetch")]
pub mod web;
