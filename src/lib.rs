//! tinderbox trains image classifiers.
//!
//! The crates below do the work; this one has the commands and the command line. What a program that
//! uses tinderbox as a library needs is named here by the crate that it comes from.
#![warn(missing_docs)]

pub mod cli;
pub mod commands;
pub mod doctor;
pub mod settings;
pub mod terminal;

pub use tinderbox_base as base;
pub use tinderbox_data as data;
pub use tinderbox_fetch as fetch;
pub use tinderbox_image as image;
pub use tinderbox_nn as nn;
pub use tinderbox_report as report;
pub use tinderbox_train as train;
