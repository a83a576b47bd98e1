//! Brightness, contrast, saturation and hue.

use super::{Image, fma, table};

/// Multiplies all values: 0 is black, 1 the image as it is.
///
/// # Panics
/// If the factor is negative.
pub fn adjust_brightness(image: &mut Image, factor: f64) {
    assert!(factor >= 0.0, "a brightness factor is negative");
    image.look_up(&table(|value| (value * factor as f32).clamp(0.0, 255.0)));
}

/// Blends with the mean of the image's gray levels: 0 is that gray, 1 the image as it is, more goes
/// beyond it.
///
/// # Panics
/// If the factor is negative.
pub fn adjust_contrast(image: &mut Image, factor: f64) {
    assert!(factor >= 0.0, "a contrast factor is negative");
    let sum: u64 = if image.channels == 1 {
        image.data.iter().map(|&value| u64::from(value)).sum()
    } else {
        let gray = Gray::new();
        image.data.chunks_exact(3).map(|pixel| u64::from(gray.level(pixel))).sum()
    };
    let mean = sum as f32 / (image.size[0] * image.size[1]) as f32;
    image.look_up(&table(|value| blend(value, mean, factor)));
}

/// Blends each pixel with its gray level: 0 is gray, 1 the image as it is, more goes beyond it. An
/// image of one channel stays as it is.
///
/// # Panics
/// If the factor is negative.
pub fn adjust_saturation(image: &mut Image, factor: f64) {
    assert!(factor >= 0.0, "a saturation factor is negative");
    if image.channels == 1 {
        return;
    }
    let gray = Gray::new();
    let (own, other) = (factor as f32, (1.0 - factor) as f32);
    for pixel in image.data.chunks_exact_mut(3) {
        let level = f32::from(gray.level(pixel));
        for value in pixel {
            let blend = fma(level, other, f32::from(*value) * own);
            *value = blend as u8;
        }
    }
}

/// `value * factor + other * (1 - factor)`, within the range of values.
fn blend(value: f32, other: f32, factor: f64) -> f32 {
    fma(other, (1.0 - factor) as f32, value * factor as f32).clamp(0.0, 255.0)
}

/// Gives all three channels the gray level of their pixel, 0.2989 red + 0.587 green + 0.114 blue,
/// cut to a whole number. An image of one channel stays as it is.
pub fn rgb_to_grayscale(image: &mut Image) {
    if image.channels == 1 {
        return;
    }
    let gray = Gray::new();
    for pixel in image.data.chunks_exact_mut(3) {
        pixel.fill(gray.level(pixel));
    }
}

/// What each value adds to a gray level. The products of green and blue are exact.
struct Gray {
    red: [f64; 256],
    green: [f64; 256],
    blue: [f64; 256],
}

impl Gray {
    fn new() -> Self {
        let exact = |weight: f32| std::array::from_fn(|value| value as f64 * f64::from(weight));
        Self {
            red: std::array::from_fn(|value| f64::from(value as f32 * 0.2989)),
            green: exact(0.587),
            blue: exact(0.114),
        }
    }

    /// The gray level of a pixel: two fused multiply-adds.
    #[inline(always)]
    fn level(&self, pixel: &[u8]) -> u8 {
        let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(usize::from);
        let sum = (self.red[red] + self.green[green]) as f32;
        (f64::from(sum) + self.blue[blue]) as f32 as u8
    }
}

/// Pixels whose hue is shifted at a time, each channel in an array of its own.
const PIXELS: usize = 32;

/// Shifts the hue by a share of the full circle: 0 changes nothing, 0.5 and -0.5 give the
/// complementary colors. An image of one channel stays as it is.
///
/// # Panics
/// If the factor is not between -0.5 and 0.5.
pub fn adjust_hue(image: &mut Image, factor: f64) {
    assert!((-0.5..=0.5).contains(&factor), "a hue factor is not between -0.5 and 0.5");
    if image.channels == 1 {
        return;
    }
    let mut planes = [[0.0; PIXELS]; 3];
    for pixels in image.data.chunks_mut(PIXELS * 3) {
        for (i, pixel) in pixels.chunks_exact(3).enumerate() {
            for (plane, &value) in planes.iter_mut().zip(pixel) {
                plane[i] = f32::from(value);
            }
        }
        shift_hue(&mut planes, factor as f32);
        for (i, pixel) in pixels.chunks_exact_mut(3).enumerate() {
            for (plane, value) in planes.iter().zip(pixel) {
                *value = plane[i] as i32 as u8;
            }
        }
    }
}

/// To hue, saturation and value, along the hue, and back; levels before and after.
///
/// The ways there and back are those of `colorsys` in Python, in PIL's order of operations. What
/// comes back is 0 to 1 but for the last bits, which 255.999 does not carry into another level.
fn shift_hue(planes: &mut [[f32; PIXELS]; 3], shift: f32) {
    let [reds, greens, blues] = planes;
    for ((red, green), blue) in reds.iter_mut().zip(greens).zip(blues) {
        let [r, g, b] = [*red, *green, *blue].map(|level| level * (1.0 / 255.0));
        let (most, least) = (r.max(g).max(b), r.min(g).min(b));
        let range = most - least;
        // With all channels equal the range is 0, and the hue does not matter.
        let by = if range == 0.0 { 1.0 } else { range };
        let s = range / if range == 0.0 { 1.0 } else { most };
        let (is_red, is_green) = (most == r, most == g);
        let sector = if is_red {
            0.0
        } else if is_green {
            2.0
        } else {
            4.0
        };
        let plus = if is_red {
            b
        } else if is_green {
            r
        } else {
            g
        };
        let minus = if is_red {
            g
        } else if is_green {
            b
        } else {
            r
        };
        let hue = (most - plus) / by + sector - (most - minus) / by;
        let hue = hue * (1.0 / 6.0) + 1.0;
        let hue = (if hue >= 1.0 { hue - 1.0 } else { hue }) + shift;
        let hue = if hue >= 1.0 {
            hue - 1.0
        } else if hue < 0.0 {
            hue + 1.0
        } else {
            hue
        };

        let sixth = hue * 6.0;
        let from = |edge: f32| if sixth >= edge { 1.0 } else { 0.0 };
        let whole = from(1.0) + from(2.0) + from(3.0) + from(4.0) + from(5.0) + from(6.0);
        let part = s * (sixth - whole);
        let falling = (1.0 - part) * most;
        let rising = (part + (1.0 - s)) * most;
        let low = (1.0 - s) * most;
        // The sixths: red to yellow, to green, to cyan, to blue, to magenta, and back to red.
        let pick = |sixths: [f32; 6]| {
            let mut value = sixths[0];
            for (i, &other) in (1..).zip(&sixths[1..]) {
                value = if whole == i as f32 { other } else { value };
            }
            value * 255.999
        };
        *red = pick([most, falling, low, low, rising, most]);
        *green = pick([rising, most, most, falling, low, low]);
        *blue = pick([low, low, rising, most, most, falling]);
    }
}
