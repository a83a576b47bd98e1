//! Sixteen calls of the generator at once, in plain arrays that the compiler vectorises.

use crate::draw::{MULTIPLIER, ROUNDS, WEYL};
use crate::simd::LANES;

/// What sixteen counters have in common: all but their first word.
#[derive(Clone, Copy)]
pub(super) struct Address {
    pub(super) key: [u32; 2],
    pub(super) high: [u32; 3],
}

/// Sixteen words.
pub(super) type Words = [u32; LANES];

/// The words of sixteen counters: `[word of the call][counter]`.
#[inline(always)]
pub(super) fn words(address: &Address, counters: Words) -> [Words; 4] {
    let [b, c, d] = address.high;
    let (mut a, mut b, mut c, mut d) = (counters, [b; LANES], [c; LANES], [d; LANES]);
    let mut key = address.key;
    let mut round = 0;
    while round < ROUNDS {
        let mut i = 0;
        while i < LANES {
            let first = u64::from(MULTIPLIER[0]) * u64::from(a[i]);
            let second = u64::from(MULTIPLIER[1]) * u64::from(c[i]);
            a[i] = (second >> 32) as u32 ^ b[i] ^ key[0];
            b[i] = second as u32;
            c[i] = (first >> 32) as u32 ^ d[i] ^ key[1];
            d[i] = first as u32;
            i += 1;
        }
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        round += 1;
    }
    [a, b, c, d]
}
