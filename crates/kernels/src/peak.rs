//! What the CPU can do at best, measured: the yardstick of the benchmarks, and of nothing else.

use std::hint::black_box;

use crate::Isa;
use crate::simd::{Kernel, LANES, Simd};

/// Does `rounds` rounds of fused multiply-adds on registers only, and answers how many
/// floating-point operations those were: two for each lane. (With the sum, or the compiler would
/// not do them.)
#[must_use]
pub fn multiply_add(isa: Isa, rounds: usize) -> (usize, f32) {
    isa.run(MultiplyAdd { rounds })
}

struct MultiplyAdd {
    rounds: usize,
}

impl MultiplyAdd {
    /// `SUMS` sums that do not wait for each other.
    #[inline(always)]
    unsafe fn rounds<S: Simd, const SUMS: usize>(self) -> (usize, f32) {
        // Numbers that the compiler does not know, or it computes the result itself; near one, so
        // that the sums neither vanish nor overflow.
        let (starts, a, b) = (black_box([1.5; SUMS]), black_box(0.999_9), black_box(1e-4));
        // SAFETY: the caller's CPU has the instructions; no memory is touched.
        unsafe {
            let (a, b) = (S::splat(a), S::splat(b));
            let mut sums = [S::splat(0.0); SUMS];
            let mut i = 0;
            while i < SUMS {
                sums[i] = S::splat(starts[i]);
                i += 1;
            }
            for _ in 0..self.rounds {
                let mut i = 0;
                while i < SUMS {
                    sums[i] = S::fma(sums[i], a, b);
                    i += 1;
                }
            }
            let mut all = S::splat(0.0);
            let mut i = 0;
            while i < SUMS {
                all = S::add(all, sums[i]);
                i += 1;
            }
            (2 * LANES * SUMS * self.rounds, S::sum(all))
        }
    }
}

impl Kernel for MultiplyAdd {
    type Output = (usize, f32);

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> Self::Output {
        // SAFETY: as the caller promises. As many sums as registers hold, and enough to hide the
        // four or five cycles that one takes.
        unsafe {
            match S::PANELS {
                0 | 1 => self.rounds::<S, 5>(),
                _ => self.rounds::<S, 12>(),
            }
        }
    }
}
