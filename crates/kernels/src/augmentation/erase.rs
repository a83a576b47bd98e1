//! Overwriting a part, and noise over the whole.

use super::{Image, byte, floor};

/// A rectangle of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rectangle {
    /// Its first row.
    pub top: usize,
    /// Its first column.
    pub left: usize,
    /// How many rows it has.
    pub height: usize,
    /// How many columns it has.
    pub width: usize,
}

/// Paints a part in one color (of an image of one channel, `color[0]`). What of the part lies
/// outside the image is left out.
pub fn erase(image: &mut Image, part: Rectangle, color: [u8; 3]) {
    let (channels, stride) = (image.channels, image.stride());
    let columns =
        part.left.min(image.size[1])..part.left.saturating_add(part.width).min(image.size[1]);
    for row in image.data.chunks_exact_mut(stride).skip(part.top).take(part.height) {
        for pixel in
            row[columns.start * channels..columns.end * channels].chunks_exact_mut(channels)
        {
            pixel.copy_from_slice(&color[..channels]);
        }
    }
}

/// Adds noise of the given mean and standard deviation, both as shares of the range of values (0.1 is
/// 25.5 levels), made of standard normal `draws`, `[H, W, C]`. The noise is cut to a whole number,
/// then added, as torchvision does: of the same draws it makes the same bytes.
///
/// # Panics
/// If there are not as many draws as values.
pub fn gaussian_noise(image: &mut Image, draws: &[f32], mean: f64, sigma: f64) {
    assert_eq!(draws.len(), image.data.len(), "one draw for each value");
    let (mean, sigma) = ((mean * 255.0) as f32, (sigma * 255.0) as f32);
    for (value, draw) in image.data.iter_mut().zip(draws) {
        // More than 255 either way makes no difference.
        let noise = (mean + draw * sigma).clamp(-255.0, 255.0);
        let whole = floor(noise.abs()).copysign(noise);
        *value = byte((f32::from(*value) + whole).clamp(0.0, 255.0));
    }
}
