//! What color is between the pixels, and beyond them.

use super::{Image, byte, floor, fma, round};

/// How a color between pixels is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// The nearest pixel's; of two equally near ones, that of the even row or column.
    Nearest,
    /// A mean of the four pixels around, by nearness.
    Bilinear,
}

/// How an image is read between its pixels and beyond them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// Between pixels.
    pub interpolation: Interpolation,
    /// The color beyond them (of an image of one channel, the first), by default black. A bilinear
    /// color at the border is mixed with black first and then with this one, as torchvision does.
    pub fill: Option<[u8; 3]>,
}

/// Pixels around an image, so that nothing that is read lies outside.
const BORDER: usize = 2;

/// A copy of an image, four bytes to a pixel and with a border.
pub(super) struct BorderedImage<'a> {
    /// `[H + 2 * BORDER, W + 2 * BORDER]`.
    pixels: &'a [[u8; 4]],
    size: [usize; 2],
}

impl<'a> BorderedImage<'a> {
    /// Copies `image`. The fourth byte says whether a pixel lies inside, 1 or 0.
    pub(super) fn new(image: &Image, border: [u8; 3], pixels: &'a mut Vec<[u8; 4]>) -> Self {
        let [height, width] = image.size;
        let wide = width + 2 * BORDER;
        pixels.clear();
        pixels.resize((height + 2 * BORDER) * wide, [border[0], border[1], border[2], 0]);
        let rows = pixels.chunks_exact_mut(wide).skip(BORDER);
        for (row, source) in rows.zip(image.data.chunks_exact(image.stride())) {
            let row = &mut row[BORDER..BORDER + width];
            if image.channels == 1 {
                row.iter_mut().zip(source).for_each(|(pixel, &v)| *pixel = [v, 0, 0, 1]);
            } else {
                let source = source.chunks_exact(3);
                row.iter_mut().zip(source).for_each(|(pixel, v)| *pixel = [v[0], v[1], v[2], 1]);
            }
        }
        Self { pixels, size: image.size }
    }

    /// Where a pixel lies in the copy, given its row and column in the image, at least -2.
    #[inline(always)]
    fn index(&self, y: i32, x: i32) -> usize {
        let (row, column) = ((y + BORDER as i32) as usize, (x + BORDER as i32) as usize);
        row * (self.size[1] + 2 * BORDER) + column
    }

    /// The pixel nearest to a place, the center of the first pixel being 0, 0.
    #[inline(always)]
    pub(super) fn nearest(&self, y: f32, x: f32) -> [u8; 4] {
        let [height, width] = self.size.map(|side| side as f32);
        let (y, x) = (round(within(y, height)), round(within(x, width)));
        self.pixels[self.index(y as i32, x as i32)]
    }

    /// The four pixels around a place and their weights.
    #[inline(always)]
    pub(super) fn around(&self, y: f32, x: f32) -> FourPixels {
        let [height, width] = self.size.map(|side| side as f32);
        let ((top, south), (left, east)) = (split(within(y, height)), split(within(x, width)));
        let (north, west) = (1.0 - south, 1.0 - east);
        let at = self.index(top, left);
        let below = at + self.size[1] + 2 * BORDER;
        let (upper, lower) = (&self.pixels[at..at + 2], &self.pixels[below..below + 2]);
        FourPixels {
            corners: [upper[0], upper[1], lower[0], lower[1]].map(|pixel| pixel.map(f32::from)),
            weights: [west * north, east * north, west * south, east * south],
        }
    }
}

/// Four pixels and their weights.
pub(super) struct FourPixels {
    corners: [[f32; 4]; 4],
    weights: [f32; 4],
}

impl FourPixels {
    /// The bilinear color, mixed with that beyond the image if there is one.
    #[inline(always)]
    pub(super) fn color(&self, fill: Option<[f32; 4]>) -> [u8; 4] {
        let quick = self.mean(fill, |a, b, c| a * b + c);
        let rounded = quick.map(round);
        let mut clear = true;
        for (exact, rounded) in quick.iter().zip(rounded) {
            clear &= (exact - rounded).abs() < 0.499;
        }
        if clear { rounded.map(byte) } else { self.close(fill) }
    }

    /// The color where a value is so near to a half that the last bits decide.
    #[cold]
    #[inline(never)]
    fn close(&self, fill: Option<[f32; 4]>) -> [u8; 4] {
        self.mean(fill, fma).map(|value| byte(round(value)))
    }

    /// The weighted mean, with a way to compute `a * b + c`.
    #[inline(always)]
    fn mean(&self, fill: Option<[f32; 4]>, add: impl Fn(f32, f32, f32) -> f32) -> [f32; 4] {
        let mut sum = self.corners[0].map(|value| value * self.weights[0]);
        for (corner, &weight) in self.corners.iter().zip(&self.weights).skip(1) {
            for (sum, &value) in sum.iter_mut().zip(corner) {
                *sum = add(value, weight, *sum);
            }
        }
        let Some(fill) = fill else { return sum };
        let inside = sum[3];
        for (sum, fill) in sum.iter_mut().zip(fill) {
            *sum = (*sum - fill) * inside + fill;
        }
        sum
    }
}

/// A coordinate moved so near to the image that the border holds what is there.
#[inline(always)]
fn within(x: f32, side: f32) -> f32 {
    let x = if x > -2.0 { x } else { -2.0 };
    if x < side { x } else { side }
}

/// The whole number below and what is above it.
#[inline(always)]
fn split(x: f32) -> (i32, f32) {
    let whole = floor(x);
    (whole as i32, x - whole)
}
