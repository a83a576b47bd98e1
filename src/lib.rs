//! tinderbox trains image classifiers.
pub mod base;
pub mod model;
pub mod ops;
