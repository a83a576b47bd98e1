//! tinderbox trains image classifiers.
pub mod base;
pub mod config;
pub mod data;
pub mod format;
pub mod model;
pub mod ops;
pub mod optim;
pub mod report;
