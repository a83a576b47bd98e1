//! What color is between the pixels, and beyond them.

use super::{Image, fma, round};

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
pub(super) struct Source<'a> {
    /// `[H + 2 * BORDER, W + 2 * BORDER]`.
    pixels: &'a [[u8; 4]],
    size: [usize; 2],
}

impl<'a> Source<'a> {
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

    /// The mean of the four pixels around a place.
    #[inline(always)]
    pub(super) fn bilinear(&self, y: f32, x: f32) -> [f32; 4] {
        let [height, width] = self.size.map(|side| side as f32);
        let ((top, south), (left, east)) = (split(within(y, height)), split(within(x, width)));
        let (north, west) = (1.0 - south, 1.0 - east);
        let at = self.index(top, left);
        let below = at + self.size[1] + 2 * BORDER;
        let upper = &self.pixels[at..at + 2];
        let lower = &self.pixels[below..below + 2];
        let weights = [west * north, east * north, west * south, east * south];
        let corners = [upper[0], upper[1], lower[0], lower[1]].map(|pixel| pixel.map(f32::from));
        std::array::from_fn(|i| {
            let mut sum = corners[0][i] * weights[0];
            for corner in 1..4 {
                sum = fma(corners[corner][i], weights[corner], sum);
            }
            sum
        })
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
    let cut = x as i32;
    let whole = if cut as f32 > x { cut - 1 } else { cut };
    (whole, x - whole as f32)
}
