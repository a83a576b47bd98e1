//! The steps that define the result, an element at a time in double precision.

use super::{Adam, Sgd};

/// The new parameter, first and second moment.
#[must_use]
pub fn adam(step: &Adam, param: f64, gradient: f64, [first, second]: [f64; 2]) -> [f64; 3] {
    let [scale, shrink, decay] = [step.scale, step.shrink, step.decay].map(f64::from);
    let [beta1, rest1, beta2, rest2] =
        [step.beta1, step.rest1, step.beta2, step.rest2].map(f64::from);
    let [correction, epsilon, rate] = [step.correction, step.epsilon, step.rate].map(f64::from);
    let gradient = gradient * scale + param * decay;
    let (first, second) = if step.fresh { (0.0, 0.0) } else { (first, second) };
    let first = first * beta1 + gradient * rest1;
    let second = second * beta2 + gradient * gradient * rest2;
    let root = second.sqrt() / correction + epsilon;
    [param * shrink - first / root * rate, first, second]
}

/// The new parameter and velocity.
#[must_use]
pub fn sgd(step: &Sgd, param: f64, gradient: f64, velocity: f64) -> [f64; 2] {
    let [scale, decay, momentum, rate] =
        [step.scale, step.decay, step.momentum, step.rate].map(f64::from);
    let gradient = gradient * scale + param * decay;
    let velocity = if step.fresh { gradient } else { velocity * momentum + gradient };
    [param - velocity * rate, velocity]
}

/// The sum of the squares.
#[must_use]
pub fn sum_of_squares(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value) * f64::from(value)).sum()
}
