//! Winograd's convolution for 3 x 3 taps in steps of one: 36 multiplications per channel pair and
//! 4 x 4 outputs, where the direct form has 144.
//!
//! Tiles of 4 x 4 outputs see windows of 6 x 6 inputs. A window is transformed into 36 numbers per
//! channel, its frequencies; for each frequency, a matrix `[tiles, ci]` is multiplied by the
//! transformed weights `[ci, co]`; the products are transformed back. The gradient of the input is
//! the same with turned weights. That of the weights is the transposed computation: windows of the
//! input and tiles of the gradient are transformed, multiplied over tiles, and transformed back to
//! 3 x 3 taps.
//!
//! Rounding: sums and differences of six numbers, with factors, lose some bits. Errors are larger
//! than those of the direct form: about 1e-6 of the result's norm. The tests hold each error on
//! random numbers to 24 * 2^-24 of the number of products in whole tiles times the largest
//! product; that is what was measured with room, not a proof. A NaN or an infinity in the
//! input spreads as NaN over outputs of the tiles that see it; the direct form is exact there.

#![allow(clippy::inline_always)] // what is not inlined into `Isa::run` loses the instruction set

mod gradient;
mod layout;
mod pass;
mod product;
#[cfg(test)]
mod tests;
mod tiles;
mod transform;
mod weights;
mod write;

use gradient::WeightsGradient;
use pass::{Convolution, Sink};
use tiles::{Images, Tiles};
use weights::{Taps, WeightsView};

use super::pooled::{self, PooledShape};
use super::{Activation, ConvShape, Memo};
use crate::parallel::Shared;
use crate::simd::{Isa, LANES};

/// Cycles to transform sixteen channels of a tile, about.
const TRANSFORM: usize = 300;
/// Cycles to transform sixteen kernels, about.
const WEIGHTS: usize = 400;

/// Whether this form can compute the convolution.
#[must_use]
pub fn applies(shape: &ConvShape) -> bool {
    let ConvShape { kernel, stride, dilation, groups, .. } = *shape;
    kernel == [3, 3] && stride == [1, 1] && dilation == [1, 1] && groups == 1
}

/// Whether this form should be faster than a direct one: counts registers of sixteen floats that
/// are multiplied or moved, including padded channels, parts of tiles outside of the image, and
/// rows that fill up a register tile.
#[must_use]
pub fn wins(shape: &ConvShape) -> bool {
    if !applies(shape) || shape.n == 0 {
        return false;
    }
    shape.check();
    let [oh, ow] = shape.output();
    let (ci, co) = (shape.ci, shape.co.div_ceil(LANES));
    let direct = shape.n * oh * ow * 9 * ci * co;
    let tiles = Tiles::over(shape.n, [oh, ow]).count();
    let products = tiles.next_multiple_of(product::HALF) * layout::FREQUENCIES * ci * co;
    let transforms = tiles * TRANSFORM * (ci.div_ceil(LANES) + co);
    let weights = ci * co * WEIGHTS;
    products + transforms + weights < direct
}

fn check(shape: &ConvShape, x: usize, weights: usize, y: usize) {
    shape.check();
    assert!(applies(shape), "not for this form: {shape:?}");
    assert_eq!(x, shape.input_len(), "input of {shape:?}");
    assert_eq!(weights, shape.weights_len(), "weights of {shape:?}");
    assert_eq!(y, shape.output_len(), "output of {shape:?}");
}

fn input(shape: &ConvShape) -> Images {
    Images { size: shape.input, channels: shape.ci }
}

fn output(shape: &ConvShape) -> Images {
    Images { size: shape.output(), channels: shape.co }
}

/// What a convolution reads and adds besides the images.
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'a> {
    /// `[co, ci, 3, 3]`.
    pub weights: &'a [f32],
    /// `[co]`.
    pub bias: Option<&'a [f32]>,
    /// Applied to each output.
    pub activation: Activation,
    /// Where the transformed weights may be kept.
    pub memo: Option<&'a Memo>,
}

/// The output `y` `[n, oh, ow, co]` for an input `x` `[n, h, w, ci]`.
///
/// # Panics
/// If the form does not apply, or a length does not fit the shape.
pub fn forward(isa: Isa, shape: &ConvShape, x: &[f32], parameters: Parameters, y: &mut [f32]) {
    let Parameters { weights, bias, activation, memo } = parameters;
    check(shape, x.len(), weights.len(), y.len());
    assert!(bias.is_none_or(|bias| bias.len() == shape.co), "bias of {shape:?}");
    if shape.n == 0 {
        return;
    }
    let sink = Sink::Images { y: Shared::new(y), bounds: activation.bounds() };
    forward_to(isa, shape, output(shape), (weights, bias, memo), sink).run(x);
}

/// The same with the activation and the pool that follow: only what a pool reads is computed.
///
/// # Panics
/// If the form does not apply, or a length does not fit the shape.
pub(super) fn forward_pooled(
    isa: Isa,
    shape: &PooledShape,
    operands: pooled::Operands<'_>,
    results: &pooled::Results<'_>,
) {
    let pooled::Operands { x, weights, bias, activation, memo } = operands;
    let conv = &shape.conv;
    check(conv, x.len(), weights.len(), conv.output_len());
    assert_eq!(shape.pool, 2, "tiles hold whole pools");
    let output = Images { size: [shape.ph() * 2, shape.pw() * 2], channels: conv.co };
    let sink = Sink::Pooled { results, activation };
    forward_to(isa, conv, output, (weights, bias, memo), sink).run(x);
}

fn forward_to<'a>(
    isa: Isa,
    shape: &ConvShape,
    output: Images,
    (weights, bias, memo): (&'a [f32], Option<&'a [f32]>, Option<&'a Memo>),
    sink: Sink<'a>,
) -> Convolution<'a> {
    Convolution {
        isa,
        n: shape.n,
        input: input(shape),
        output,
        before: shape.padding.map(|[before, _]| before as isize),
        taps: Taps { co: shape.co, ci: shape.ci, view: WeightsView::Forward },
        weights,
        memo,
        bias,
        sink,
    }
}

/// The gradient `dx` `[n, h, w, ci]` of the input, for a gradient `dy` `[n, oh, ow, co]`.
///
/// # Panics
/// If the form does not apply, or a length does not fit the shape.
pub fn backward_data(isa: Isa, shape: &ConvShape, dy: &[f32], weights: &[f32], dx: &mut [f32]) {
    check(shape, dx.len(), weights.len(), dy.len());
    if dx.is_empty() {
        return;
    }
    Convolution {
        isa,
        n: shape.n,
        input: output(shape),
        output: input(shape),
        before: shape.padding.map(|[before, _]| 2 - before as isize),
        taps: Taps { co: shape.co, ci: shape.ci, view: WeightsView::Turned },
        weights,
        memo: None,
        bias: None,
        sink: Sink::Images { y: Shared::new(dx), bounds: Activation::None.bounds() },
    }
    .run(dy);
}

/// The gradient `dw` `[co, ci, 3, 3]` of the weights.
///
/// # Panics
/// If the form does not apply, or a length does not fit the shape.
pub fn backward_weights(isa: Isa, shape: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    check(shape, x.len(), dw.len(), dy.len());
    if shape.n == 0 {
        dw.fill(0.0);
        return;
    }
    WeightsGradient {
        isa,
        n: shape.n,
        input: input(shape),
        output: output(shape),
        before: shape.padding.map(|[before, _]| before as isize),
        x,
        dy,
    }
    .run(dw);
}
