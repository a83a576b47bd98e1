//! Some elements of one sample.

use super::philox::{Address, Words, words};
use super::{DropoutShape, Mask};
use crate::simd::{Kernel, LANES, Simd};

/// What sixteen elements are multiplied by.
///
/// # Safety
/// The CPU must have the instructions of `S`.
#[inline(always)]
unsafe fn factors<S: Simd>(mask: &Mask, words: &Words) -> S::V {
    let mut factors = [0.0f32; LANES];
    let mut i = 0;
    while i < LANES {
        factors[i] = if words[i] < mask.threshold { 0.0 } else { mask.keep };
        i += 1;
    }
    // SAFETY: there are sixteen floats.
    unsafe { S::load(factors.as_ptr()) }
}

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
        let mut block = self.first;
        let mut start = 0;
        while start < len {
            let mut counters = [0; LANES];
            let mut i = 0;
            while i < LANES {
                counters[i] = block.wrapping_add(i as u32);
                i += 1;
            }
            let [a, b, c, d] = words(&self.words, counters);
            let mut row = [0u32; 4 * LANES];
            i = 0;
            while i < LANES {
                row[4 * i] = a[i];
                row[4 * i + 1] = b[i];
                row[4 * i + 2] = c[i];
                row[4 * i + 3] = d[i];
                i += 1;
            }
            i = 0;
            while i < 4 && start < len {
                let n = (len - start).min(LANES);
                let mut sixteen = [0; LANES];
                sixteen.copy_from_slice(&row[i * LANES..(i + 1) * LANES]);
                // SAFETY: both slices have `n` more elements from `start` on.
                unsafe {
                    let factors = factors::<S>(self.mask, &sixteen);
                    if n == LANES {
                        S::store(y.add(start), S::mul(S::load(x.add(start)), factors));
                    } else {
                        let part = S::mul(S::load_first(x.add(start), n), factors);
                        S::store_first(y.add(start), part, n);
                    }
                }
                start += n;
                i += 1;
            }
            block = block.wrapping_add(LANES as u32);
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
            unsafe { self.channels::<S>(channel) };
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
    /// streams each lane takes one.
    ///
    /// # Safety
    /// The CPU must have the instructions of `S`, and `channel` must be one of the shape's.
    #[inline(always)]
    unsafe fn channels<S: Simd>(&mut self, channel: usize) {
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
        let shifted = !pixels.is_multiple_of(4);
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
            let mut now = self.block::<S>(&mut blocks);
            let mut pixel = 0;
            while pixel < count {
                let next = if shifted { self.block::<S>(&mut blocks) } else { now };
                let stream = [now[0], now[1], now[2], now[3], next[0], next[1], next[2]];
                let mut i = 0;
                while i < 4 && pixel + i < count {
                    let mut factors = stream[i];
                    if shifted {
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
                if pixel < count {
                    now = if shifted { next } else { self.block::<S>(&mut blocks) };
                }
            }
        }
    }

    /// The factors of the next four words of each lane's stream.
    ///
    /// # Safety
    /// The CPU must have the instructions of `S`.
    #[inline(always)]
    unsafe fn block<S: Simd>(&self, blocks: &mut Words) -> [S::V; 4] {
        let [a, b, c, d] = words(&self.words, *blocks);
        let mut i = 0;
        while i < LANES {
            blocks[i] = blocks[i].wrapping_add(1);
            i += 1;
        }
        // SAFETY: the caller has the instruction set.
        unsafe {
            [
                factors::<S>(self.mask, &a),
                factors::<S>(self.mask, &b),
                factors::<S>(self.mask, &c),
                factors::<S>(self.mask, &d),
            ]
        }
    }
}
