//! tinderbox trains image classifiers.
#![warn(missing_docs)]

pub mod base;
pub mod cli;
pub mod commands;
pub mod config;
pub mod data;
pub mod doctor;
pub mod eval;
pub mod events;
pub mod fetch;
pub mod format;
pub mod model;
pub mod ops;
pub mod optim;
pub mod predict;
pub mod report;
pub mod train;
