//! Optimizer steps: a parameter and what is remembered of it, changed in place in one pass.
//!
//! Every element goes through the operations of the reference in `f32`, each rounded once, so the
//! results are the same bits on every instruction set.

mod kernel;
pub mod reference;
mod squares;
#[cfg(test)]
mod tests;

pub use squares::sum_of_squares;

use kernel::{AdamPiece, SgdPiece};

use crate::Isa;
use crate::parallel::{Shared, for_each};

/// Elements in a piece of work. It splits by the length alone, never by the threads.
const PIECE: usize = 16 * 1024;

/// One step of Adam or `AdamW`, the same for all elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// What a gradient is multiplied by first, to bound its length; 1 for nothing.
    pub scale: f32,
    /// What a parameter is multiplied by: `1 - rate * decay` of `AdamW`, 1 for nothing.
    pub shrink: f32,
    /// The share of a parameter that is added to its gradient (`Adam` with decay), 0 for nothing.
    pub decay: f32,
    /// How much of the old mean of the gradient stays.
    pub beta1: f32,
    /// `1 - beta1`, rounded from a wider number.
    pub rest1: f32,
    /// How much of the old mean of its square stays.
    pub beta2: f32,
    /// `1 - beta2`, rounded from a wider number.
    pub rest2: f32,
    /// What the root of the mean square is divided by: `sqrt(1 - beta2^steps)`.
    pub correction: f32,
    /// Added to the root.
    pub epsilon: f32,
    /// The learning rate over `1 - beta1^steps`.
    pub rate: f32,
    /// Whether nothing is remembered yet: the moments are written but not read.
    pub fresh: bool,
}

/// One step of stochastic gradient descent with momentum, the same for all elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// What a gradient is multiplied by first, to bound its length; 1 for nothing.
    pub scale: f32,
    /// The share of a parameter that is added to its gradient, 0 for nothing.
    pub decay: f32,
    /// How much of the old velocity stays.
    pub momentum: f32,
    /// The learning rate.
    pub rate: f32,
    /// Whether there is no velocity yet: it is written but not read.
    pub fresh: bool,
}

/// Moves `param` along `gradient` by Adam; `first` and `second` are the running means of the
/// gradient and of its square. All four have the same length.
///
/// With `g = gradient * scale + param * decay`:
/// `first = first * beta1 + g * rest1`, `second = second * beta2 + g * g * rest2`,
/// `param = param * shrink - first / (sqrt(second) / correction + epsilon) * rate`
/// (Algorithm 1 of Kingma and Ba, 2015, in PyTorch's order of operations).
///
/// # Panics
/// If the lengths differ.
pub fn adam(
    isa: Isa,
    step: &Adam,
    param: &mut [f32],
    gradient: &[f32],
    [first, second]: [&mut [f32]; 2],
) {
    let len = param.len();
    assert!(gradient.len() == len && first.len() == len && second.len() == len, "lengths differ");
    let (param, first, second) = (Shared::new(param), Shared::new(first), Shared::new(second));
    for_each(len.div_ceil(PIECE), |piece| {
        let range = piece * PIECE..len.min((piece + 1) * PIECE);
        // SAFETY: the ranges of two pieces have nothing in common.
        let [p, m, v] = unsafe {
            [param.part(range.clone()), first.part(range.clone()), second.part(range.clone())]
        };
        isa.run(AdamPiece { step, param: p, gradient: &gradient[range], first: m, second: v });
    });
}

/// Moves `param` along `gradient` by gradient descent; `velocity` is the running sum of gradients.
/// All three have the same length.
///
/// `velocity = velocity * momentum + (gradient * scale + param * decay)`,
/// `param = param - velocity * rate`, as PyTorch has it.
///
/// # Panics
/// If the lengths differ.
pub fn sgd(isa: Isa, step: &Sgd, param: &mut [f32], gradient: &[f32], velocity: &mut [f32]) {
    let len = param.len();
    assert!(gradient.len() == len && velocity.len() == len, "lengths differ");
    let (param, velocity) = (Shared::new(param), Shared::new(velocity));
    for_each(len.div_ceil(PIECE), |piece| {
        let range = piece * PIECE..len.min((piece + 1) * PIECE);
        // SAFETY: the ranges of two pieces have nothing in common.
        let [p, v] = unsafe { [param.part(range.clone()), velocity.part(range.clone())] };
        isa.run(SgdPiece { step, param: p, gradient: &gradient[range], velocity: v });
    });
}
