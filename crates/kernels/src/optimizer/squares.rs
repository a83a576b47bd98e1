//! The squared length of a gradient.

use super::PIECE;
use crate::Isa;
use crate::parallel::{Shared, for_each};
use crate::simd::{Kernel, LANES, Simd};

/// The sum of the squares of `values`, in double precision: the squares are exact, the sums have one
/// order on every machine and for any number of threads.
#[must_use]
pub fn sum_of_squares(isa: Isa, values: &[f32]) -> f64 {
    let mut sums = vec![0.0; values.len().div_ceil(PIECE)];
    let shared = Shared::new(&mut sums);
    for_each(values.len().div_ceil(PIECE), |piece| {
        let range = piece * PIECE..values.len().min((piece + 1) * PIECE);
        // SAFETY: every piece has an element of its own.
        let sum = unsafe { shared.part(piece..piece + 1) };
        sum[0] = isa.run(Squares { values: &values[range] });
    });
    sums.iter().sum()
}

struct Squares<'a> {
    values: &'a [f32],
}

impl Kernel for Squares<'_> {
    type Output = f64;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> f64 {
        let mut sums = [0.0f64; LANES];
        let mut groups = self.values.chunks_exact(LANES);
        for group in &mut groups {
            let mut i = 0;
            while i < LANES {
                let wide = f64::from(group[i]);
                sums[i] += wide * wide;
                i += 1;
            }
        }
        for (sum, &value) in sums.iter_mut().zip(groups.remainder()) {
            *sum += f64::from(value) * f64::from(value);
        }
        let mut half = LANES / 2;
        while half > 0 {
            let mut i = 0;
            while i < half {
                sums[i] += sums[i + half];
                i += 1;
            }
            half /= 2;
        }
        sums[0]
    }
}
