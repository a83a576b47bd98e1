//! Pixels times gradients: `sums[tap][column] += sum over p of x[p + tap] * dy[p][column]`.

use super::{OnPanels, ROWS, on_all};
use crate::simd::{Kernel, LANES, Simd};

/// How many pixels to hand over at once: their gradients for 64 columns and the parts of the image
/// that a tile reads then stay in the first-level cache.
pub(crate) const PIXELS: usize = 96;

/// Adds the products of some pixels to the sums of all taps and columns, or begins the sums.
///
/// # Safety of running it
/// `source + pixel + tap` must be valid for a float, for each pixel and tap; `dy` must be packed as
/// `[panel][pixel][16]`, `sums` is `[tap][panels * 16]` and used by nothing else meanwhile; where
/// the sums are begun, it need not hold values yet.
#[derive(Clone, Copy)]
pub(crate) struct PixelsTimesGradients<'a> {
    pub source: *const f32,
    pub pixels: &'a [usize],
    pub taps: &'a [usize],
    pub dy: *const f32,
    pub panels: usize,
    pub sums: *mut f32,
    pub accumulate: bool,
}

impl Kernel for PixelsTimesGradients<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the contract of this kernel is that of the tiles.
        unsafe { on_all::<S>(self.panels, &self) };
    }
}

impl OnPanels for PixelsTimesGradients<'_> {
    /// # Safety
    /// The contract of the kernel.
    #[inline(always)]
    unsafe fn run<S: Simd, const P: usize>(&self, first: usize) {
        // SAFETY: the contract of the kernel.
        unsafe {
            let stride = self.panels * LANES;
            let panel = self.pixels.len() * LANES;
            let mut at = 0;
            while at < self.taps.len() {
                let last = self.taps.len() - 1;
                let mut from = [self.source.add(self.taps[last]); ROWS];
                let mut valid = 0;
                while valid < ROWS && at + valid <= last {
                    from[valid] = self.source.add(self.taps[at + valid]);
                    valid += 1;
                }
                let mut sums = [[S::splat(0.0); P]; ROWS];
                let mut dy = self.dy.add(first * panel);
                let mut p = 0;
                while p < self.pixels.len() {
                    let mut g = [S::splat(0.0); P];
                    let mut j = 0;
                    while j < P {
                        g[j] = S::load(dy.add(j * panel));
                        j += 1;
                    }
                    let pixel = *self.pixels.get_unchecked(p);
                    let mut i = 0;
                    while i < ROWS {
                        let x = S::splat(*from[i].add(pixel));
                        let mut j = 0;
                        while j < P {
                            sums[i][j] = S::fma(x, g[j], sums[i][j]);
                            j += 1;
                        }
                        i += 1;
                    }
                    dy = dy.add(LANES);
                    p += 1;
                }
                let mut i = 0;
                while i < ROWS {
                    if i < valid {
                        let to = self.sums.add((at + i) * stride + first * LANES);
                        let mut j = 0;
                        while j < P {
                            let to = to.add(j * LANES);
                            let sum = sums[i][j];
                            let sum = if self.accumulate { S::add(S::load(to), sum) } else { sum };
                            S::store(to, sum);
                            j += 1;
                        }
                    }
                    i += 1;
                }
                at += ROWS;
            }
        }
    }
}
