//! The forward pass and the gradient of the input: windows that slide along rows.

use std::ops::Range;

use super::ahead::Ahead;
use super::axis::Axis;
use super::plan::{Blocks, DepthwisePlan};
use crate::Isa;
use crate::parallel::{Shared, for_each, part};
use crate::simd::{Kernel, LANES, Simd};

/// Bytes that one item of parallel work writes, about.
const ITEM: usize = 256 << 10;

/// What is read and written.
pub(super) struct Slices<'a> {
    /// The plan's packed weights.
    pub(super) packed: &'a [f32],
    /// `[n, read[0], read[1], c]`.
    pub(super) x: &'a [f32],
    /// `[n, written[0], written[1], c]`.
    pub(super) y: &'a mut [f32],
}

/// Computes all rows of all images.
pub(super) fn rows(isa: Isa, plan: &DepthwisePlan, slices: Slices) {
    let Slices { packed, x, y } = slices;
    let row_len = plan.written[1] * plan.blocks.channels;
    if y.is_empty() {
        return;
    }
    let rows = y.len() / row_len;
    let items = (size_of_val(y) / ITEM).clamp(1, rows);
    let offsets = plan.offsets();
    let y = Shared::new(y);
    for_each(items, |item| {
        let rows = part(rows, items, item);
        // SAFETY: items have no row in common.
        let y = unsafe { y.part(rows.start * row_len..rows.end * row_len) };
        isa.run(SlidePart { plan, offsets: &offsets, packed, x, rows, y });
    });
}

/// Some rows, counted through all images.
struct SlidePart<'a> {
    plan: &'a DepthwisePlan,
    offsets: &'a [usize],
    packed: &'a [f32],
    x: &'a [f32],
    rows: Range<usize>,
    /// Those rows only.
    y: &'a mut [f32],
}

impl Kernel for SlidePart<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { plan, offsets, packed, x, rows, y } = self;
        let [height, width] = plan.written;
        let channels = plan.blocks.channels;
        let image_len = plan.read[0] * plan.read[1] * channels;
        let [row_axes, column_axes] = &plan.axes;
        let groups = plan.blocks.groups(plan.vectors);
        let mut next = rows.start;
        while next < rows.end {
            let image = next / height;
            let end = rows.end.min((image + 1) * height);
            for group in 0..groups {
                let blocks = plan.blocks.group(groups, group);
                for row in next..end {
                    let i = row - image * height;
                    let (phase, u) = (i % row_axes.len(), i / row_axes.len());
                    let axis = &row_axes[phase];
                    let inside = axis.inside(u);
                    let first = axis.start(u) + (inside.start * axis.dilation) as isize;
                    let row_len = plan.read[1] * channels;
                    for (column, columns) in column_axes.iter().enumerate() {
                        let pair = phase * column_axes.len() + column;
                        let tap = inside.start * columns.taps * LANES;
                        // SAFETY: the instruction set is the caller's. The packed weights and the
                        // rows of y are as long as the plan says; of x, rows that are inside are
                        // read and, in them, columns that are inside.
                        unsafe {
                            let x = x.as_ptr().add(image * image_len);
                            let line = SlideLine {
                                x: x.wrapping_offset(first * row_len as isize),
                                x_row: axis.dilation * row_len,
                                ahead: Ahead::new(x, row_len, axis, u),
                                rows: inside.len(),
                                packed: packed.as_ptr().add(offsets[pair]),
                                block: DepthwisePlan::block_len(axis, columns),
                                tap,
                                y: y.as_mut_ptr().add((row - rows.start) * width * channels),
                                y_row: width * channels,
                                all: plan.blocks,
                                bounds: plan.bounds,
                            };
                            columns_of::<S>(&line, columns, blocks.clone());
                        }
                    }
                }
            }
            next = end;
        }
    }
}

/// One written row.
struct SlideLine {
    /// The first row of the taps that are inside.
    x: *const f32,
    /// Floats from one row of taps to the next.
    x_row: usize,
    ahead: Ahead,
    /// How many rows of taps are inside.
    rows: usize,
    /// The first block's weights.
    packed: *const f32,
    /// Floats of a block.
    block: usize,
    /// Where the first tap that is inside stands among the taps of a block.
    tap: usize,
    y: *mut f32,
    /// Floats from one row of y to the next.
    y_row: usize,
    all: Blocks,
    bounds: (f32, f32),
}

/// All written columns of one axis, in the way that suits the axis.
///
/// # Safety
/// As for [`slide`].
#[inline(always)]
unsafe fn columns_of<S: Simd>(line: &SlideLine, axis: &Axis, blocks: Range<usize>) {
    // SAFETY: the caller's.
    unsafe {
        if line.all.partial() {
            return any::<S, true>(line, axis, blocks);
        }
        match (axis.taps, axis.stride, axis.dilation) {
            (1, 1, _) => slide::<S, 1, 1>(line, axis, blocks),
            (2, 1, 1) => slide::<S, 2, 1>(line, axis, blocks),
            (3, 1, 1) => slide::<S, 3, 1>(line, axis, blocks),
            (4, 1, 1) => slide::<S, 4, 1>(line, axis, blocks),
            (5, 1, 1) => slide::<S, 5, 1>(line, axis, blocks),
            (7, 1, 1) => slide::<S, 7, 1>(line, axis, blocks),
            (3, 2, 1) => slide::<S, 3, 2>(line, axis, blocks),
            (5, 2, 1) => slide::<S, 5, 2>(line, axis, blocks),
            (7, 2, 1) => slide::<S, 7, 2>(line, axis, blocks),
            _ => any::<S, false>(line, axis, blocks),
        }
    }
}

/// All written columns, a few at a time; where they do not come out even, some are computed twice.
///
/// # Safety
/// The CPU has the instruction set; rows of taps lie in the image; weights and y are as the axis
/// says.
#[inline(always)]
unsafe fn slide<S: Simd, const TAPS: usize, const STRIDE: usize>(
    line: &SlideLine,
    axis: &Axis,
    blocks: Range<usize>,
) {
    let count = axis.count;
    let mut u = 0;
    // SAFETY: the caller's; all columns are below the count.
    unsafe {
        while u < count {
            let rest = count - u;
            if S::PANELS > 1 && rest > 4 && count >= 8 {
                u = u.min(count - 8);
                tile::<S, 8, TAPS, STRIDE>(line, axis, blocks.clone(), u);
                u += 8;
            } else if rest > 2 && count >= 4 {
                u = u.min(count - 4);
                tile::<S, 4, TAPS, STRIDE>(line, axis, blocks.clone(), u);
                u += 4;
            } else if rest > 1 {
                tile::<S, 2, TAPS, STRIDE>(line, axis, blocks.clone(), u);
                u += 2;
            } else {
                tile::<S, 1, TAPS, STRIDE>(line, axis, blocks.clone(), u);
                u += 1;
            }
        }
    }
}

/// `T` columns from the `u`-th on.
///
/// # Safety
/// As for [`slide`].
#[inline(always)]
unsafe fn tile<S: Simd, const T: usize, const TAPS: usize, const STRIDE: usize>(
    line: &SlideLine,
    axis: &Axis,
    blocks: Range<usize>,
    u: usize,
) {
    let channels = line.all.channels;
    let start = axis.start(u);
    let mask = axis.mask(start, 1);
    let all = (1u32 << ((T - 1) * STRIDE + TAPS)) - 1;
    let x = line.x.wrapping_offset(start * channels as isize);
    let y_column = axis.step * channels;
    // SAFETY: the caller's; columns of x outside are masked.
    unsafe {
        let y = line.y.add((axis.first + axis.step * u) * channels);
        let mut block = blocks.start;
        while block < blocks.end {
            let c = line.all.start(block);
            let at = SlideStep {
                x: x.wrapping_add(c),
                mask,
                weights: line.packed.add(block * line.block),
                y: y.add(c),
                y_column,
            };
            let from = start * channels as isize + c as isize;
            let mut column = 0;
            while column < STRIDE {
                line.ahead.read::<S, T>(from + (column * T * channels) as isize, channels);
                column += 1;
            }
            // What is seldom the inner part of a row does not get code of its own.
            if T >= 4 && mask & all == all {
                step::<S, T, TAPS, STRIDE, false>(line, at);
            } else {
                step::<S, T, TAPS, STRIDE, true>(line, at);
            }
            block += 1;
        }
    }
}

/// Where a step reads and writes.
#[derive(Clone, Copy)]
struct SlideStep {
    /// The first column of the first row of taps; may lie outside.
    x: *const f32,
    /// Which columns from there on are inside.
    mask: u32,
    weights: *const f32,
    y: *mut f32,
    y_column: usize,
}

/// `T` columns of sixteen channels.
///
/// # Safety
/// As for [`slide`].
#[inline(always)]
#[allow(unused_assignments)] // the last step of x, unrolled, is for nobody
unsafe fn step<
    S: Simd,
    const T: usize,
    const TAPS: usize,
    const STRIDE: usize,
    const EDGE: bool,
>(
    line: &SlideLine,
    at: SlideStep,
) {
    let channels = line.all.channels;
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [S::load(at.weights); T];
        let mut weights = at.weights.add(LANES + line.tap);
        let mut row = at.x;
        let mut left = line.rows;
        while left > 0 {
            let mut taps = [S::splat(0.0); TAPS];
            unroll!(q in few TAPS => { taps[q] = S::load(weights.add(q * LANES)); });
            let mut x = row;
            unroll!(j in (T - 1) * STRIDE + TAPS => {
                if !EDGE || at.mask & (1 << j) != 0 {
                    let x = S::load(x);
                    unroll!(q in few TAPS => {
                        if j >= q && (j - q).is_multiple_of(STRIDE) && (j - q) / STRIDE < T {
                            let t = (j - q) / STRIDE;
                            sums[t] = S::fma(x, taps[q], sums[t]);
                        }
                    });
                }
                x = x.wrapping_add(channels);
            });
            weights = weights.add(TAPS * LANES);
            row = row.wrapping_add(line.x_row);
            left -= 1;
        }
        let (low, high) = (S::splat(line.bounds.0), S::splat(line.bounds.1));
        unroll!(t in few T => {
            let y = at.y.add(t * at.y_column);
            S::store(y, S::min(high, S::max(low, sums[t])));
            S::prefetch_write(y.wrapping_add(line.y_row));
        });
    }
}

/// All written columns, one at a time, for any axis; `PARTIAL` where there are fewer than sixteen
/// channels.
///
/// # Safety
/// As for [`slide`].
#[inline(always)]
unsafe fn any<S: Simd, const PARTIAL: bool>(line: &SlideLine, axis: &Axis, blocks: Range<usize>) {
    let channels = line.all.channels;
    let mut u = 0;
    // SAFETY: the caller's; taps outside are left out.
    unsafe {
        let (low, high) = (S::splat(line.bounds.0), S::splat(line.bounds.1));
        while u < axis.count {
            let inside = axis.inside(u);
            let start = axis.start(u) + (inside.start * axis.dilation) as isize;
            let mut block = blocks.start;
            while block < blocks.end {
                let c = line.all.start(block);
                let mut row = line.x.wrapping_offset(start * channels as isize).wrapping_add(c);
                let mut weights = line.packed.add(block * line.block);
                let mut sum = S::load(weights);
                weights = weights.add(LANES + line.tap + inside.start * LANES);
                let mut left = line.rows;
                while left > 0 {
                    let mut x = row;
                    let mut q = 0;
                    while q < inside.len() {
                        let value = if PARTIAL { S::load_first(x, channels) } else { S::load(x) };
                        sum = S::fma(value, S::load(weights.add(q * LANES)), sum);
                        x = x.wrapping_add(axis.dilation * channels);
                        q += 1;
                    }
                    weights = weights.add(axis.taps * LANES);
                    row = row.wrapping_add(line.x_row);
                    left -= 1;
                }
                let y = line.y.add((axis.first + axis.step * u) * channels + c);
                let sum = S::min(high, S::max(low, sum));
                if PARTIAL {
                    S::store_first(y, sum, channels);
                } else {
                    S::store(y, sum);
                }
                block += 1;
            }
            u += 1;
        }
    }
}
