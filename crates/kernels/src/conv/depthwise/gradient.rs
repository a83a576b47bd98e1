//! The gradient of the weights.

use std::ops::Range;

use super::ahead::Ahead;
use super::axis::Axis;
use super::plan::Blocks;
use crate::Isa;
use crate::conv::ConvShape;
use crate::parallel::{Shared, for_each, part, with_scratch};
use crate::simd::{Kernel, LANES, Simd};

/// The largest number of parts that are summed apart from each other.
const PARTS: usize = 64;

/// The gradient of the weights, from checked slices.
pub(super) fn weights(isa: Isa, shape: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    if dy.is_empty() || x.is_empty() {
        dw.fill(0.0);
        return;
    }
    let taps = shape.kernel[0] * shape.kernel[1];
    let blocks = Blocks { channels: shape.ci };
    let [oh, ow] = shape.output();
    let rows = shape.n * oh;
    // The sums of a part are small beside what it reads.
    let parts = (rows * ow / (8 * taps)).clamp(1, PARTS.min(rows));
    let len = blocks.count() * taps * LANES;
    let axes = [0, 1].map(|axis| Axis::forward(shape, axis));
    with_scratch(parts * len, |sums| {
        let shared = Shared::new(sums);
        for_each(parts, |index| {
            // SAFETY: each part has sums of its own.
            let sums = unsafe { shared.part(index * len..(index + 1) * len) };
            let rows = part(rows, parts, index);
            isa.run(GradientPart { shape, axes: &axes, blocks, x, dy, rows, sums });
        });
        let sums = &*sums;
        let dw = Shared::new(dw);
        for_each(blocks.count(), |block| {
            // The last block begins with channels that the one before has given already.
            let (start, first) = (blocks.start(block), block * LANES);
            let end = (first + LANES).min(shape.ci);
            // SAFETY: blocks have no channel `first..end` in common.
            let dw = unsafe { dw.part(first * taps..end * taps) };
            for (tap, channel) in (0..taps).flat_map(|tap| (first..end).map(move |c| (tap, c))) {
                let at = (block * taps + tap) * LANES + channel - start;
                let total = sums[at..].iter().step_by(len).fold(0.0, |total, sum| total + sum);
                dw[(channel - first) * taps + tap] = total;
            }
        });
    });
}

/// Some rows of the output, counted through all images.
struct GradientPart<'a> {
    shape: &'a ConvShape,
    axes: &'a [Axis; 2],
    blocks: Blocks,
    x: &'a [f32],
    dy: &'a [f32],
    rows: Range<usize>,
    /// For each block and tap: sixteen channels.
    sums: &'a mut [f32],
}

impl Kernel for GradientPart<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { shape, axes, blocks, x, dy, rows, sums } = self;
        sums.fill(0.0);
        let [row_axis, columns] = axes;
        let taps = row_axis.taps * columns.taps;
        let groups = blocks.groups(taps);
        let row_len = shape.input[1] * shape.ci;
        let mut next = rows.start;
        while next < rows.end {
            let image = next / row_axis.count;
            let end = rows.end.min((image + 1) * row_axis.count);
            for group in 0..groups {
                let range = blocks.group(groups, group);
                for row in next..end {
                    let u = row - image * row_axis.count;
                    let inside = row_axis.inside(u);
                    let first = row_axis.start(u) + (inside.start * row_axis.dilation) as isize;
                    // SAFETY: the instruction set is the caller's. The row of dy exists; of x, rows
                    // that are inside are read and, in them, columns that are inside; the sums have
                    // all blocks and taps.
                    unsafe {
                        let image = x.as_ptr().add(image * row_axis.len * row_len);
                        let line = GradientLine {
                            x: image.wrapping_offset(first * row_len as isize),
                            x_row: row_axis.dilation * row_len,
                            ahead: Ahead::new(image, row_len, row_axis, u),
                            rows: inside.len(),
                            dy: dy.as_ptr().add(row * columns.count * blocks.channels),
                            sums: sums.as_mut_ptr().add(inside.start * columns.taps * LANES),
                            block: taps * LANES,
                            all: blocks,
                            blocks: range.clone(),
                        };
                        all_taps::<S>(&line, columns);
                    }
                }
            }
            next = end;
        }
    }
}

/// One row of the output, with the rows of the input that it meets.
struct GradientLine {
    /// The first of those rows.
    x: *const f32,
    /// Floats from one row of taps to the next.
    x_row: usize,
    ahead: Ahead,
    rows: usize,
    dy: *const f32,
    /// The sums of the first block, from the first row of taps that is inside.
    sums: *mut f32,
    /// Floats of sums of one block.
    block: usize,
    all: Blocks,
    /// The blocks to do.
    blocks: Range<usize>,
}

/// Adds one row's share, up to four taps of a row at a time.
///
/// # Safety
/// As for [`slide`].
#[inline(always)]
unsafe fn all_taps<S: Simd>(line: &GradientLine, axis: &Axis) {
    let near = axis.dilation == 1;
    let mut tap = 0;
    // SAFETY: the caller's; `tap` and those after it are taps of the axis.
    unsafe {
        while tap < axis.taps {
            let few = (axis.taps - tap).min(4);
            tap += match (few, axis.stride) {
                _ if line.all.partial() => slide::<S, 1, 1, true>(line, axis, tap),
                (4, 1) if near => slide::<S, 4, 1, false>(line, axis, tap),
                (3, 1) if near => slide::<S, 3, 1, false>(line, axis, tap),
                (2, 1) if near => slide::<S, 2, 1, false>(line, axis, tap),
                (4, 2) if near => slide::<S, 4, 2, false>(line, axis, tap),
                (3, 2) if near => slide::<S, 3, 2, false>(line, axis, tap),
                (2, 2) if near => slide::<S, 2, 2, false>(line, axis, tap),
                _ => slide::<S, 1, 1, false>(line, axis, tap),
            };
        }
    }
}

/// Adds the share of all columns to `TAPS` taps from `tap` on, and answers how many those are. One
/// tap is for any stride and dilation; more are for this stride and no dilation.
///
/// # Safety
/// The CPU has the instruction set; the rows of x and dy lie in their images; the sums are as the
/// axis says.
#[inline(always)]
unsafe fn slide<S: Simd, const TAPS: usize, const STRIDE: usize, const PARTIAL: bool>(
    line: &GradientLine,
    axis: &Axis,
    tap: usize,
) -> usize {
    let count = axis.count;
    let mut u = 0;
    // SAFETY: the caller's; all columns are below the count.
    unsafe {
        while u < count {
            let rest = count - u;
            if S::PANELS > 1 && rest >= 8 {
                tile::<S, 8, TAPS, STRIDE, PARTIAL>(line, axis, tap, u);
                u += 8;
            } else if rest >= 4 {
                tile::<S, 4, TAPS, STRIDE, PARTIAL>(line, axis, tap, u);
                u += 4;
            } else if rest >= 2 {
                tile::<S, 2, TAPS, STRIDE, PARTIAL>(line, axis, tap, u);
                u += 2;
            } else {
                tile::<S, 1, TAPS, STRIDE, PARTIAL>(line, axis, tap, u);
                u += 1;
            }
        }
    }
    TAPS
}

/// `T` columns from the `u`-th on.
///
/// # Safety
/// As for [`slide`].
#[inline(always)]
unsafe fn tile<
    S: Simd,
    const T: usize,
    const TAPS: usize,
    const STRIDE: usize,
    const PARTIAL: bool,
>(
    line: &GradientLine,
    axis: &Axis,
    tap: usize,
    u: usize,
) {
    let channels = line.all.channels;
    let start = axis.start(u) + (tap * axis.dilation) as isize;
    let apart = if TAPS == 1 { axis.stride } else { 1 };
    let mask = axis.mask(start, apart);
    let all = (1u32 << ((T - 1) * STRIDE + TAPS)) - 1;
    let x = line.x.wrapping_offset(start * channels as isize);
    // SAFETY: the caller's; columns of x outside are masked.
    unsafe {
        let dy = line.dy.add(u * channels);
        let mut block = line.blocks.start;
        while block < line.blocks.end {
            let c = line.all.start(block);
            let at = GradientStep {
                x: x.wrapping_add(c),
                x_column: apart * channels,
                mask,
                dy: dy.add(c),
                sums: line.sums.add(block * line.block + tap * LANES),
                sums_row: axis.taps * LANES,
            };
            if tap == 0 {
                let from = start * channels as isize + c as isize;
                let mut column = 0;
                while column < apart.max(STRIDE) {
                    line.ahead.read::<S, T>(from + (column * T * channels) as isize, channels);
                    column += 1;
                }
                unroll!(t in few T => {
                    S::prefetch(at.dy.wrapping_add((axis.count + t) * channels));
                });
            }
            if T >= 4 && mask & all == all {
                step::<S, T, TAPS, STRIDE, false, PARTIAL>(line, at);
            } else {
                step::<S, T, TAPS, STRIDE, true, PARTIAL>(line, at);
            }
            block += 1;
        }
    }
}

/// Where a step reads and adds.
#[derive(Clone, Copy)]
struct GradientStep {
    /// The first column of the first row of taps; may lie outside.
    x: *const f32,
    x_column: usize,
    /// Which columns from there on are inside.
    mask: u32,
    dy: *const f32,
    sums: *mut f32,
    sums_row: usize,
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
    const PARTIAL: bool,
>(
    line: &GradientLine,
    at: GradientStep,
) {
    let channels = line.all.channels;
    // SAFETY: the caller's.
    unsafe {
        let mut gradients = [S::splat(0.0); T];
        unroll!(t in few T => {
            let dy = at.dy.add(t * channels);
            gradients[t] = if PARTIAL { S::load_first(dy, channels) } else { S::load(dy) };
        });
        let (mut sums_row, mut row) = (at.sums, at.x);
        let mut left = line.rows;
        while left > 0 {
            let mut sums = [S::splat(0.0); TAPS];
            unroll!(q in few TAPS => { sums[q] = S::load(sums_row.add(q * LANES)); });
            let mut x = row;
            unroll!(j in (T - 1) * STRIDE + TAPS => {
                if !EDGE || at.mask & (1 << j) != 0 {
                    let x = if PARTIAL { S::load_first(x, channels) } else { S::load(x) };
                    unroll!(q in few TAPS => {
                        if j >= q && (j - q).is_multiple_of(STRIDE) && (j - q) / STRIDE < T {
                            sums[q] = S::fma(x, gradients[(j - q) / STRIDE], sums[q]);
                        }
                    });
                }
                x = x.wrapping_add(at.x_column);
            });
            unroll!(q in few TAPS => { S::store(sums_row.add(q * LANES), sums[q]); });
            sums_row = sums_row.wrapping_add(at.sums_row);
            row = row.wrapping_add(line.x_row);
            left -= 1;
        }
    }
}
