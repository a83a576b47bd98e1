//! Model files, evaluation, prediction.

pub mod bad_models;
pub mod evaluate;
pub mod files;
pub mod predict;
