//! When the sparse way is the faster one, estimated from the sizes.
//!
//! All costs are cycles of one Zen 4 core for each pooled element, with AVX-512, measured by
//! `tests::time_the_passes` on shapes from one to 128 input channels, with one element in eight dead.
//! They say which way is the faster one, not how long it takes: against scattering and the dense
//! kernels, on 34 shapes with pools of 2 and 3, the answer was wrong only where the two ways were
//! within a sixth of each other.

use crate::simd::LANES;

use super::PooledShape;

/// What a dense kernel does in a cycle of the sixteen multiplications that it could do, with the
/// cost of scattering the gradient before.
const DENSE: f64 = 0.7;
/// A dense 3 x 3 kernel with stride 1 needs about half the time, by Winograd's transformation, once
/// there are channels for whole registers.
const WINOGRAD: f64 = 2.0;

/// Whether [`super::backward_data`] beats dense kernels on the scattered gradient.
#[must_use]
pub fn data_wins(shape: &PooledShape) -> bool {
    let (names, co) = ((shape.pool * shape.pool) as f64, shape.conv.co as f64);
    let steps = steps(shape);
    // One window for each slot that any channel has, and a look at all channels to find them.
    let windows = names * (1.0 - (1.0 - 1.0 / names).powf(co));
    let looks = names * shape.conv.co.div_ceil(LANES) as f64;
    let sparse = 2.0 + 1.15 * steps + (windows * (10.0 + 2.5 * steps) + 5.0 * looks) / co;
    sparse < dense(shape, shape.conv.ci)
}

/// Whether [`super::backward_weights`] beats dense kernels on the scattered gradient.
#[must_use]
pub fn weights_win(shape: &PooledShape) -> bool {
    4.0 + 1.15 * steps(shape) < dense(shape, shape.conv.co)
}

/// Steps of sixteen floats in a window. Short runs waste most of a step: that is when dense kernels,
/// which put channels of the output in the lanes, are better.
fn steps(shape: &PooledShape) -> f64 {
    let [kh, kw] = shape.conv.kernel;
    (kh * (kw * shape.conv.ci).div_ceil(LANES)) as f64
}

/// Cycles of a dense kernel that has `channels` in its lanes.
fn dense(shape: &PooledShape, channels: usize) -> f64 {
    let conv = &shape.conv;
    let outputs: usize = conv.output().iter().product();
    let products = (outputs * conv.kernel[0] * conv.kernel[1] * conv.ci) as f64;
    let lanes = channels.next_multiple_of(LANES) as f64 / channels as f64;
    let wide = conv.ci.min(conv.co) >= LANES;
    let winograd = wide && conv.kernel == [3, 3] && conv.stride == [1, 1];
    let speed = DENSE * LANES as f64 * if winograd { WINOGRAD } else { 1.0 };
    products * lanes / speed / (shape.ph() * shape.pw()) as f64
}
