//! The two passes. Whole numbers: every order of summation gives the same.

use super::filter::{BITS, FilterWindows};
use crate::simd::{Kernel, Simd};

/// One half, before the bits after the point are cut off.
const HALF: i32 = 1 << (BITS - 1);

/// Bytes that lie side by side and are summed together: their sums stay in registers while a
/// window passes. Pixels of one channel and of three fill it without a rest.
const ACROSS: usize = 48;

/// The sum of rows of `ACROSS` bytes, `stride` apart from the start of `source`, times the weights.
#[inline(always)]
fn weighed(source: &[u8], stride: usize, weights: &[i32]) -> [u8; ACROSS] {
    let (mut a, mut b, mut c) = ([HALF; 16], [HALF; 16], [HALF; 16]);
    for (row, &weight) in weights.iter().enumerate() {
        let Some(values) = source[row * stride..].first_chunk::<ACROSS>() else {
            unreachable!("a window leaves the image");
        };
        let [x, y, z] = values.as_chunks::<16>().0 else {
            unreachable!("{ACROSS} bytes are three times sixteen");
        };
        add(&mut a, x, weight);
        add(&mut b, y, weight);
        add(&mut c, z, weight);
    }
    let mut bytes = [0; ACROSS];
    for (bytes, sums) in bytes.as_chunks_mut::<16>().0.iter_mut().zip([a, b, c]) {
        for (byte, sum) in bytes.iter_mut().zip(sums) {
            *byte = rounded(sum);
        }
    }
    bytes
}

#[inline(always)]
fn add(sums: &mut [i32; 16], values: &[u8; 16], weight: i32) {
    for (sum, &value) in sums.iter_mut().zip(values) {
        *sum += i32::from(value) * weight;
    }
}

#[inline(always)]
fn rounded(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

/// Along the rows: `source` is `[rows, from, C]`, `target` `[rows, to, C]`.
///
/// Windows differ from pixel to pixel, so a vector holds one column's pixels of several rows: a
/// block of rows is turned over, weighed as columns are, and turned back.
pub(super) struct RowPass<'a> {
    pub(super) windows: &'a FilterWindows,
    pub(super) channels: usize,
    pub(super) source: &'a [u8],
    pub(super) target: &'a mut [u8],
    /// Memory to work in: a block's columns, `[from, rows, C]`, and its results, `[to, rows, C]`.
    pub(super) turned: &'a mut [Vec<u8>; 2],
}

impl Kernel for RowPass<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        match self.channels {
            1 => self.of::<1>(),
            3 => self.of::<3>(),
            channels => unreachable!("an image of {channels} channels"),
        }
    }
}

impl RowPass<'_> {
    #[inline(always)]
    fn of<const C: usize>(self) {
        let RowPass { windows, source, target, turned: [columns, results], .. } = self;
        let to = windows.len() * C;
        let from = source.len() / (target.len() / to);
        let used = windows.used();
        columns.resize(used.len() * ACROSS, 0);
        results.resize(windows.len() * ACROSS, 0);
        let height = ACROSS / C;
        for (source, target) in source.chunks(height * from).zip(target.chunks_mut(height * to)) {
            for (at, row) in source.chunks_exact(from).enumerate() {
                let pixels = row[used.start * C..used.end * C].as_chunks::<C>().0;
                for (column, pixel) in columns.as_chunks_mut::<ACROSS>().0.iter_mut().zip(pixels) {
                    column.as_chunks_mut::<C>().0[at] = *pixel;
                }
            }
            for (at, result) in results.as_chunks_mut::<ACROSS>().0.iter_mut().enumerate() {
                let (first, weights) = windows.get(at);
                *result = weighed(&columns[(first - used.start) * ACROSS..], ACROSS, weights);
            }
            for (at, row) in target.chunks_exact_mut(to).enumerate() {
                let pixels = row.as_chunks_mut::<C>().0;
                for (pixel, result) in pixels.iter_mut().zip(results.as_chunks::<ACROSS>().0) {
                    *pixel = result.as_chunks::<C>().0[at];
                }
            }
        }
    }
}

/// Along the columns: `source` is `[from, width]` without its first `skip` rows, `target` `[to, width]`.
pub(super) struct ColumnPass<'a> {
    pub(super) windows: FilterWindows,
    pub(super) skip: usize,
    pub(super) source: &'a [u8],
    pub(super) target: &'a mut [u8],
    pub(super) width: usize,
}

impl Kernel for ColumnPass<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let ColumnPass { windows, skip, source, target, width } = self;
        for (result, target) in target.chunks_exact_mut(width).enumerate() {
            let (first, weights) = windows.get(result);
            let rows = &source[(first - skip) * width..][..weights.len() * width];
            let whole = width / ACROSS * ACROSS;
            for at in (0..whole).step_by(ACROSS) {
                target[at..at + ACROSS].copy_from_slice(&weighed(&rows[at..], width, weights));
            }
            // The last block begins before the end of the one before it, where there is one.
            let Some(at) = width.checked_sub(ACROSS) else {
                for (column, target) in target.iter_mut().enumerate() {
                    let mut sum = HALF;
                    for (row, &weight) in rows.chunks_exact(width).zip(weights) {
                        sum += i32::from(row[column]) * weight;
                    }
                    *target = rounded(sum);
                }
                continue;
            };
            if whole < width {
                target[at..].copy_from_slice(&weighed(&rows[at..], width, weights));
            }
        }
    }
}
