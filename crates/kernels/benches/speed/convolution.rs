//! Convolutions: direct, Winograd, depthwise.

use tinderbox_kernels::conv::{Activation, ConvShape, Finish, depthwise, direct, winograd};

use crate::cases::floats;
use crate::report::Work;

type Shape = ConvShape;

/// What the kernels read and write. A gradient has the shape of what it is the gradient of.
struct Data {
    /// `[n, h, w, ci]`
    x: Vec<f32>,
    /// `[co, ci / groups, kh, kw]`
    weights: Vec<f32>,
    /// `[co]`
    bias: Vec<f32>,
    /// `[n, oh, ow, co]`
    y: Vec<f32>,
    /// `[n, h, w, ci]`
    dx: Vec<f32>,
    /// `[co, ci / groups, kh, kw]`
    dw: Vec<f32>,
}

impl Data {
    fn new(shape: &Shape) -> Self {
        let [x, weights, y] = [shape.input_len(), shape.weights_len(), shape.output_len()];
        Self {
            x: floats(x),
            weights: floats(weights),
            bias: floats(shape.co),
            y: floats(y),
            dx: vec![0.0; x],
            dw: vec![0.0; weights],
        }
    }

    fn finish(bias: &[f32]) -> Finish<'_> {
        Finish { bias: Some(bias), residual: None, activation: Activation::Relu, memo: None }
    }
}

kernels! {
    direct_forward: dense(), operations, |isa, shape, d| {
        direct::forward(isa, shape, &d.x, &d.weights, Data::finish(&d.bias), &mut d.y);
    };
    direct_data: dense(), operations, |isa, shape, d| {
        direct::backward_data(isa, shape, &d.y, &d.weights, &mut d.dx);
    };
    direct_weights: dense(), operations, |isa, shape, d| {
        direct::backward_weights(isa, shape, &d.x, &d.y, &mut d.dw);
    };
    winograd_forward: winograds(), operations, |isa, shape, d| {
        let parameters = winograd::Parameters {
            weights: &d.weights,
            bias: Some(&d.bias),
            activation: Activation::Relu,
            memo: None,
        };
        winograd::forward(isa, shape, &d.x, parameters, &mut d.y);
    };
    winograd_data: winograds(), operations, |isa, shape, d| {
        winograd::backward_data(isa, shape, &d.y, &d.weights, &mut d.dx);
    };
    winograd_weights: winograds(), operations, |isa, shape, d| {
        winograd::backward_weights(isa, shape, &d.x, &d.y, &mut d.dw);
    };
    depthwise_forward: depthwises(), bytes, |isa, shape, d| {
        let input = depthwise::Input { x: &d.x, weights: &d.weights, bias: Some(&d.bias) };
        depthwise::forward(isa, shape, input, Activation::Relu6, &mut d.y);
    };
    depthwise_data: depthwises(), bytes, |isa, shape, d| {
        depthwise::backward_data(isa, shape, &d.y, &d.weights, &mut d.dx);
    };
    depthwise_weights: depthwises(), bytes, |isa, shape, d| {
        depthwise::backward_weights(isa, shape, &d.x, &d.y, &mut d.dw);
    };
}

fn operations(shape: &Shape) -> Work {
    Work::Operations(2 * shape.multiplications())
}

/// Both images once.
fn bytes(shape: &Shape) -> Work {
    Work::Bytes(4 * (shape.input_len() + shape.output_len()))
}

type Cases = (Vec<Shape>, fn(&Shape) -> String);

fn dense() -> Cases {
    let shapes = [
        // 3 x 3 in steps of one: what the goal of 70% of the peak is about
        conv(8, 56, [32, 32], [3, 1, 1]),
        conv(4, 56, [64, 64], [3, 1, 1]),
        conv(8, 28, [64, 64], [3, 1, 1]),
        conv(8, 28, [128, 128], [3, 1, 1]),
        conv(8, 14, [128, 128], [3, 1, 1]),
        conv(8, 14, [256, 256], [3, 1, 1]),
        conv(16, 7, [256, 256], [3, 1, 1]),
        conv(8, 7, [512, 512], [3, 1, 1]),
        conv(64, 7, [512, 512], [3, 1, 1]),
        conv(64, 7, [64, 64], [3, 1, 1]),
        conv(128, 13, [32, 64], [3, 1, 0]),
        conv(32, 17, [48, 80], [3, 1, 1]),
        // thin inputs and outputs
        conv(128, 28, [1, 32], [3, 1, 0]),
        conv(64, 32, [3, 64], [3, 1, 1]),
        conv(128, 32, [3, 6], [5, 1, 0]),
        conv(128, 14, [6, 16], [5, 1, 0]),
        // other kernels and steps
        conv(16, 28, [32, 64], [5, 1, 2]),
        conv(8, 28, [64, 64], [7, 1, 3]),
        conv(2, 224, [3, 64], [7, 2, 3]),
        conv(8, 56, [64, 128], [3, 2, 1]),
        conv(8, 14, [256, 512], [3, 2, 1]),
        // 1 x 1
        conv(8, 56, [24, 144], [1, 1, 0]),
        conv(8, 56, [144, 24], [1, 1, 0]),
        conv(16, 14, [96, 576], [1, 1, 0]),
        conv(16, 14, [576, 96], [1, 1, 0]),
        conv(16, 7, [320, 1280], [1, 1, 0]),
        conv(8, 56, [64, 128], [1, 2, 0]),
    ];
    (shapes.to_vec(), label)
}

fn winograds() -> Cases {
    let (shapes, label) = dense();
    (shapes.into_iter().filter(winograd::applies).collect(), label)
}

fn depthwises() -> Cases {
    let shapes = [
        conv(8, 112, [32, 32], [3, 1, 1]),
        conv(8, 56, [144, 144], [3, 1, 1]),
        conv(8, 56, [144, 144], [3, 2, 1]),
        conv(64, 32, [96, 96], [3, 1, 1]),
        conv(32, 14, [384, 384], [3, 1, 1]),
        conv(32, 14, [384, 384], [5, 1, 2]),
        conv(32, 7, [960, 960], [3, 1, 1]),
        conv(32, 17, [67, 67], [3, 1, 1]),
    ];
    (shapes.map(|shape| ConvShape { groups: shape.ci, ..shape }).to_vec(), label)
}

/// `n` square images, channels in and out, and kernel, stride and padding.
pub fn conv(
    n: usize,
    size: usize,
    [ci, co]: [usize; 2],
    [k, stride, padding]: [usize; 3],
) -> ConvShape {
    ConvShape {
        n,
        input: [size; 2],
        ci,
        co,
        kernel: [k; 2],
        stride: [stride; 2],
        padding: [[padding; 2]; 2],
        dilation: [1; 2],
        groups: 1,
    }
}

fn label(shape: &Shape) -> String {
    let ConvShape { n, input: [h, w], ci, co, kernel: [k, _], stride: [s, _], .. } = *shape;
    let stride = if s > 1 { format!(" step {s}") } else { String::new() };
    format!("{n}x{h}x{w} {ci}-{co} k{k}{stride}")
}
