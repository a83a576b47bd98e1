//! The two passes. Whole numbers: every order of summation gives the same.

use super::filter::{BITS, Windows};
use crate::simd::{Kernel, Simd};

/// One half, before the bits after the point are cut off.
const HALF: i32 = 1 << (BITS - 1);

#[inline(always)]
fn byte(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

/// Along the rows: `source` is `[rows, from, C]`, `target` `[rows, to, C]`.
pub(super) struct Rows<'a> {
    pub(super) windows: &'a Windows,
    pub(super) channels: usize,
    pub(super) source: &'a [u8],
    pub(super) target: &'a mut [u8],
    pub(super) row: &'a mut Vec<u8>,
}

impl Kernel for Rows<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Rows { windows, channels, source, target, row } = self;
        let to = windows.len() * channels;
        let rows = target.len() / to;
        let from = source.len() / rows;
        row.resize(from + 1, 0);
        for (source, target) in source.chunks_exact(from).zip(target.chunks_exact_mut(to)) {
            if channels == 1 {
                for (result, target) in target.iter_mut().enumerate() {
                    let (first, weights) = windows.get(result);
                    let mut sum = HALF;
                    for (&pixel, &weight) in source[first..].iter().zip(weights) {
                        sum += i32::from(pixel) * weight;
                    }
                    *target = byte(sum);
                }
                continue;
            }
            row[..from].copy_from_slice(source);
            for (result, target) in target.chunks_exact_mut(3).enumerate() {
                let (first, weights) = windows.get(result);
                // A pixel and the byte after it, as four lanes of which three count.
                let mut sums = [HALF; 4];
                let mut at = first * 3;
                for &weight in weights {
                    let pixel: &[u8; 4] = row[at..at + 4].first_chunk().unwrap_or(&[0; 4]);
                    for (sum, &value) in sums.iter_mut().zip(pixel) {
                        *sum = sum.wrapping_add(i32::from(value).wrapping_mul(weight));
                    }
                    at += 3;
                }
                target.copy_from_slice(&[byte(sums[0]), byte(sums[1]), byte(sums[2])]);
            }
        }
    }
}

/// Along the columns: `source` is `[from, width]` without its first `skip` rows, `target` `[to, width]`.
pub(super) struct Columns<'a> {
    pub(super) windows: Windows,
    pub(super) skip: usize,
    pub(super) source: &'a [u8],
    pub(super) target: &'a mut [u8],
    pub(super) width: usize,
}

/// Sums that are kept in registers while a window's rows pass.
const ACROSS: usize = 64;

impl Kernel for Columns<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Columns { windows, skip, source, target, width } = self;
        for (result, target) in target.chunks_exact_mut(width).enumerate() {
            let (first, weights) = windows.get(result);
            let rows = &source[(first - skip) * width..][..weights.len() * width];
            let mut blocks = target.chunks_exact_mut(ACROSS);
            let mut at = 0;
            for target in &mut blocks {
                let mut sums = [HALF; ACROSS];
                for (row, &weight) in rows.chunks_exact(width).zip(weights) {
                    for (sum, &value) in sums.iter_mut().zip(&row[at..at + ACROSS]) {
                        *sum += i32::from(value) * weight;
                    }
                }
                for (target, sum) in target.iter_mut().zip(sums) {
                    *target = byte(sum);
                }
                at += ACROSS;
            }
            for (column, target) in (at..).zip(blocks.into_remainder()) {
                let mut sum = HALF;
                for (row, &weight) in rows.chunks_exact(width).zip(weights) {
                    sum += i32::from(row[column]) * weight;
                }
                *target = byte(sum);
            }
        }
    }
}
