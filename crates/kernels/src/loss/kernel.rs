//! Some rows of scores.

use super::exp::exp;
use crate::simd::{Kernel, LANES, Simd};

/// Whole rows: three slices of equal length, a multiple of `classes`.
pub(super) struct ScoreRows<'a> {
    pub(super) classes: usize,
    pub(super) scores: &'a [f32],
    pub(super) targets: &'a [f32],
    pub(super) gradient: &'a mut [f32],
}

impl Kernel for ScoreRows<'_> {
    /// The loss of all rows.
    type Output = f64;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> f64 {
        let mut loss = 0.0;
        let mut start = 0;
        while start < self.scores.len() {
            // SAFETY: a whole row of each slice begins at `start`.
            loss += unsafe {
                row::<S>(
                    self.classes,
                    self.scores.as_ptr().add(start),
                    self.targets.as_ptr().add(start),
                    self.gradient.as_mut_ptr().add(start),
                )
            };
            start += self.classes;
        }
        loss
    }
}

/// Sixteen zeros, then as many negative infinities: a window of it, added to the first `n` scores,
/// keeps the lanes beyond them out of a maximum and of a sum of exponentials.
static BEYOND: [f32; 2 * LANES] = {
    let mut values = [0.0; 2 * LANES];
    let mut i = LANES;
    while i < 2 * LANES {
        values[i] = f32::NEG_INFINITY;
        i += 1;
    }
    values
};

/// The last `n <= 16` scores of a row, then negative infinities.
///
/// # Safety
/// The CPU must have the instructions of `S`, and `p` must be valid for `n` floats.
#[inline(always)]
unsafe fn tail<S: Simd>(p: *const f32, n: usize) -> S::V {
    // SAFETY: the caller's; the window of sixteen from 16 - n on lies in the thirty-two.
    unsafe { S::add(S::load_first(p, n), S::load(BEYOND.as_ptr().add(LANES - n))) }
}

/// The loss of a row. With `d = x - max`: `sum(t) * ln(sum(e^d)) - sum(t * d)`, two terms of one
/// sign, so nothing cancels.
///
/// # Safety
/// The CPU must have the instructions of `S`; the pointers must be valid for `classes` floats.
#[inline(always)]
unsafe fn row<S: Simd>(classes: usize, x: *const f32, t: *const f32, g: *mut f32) -> f64 {
    let whole = classes - classes % LANES;
    let rest = classes - whole;
    // SAFETY: every access ends at or before `classes`.
    unsafe {
        let mut largest = S::splat(f32::NEG_INFINITY);
        let mut i = 0;
        while i < whole {
            largest = S::max(largest, S::load(x.add(i)));
            i += LANES;
        }
        if rest > 0 {
            largest = S::max(largest, tail::<S>(x.add(i), rest));
        }
        // A NaN that was lost here makes the sum below NaN.
        let largest = S::splat(max_lane::<S>(largest));

        let zero = S::splat(0.0);
        let (mut sum, mut weight, mut product) = (zero, zero, zero);
        i = 0;
        while i < whole {
            let d = S::sub(S::load(x.add(i)), largest);
            let e = exp::<S>(d);
            let target = S::load(t.add(i));
            S::store(g.add(i), e);
            sum = S::add(sum, e);
            weight = S::add(weight, target);
            product = S::fma(target, d, product);
            i += LANES;
        }
        if rest > 0 {
            let e = exp::<S>(S::sub(tail::<S>(x.add(i), rest), largest));
            let d = S::sub(S::load_first(x.add(i), rest), largest);
            let target = S::load_first(t.add(i), rest);
            S::store_first(g.add(i), e, rest);
            sum = S::add(sum, e);
            weight = S::add(weight, target);
            product = S::fma(target, d, product);
        }
        let (sum, weight, product) = (S::sum(sum), S::sum(weight), S::sum(product));

        let share = S::splat(weight / sum);
        i = 0;
        while i < whole {
            let target = S::load(t.add(i));
            S::store(g.add(i), S::sub(S::mul(S::load(g.add(i)), share), target));
            i += LANES;
        }
        if rest > 0 {
            let target = S::load_first(t.add(i), rest);
            let e = S::load_first(g.add(i), rest);
            S::store_first(g.add(i), S::sub(S::mul(e, share), target), rest);
        }
        f64::from(weight) * f64::from(sum).ln() - f64::from(product)
    }
}

/// The largest lane.
///
/// # Safety
/// The CPU must have the instructions of `S`.
#[inline(always)]
unsafe fn max_lane<S: Simd>(v: S::V) -> f32 {
    let mut lanes = [0.0f32; LANES];
    // SAFETY: there is place for sixteen floats.
    unsafe { S::store(lanes.as_mut_ptr(), v) };
    let mut half = LANES / 2;
    while half > 0 {
        let mut i = 0;
        while i < half {
            if lanes[i + half] > lanes[i] {
                lanes[i] = lanes[i + half];
            }
            i += 1;
        }
        half /= 2;
    }
    lanes[0]
}
