//! From pixels to the network's size: the same for train, evaluate and predict.

use crate::{Area, Filter, Pixels, Preprocessing};

/// The central part at the network's size: what evaluation and prediction see.
#[must_use]
pub fn prepare(pixels: &Pixels, to: &Preprocessing) -> Pixels {
    let aspect = to.width as f64 / to.height as f64;
    let (width, height) = (pixels.width as f64, pixels.height as f64);
    let box_width = width.min(height * aspect) * to.crop;
    let box_height = height.min(width / aspect) * to.crop;
    let area = [(width - box_width) / 2.0, (height - box_height) / 2.0, box_width, box_height];
    resize(pixels, area, [to.height, to.width])
}

/// The whole image, its longer side at most `side` pixels.
#[must_use]
pub fn thumbnail(pixels: &Pixels, side: usize) -> Pixels {
    let scale = (side as f64 / pixels.width.max(pixels.height).max(1) as f64).min(1.0);
    let scaled = |length: usize| ((length as f64 * scale).round() as usize).max(1);
    resize(pixels, pixels.whole(), [scaled(pixels.height), scaled(pixels.width)])
}

/// `area` of an image at `[H, W]`, as the network sees it: bilinear.
pub(super) fn resize(pixels: &Pixels, area: Area, to: [usize; 2]) -> Pixels {
    pixels.resized(area, to, Filter::Bilinear)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(height: usize, width: usize) -> Preprocessing {
        let (mean, std) = (vec![0.0], vec![1.0]);
        Preprocessing { channels: 1, height, width, crop: 1.0, mean, std }
    }

    #[test]
    fn an_image_of_the_right_size_is_untouched_and_others_are_cropped_to_the_aspect() {
        let image = Pixels::new(4, 2, 1, vec![0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(prepare(&image, &to(2, 4)), image);
        assert_eq!(prepare(&image, &to(2, 2)).data, [1, 2, 5, 6]);
    }

    /// PIL 12: `Image.frombytes("L", (8, 1), bytes(range(0, 80, 10))).resize((3, 1), BILINEAR)`.
    #[test]
    fn resizing_is_pils_bilinear_antialiased() {
        let row = Pixels::new(8, 1, 1, (0..80).step_by(10).collect());
        assert_eq!(resize(&row, row.whole(), [1, 3]).data, [11, 35, 59]);
    }
}
