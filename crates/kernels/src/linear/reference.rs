//! The dense layer that defines the result: plain loops, sums in double precision.

use super::LinearShape;

/// `x * w`, `[n, outputs]`.
#[must_use]
pub fn forward(shape: &LinearShape, x: &[f32], w: &[f32]) -> Vec<f64> {
    let &LinearShape { n, inputs, outputs } = shape;
    let mut y = vec![0.0; n * outputs];
    for (i, k, o) in triples(n, inputs, outputs) {
        y[i * outputs + o] += f64::from(x[i * inputs + k]) * f64::from(w[k * outputs + o]);
    }
    y
}

/// The gradient of the input, `[n, inputs]`.
#[must_use]
pub fn backward_data(shape: &LinearShape, dy: &[f32], w: &[f32]) -> Vec<f64> {
    let &LinearShape { n, inputs, outputs } = shape;
    let mut dx = vec![0.0; n * inputs];
    for (i, k, o) in triples(n, inputs, outputs) {
        dx[i * inputs + k] += f64::from(dy[i * outputs + o]) * f64::from(w[k * outputs + o]);
    }
    dx
}

/// The gradient of the weights, `[inputs, outputs]`.
#[must_use]
pub fn backward_weights(shape: &LinearShape, x: &[f32], dy: &[f32]) -> Vec<f64> {
    let &LinearShape { n, inputs, outputs } = shape;
    let mut dw = vec![0.0; inputs * outputs];
    for (i, k, o) in triples(n, inputs, outputs) {
        dw[k * outputs + o] += f64::from(x[i * inputs + k]) * f64::from(dy[i * outputs + o]);
    }
    dw
}

fn triples(n: usize, inputs: usize, outputs: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..n).flat_map(move |i| (0..inputs).flat_map(move |k| (0..outputs).map(move |o| (i, k, o))))
}
