//! How good a model is: metrics as pure functions, and the loop that collects their input.

mod answers;
mod metrics;

pub use answers::{Answer, answer, answer_split};
pub use metrics::{ClassScores, Scores, confusion, scores, wilson};
