//! What the next row will touch is asked for while this row is computed.
//!
//! The hardware foresees a stream that is read line after line, but not one that is read in steps
//! of several columns for each sixteen channels: without this, half the bandwidth is lost.

use super::axis::Axis;
use crate::simd::Simd;

/// The rows of the input that the next row of the output is the first to read.
#[derive(Clone, Copy)]
pub(super) struct Ahead {
    /// The first of them; may lie outside.
    row: *const f32,
    row_len: usize,
    rows: usize,
}

impl Ahead {
    /// For the `u`-th position of the axis of rows; rows of `image` have `row_len` floats.
    #[inline(always)]
    pub(super) fn new(image: *const f32, row_len: usize, axis: &Axis, u: usize) -> Self {
        let reach = (axis.taps.max(1) - 1) * axis.dilation + 1;
        let first = axis.start(u) + reach as isize;
        let row = image.wrapping_offset(first * row_len as isize);
        // Beyond a stride of two, little of what is skipped would be used.
        Self { row, row_len, rows: axis.stride.min(2) }
    }

    /// Asks for `COLUMNS` columns, `apart` floats from each other, from float `at` of the row on.
    ///
    /// # Safety
    /// The CPU has the instruction set.
    #[inline(always)]
    pub(super) unsafe fn read<S: Simd, const COLUMNS: usize>(self, at: isize, apart: usize) {
        let mut row = self.row.wrapping_offset(at);
        let mut left = self.rows;
        while left > 0 {
            let mut p = row;
            let mut column = 0;
            while column < COLUMNS {
                // SAFETY: the instruction set is the caller's; any address may be asked for.
                unsafe { S::prefetch(p) };
                p = p.wrapping_add(apart);
                column += 1;
            }
            row = row.wrapping_add(self.row_len);
            left -= 1;
        }
    }
}
