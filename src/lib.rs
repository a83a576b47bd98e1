//! tinderbox trains image classifiers.
pub mod base;
