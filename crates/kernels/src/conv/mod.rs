//! Convolution over images `[N, H, W, C]` with weights `[Co, Ci / groups, Kh, Kw]`.
//!
//! The functions here choose the way: depthwise where every channel is a group, Winograd's where it
//! pays, else the direct one.

pub mod depthwise;
pub mod direct;
mod memo;
pub mod pooled;
pub mod reference;
mod shape;
#[cfg(test)]
mod tests;
pub mod winograd;

pub use direct::Finish;
pub use memo::Memo;
pub use shape::{Activation, ConvShape};

use crate::simd::Isa;

/// `y = activation(conv(x, weights) + bias + residual)`.
///
/// # Panics
/// If a slice has not the length that `shape` says.
pub fn forward(
    isa: Isa,
    shape: &ConvShape,
    x: &[f32],
    weights: &[f32],
    finish: Finish<'_>,
    y: &mut [f32],
) {
    let Finish { bias, residual, activation, memo } = finish;
    if residual.is_none() && depthwise::applies(shape) {
        depthwise::forward(isa, shape, depthwise::Input { x, weights, bias }, activation, y);
    } else if residual.is_none() && winograd::wins(shape) {
        let parameters = winograd::Parameters { weights, bias, activation, memo };
        winograd::forward(isa, shape, x, parameters, y);
    } else {
        direct::forward(isa, shape, x, weights, finish, y);
    }
}

/// `dx`, the gradient of the input, from the gradient `dy` of the output.
///
/// # Panics
/// If a slice has not the length that `shape` says.
pub fn backward_data(isa: Isa, shape: &ConvShape, dy: &[f32], weights: &[f32], dx: &mut [f32]) {
    if depthwise::applies(shape) {
        depthwise::backward_data(isa, shape, dy, weights, dx);
    } else if winograd::wins(shape) {
        winograd::backward_data(isa, shape, dy, weights, dx);
    } else {
        direct::backward_data(isa, shape, dy, weights, dx);
    }
}

/// `dw`, the gradient of the weights, from the input and the gradient `dy` of the output.
///
/// # Panics
/// If a slice has not the length that `shape` says.
pub fn backward_weights(isa: Isa, shape: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    if depthwise::applies(shape) {
        depthwise::backward_weights(isa, shape, x, dy, dw);
    } else if winograd::wins(shape) {
        winograd::backward_weights(isa, shape, x, dy, dw);
    } else {
        direct::backward_weights(isa, shape, x, dy, dw);
    }
}
