//! Convolution over images `[N, H, W, C]` with weights `[Co, Ci / groups, Kh, Kw]`.

pub mod reference;
mod shape;
pub mod winograd;

pub use shape::{Activation, ConvShape};
