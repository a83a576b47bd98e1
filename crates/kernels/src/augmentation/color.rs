//! Brightness, contrast, saturation and hue.

use super::{Image, Pixels, cut, floor, fma, round, table};

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
    let sum: u64 = match image.pixels() {
        Pixels::Gray(values) => values.iter().map(|&value| u64::from(value)).sum(),
        Pixels::Color(pixels) => {
            let gray = Gray::new();
            pixels.iter().map(|&pixel| u64::from(gray.level(pixel))).sum()
        }
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
    let Pixels::Color(colors) = image.pixels() else { return };
    let gray = Gray::new();
    let (own, other) = (factor as f32, (1.0 - factor) as f32);
    let own: [f64; 256] = std::array::from_fn(|value| f64::from(value as f32 * own));
    let other: [f64; 256] = std::array::from_fn(|level| level as f64 * f64::from(other));
    let mut blends = [[0.0; 3]; BLOCK];
    for pixels in colors.chunks_mut(BLOCK) {
        for (pixel, blend) in pixels.iter().zip(&mut blends) {
            let other = other[usize::from(gray.level(*pixel))];
            *blend = pixel.map(|value| (own[usize::from(value)] + other) as f32);
        }
        let values = pixels.as_flattened_mut().iter_mut();
        for (value, &blend) in values.zip(blends.as_flattened()) {
            *value = cut(blend);
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
    let Pixels::Color(colors) = image.pixels() else { return };
    let gray = Gray::new();
    for pixel in colors {
        *pixel = [gray.level(*pixel); 3];
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
    fn level(&self, pixel: [u8; 3]) -> u8 {
        let [red, green, blue] = pixel.map(usize::from);
        let sum = (self.red[red] + self.green[green]) as f32;
        (f64::from(sum) + self.blue[blue]) as f32 as u8
    }
}

/// Pixels that are worked on at a time.
const BLOCK: usize = 64;

/// Shifts the hue by a share of the full circle: 0 changes nothing, 0.5 and -0.5 give the
/// complementary colors. An image of one channel stays as it is.
///
/// # Panics
/// If the factor is not between -0.5 and 0.5.
pub fn adjust_hue(image: &mut Image, factor: f64) {
    assert!((-0.5..=0.5).contains(&factor), "a hue factor is not between -0.5 and 0.5");
    let Pixels::Color(colors) = image.pixels() else { return };
    // Each channel by itself, so that the arithmetic runs on neighbours.
    let mut planes = [[0.0f32; BLOCK]; 3];
    let mut bytes = [[0u8; BLOCK]; 3];
    for pixels in colors.chunks_mut(BLOCK) {
        let [reds, greens, blues] = &mut bytes;
        for (pixel, ((r, g), b)) in pixels.iter().zip(reds.iter_mut().zip(greens).zip(blues)) {
            [*r, *g, *b] = *pixel;
        }
        for (level, &byte) in planes.as_flattened_mut().iter_mut().zip(bytes.as_flattened()) {
            *level = f32::from(byte);
        }
        // Two loops rather than one: both chains of operations are long, and a CPU works on as many
        // colors at once as it can see ahead.
        let [reds, greens, blues] = &mut planes;
        for ((a, b), c) in reds.iter_mut().zip(&mut *greens).zip(&mut *blues) {
            [*a, *b, *c] = rgb_to_hsv([*a, *b, *c]);
        }
        for ((a, b), c) in reds.iter_mut().zip(greens).zip(blues) {
            [*a, *b, *c] = hsv_to_rgb([turn(*a, factor as f32), *b, *c]);
        }
        for (byte, &level) in bytes.as_flattened_mut().iter_mut().zip(planes.as_flattened()) {
            *byte = cut(level);
        }
        let [reds, greens, blues] = &bytes;
        for (pixel, ((r, g), b)) in pixels.iter_mut().zip(reds.iter().zip(greens).zip(blues)) {
            *pixel = [*r, *g, *b];
        }
    }
}

/// Hue and saturation (0 to 1) and value of a color, as `colorsys` in Python has them, in PIL's
/// order of operations. Levels are 0 to 255 before and 0 to 1 after.
#[inline(always)]
fn rgb_to_hsv(color: [f32; 3]) -> [f32; 3] {
    let [r, g, b] = color.map(|level| level * (1.0 / 255.0));
    let (most, least) = (larger(larger(r, g), b), smaller(smaller(r, g), b));
    let range = most - least;
    // Of a gray pixel, the numerators are 0, and the hue does not matter.
    let saturation = range / larger(most, f32::MIN_POSITIVE);
    let by = larger(range, f32::MIN_POSITIVE);
    let (is_red, is_green) = (r >= most, g >= most);
    let third = first_of([is_red, is_green], [0.0, 2.0, 4.0]);
    let plus = first_of([is_red, is_green], [b, r, g]);
    let minus = first_of([is_red, is_green], [g, b, r]);
    let hue = (most - plus) / by + third - (most - minus) / by;
    let hue = hue * (1.0 / 6.0) + 1.0;
    [hue - unit(hue >= 1.0), saturation, most]
}

/// The way back. What is above 1 by its last bits, 255.999 does not carry to another level.
#[inline(always)]
fn hsv_to_rgb([hue, saturation, value]: [f32; 3]) -> [f32; 3] {
    // The sixths: from red to yellow, to green, to cyan, to blue, to magenta, and back to red. Where
    // two meet, both give the same.
    let sixths = hue * 6.0;
    let whole = floor(sixths);
    let part = saturation * (sixths - whole);
    let falling = (1.0 - part) * value;
    let rising = (part + (1.0 - saturation)) * value;
    let low = (1.0 - saturation) * value;
    let odd = (round(whole * 0.5) - whole * 0.5).abs();
    let between = if odd > 0.0 { falling } else { rising };
    let [from_cyan, from_green, from_blue] = [3.0, 2.0, 4.0].map(|place| (sixths - place).abs());
    let red = first_of([from_cyan >= 2.0, from_cyan > 1.0], [value, between, low]);
    let green = first_of([from_green <= 1.0, from_green < 2.0], [value, between, low]);
    let blue = first_of([from_blue <= 1.0, from_blue < 2.0], [value, between, low]);
    [red, green, blue].map(|channel| channel * 255.999)
}

/// A hue further along the circle.
#[inline(always)]
fn turn(hue: f32, by: f32) -> f32 {
    let hue = hue + by;
    hue + unit(hue < 0.0) - unit(hue >= 1.0)
}

/// The value of the first condition that holds, or the last.
#[inline(always)]
fn first_of(conditions: [bool; 2], [a, b, c]: [f32; 3]) -> f32 {
    let otherwise = if conditions[1] { b } else { c };
    if conditions[0] { a } else { otherwise }
}

#[inline(always)]
fn unit(yes: bool) -> f32 {
    if yes { 1.0 } else { 0.0 }
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[inline(always)]
fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}
