//! Pictures for people, as PNG files in memory, from plain values.
//!
//! `fonts` measures text, `canvas` draws, `sheet` lays photographs out; `tiles`, `curves` and
//! `confusion` are the pictures themselves.

mod canvas;
mod confusion;
mod curves;
mod fonts;
mod pairs;
mod sheet;
#[cfg(test)]
mod tests;
mod tiles;
mod varied;

pub use confusion::{confusion, confusion_svg};
pub use curves::{EpochPoint, curves, curves_svg};
pub use pairs::{Pair, pairs};
pub use tiles::{batch, mistakes, mosaic, predictions};
pub use varied::{Varied, varied};

use tinderbox_image::Pixels;

/// One answer of the network, and the image that it is about.
#[derive(Clone, Debug)]
pub struct Guess {
    /// The image as it was looked at.
    pub pixels: Pixels,
    /// The true class, where it is known.
    pub truth: Option<usize>,
    /// The predicted class.
    pub guess: usize,
    /// The probability that the network gives its prediction, 0 to 1.
    pub confidence: f32,
    /// The loss of this image, in nats; not a number where the truth is unknown.
    pub loss: f32,
    /// The name of the file.
    pub name: String,
}
