//! Convolution over images `[N, H, W, C]` with weights `[Co, Ci / groups, Kh, Kw]`.

pub mod pooled;
pub mod reference;
mod shape;

pub use shape::{Activation, ConvShape};
