//! Depthwise convolution: every channel has a kernel of its own and sees no other channel.
//!
//! These passes are bound by memory, not by arithmetic. Sixteen channels are one vector, and images
//! are walked in the order in which they lie in memory. A step computes several columns of one row
//! for sixteen channels: each input is loaded once per row of taps and meets all the taps and
//! columns that it has a part in. Taps outside the image are left out, not multiplied by zeros.

#![allow(clippy::inline_always)] // see `simd`: what is not inlined loses the instruction set

/// The body once for each `$i` of `0..$n`, `$n` a constant of at most 22, of at most 8 where there
/// are `few`: unrolled without the compiler's consent, since arrays of vectors stay in registers
/// only when every index is constant.
macro_rules! unroll {
    ($i:ident in $n:expr => $body:block) => {
        const { assert!($n <= 22, "not all repetitions are written out") };
        unroll!(@ $i $n, $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21)
    };
    ($i:ident in few $n:expr => $body:block) => {
        const { assert!($n <= 8, "not all repetitions are written out") };
        unroll!(@ $i $n, $body, 0 1 2 3 4 5 6 7)
    };
    (@ $i:ident $n:expr, $body:block, $($k:literal)*) => {
        $( if $k < $n { let $i: usize = $k; $body } )*
    };
}

mod ahead;
mod axis;
mod gradient;
mod plan;
mod slide;
#[cfg(test)]
mod tests;

use self::axis::Axis;
use self::plan::DepthwisePlan;
use crate::Isa;
use crate::conv::{Activation, ConvShape};

/// Whether this way takes a shape: as many groups as channels, on both sides.
#[must_use]
pub fn applies(shape: &ConvShape) -> bool {
    shape.groups == shape.ci && shape.ci == shape.co
}

/// `y = activation(conv(x, weights) + bias)`: `x [n, h, w, c]`, `weights [c, 1, kh, kw]`, `bias
/// [c]`, `y [n, oh, ow, c]`.
///
/// # Panics
/// If [`applies`] says no, or a length is not the shape's.
pub fn forward(isa: Isa, shape: &ConvShape, input: Input, activation: Activation, y: &mut [f32]) {
    let Input { x, weights, bias } = input;
    check(shape);
    assert_eq!(x.len(), shape.input_len(), "x");
    assert_eq!(weights.len(), shape.weights_len(), "weights");
    assert!(bias.is_none_or(|bias| bias.len() == shape.co), "bias");
    assert_eq!(y.len(), shape.output_len(), "y");
    let axes = [0, 1].map(|axis| vec![Axis::forward(shape, axis)]);
    let plan =
        DepthwisePlan::new(shape.ci, axes, [shape.input, shape.output()], activation.bounds());
    plan.with_packed(shape.kernel, weights, bias, |packed| {
        slide::rows(isa, &plan, slide::Slices { packed, x, y });
    });
}

/// What a forward pass reads.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// `[n, h, w, c]`.
    pub x: &'a [f32],
    /// `[c, 1, kh, kw]`.
    pub weights: &'a [f32],
    /// `[c]`.
    pub bias: Option<&'a [f32]>,
}

/// The gradient `dx [n, h, w, c]` of the input, for that of the output, `dy [n, oh, ow, c]`, and
/// `weights [c, 1, kh, kw]`.
///
/// # Panics
/// If [`applies`] says no, or a length is not the shape's.
pub fn backward_data(isa: Isa, shape: &ConvShape, dy: &[f32], weights: &[f32], dx: &mut [f32]) {
    check(shape);
    assert_eq!(dy.len(), shape.output_len(), "dy");
    assert_eq!(weights.len(), shape.weights_len(), "weights");
    assert_eq!(dx.len(), shape.input_len(), "dx");
    let axes = [0, 1].map(|axis| Axis::backward(shape, axis));
    let sizes = [shape.output(), shape.input];
    let plan = DepthwisePlan::new(shape.ci, axes, sizes, Activation::None.bounds());
    plan.with_packed(shape.kernel, weights, None, |packed| {
        slide::rows(isa, &plan, slide::Slices { packed, x: dy, y: dx });
    });
}

/// The gradient `dw [c, 1, kh, kw]` of the weights, for `x [n, h, w, c]` and the gradient of the
/// output, `dy [n, oh, ow, c]`.
///
/// # Panics
/// If [`applies`] says no, or a length is not the shape's.
pub fn backward_weights(isa: Isa, shape: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    check(shape);
    assert_eq!(x.len(), shape.input_len(), "x");
    assert_eq!(dy.len(), shape.output_len(), "dy");
    assert_eq!(dw.len(), shape.weights_len(), "dw");
    gradient::weights(isa, shape, x, dy, dw);
}

/// Checks that the shape is one for this way and that no size of it overflows: the kernels rely on
/// it.
fn check(shape: &ConvShape) {
    assert!(applies(shape), "not depthwise: {shape:?}");
    let small = |n: &usize| *n < 1 << 30;
    let ConvShape { input, kernel, stride, padding, dilation, .. } = shape;
    let sizes = [*input, *kernel, *stride, padding[0], padding[1], *dilation];
    assert!(sizes.iter().flatten().all(small), "too large: {shape:?}");
    shape.check();
    let fits = |pixels: &[usize; 2]| {
        let sizes = [shape.ci, pixels[0], pixels[1]];
        sizes.iter().try_fold(shape.n.max(1), |len, &size| len.checked_mul(size)).is_some()
    };
    assert!([*input, shape.output(), *kernel].iter().all(fits), "too large: {shape:?}");
}
