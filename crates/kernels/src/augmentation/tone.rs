//! Operations on each value by itself, and those that look at how many of each there are.

use super::{Image, Pixels, table};

/// Turns light into dark: `255 - value`.
pub fn invert(image: &mut Image) {
    for value in &mut *image.data {
        *value = !*value;
    }
}

/// Keeps the upper `bits` of each value and clears the rest; 8 or more change nothing.
pub fn posterize(image: &mut Image, bits: u32) {
    let mask = !0xFFu8.checked_shr(bits).unwrap_or(0);
    for value in &mut *image.data {
        *value &= mask;
    }
}

/// Inverts the values from `threshold` on. Where torchvision is given a fraction, this is it rounded
/// up.
pub fn solarize(image: &mut Image, threshold: u8) {
    for value in &mut *image.data {
        *value = if *value >= threshold { !*value } else { *value };
    }
}

/// Stretches each channel so that its darkest value becomes 0 and its lightest 255; a channel of one
/// value stays as it is.
pub fn autocontrast(image: &mut Image) {
    let stretch = |histogram: &[u32; 256]| {
        let darkest = histogram.iter().position(|&count| count > 0).unwrap_or(0) as f32;
        let lightest = histogram.iter().rposition(|&count| count > 0).unwrap_or(0) as f32;
        if darkest < lightest {
            let range = (lightest - darkest) * (1.0 / 255.0);
            table(|value| ((value - darkest) / range).clamp(0.0, 255.0))
        } else {
            table(|value| value)
        }
    };
    per_channel(image, stretch);
}

/// Spreads the values of each channel so that all are about equally frequent, in whole numbers as
/// PIL's `ImageOps.equalize` does: with `step` a 255th of the pixels that are not of the lightest
/// value, a value becomes the number of darker pixels in steps, rounded. A channel with fewer
/// than 255 such pixels stays as it is.
pub fn equalize(image: &mut Image) {
    let pixels = (image.size[0] * image.size[1]) as u32;
    let spread = |histogram: &[u32; 256]| {
        let lightest = histogram.iter().rev().find(|&&count| count > 0).unwrap_or(&0);
        let step = (pixels - lightest) / 255;
        if step == 0 {
            return table(|value| value);
        }
        let mut darker = step / 2;
        histogram.map(|count| {
            let level = (darker / step).min(255) as u8;
            darker += count;
            level
        })
    };
    per_channel(image, spread);
}

/// Replaces the values of each channel by a table that its histogram gives.
fn per_channel(image: &mut Image, tabulate: impl Fn(&[u32; 256]) -> [u8; 256]) {
    match image.pixels() {
        Pixels::Gray(values) => {
            // Neighbours are often equal, and a count is slow to read right after it was written.
            let mut counts = [[0u32; 256]; 2];
            for pair in values.chunks(2) {
                for (counts, &value) in counts.iter_mut().zip(pair) {
                    counts[usize::from(value)] += 1;
                }
            }
            let [mut counts, more] = counts;
            counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
            image.look_up(&tabulate(&counts));
        }
        Pixels::Color(pixels) => {
            let mut counts = [[[0u32; 256]; 3]; 2];
            for pair in pixels.chunks(2) {
                for (counts, pixel) in counts.iter_mut().zip(pair) {
                    for (counts, &value) in counts.iter_mut().zip(pixel) {
                        counts[usize::from(value)] += 1;
                    }
                }
            }
            let [mut counts, more] = counts;
            let pairs = counts.as_flattened_mut().iter_mut().zip(more.as_flattened());
            pairs.for_each(|(count, more)| *count += more);
            let tables = counts.each_ref().map(tabulate);
            for pixel in pixels {
                for (value, table) in pixel.iter_mut().zip(&tables) {
                    *value = table[usize::from(*value)];
                }
            }
        }
    }
}
