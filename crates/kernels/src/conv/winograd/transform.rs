//! The transforms of Winograd's F(4, 3), sixteen channels at a time.
//!
//! A convolution of 6 numbers `d` with 3 taps `g` to 4 outputs is `A^T [(G g) * (B^T d)]`, where the
//! product is per element (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks",
//! 2015). It is the multiplication of polynomials by their values at 0, `P`, `-P`, `Q`, `-Q` and
//! infinity; the matrices below are written for any such `P` and `Q`. In two dimensions each
//! transform is applied to columns, then to rows.

// Loops over several arrays of registers at once: indices say it, iterators would hide it.
#![allow(clippy::needless_range_loop)]

use crate::simd::Simd;

/// The points. With 5/8 and 3/2 errors are less than half of those with the usual 1 and 2, and all
/// constants that follow from them are exact but those of `G`.
const P: f32 = 0.625;
const Q: f32 = 1.5;

const P2: f32 = P * P;
const Q2: f32 = Q * Q;

/// `B^T d`.
#[inline(always)]
unsafe fn input_line<S: Simd>(d: [S::V; 6]) -> [S::V; 6] {
    // SAFETY: the caller has the instruction set; only registers are touched.
    unsafe {
        let (p, q) = (S::splat(P), S::splat(Q));
        let (minus_p, minus_q) = (S::splat(-P), S::splat(-Q));
        let (minus_p2, minus_q2) = (S::splat(-P2), S::splat(-Q2));
        let (both, minus_sum) = (S::splat(P2 * Q2), S::splat(-P2 - Q2));
        let even_p = S::fma(minus_q2, d[2], d[4]);
        let odd_p = S::fma(minus_q2, d[1], d[3]);
        let even_q = S::fma(minus_p2, d[2], d[4]);
        let odd_q = S::fma(minus_p2, d[1], d[3]);
        [
            S::fma(both, d[0], S::fma(minus_sum, d[2], d[4])),
            S::fma(p, odd_p, even_p),
            S::fma(minus_p, odd_p, even_p),
            S::fma(q, odd_q, even_q),
            S::fma(minus_q, odd_q, even_q),
            S::fma(both, d[1], S::fma(minus_sum, d[3], d[5])),
        ]
    }
}

/// `A^T m`.
#[inline(always)]
unsafe fn output_line<S: Simd>(m: [S::V; 6]) -> [S::V; 4] {
    // SAFETY: the caller has the instruction set; only registers are touched.
    unsafe {
        let (even_p, odd_p) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
        let (even_q, odd_q) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
        [
            S::add(m[0], S::add(even_p, even_q)),
            S::fma(S::splat(Q), odd_q, S::mul(S::splat(P), odd_p)),
            S::fma(S::splat(Q2), even_q, S::mul(S::splat(P2), even_p)),
            S::fma(S::splat(Q2 * Q), odd_q, S::fma(S::splat(P2 * P), odd_p, m[5])),
        ]
    }
}

/// `A d`.
#[inline(always)]
unsafe fn gradient_line<S: Simd>(d: [S::V; 4]) -> [S::V; 6] {
    // SAFETY: the caller has the instruction set; only registers are touched.
    unsafe {
        let even_p = S::fma(S::splat(P2), d[2], d[0]);
        let odd_p = S::fma(S::splat(P2 * P), d[3], S::mul(S::splat(P), d[1]));
        let even_q = S::fma(S::splat(Q2), d[2], d[0]);
        let odd_q = S::fma(S::splat(Q2 * Q), d[3], S::mul(S::splat(Q), d[1]));
        [
            d[0],
            S::add(even_p, odd_p),
            S::sub(even_p, odd_p),
            S::add(even_q, odd_q),
            S::sub(even_q, odd_q),
            d[3],
        ]
    }
}

/// What the polynomial through a point is divided by.
const N0: f32 = 1.0 / (P2 * Q2);
const NP: f32 = 1.0 / (2.0 * P2 * (P2 - Q2));
const NQ: f32 = 1.0 / (2.0 * Q2 * (Q2 - P2));

/// `G g`.
#[inline(always)]
unsafe fn weights_line<S: Simd>(g: [S::V; 3]) -> [S::V; 6] {
    // SAFETY: the caller has the instruction set; only registers are touched.
    unsafe {
        let even_p = S::fma(S::splat(NP * P2), g[2], S::mul(S::splat(NP), g[0]));
        let odd_p = S::mul(S::splat(NP * P), g[1]);
        let even_q = S::fma(S::splat(NQ * Q2), g[2], S::mul(S::splat(NQ), g[0]));
        let odd_q = S::mul(S::splat(NQ * Q), g[1]);
        [
            S::mul(S::splat(N0), g[0]),
            S::add(even_p, odd_p),
            S::sub(even_p, odd_p),
            S::add(even_q, odd_q),
            S::sub(even_q, odd_q),
            g[2],
        ]
    }
}

/// `G^T u`.
#[inline(always)]
unsafe fn weights_gradient_line<S: Simd>(u: [S::V; 6]) -> [S::V; 3] {
    // SAFETY: the caller has the instruction set; only registers are touched.
    unsafe {
        let (even_p, odd_p) = (S::add(u[1], u[2]), S::sub(u[1], u[2]));
        let (even_q, odd_q) = (S::add(u[3], u[4]), S::sub(u[3], u[4]));
        let constant = S::fma(S::splat(NQ), even_q, S::mul(S::splat(NP), even_p));
        let square = S::fma(S::splat(NP * P2), even_p, u[5]);
        [
            S::fma(S::splat(N0), u[0], constant),
            S::fma(S::splat(NQ * Q), odd_q, S::mul(S::splat(NP * P), odd_p)),
            S::fma(S::splat(NQ * Q2), even_q, square),
        ]
    }
}

/// Defines the transform in two dimensions, of `$from` x `$from` to `$to` x `$to`.
macro_rules! square {
    ($(#[$doc:meta])* $name:ident, $line:ident, $from:literal => $to:literal) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// The CPU must have the instructions of `S`.
        #[inline(always)]
        pub(super) unsafe fn $name<S: Simd>(d: &[S::V; $from * $from]) -> [S::V; $to * $to] {
            // SAFETY: the caller has the instruction set; the indices are constants, checked.
            unsafe {
                let zero = S::splat(0.0);
                let mut half = [[zero; $from]; $to];
                for c in 0..$from {
                    let mut column = [zero; $from];
                    for r in 0..$from {
                        column[r] = d[r * $from + c];
                    }
                    let column = $line::<S>(column);
                    for r in 0..$to {
                        half[r][c] = column[r];
                    }
                }
                let mut out = [zero; $to * $to];
                for r in 0..$to {
                    let row = $line::<S>(half[r]);
                    for c in 0..$to {
                        out[r * $to + c] = row[c];
                    }
                }
                out
            }
        }
    };
}

square!(
    /// `B^T d B`: a window of the input to its frequencies.
    input, input_line, 6 => 6
);
square!(
    /// `A^T m A`: frequencies to a tile of the output.
    output, output_line, 6 => 4
);
square!(
    /// `A d A^T`: a tile of the output's gradient to its frequencies.
    gradient, gradient_line, 4 => 6
);
square!(
    /// `G g G^T`: the taps of a kernel to its frequencies.
    weights, weights_line, 3 => 6
);
square!(
    /// `G^T u G`: frequencies of the weights' gradient to that of the taps.
    weights_gradient, weights_gradient_line, 6 => 3
);
