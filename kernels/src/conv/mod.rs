//! Convolution over images `[N, H, W, C]` with weights `[Co, Ci / groups, Kh, Kw]`.

pub mod direct;
pub mod depthwise;
pub mod pooled;
pub mod reference;
mod shape;
#[cfg(test)]
mod tests;
pub mod winograd;

pub use direct::Finish;
pub use shape::{Activation, ConvShape};
