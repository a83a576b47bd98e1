//! Pooling that defines the result: plain loops, sums in double precision.

use super::PoolShape;

/// Calls `visit` with the places of input and output, and the place in the window, of everything
/// that a window sees, window by window, row by row.
fn visits(shape: &PoolShape, mut visit: impl FnMut(usize, usize, usize)) {
    shape.check();
    let [oh, ow] = shape.output();
    let [h, w] = shape.input;
    let (k, channels) = (shape.kernel, shape.channels);
    for out in 0..shape.output_len() {
        let (pixel, channel) = (out / channels, out % channels);
        let (image, r, c) = (pixel / ow / oh, pixel / ow % oh, pixel % ow);
        for (p, q) in (0..k).flat_map(|p| (0..k).map(move |q| (p, q))) {
            let (Some(y), Some(x)) = (
                (r * shape.stride + p).checked_sub(shape.padding),
                (c * shape.stride + q).checked_sub(shape.padding),
            ) else {
                continue;
            };
            if y < h && x < w {
                visit(((image * h + y) * w + x) * channels + channel, out, p * k + q);
            }
        }
    }
}

/// The maximum of each window, and its place `row * kernel + column` in the window. A NaN is larger
/// than any number; of equal numbers the first is taken, of NaNs the last.
#[must_use]
pub fn max_forward(shape: &PoolShape, x: &[f32]) -> (Vec<f32>, Vec<usize>) {
    let mut best: Vec<Option<(f32, usize)>> = vec![None; shape.output_len()];
    visits(shape, |i, o, place| {
        if best[o].is_none_or(|(value, _)| x[i] > value || x[i].is_nan()) {
            best[o] = Some((x[i], place));
        }
    });
    best.into_iter().flatten().unzip()
}

/// The gradient of the input: each window's goes to the place it took its maximum from.
#[must_use]
pub fn max_backward(shape: &PoolShape, dy: &[f32], places: &[usize]) -> Vec<f64> {
    let mut dx = vec![0.0; shape.input_len()];
    visits(shape, |i, o, place| {
        if places[o] == place {
            dx[i] += f64::from(dy[o]);
        }
    });
    dx
}

/// The average of each window; padding counts as zeros.
#[must_use]
pub fn average_forward(shape: &PoolShape, x: &[f32]) -> Vec<f64> {
    let mut y = vec![0.0; shape.output_len()];
    visits(shape, |i, o, _| y[o] += f64::from(x[i]) / (shape.kernel * shape.kernel) as f64);
    y
}

/// The gradient of the input of an average.
#[must_use]
pub fn average_backward(shape: &PoolShape, dy: &[f32]) -> Vec<f64> {
    let mut dx = vec![0.0; shape.input_len()];
    visits(shape, |i, o, _| dx[i] += f64::from(dy[o]) / (shape.kernel * shape.kernel) as f64);
    dx
}
