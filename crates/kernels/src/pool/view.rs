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

/// The windows that see one row or column of pixels, for one after the other.
struct Line {
    /// The row or column, counted from the padding's edge.
    at: usize,
    /// Windows there are.
    count: usize,
    /// Those that see it.
    seen_by: Range<usize>,
}

impl Line {
    /// For row or column `at` of an image with `count` windows along it.
    #[inline(always)]
    fn new(shape: &PoolShape, count: usize, at: usize) -> Self {
        let at = at + shape.padding;
        let first = (at + 1).saturating_sub(shape.kernel).div_ceil(shape.stride).min(count);
        Self { at, count, seen_by: first..(at / shape.stride + 1).min(count) }
    }

    /// Moves to the next row or column; there is no division in it.
    #[inline(always)]
    fn step(&mut self, shape: &PoolShape) {
        self.at += 1;
        let Range { start, end } = &mut self.seen_by;
        if *start < self.count && *start * shape.stride + shape.kernel <= self.at {
            *start += 1;
        }
        if *end < self.count && *end * shape.stride <= self.at {
            *end += 1;
        }
    }

    /// Its place in the first of the windows; 0 where there is none.
    #[inline(always)]
    fn place(&self, shape: &PoolShape) -> usize {
        self.at.saturating_sub(self.seen_by.start * shape.stride)
    }
}

/// The windows that see the pixels of one row, for one pixel after the other.
pub(super) struct Seers<'a> {
    shape: &'a PoolShape,
    /// Windows of the images before, and of the rows of windows before those that see the row.
    before: usize,
    row: Line,
    column: Line,
}

/// The windows that see one pixel.
pub(super) struct PixelWindows {
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
        let [oh, ow] = shape.output();
        let image = row / shape.input[0];
        let row = Line::new(shape, oh, row % shape.input[0]);
        let before = (image * oh + row.seen_by.start) * ow;
        Self { shape, before, row, column: Line::new(shape, ow, 0) }
    }

    /// The windows that see the next pixel of the row.
    #[inline(always)]
    pub fn of_next(&mut self) -> PixelWindows {
        let Self { shape, before, row, column } = self;
        let windows = PixelWindows {
            first: *before + column.seen_by.start,
            size: [row.seen_by.len(), column.seen_by.len()],
            place: row.place(shape) * shape.kernel + column.place(shape),
        };
        column.step(shape);
        windows
    }
}
