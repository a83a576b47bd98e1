//! Sixteen calls of the generator at once.

use crate::draw::{MULTIPLIER, ROUNDS, WEYL};
use crate::simd::Simd;

/// What sixteen counters have in common: all but their first word.
#[derive(Clone, Copy)]
pub(super) struct Address {
    pub(super) key: [u32; 2],
    pub(super) high: [u32; 3],
}

/// The words of sixteen counters: `[word of the call][counter]`; see [`crate::draw::philox`].
///
/// # Safety
/// The CPU must have the instructions of `S`.
#[inline(always)]
pub(super) unsafe fn words<S: Simd>(address: &Address, counters: S::U) -> [S::U; 4] {
    let [b, c, d] = address.high;
    // SAFETY: the caller has the instruction set.
    unsafe {
        let by = [S::splat_u32(MULTIPLIER[0]), S::splat_u32(MULTIPLIER[1])];
        let (mut a, mut b) = (counters, S::splat_u32(b));
        let (mut c, mut d) = (S::splat_u32(c), S::splat_u32(d));
        let mut key = address.key;
        let mut round = 0;
        while round < ROUNDS {
            let [high0, low0] = S::mul_wide(a, by[0]);
            let [high1, low1] = S::mul_wide(c, by[1]);
            a = S::xor_u32(high1, b, S::splat_u32(key[0]));
            c = S::xor_u32(high0, d, S::splat_u32(key[1]));
            (b, d) = (low1, low0);
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
            round += 1;
        }
        [a, b, c, d]
    }
}
