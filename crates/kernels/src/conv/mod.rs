//! Convolution over images `[N, H, W, C]` with weights `[Co, Ci / groups, Kh, Kw]`.
//!
//! The functions here choose the form: depthwise where every channel is a group, Winograd's where
//! it is allowed and faster, else the direct one. They take [`Options`], those of a single form an
//! [`Isa`](crate::Isa).

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

use pooled::PooledShape;

use crate::Options;

/// The ways of computing a convolution.
enum Form {
    Depthwise,
    Winograd,
    Direct,
}

impl Form {
    /// The fastest that may be taken.
    fn of(options: Options, shape: &ConvShape) -> Self {
        if depthwise::applies(shape) {
            Self::Depthwise
        } else if options.winograd && winograd::wins(shape) {
            Self::Winograd
        } else {
            Self::Direct
        }
    }
}

/// `y = activation(conv(x, weights) + bias + residual)`.
///
/// # Panics
/// If a slice has not the length that `shape` says.
pub fn forward(
    options: Options,
    shape: &ConvShape,
    x: &[f32],
    weights: &[f32],
    finish: Finish<'_>,
    y: &mut [f32],
) {
    let Finish { bias, residual, activation, memo } = finish;
    let isa = options.isa;
    // Only the direct form adds a residual.
    let form = if residual.is_some() { Form::Direct } else { Form::of(options, shape) };
    match form {
        Form::Depthwise => {
            depthwise::forward(isa, shape, depthwise::Input { x, weights, bias }, activation, y);
        }
        Form::Winograd => {
            let parameters = winograd::Parameters { weights, bias, activation, memo };
            winograd::forward(isa, shape, x, parameters, y);
        }
        Form::Direct => direct::forward(isa, shape, x, weights, finish, y),
    }
}

/// The largest of each pool of `activation(conv(x, weights) + bias)`: computes `y` and, where a
/// backward pass follows, `slots`, both `[n, ph, pw, co]`. [`pooled`] says what a slot is.
///
/// # Panics
/// If a slice has not the length that `shape` says.
pub fn forward_pooled(
    options: Options,
    shape: &PooledShape,
    operands: pooled::Operands<'_>,
    y: &mut [f32],
    slots: Option<&mut [u8]>,
) {
    let results = pooled::Results::new(shape, &operands, y, slots);
    let isa = options.isa;
    if shape.pool != 2 {
        pooled::by_bands(isa, shape, operands, &results);
    } else if options.winograd && winograd::wins(&shape.conv) {
        winograd::forward_pooled(isa, shape, operands, &results);
    } else {
        pooled::in_registers(isa, shape, operands, &results);
    }
}

/// `dx`, the gradient of the input, from the gradient `dy` of the output.
///
/// # Panics
/// If a slice has not the length that `shape` says.
pub fn backward_data(
    options: Options,
    shape: &ConvShape,
    dy: &[f32],
    weights: &[f32],
    dx: &mut [f32],
) {
    let backward_data = match Form::of(options, shape) {
        Form::Depthwise => depthwise::backward_data,
        Form::Winograd => winograd::backward_data,
        Form::Direct => direct::backward_data,
    };
    backward_data(options.isa, shape, dy, weights, dx);
}

/// `dw`, the gradient of the weights, from the input and the gradient `dy` of the output.
///
/// # Panics
/// If a slice has not the length that `shape` says.
pub fn backward_weights(
    options: Options,
    shape: &ConvShape,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) {
    let backward_weights = match Form::of(options, shape) {
        Form::Depthwise => depthwise::backward_weights,
        Form::Winograd => winograd::backward_weights,
        Form::Direct => direct::backward_weights,
    };
    backward_weights(options.isa, shape, x, dy, dw);
}
