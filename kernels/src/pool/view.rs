//! What a window sees of an image, and which windows see a pixel.

use std::ops::Range;

use super::PoolShape;
use crate::parallel::{Shared, for_each};

/// Floats of the rows that one item writes, about.
const PART: usize = 8 * 1024;

/// Splits `out`, rows of `row_len` floats over all images, into items of whole rows, and runs
/// `work` on each with the number of its first row.
pub(super) fn for_each_rows(
    row_len: usize,
    out: &mut [f32],
    work: impl Fn(usize, &mut [f32]) + Sync + Send,
) {
    let rows = out.len() / row_len;
    let step = (PART / row_len).max(1);
    let out = Shared::new(out);
    for_each(rows.div_ceil(step), |i| {
        let first = i * step;
        // SAFETY: items have no row in common.
        work(first, unsafe { out.part(first * row_len..rows.min(first + step) * row_len) });
    });
}

/// What one row of windows sees of the images.
pub(super) struct Band<'a> {
    shape: &'a PoolShape,
    /// The first pixel of its first row, counted over all images.
    first: usize,
    /// The window's rows that lie in the image.
    rows: Range<usize>,
}

/// What one window sees.
pub(super) struct View {
    /// Its first pixel, counted over all images.
    pub first: usize,
    /// Rows and columns.
    pub size: [usize; 2],
    /// Place in the window of the first pixel.
    pub place: usize,
}

impl<'a> Band<'a> {
    /// That of output row `row`, counted over all images.
    #[inline(always)]
    pub fn new(shape: &'a PoolShape, row: usize) -> Self {
        let oh = shape.output()[0];
        let (top, rows) = shape.window(row % oh, 0);
        Self { shape, first: (row / oh * shape.input[0] + top) * shape.input[1], rows }
    }

    /// That of output column `c`.
    #[inline(always)]
    pub fn view(&self, c: usize) -> View {
        let (left, columns) = self.shape.window(c, 1);
        View {
            first: self.first + left,
            size: [self.rows.len(), columns.len()],
            place: self.rows.start * self.shape.kernel + columns.start,
        }
    }
}

/// The rows of windows that see one row of pixels.
pub(super) struct Seers<'a> {
    shape: &'a PoolShape,
    columns: usize,
    /// The first window of the first such row, counted over all images.
    first: usize,
    /// How many such rows.
    rows: usize,
    /// The row of pixels, as a row of the first such window.
    place: usize,
}

/// The windows that see one pixel.
pub(super) struct Windows {
    /// The first, counted over all images.
    pub first: usize,
    /// Rows and columns of windows.
    pub size: [usize; 2],
    /// The pixel's place in the first.
    pub place: usize,
}

impl<'a> Seers<'a> {
    /// Those of input row `row`, counted over all images.
    #[inline(always)]
    pub fn new(shape: &'a PoolShape, row: usize) -> Self {
        let [oh, columns] = shape.output();
        let (image, row) = (row / shape.input[0], row % shape.input[0]);
        let windows = windows(shape, row, oh);
        Self {
            shape,
            columns,
            first: (image * oh + windows.start) * columns,
            rows: windows.len(),
            place: (row + shape.padding).saturating_sub(windows.start * shape.stride),
        }
    }

    /// Those of input column `c`.
    #[inline(always)]
    pub fn windows(&self, c: usize) -> Windows {
        let windows = windows(self.shape, c, self.columns);
        let place = (c + self.shape.padding).saturating_sub(windows.start * self.shape.stride);
        Windows {
            first: self.first + windows.start,
            size: [self.rows, windows.len()],
            place: self.place * self.shape.kernel + place,
        }
    }
}

/// The windows, of `count`, that see row or column `at` of an image: none, in a range that may be
/// backwards, where windows lie apart.
#[inline(always)]
fn windows(shape: &PoolShape, at: usize, count: usize) -> Range<usize> {
    let at = at + shape.padding;
    let first = (at + 1).saturating_sub(shape.kernel).div_ceil(shape.stride);
    first..(at / shape.stride + 1).min(count)
}
