//! The pooling step of the forward pass.

use super::DEAD;
use crate::conv::Activation;
use crate::simd::{Isa, Kernel, LANES, Simd};

/// What the pooling step needs to know about the rows it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pooling {
    /// Rows and columns of a pool.
    pub pool: usize,
    /// Columns of an output image of the convolution.
    pub ow: usize,
    /// Channels.
    pub co: usize,
    /// What is applied to the largest.
    pub activation: Activation,
}

/// Pools rows of a convolution.
///
/// `conv` is `[rows * pool, ow, co]`, bias added and activation not yet applied. Writes
/// `activation(max)` to `y` and the place of the maximum to `slots`, if asked for, both
/// `[rows, ow / pool, co]`.
/// Of equal values the first in row-major order is the maximum; the first NaN is larger than
/// everything, passes the activation and has a gradient. The slot is [`DEAD`] where the activation
/// is flat: `Relu` at and below 0, `Relu6` also at and above 6.
///
/// # Panics
/// If lengths do not fit, or a pool has no element or more than 15 rows.
pub fn pool_rows(
    isa: Isa,
    pooling: Pooling,
    conv: &[f32],
    y: &mut [f32],
    slots: Option<&mut [u8]>,
) {
    isa.run(PoolRows::new(pooling, conv, y, slots));
}

/// [`pool_rows`] as a kernel, for a forward pass that runs it on a band at a time.
pub(crate) struct PoolRows<'a> {
    pooling: Pooling,
    conv: &'a [f32],
    y: &'a mut [f32],
    slots: Option<&'a mut [u8]>,
}

impl<'a> PoolRows<'a> {
    /// Checks lengths, see [`pool_rows`].
    #[inline]
    pub(crate) fn new(
        pooling: Pooling,
        conv: &'a [f32],
        y: &'a mut [f32],
        slots: Option<&'a mut [u8]>,
    ) -> Self {
        let Pooling { pool, ow, co, .. } = pooling;
        assert!((1..=15).contains(&pool) && ow >= pool && co > 0, "{pooling:?}");
        let rows = y.len() / (ow / pool * co);
        assert_eq!(y.len(), rows * (ow / pool) * co, "length of y");
        assert!(slots.as_ref().is_none_or(|slots| slots.len() == y.len()), "length of slots");
        assert_eq!(conv.len(), rows * pool * ow * co, "length of the convolution");
        Self { pooling, conv, y, slots }
    }
}

impl Kernel for PoolRows<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        let Pooling { pool, ow, co, activation } = self.pooling;
        let (pw, row) = (ow / pool, ow * co);
        let rows = self.y.len() / (pw * co);
        for r in 0..rows {
            for c in 0..pw {
                let from = r * pool * row + c * pool * co;
                let to = (r * pw + c) * co;
                let mut o = 0;
                while o < co {
                    let n = (co - o).min(LANES);
                    // The last lanes that are read and written may be those of the next column,
                    // which is written later; but never beyond the slices.
                    let last = from + o + (pool - 1) * (row + co);
                    let window = PoolWindow { start: from + o, row, co, pool };
                    // SAFETY: this CPU has `S`. The window's last float is at `last`, inside the
                    // rows that the lengths in `new` allow for; sixteen are touched only where
                    // sixteen are left.
                    unsafe {
                        let conv = self.conv.as_ptr();
                        let whole = last + LANES <= self.conv.len();
                        let n_in = if whole { LANES } else { n };
                        let (best, slot) = window.largest::<S>(conv, n_in);
                        let (y, slot) = activate::<S>(activation, best, slot);
                        let slots = match &mut self.slots {
                            Some(slots) => slots.as_mut_ptr().add(to + o),
                            None => std::ptr::null_mut(),
                        };
                        let place = Place { y: self.y.as_mut_ptr().add(to + o), slots };
                        let whole = to + o + LANES <= self.y.len();
                        put::<S>(place, y, slot, if whole { LANES } else { n });
                    }
                    o += LANES;
                }
            }
        }
    }
}

/// Where the results of sixteen channels go.
#[derive(Clone, Copy)]
pub(in crate::conv) struct Place {
    pub(in crate::conv) y: *mut f32,
    /// Or null, where nobody asks for slots.
    pub(in crate::conv) slots: *mut u8,
}

/// Writes the first `n` of sixteen results.
///
/// # Safety
/// The CPU must have `S`, and the place must be valid for `n` elements.
#[inline(always)]
pub(in crate::conv) unsafe fn put<S: Simd>(place: Place, y: S::V, slot: S::V, n: usize) {
    // SAFETY: the caller's promises.
    unsafe {
        if n == LANES {
            S::store(place.y, y);
        } else {
            S::store_first(place.y, y, n);
        }
        if place.slots.is_null() {
            return;
        }
        if n == LANES {
            S::store_bytes(place.slots, slot);
        } else {
            let mut bytes = [0; LANES];
            S::store_bytes(bytes.as_mut_ptr(), slot);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), place.slots, n);
        }
    }
}

/// The largest of a pool's four, in row-major order, and its slot as a float.
///
/// # Safety
/// The CPU must have `S`.
#[inline(always)]
pub(in crate::conv) unsafe fn largest_of_four<S: Simd>(x: [S::V; 4]) -> (S::V, S::V) {
    // SAFETY: the caller has `S`.
    unsafe {
        let mut best = (x[0], S::splat(0.0));
        let mut i = 1;
        while i < 4 {
            best = challenge::<S>(best, x[i], i);
            i += 1;
        }
        best
    }
}

/// `x` and its slot where it beats the best so far.
///
/// # Safety
/// The CPU must have `S`.
#[inline(always)]
unsafe fn challenge<S: Simd>((best, slot): (S::V, S::V), x: S::V, place: usize) -> (S::V, S::V) {
    // SAFETY: the caller has `S`.
    unsafe {
        let better = S::beats(x, best);
        (S::select(better, x, best), S::select(better, S::splat(place as f32), slot))
    }
}

/// A pool's outputs of the convolution, in sixteen channels.
struct PoolWindow {
    start: usize,
    row: usize,
    co: usize,
    pool: usize,
}

impl PoolWindow {
    /// The largest, and its slot as a float.
    ///
    /// # Safety
    /// The CPU must have `S`, and the first `n` floats must be valid at each place of the window.
    #[inline(always)]
    unsafe fn largest<S: Simd>(&self, conv: *const f32, n: usize) -> (S::V, S::V) {
        // SAFETY: the caller's promises.
        unsafe {
            let start = conv.add(self.start);
            let mut best = (S::load_up_to(start, n), S::splat(0.0));
            for r in 0..self.pool {
                for c in 0..self.pool {
                    // The first does not beat itself, be it a number or not.
                    let x = S::load_up_to(start.add(r * self.row + c * self.co), n);
                    best = challenge::<S>(best, x, r * self.pool + c);
                }
            }
            best
        }
    }
}

/// The activation of `x`, and `slot` or [`DEAD`].
///
/// # Safety
/// The CPU must have `S`.
#[inline(always)]
pub(in crate::conv) unsafe fn activate<S: Simd>(
    activation: Activation,
    x: S::V,
    slot: S::V,
) -> (S::V, S::V) {
    let (low, high) = activation.bounds();
    // SAFETY: the caller has `S`.
    unsafe {
        let (low, high, dead) = (S::splat(low), S::splat(high), S::splat(f32::from(DEAD)));
        match activation {
            Activation::None => (x, slot),
            Activation::Relu => (S::max(low, x), S::select(S::beats(x, low), slot, dead)),
            Activation::Relu6 => {
                let slot = S::select(S::beats(x, low), slot, dead);
                let zero = S::splat(0.0);
                let below = S::beats(S::sub(zero, x), S::sub(zero, high));
                (S::min(high, S::max(low, x)), S::select(below, slot, dead))
            }
        }
    }
}
