//! The exponential function.

use crate::simd::Simd;

/// `e^x`, within 2 units in the last place (2 of the smallest number where the result is
/// subnormal): 0 below -103.98, infinity above 88.73, NaN for NaN.
///
/// `x = n ln 2 + r` with `|r| <= ln 2 / 2`, so `e^x = 2^n e^r`; `ln 2` has two parts so that `r` is
/// exact (Cody and Waite, 1980), and `e^r` is the polynomial of Cephes' `expf` (Moshier).
///
/// # Safety
/// The CPU must have the instructions of `S`.
#[inline(always)]
pub(super) unsafe fn exp<S: Simd>(x: S::V) -> S::V {
    // Adding and subtracting 1.5 * 2^23 rounds to a whole number.
    const WHOLE: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // SAFETY: the caller has the instruction set.
    unsafe {
        // Beyond these the result is infinity or zero all the same.
        let x = S::min(S::splat(89.0), S::max(S::splat(-104.0), x));
        let whole = S::splat(WHOLE);
        let n = S::sub(S::fma(x, S::splat(std::f32::consts::LOG2_E), whole), whole);
        let r = S::fma(n, S::splat(-LN2_HIGH), x);
        let r = S::fma(n, S::splat(-LN2_LOW), r);
        let mut p = S::splat(1.987_569_2e-4);
        p = S::fma(p, r, S::splat(1.398_199_9e-3));
        p = S::fma(p, r, S::splat(8.333_452e-3));
        p = S::fma(p, r, S::splat(4.166_579_6e-2));
        p = S::fma(p, r, S::splat(1.666_666_5e-1));
        p = S::fma(p, r, S::splat(0.5));
        let p = S::fma(S::mul(p, r), r, r);
        let p = S::add(p, S::splat(1.0));
        // 2^n in two factors: n goes from -150 to 128, and each exponent must be a normal one.
        let half = S::sub(S::fma(n, S::splat(0.5), whole), whole);
        S::mul(S::mul(p, S::pow2(half)), S::pow2(S::sub(n, half)))
    }
}
