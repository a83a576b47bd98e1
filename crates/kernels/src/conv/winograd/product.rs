//! The product of matrices that each frequency needs.

// Loops over several arrays of registers at once: indices say it, iterators would hide it.
#![allow(clippy::needless_range_loop)]

use crate::gemm::{OnPanels, on_group};
use crate::parallel::part;
use crate::simd::{Kernel, LANES, Simd};

/// Rows of a register tile.
pub(super) const TILE: usize = 6;
/// Rows of the last tile, where there are no more.
pub(super) const HALF: usize = TILE / 2;

/// Floats of the right matrix that are used for all rows before the next are: half a level-1 cache.
const BLOCK: usize = 4096;

/// `c = a b` or `c += a b`, for one group of panels. `a` is `[rows, depth]` with any strides, `b` is
/// `[depth, 16 * panels]` and `c` is `[rows, 16 * panels]`. Sums run in the order of `depth`.
pub(super) struct FrequencyProduct {
    pub(super) a: *const f32,
    /// Floats from a row of `a` to the next.
    pub(super) a_row: usize,
    /// Floats from a column of `a` to the next.
    pub(super) a_step: usize,
    pub(super) b: *const f32,
    pub(super) c: *mut f32,
    /// A multiple of [`HALF`].
    pub(super) rows: usize,
    pub(super) depth: usize,
    /// At most `S::PANELS`.
    pub(super) panels: usize,
    /// Whether to add to what is in `c`.
    pub(super) add: bool,
}

impl Kernel for FrequencyProduct {
    type Output = ();

    /// # Safety
    /// The pointers must be valid for the sizes, `c` exclusively.
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: as the caller promises.
        unsafe { on_group::<S>(0, self.panels, &self) };
    }
}

impl OnPanels for FrequencyProduct {
    /// # Safety
    /// As for the kernel; `W` is the number of panels.
    #[inline(always)]
    unsafe fn run<S: Simd, const W: usize>(&self, _: usize) {
        let blocks = (self.depth * W * LANES).div_ceil(BLOCK);
        for block in 0..blocks {
            let range = part(self.depth, blocks, block);
            let add = self.add || block > 0;
            let mut row = 0;
            while row < self.rows {
                // SAFETY: inside the sizes that the caller promises.
                unsafe {
                    let a = self.a.add(row * self.a_row + range.start * self.a_step);
                    let b = self.b.add(range.start * W * LANES);
                    let c = self.c.add(row * W * LANES);
                    if row + TILE <= self.rows {
                        self.tile::<S, W, TILE>(a, b, c, range.len(), add);
                    } else {
                        self.tile::<S, W, HALF>(a, b, c, range.len(), add);
                    }
                }
                row += TILE;
            }
        }
    }
}

impl FrequencyProduct {
    /// # Safety
    /// `a` must have `R` rows of `depth` floats, `b` and `c` as many of their rows.
    #[inline(always)]
    unsafe fn tile<S: Simd, const W: usize, const R: usize>(
        &self,
        a: *const f32,
        b: *const f32,
        c: *mut f32,
        depth: usize,
        add: bool,
    ) {
        // SAFETY: as the caller promises.
        unsafe {
            let mut sums = [[S::splat(0.0); W]; R];
            if add {
                for r in 0..R {
                    for p in 0..W {
                        sums[r][p] = S::load(c.add((r * W + p) * LANES));
                    }
                }
            }
            let (mut a, mut b) = (a, b);
            for _ in 0..depth {
                let mut right = [S::splat(0.0); W];
                for p in 0..W {
                    right[p] = S::load(b.add(p * LANES));
                }
                for r in 0..R {
                    let left = S::splat(*a.add(r * self.a_row));
                    for p in 0..W {
                        sums[r][p] = S::fma(left, right[p], sums[r][p]);
                    }
                }
                a = a.wrapping_add(self.a_step);
                b = b.wrapping_add(W * LANES);
            }
            for r in 0..R {
                for p in 0..W {
                    S::store(c.add((r * W + p) * LANES), sums[r][p]);
                }
            }
        }
    }
}
