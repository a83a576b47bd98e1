//! Backward passes of a convolution that is pooled, through its largest outputs only.

use tinderbox_kernels::conv::ConvShape;
use tinderbox_kernels::conv::pooled::{PooledShape, backward_data, backward_weights};

use crate::cases::floats;
use crate::convolution::conv;
use crate::report::Work;

type Shape = PooledShape;

/// What the kernels read and write. A gradient has the shape of what it is the gradient of.
struct Data {
    /// `[n, h, w, ci]`
    x: Vec<f32>,
    /// `[co, ci, kh, kw]`
    weights: Vec<f32>,
    /// `[n, ph, pw, co]`
    dy: Vec<f32>,
    /// `[n, ph, pw, co]`
    slots: Vec<u8>,
    /// `[n, h, w, ci]`
    dx: Vec<f32>,
    /// `[co, ci, kh, kw]`
    dw: Vec<f32>,
}

impl Data {
    /// Every pooled element has a gradient, of an output that cannot be guessed.
    fn new(shape: &Shape) -> Self {
        let (x, weights) = (shape.conv.input_len(), shape.conv.weights_len());
        let dy = floats(shape.pooled_len());
        let places = (shape.pool * shape.pool) as f32;
        let slots = dy.iter().map(|y| ((y + 1.0) * 1e3).fract() * places);
        Self {
            x: floats(x),
            weights: floats(weights),
            slots: slots.map(|slot| slot as u8).collect(),
            dy,
            dx: vec![0.0; x],
            dw: vec![0.0; weights],
        }
    }
}

kernels! {
    pooled_data: shapes(), operations, |isa, shape, d| {
        backward_data(isa, shape, &d.dy, &d.slots, &d.weights, &mut d.dx);
    };
    pooled_weights: shapes(), operations, |isa, shape, d| {
        backward_weights(isa, shape, &d.x, &d.dy, &d.slots, &mut d.dw);
    };
}

/// Those of the outputs that have a gradient.
fn operations(shape: &Shape) -> Work {
    let ConvShape { ci, kernel: [kh, kw], .. } = shape.conv;
    Work::Operations(2 * shape.pooled_len() * ci * kh * kw)
}

fn shapes() -> (Vec<Shape>, fn(&Shape) -> String) {
    let sizes = [
        (128, 28, [1, 32], 3),
        (128, 13, [32, 64], 3),
        (128, 32, [3, 6], 5),
        (128, 14, [6, 16], 5),
        (32, 32, [64, 64], 3),
        (16, 17, [48, 80], 3),
    ];
    let shape = |(n, size, channels, kernel)| PooledShape {
        conv: conv(n, size, channels, [kernel, 1, 0]),
        pool: 2,
    };
    (sizes.map(shape).to_vec(), label)
}

fn label(shape: &Shape) -> String {
    let ConvShape { n, input: [h, w], ci, co, kernel: [k, _], .. } = shape.conv;
    format!("{n}x{h}x{w} {ci}-{co} k{k} pool {}", shape.pool)
}
