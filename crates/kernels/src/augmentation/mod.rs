//! Augmentation operations on 8-bit images `[H, W, C]` of one channel or three.
//!
//! Each operation is the one of the same name in torchvision's `transforms.v2.functional` on a
//! `uint8` tensor (version 0.29), with its formula and its roundings, so that a policy written for
//! that library means the same here. `torchvision.tsv` holds small images to that. Bits are equal,
//! also where fractions are involved, but for:
//!
//! * [`gaussian_blur`]: torchvision adds up a square of weights, here a column of them is followed
//!   by a row, so a value close to a half may be rounded to the neighbour, 1 away;
//! * [`adjust_contrast`] of an image whose gray levels add up to 2^24 or more (it has more than
//!   65,793 pixels then): the mean there depends on the order of a sum of floats, and values may be
//!   1 away;
//! * [`affine`], [`rotate`] and [`warp`]: torchvision leaves where a pixel comes from to the matrix
//!   product of its linear algebra library, whose last bit is its own. It is ours where that library
//!   rounds each product. Elsewhere a bilinear value may be 1 away, and the nearest pixel may be the
//!   other one where two are equally near.
//!
//! A fused multiply-add, which torchvision's loops use where the CPU has one, is computed in double
//! precision here: the same on every CPU.
//!
//! There is no randomness in here: all that is drawn is a parameter.

mod blur;
mod color;
mod erase;
mod geometry;
mod sample;
#[cfg(test)]
mod tests;
mod tone;

pub use blur::{adjust_sharpness, gaussian_blur};
pub use color::{
    adjust_brightness, adjust_contrast, adjust_hue, adjust_saturation, rgb_to_grayscale,
};
pub use erase::{Rectangle, erase, gaussian_noise};
pub use geometry::{Affine, affine, horizontal_flip, rotate, vertical_flip, warp};
pub use sample::{Interpolation, Sampling};
pub use tone::{autocontrast, equalize, invert, posterize, solarize};

/// An image that is changed where it lies.
#[derive(Debug)]
pub struct Image<'a> {
    size: [usize; 2],
    channels: usize,
    data: &'a mut [u8],
}

impl<'a> Image<'a> {
    /// The image `[H, W, C]` in `data`, `size` its rows and columns.
    ///
    /// # Panics
    /// If a side is 0, there are other than 1 or 3 channels, or the length is another than the size
    /// says.
    #[must_use]
    pub fn new(size: [usize; 2], channels: usize, data: &'a mut [u8]) -> Self {
        assert!(matches!(channels, 1 | 3), "one channel or three");
        assert!(size.iter().all(|&side| side > 0), "a side is 0");
        assert_eq!(data.len(), size[0] * size[1] * channels, "length of the image");
        Self { size, channels, data }
    }

    /// Rows and columns.
    #[must_use]
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    /// 1 or 3.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The bytes, `[H, W, C]`.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        self.data
    }

    /// Bytes in a row.
    fn stride(&self) -> usize {
        self.size[1] * self.channels
    }

    fn pixels(&mut self) -> Pixels<'_> {
        Pixels::new(self.data, self.channels)
    }

    /// Replaces each value by what a table says of it.
    fn look_up(&mut self, table: &[u8; 256]) {
        for value in &mut *self.data {
            *value = table[usize::from(*value)];
        }
    }
}

/// Bytes of an image as pixels.
enum Pixels<'a> {
    /// Of one channel.
    Gray(&'a mut [u8]),
    /// Of three channels.
    Color(&'a mut [[u8; 3]]),
}

impl<'a> Pixels<'a> {
    /// Bytes of an image of so many channels.
    #[inline(always)]
    fn new(data: &'a mut [u8], channels: usize) -> Self {
        match channels {
            1 => Self::Gray(data),
            3 => Self::Color(data.as_chunks_mut().0),
            _ => unreachable!("an image has one channel or three, see `Image::new`"),
        }
    }

    fn reverse(self) {
        match self {
            Self::Gray(pixels) => pixels.reverse(),
            Self::Color(pixels) => pixels.reverse(),
        }
    }
}

/// Memory that operations work in, kept from one to the next.
#[derive(Debug, Default)]
pub struct AugmentationScratch {
    /// The image before.
    bytes: Vec<u8>,
    /// The same with four bytes to a pixel and a border.
    pixels: Vec<[u8; 4]>,
    /// Sums of three pixels one below the other.
    sums: Vec<u16>,
    /// A row that was blurred along its columns, with a border.
    row: Vec<f32>,
    /// Half of the kernel of a blur.
    weights: Vec<f32>,
}

impl AugmentationScratch {
    /// The image as it is before an operation overwrites it.
    fn copy(&mut self, image: &Image) -> &[u8] {
        self.bytes.clear();
        self.bytes.extend_from_slice(image.data);
        &self.bytes
    }
}

/// A table of what `f` makes of each value, fractions cut off.
fn table(f: impl Fn(f32) -> f32) -> [u8; 256] {
    std::array::from_fn(|value| f(value as f32) as u8)
}

/// `a * b + c`, rounded once. The product is exact in double precision and the sum has 29 bits more
/// than the result: that it is rounded twice shows only where those bits say half, and do so
/// because of still lower ones.
#[inline(always)]
fn fma(a: f32, b: f32, c: f32) -> f32 {
    (f64::from(a) * f64::from(b) + f64::from(c)) as f32
}

/// The nearest whole number, of two the even one, for numbers below 2^22.
#[inline(always)]
fn round(x: f32) -> f32 {
    // At this size floats are the whole numbers.
    const LARGE: f32 = 12_582_912.0;
    (x + LARGE) - LARGE
}

/// The whole number below or at `x`, for numbers below 2^22.
#[inline(always)]
fn floor(x: f32) -> f32 {
    let near = round(x);
    near - if near > x { 1.0 } else { 0.0 }
}

/// A value without its fraction; 0 for what is below 0, 255 for what is above.
#[inline(always)]
fn cut(x: f32) -> u8 {
    let x = if x > 0.0 { x } else { 0.0 };
    byte(floor(if x < 255.0 { x } else { 255.0 }))
}

/// A whole number from 0 to 255.
#[inline(always)]
fn byte(x: f32) -> u8 {
    // The last bits of a float of this size are the number. This is quicker than a cast, which
    // has to think of numbers out of range.
    (x + 8_388_608.0).to_bits() as u8
}
