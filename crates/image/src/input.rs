//! From bytes to the numbers that a network reads, and back.

use tinderbox_kernels::{Isa, layout};

use crate::{Pixels, Preprocessing};

/// `(value / 255 - mean) / std` of `[H, W, C]` bytes into `[C, H, W]`.
pub fn normalise(pixels: &Pixels, how: &Preprocessing, target: &mut [f32]) {
    let channels = how.mean.iter().zip(&how.std);
    let channels: Vec<_> = channels.map(|(mean, std)| [1.0 / (255.0 * std), mean / std]).collect();
    layout::to_input(Isa::best(), &channels, &pixels.data, target);
}

/// What [`normalise`] made its values of, to the nearest byte.
#[must_use]
pub fn to_pixels(values: &[f32], how: &Preprocessing) -> Pixels {
    let plane = how.width * how.height;
    let byte = |i: usize, channel: usize| {
        let value = values[channel * plane + i] * how.std[channel] + how.mean[channel];
        (value * 255.0).round().clamp(0.0, 255.0) as u8
    };
    let data = (0..plane * how.channels).map(|i| byte(i / how.channels, i % how.channels));
    Pixels::new(how.width, how.height, how.channels, data.collect())
}

/// One picture as the network's input, `[C, H, W]`.
#[must_use]
pub fn to_input(pixels: &Pixels, how: &Preprocessing) -> Vec<f32> {
    let mut target = vec![0.0; pixels.data.len()];
    normalise(pixels, how, &mut target);
    target
}
