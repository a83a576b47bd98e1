//! How much of an image is decoded.

use crate::Preprocessing;

/// How much of an image is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeSize {
    /// 1: grey; 3: red, green, blue.
    pub channels: usize,
    /// Rows and columns that serve: a JPEG may be decoded at a half, a quarter or an eighth of its
    /// size as long as neither side is less, and both are whole.
    pub least: [usize; 2],
}

impl DecodeSize {
    /// Every pixel.
    #[must_use]
    pub fn all(channels: usize) -> Self {
        Self { channels, least: [usize::MAX; 2] }
    }

    /// What a network's input is made of: twice its size, so that antialiasing has something to
    /// average, also of a crop of a quarter of the image. The same for every verb, so that all see
    /// the same pixels.
    #[must_use]
    pub fn input(to: &Preprocessing) -> Self {
        Self { channels: to.channels, least: [2 * to.height, 2 * to.width] }
    }
}
