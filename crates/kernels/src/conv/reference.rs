//! The convolution that defines the result: plain loops, sums in double precision.

use super::ConvShape;

/// Calls `visit` with the places of input, weight and output of every product of the convolution.
fn products(shape: &ConvShape, mut visit: impl FnMut(usize, usize, usize)) {
    shape.check();
    let [oh, ow] = shape.output();
    let [h, w] = shape.input;
    let [kh, kw] = shape.kernel;
    let (ci, co) = (shape.ci / shape.groups, shape.co / shape.groups);
    for n in 0..shape.n {
        for (r, c) in (0..oh).flat_map(|r| (0..ow).map(move |c| (r, c))) {
            for (o, i) in (0..shape.co).flat_map(|o| (0..ci).map(move |i| (o, i))) {
                for (p, q) in (0..kh).flat_map(|p| (0..kw).map(move |q| (p, q))) {
                    let y = r * shape.stride[0] + p * shape.dilation[0];
                    let x = c * shape.stride[1] + q * shape.dilation[1];
                    let (Some(y), Some(x)) =
                        (y.checked_sub(shape.padding[0][0]), x.checked_sub(shape.padding[1][0]))
                    else {
                        continue;
                    };
                    if y < h && x < w {
                        let channel = o / co * ci + i;
                        visit(
                            ((n * h + y) * w + x) * shape.ci + channel,
                            ((o * ci + i) * kh + p) * kw + q,
                            ((n * oh + r) * ow + c) * shape.co + o,
                        );
                    }
                }
            }
        }
    }
}

/// The output `[n, oh, ow, co]` for an input and weights.
#[must_use]
pub fn forward(shape: &ConvShape, x: &[f32], weights: &[f32]) -> Vec<f64> {
    let mut y = vec![0.0; shape.output_len()];
    products(shape, |i, w, o| y[o] += f64::from(x[i]) * f64::from(weights[w]));
    y
}

/// The gradient `[n, h, w, ci]` of the input, for a gradient of the output.
#[must_use]
pub fn backward_data(shape: &ConvShape, dy: &[f32], weights: &[f32]) -> Vec<f64> {
    let mut dx = vec![0.0; shape.input_len()];
    products(shape, |i, w, o| dx[i] += f64::from(dy[o]) * f64::from(weights[w]));
    dx
}

/// The gradient of the weights, for an input and a gradient of the output.
#[must_use]
pub fn backward_weights(shape: &ConvShape, x: &[f32], dy: &[f32]) -> Vec<f64> {
    let mut dw = vec![0.0; shape.weights_len()];
    products(shape, |i, w, o| dw[w] += f64::from(x[i]) * f64::from(dy[o]));
    dw
}
