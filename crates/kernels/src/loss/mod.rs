//! Softmax cross entropy with soft targets: the loss and its gradient in one pass over a row.

mod exp;
mod kernel;
pub mod reference;
#[cfg(test)]
mod tests;

use kernel::ScoreRows;

use crate::Isa;
use crate::parallel::{Shared, for_each};

/// Scores in a piece of work. It splits by the shape alone, never by the threads.
const PIECE: usize = 4096;

/// The loss `-sum(targets * log_softmax(scores))` over `[N, classes]`, and its gradient with
/// respect to the scores, `[N, classes]`: `softmax * sum(targets of the row) - targets`.
///
/// A row's largest score is subtracted first, so no finite score overflows. A score that is NaN or
/// positive infinity makes the loss and its row of the gradient NaN.
///
/// # Panics
/// If there are no classes, or the lengths differ or are no whole number of rows.
#[must_use]
pub fn cross_entropy(
    isa: Isa,
    classes: usize,
    scores: &[f32],
    targets: &[f32],
    gradient: &mut [f32],
) -> f64 {
    let len = scores.len();
    assert!(classes > 0 && len.is_multiple_of(classes), "no whole number of rows");
    assert!(targets.len() == len && gradient.len() == len, "lengths differ");
    let piece = (PIECE / classes).max(1) * classes;
    let mut losses = vec![0.0; len.div_ceil(piece)];
    let (shared, gradient) = (Shared::new(&mut losses), Shared::new(gradient));
    for_each(len.div_ceil(piece), |item| {
        let range = item * piece..len.min((item + 1) * piece);
        // SAFETY: every piece has rows and a sum of its own.
        let (loss, gradient) =
            unsafe { (shared.part(item..item + 1), gradient.part(range.clone())) };
        let (scores, targets) = (&scores[range.clone()], &targets[range]);
        loss[0] = isa.run(ScoreRows { classes, scores, targets, gradient });
    });
    losses.iter().sum()
}
