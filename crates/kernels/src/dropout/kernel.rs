//! Some elements of one sample.

use super::philox::{Address, words};
use super::{DropoutShape, Mask};
use crate::simd::{Kernel, LANES, Simd};

/// What sixteen times four elements are multiplied by: `[word of the call][counter]`.
///
/// # Safety
/// The CPU must have the instructions of `S`.
#[inline(always)]
unsafe fn factors<S: Simd>(mask: &Mask, address: &Address, counters: S::U) -> [S::V; 4] {
    // SAFETY: the caller has the instruction set.
    unsafe {
        let [a, b, c, d] = words::<S>(address, counters);
        let threshold = S::splat_u32(mask.threshold);
        let (zero, keep) = (S::splat(0.0), S::splat(mask.keep));
        [
            S::select(S::less_u32(a, threshold), zero, keep),
            S::select(S::less_u32(b, threshold), zero, keep),
            S::select(S::less_u32(c, threshold), zero, keep),
            S::select(S::less_u32(d, threshold), zero, keep),
        ]
    }
}

static COUNT: [u32; LANES] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// Elements in the order of their numbers, from `4 * first` on.
pub(super) struct Flat<'a> {
    pub(super) mask: &'a Mask,
    pub(super) words: Address,
    pub(super) first: u32,
    pub(super) x: &'a [f32],
    pub(super) y: &'a mut [f32],
}

impl Kernel for Flat<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let len = self.x.len();
        let (x, y) = (self.x.as_ptr(), self.y.as_mut_ptr());
        // SAFETY: both slices have `n` more elements from `start` on; the arrays have their places.
        unsafe {
            let mut counters = S::add_u32(S::load_u32(COUNT.as_ptr()), S::splat_u32(self.first));
            let mut start = 0;
            while start < len {
                let [a, b, c, d] = factors::<S>(self.mask, &self.words, counters);
                let mut columns = [0.0f32; 4 * LANES];
                S::store(columns.as_mut_ptr(), a);
                S::store(columns.as_mut_ptr().add(LANES), b);
                S::store(columns.as_mut_ptr().add(2 * LANES), c);
                S::store(columns.as_mut_ptr().add(3 * LANES), d);
                let mut row = [0.0f32; 4 * LANES];
                let mut i = 0;
                while i < LANES {
                    row[4 * i] = columns[i];
                    row[4 * i + 1] = columns[LANES + i];
                    row[4 * i + 2] = columns[2 * LANES + i];
                    row[4 * i + 3] = columns[3 * LANES + i];
                    i += 1;
                }
                i = 0;
                while i < 4 && start < len {
                    let n = (len - start).min(LANES);
                    let factors = S::load(row.as_ptr().add(i * LANES));
                    if n == LANES {
                        S::store(y.add(start), S::mul(S::load(x.add(start)), factors));
                    } else {
                        let part = S::mul(S::load_first(x.add(start), n), factors);
                        S::store_first(y.add(start), part, n);
                    }
                    start += n;
                    i += 1;
                }
                counters = S::add_u32(counters, S::splat_u32(LANES as u32));
            }
        }
    }
}

/// Pixels from `4 * first` on, the channels of each side by side.
pub(super) struct Interleaved<'a> {
    pub(super) mask: &'a Mask,
    pub(super) words: Address,
    pub(super) shape: &'a DropoutShape,
    pub(super) first: usize,
    pub(super) x: &'a [f32],
    pub(super) y: &'a mut [f32],
}

impl Kernel for Interleaved<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        let mut channel = 0;
        while channel < self.shape.channels {
            // SAFETY: the caller has the instruction set.
            unsafe {
                if self.shape.pixels.is_multiple_of(4) {
                    self.channels::<S, false>(channel);
                } else {
                    self.channels::<S, true>(channel);
                }
            }
            channel += LANES;
        }
    }
}

impl Interleaved<'_> {
    /// Sixteen channels (or as many as are left) of all pixels.
    ///
    /// Lane `i` has channel `c`; its pixel `p` has element `c * pixels + p`, hence word `(s + p) % 4`
    /// of block `c * pixels / 4 + (s + p) / 4`, where `s = c * pixels % 4`. So the lanes' streams of
    /// words are shifted against their pixels by 0 to 3, and out of four consecutive words of the
    /// streams each lane takes one. No lane is where not `SHIFTED`.
    ///
    /// # Safety
    /// The CPU must have the instructions of `S`, and `channel` must be one of the shape's.
    #[inline(always)]
    unsafe fn channels<S: Simd, const SHIFTED: bool>(&mut self, channel: usize) {
        let DropoutShape { channels, pixels, .. } = *self.shape;
        let width = (channels - channel).min(LANES);
        let mut blocks = [0u32; LANES];
        let mut shifts = [0.0f32; LANES];
        let mut i = 0;
        while i < LANES {
            let element = (channel + i) * pixels;
            blocks[i] = (element / 4 + self.first) as u32;
            shifts[i] = (element % 4) as f32;
            i += 1;
        }
        let count = self.x.len() / channels;
        // SAFETY: `x` and `y` have `count` pixels of `channels`, of which `width` begin at `channel`.
        unsafe {
            let x = self.x.as_ptr().add(channel);
            let y = self.y.as_mut_ptr().add(channel);
            let shifts = S::load(shifts.as_ptr());
            let by = [
                S::greater(shifts, S::splat(0.5)),
                S::greater(shifts, S::splat(1.5)),
                S::greater(shifts, S::splat(2.5)),
            ];
            let one = S::splat_u32(1);
            let mut blocks = S::load_u32(blocks.as_ptr());
            let mut now = factors::<S>(self.mask, &self.words, blocks);
            let mut pixel = 0;
            while pixel < count {
                blocks = S::add_u32(blocks, one);
                // Without shifts the words after these four wait until they are wanted.
                let next = if SHIFTED { factors::<S>(self.mask, &self.words, blocks) } else { now };
                let stream = [now[0], now[1], now[2], now[3], next[0], next[1], next[2]];
                let mut i = 0;
                while i < 4 && pixel + i < count {
                    let mut factors = stream[i];
                    if SHIFTED {
                        factors = S::select(by[0], stream[i + 1], factors);
                        factors = S::select(by[1], stream[i + 2], factors);
                        factors = S::select(by[2], stream[i + 3], factors);
                    }
                    let at = (pixel + i) * channels;
                    if width == LANES {
                        S::store(y.add(at), S::mul(S::load(x.add(at)), factors));
                    } else {
                        let part = S::mul(S::load_first(x.add(at), width), factors);
                        S::store_first(y.add(at), part, width);
                    }
                    i += 1;
                }
                pixel += 4;
                now = if SHIFTED { next } else { factors::<S>(self.mask, &self.words, blocks) };
            }
        }
    }
}
