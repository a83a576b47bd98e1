//! Sums over rows: mean, variance, and plain column sums.

use crate::Isa;
use crate::parallel::{Shared, for_each, with_scratch};
use crate::rows::{AddRows, Rows, Sum, add_rows, load, padded};
use crate::simd::{Kernel, LANES, Simd};

/// Mean and biased variance of each channel of `x` `[R, channels]`, in one pass over memory; zeros
/// where there is no row. Both are not finite where an input of the channel is not.
///
/// Each chunk of rows sums differences from the mean of its first eighth. Those rows being an
/// eighth of all, the square of the chunk's distance from that mean is at most eight variances: no
/// large mean and no odd first row can cost more than three bits. The first chunk's mean plays the
/// same part across chunks, in double precision.
///
/// # Panics
/// If there is no channel, or a length does not fit.
pub fn statistics(isa: Isa, x: &[f32], channels: usize, mean: &mut [f32], variance: &mut [f32]) {
    let matrix = Rows::new(x.len(), channels);
    assert_eq!(mean.len(), channels, "means");
    assert_eq!(variance.len(), channels, "variances");
    if matrix.count == 0 {
        mean.fill(0.0);
        variance.fill(0.0);
        return;
    }
    let stride = 3 * padded(channels);
    with_scratch(matrix.chunks() * stride, |partials| {
        let shared = Shared::new(partials);
        for_each(matrix.chunks(), |i| {
            // SAFETY: each chunk has partial sums of its own.
            let partial = unsafe { shared.part(i * stride..(i + 1) * stride) };
            let chunk = &x[matrix.chunk(i)];
            let (shift, sums) = partial.split_at_mut(padded(channels));
            let first = matrix.rows_of(i).div_ceil(8);
            isa.run(Sum { x: &chunk[..first * channels], channels, sums: shift });
            for shift in shift.iter_mut() {
                *shift *= 1.0 / first as f32;
            }
            isa.run(Moments { x: chunk, channels, shift, sums });
        });
        isa.run(Combine { matrix, partials, mean, variance });
    });
}

/// Sums of `x - shift` and of its square, per channel.
struct Moments<'a> {
    /// `[rows, channels]`
    x: &'a [f32],
    channels: usize,
    /// `[padded]`
    shift: &'a [f32],
    /// `[2, padded]`
    sums: &'a mut [f32],
}

impl AddRows for Moments<'_> {
    #[inline(always)]
    unsafe fn add<S: Simd, const COUNT: usize>(&mut self, row: usize) {
        let mut c = 0;
        // SAFETY: the caller's; each block ends within its row.
        unsafe {
            while c + LANES <= self.channels {
                self.block::<S, COUNT, true>(row, c);
                c += LANES;
            }
            if c < self.channels {
                self.block::<S, COUNT, false>(row, c);
            }
        }
    }
}

impl Moments<'_> {
    #[inline(always)]
    unsafe fn block<S: Simd, const COUNT: usize, const ALL: bool>(&mut self, row: usize, c: usize) {
        const { assert!(COUNT == 1 || COUNT == 4, "rows are added one or four at a time") };
        // SAFETY: the caller has the rows, and channels from `c` on: all sixteen where `ALL`.
        unsafe {
            let n = self.channels - c;
            let x = self.x.as_ptr().add(row * self.channels + c);
            let sums = self.sums.as_mut_ptr().add(c);
            let squares = sums.add(self.shift.len());
            let shift = S::load(self.shift.as_ptr().add(c));
            let a = S::sub(load::<S, ALL>(x, n), shift);
            let mut sum = a;
            let mut square = S::mul(a, a);
            if COUNT == 4 {
                let b = S::sub(load::<S, ALL>(x.add(self.channels), n), shift);
                let c = S::sub(load::<S, ALL>(x.add(2 * self.channels), n), shift);
                let d = S::sub(load::<S, ALL>(x.add(3 * self.channels), n), shift);
                sum = S::add(S::add(a, b), S::add(c, d));
                square = S::add(S::fma(b, b, square), S::fma(d, d, S::mul(c, c)));
            }
            S::store(sums, S::add(S::load(sums), sum));
            S::store(squares, S::add(S::load(squares), square));
        }
    }
}

impl Kernel for Moments<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        assert!(self.shift.len() == padded(self.channels));
        assert!(self.sums.len() == 2 * self.shift.len());
        self.sums.fill(0.0);
        let rows = self.x.len() / self.channels;
        // SAFETY: rows below `rows` lie in `x`.
        unsafe { add_rows::<S>(&mut self, rows) };
    }
}

/// Mean and variance from `[chunks, 3, padded]`: shift, sum and sum of squares of `x - shift`.
struct Combine<'a> {
    matrix: Rows,
    partials: &'a [f32],
    mean: &'a mut [f32],
    variance: &'a mut [f32],
}

impl Kernel for Combine<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let width = padded(self.matrix.channels);
        let count = self.matrix.count as f64;
        for block in 0..width / LANES {
            // Of the differences from `pivot`, the first chunk's shift.
            let (mut sum, mut square) = ([0.0f64; LANES], [0.0f64; LANES]);
            let pivot = &self.partials[block * LANES..][..LANES];
            for (i, partial) in self.partials.chunks_exact(3 * width).enumerate() {
                let rows = self.matrix.rows_of(i) as f64;
                let shift = &partial[block * LANES..][..LANES];
                let first = &partial[width + block * LANES..][..LANES];
                let second = &partial[2 * width + block * LANES..][..LANES];
                for lane in 0..LANES {
                    let moved = f64::from(shift[lane]) - f64::from(pivot[lane]);
                    let one = f64::from(first[lane]);
                    sum[lane] += one + rows * moved;
                    square[lane] += f64::from(second[lane]) + moved * (2.0 * one + rows * moved);
                }
            }
            let end = self.matrix.channels.min((block + 1) * LANES);
            for c in block * LANES..end {
                let lane = c - block * LANES;
                let offset = sum[lane] / count;
                let variance = square[lane] / count - offset * offset;
                self.mean[c] = (f64::from(pivot[lane]) + offset) as f32;
                // Rounding may leave less than nothing; NaN stays.
                self.variance[c] = if variance < 0.0 { 0.0 } else { variance as f32 };
            }
        }
    }
}

/// The sums of the columns of `x` `[R, channels]`: the gradient of a bias.
///
/// # Panics
/// If there is no channel, or a length does not fit.
pub fn sum_rows(isa: Isa, x: &[f32], channels: usize, out: &mut [f32]) {
    let matrix = Rows::new(x.len(), channels);
    assert_eq!(out.len(), channels, "sums");
    let stride = padded(channels);
    with_scratch(matrix.chunks() * stride, |partials| {
        let shared = Shared::new(partials);
        for_each(matrix.chunks(), |i| {
            // SAFETY: each chunk has sums of its own.
            let sums = unsafe { shared.part(i * stride..(i + 1) * stride) };
            isa.run(Sum { x: &x[matrix.chunk(i)], channels, sums });
        });
        for (block, out) in out.chunks_mut(LANES).enumerate() {
            let sums = total(partials, stride, block * LANES);
            out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum as f32);
        }
    });
}

/// Sixteen columns from `column` on of `[chunks, stride]`, added up in the order of the chunks.
pub(super) fn total(partials: &[f32], stride: usize, column: usize) -> [f64; LANES] {
    let mut total = [0.0; LANES];
    for partial in partials.chunks_exact(stride) {
        let sums = &partial[column..][..LANES];
        for lane in 0..LANES {
            total[lane] += f64::from(sums[lane]);
        }
    }
    total
}
