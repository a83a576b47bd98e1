//! Pools of 2 x 2 whose four windows are rows of one register tile: what the convolution answers
//! before the pool never leaves the registers.

use super::pool::{Place, activate, largest_of_four, put};
use crate::conv::Activation;
use crate::gemm::tile::{Packing, Row, Run, accumulate};
use crate::gemm::{OnPanels, on_all, panels};
use crate::simd::{Kernel, LANES, Simd};

/// Windows of a pool.
const FOUR: usize = 4;

/// Many pools, all channels.
///
/// # Safety of running it
/// `source + pool.from + window + run.offset` must be valid for `run.len` floats, for each pool,
/// window and run; `y + pool.to` and, where not null, `slots + pool.to` for `columns` elements that
/// nothing else uses meanwhile; `bias`, where not null, for `columns` floats. `weights` must be
/// packed as `[panel][k][16]` with `k = sum of run.len` and `panels(columns)` panels.
pub(super) struct PooledRows<'a> {
    pub(super) source: *const f32,
    pub(super) pools: &'a [Row],
    /// From the first window of a pool to each.
    pub(super) windows: [usize; FOUR],
    pub(super) runs: &'a [Run],
    pub(super) weights: *const f32,
    pub(super) columns: usize,
    pub(super) bias: *const f32,
    pub(super) activation: Activation,
    pub(super) y: *mut f32,
    pub(super) slots: *mut u8,
}

impl Kernel for PooledRows<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the contract of this kernel is that of the tiles.
        unsafe { on_all::<S>(panels(self.columns), &self) };
    }
}

impl OnPanels for PooledRows<'_> {
    /// # Safety
    /// The contract of the kernel.
    #[inline(always)]
    unsafe fn run<S: Simd, const P: usize>(&self, first: usize) {
        // SAFETY: the caller's. As many pools at a time as the registers hold the sums of.
        unsafe {
            if S::PANELS == 1 || P == 4 {
                self.tiles::<S, P, 1>(first);
            } else if P == 3 {
                self.tiles::<S, P, 2>(first);
            } else {
                self.tiles::<S, P, 3>(first);
            }
        }
    }
}

impl PooledRows<'_> {
    /// All pools in `P` panels of channels, `G` pools at a time.
    ///
    /// # Safety
    /// The contract of the kernel.
    #[inline(always)]
    unsafe fn tiles<S: Simd, const P: usize, const G: usize>(&self, first: usize) {
        const { assert!(G <= 3 && P <= 4, "there are calls for three pools and four panels") };
        let depth: usize = self.runs.iter().map(|run| run.len).sum();
        let mut at = 0;
        while at < self.pools.len() {
            // SAFETY: pools, windows and panels are those of the contract. Missing pools at the end
            // are stood in for by the last one, and not stored.
            unsafe {
                let last = self.pools.len() - 1;
                let mut starts = [self.source; G];
                let mut g = 0;
                while g < G {
                    starts[g] = self.source.add(self.pools[(at + g).min(last)].from);
                    g += 1;
                }
                let mut sums = [[self.start::<S, P>(first); FOUR]; G];
                let packing = Packing::dense(depth);
                let weights = (self.weights.add(first * packing.panel), packing);
                accumulate::<S, P, G, FOUR>(starts, self.windows, self.runs, weights, &mut sums);
                // Not a loop: with indices that are constants the sums stay in registers.
                self.finish::<S, P, G, 0>(at, first, &sums);
                self.finish::<S, P, G, 1>(at, first, &sums);
                self.finish::<S, P, G, 2>(at, first, &sums);
            }
            at += G;
        }
    }

    /// What the sums of each panel start from.
    ///
    /// # Safety
    /// The contract of the kernel.
    #[inline(always)]
    unsafe fn start<S: Simd, const P: usize>(&self, first: usize) -> [S::V; P] {
        // SAFETY: the columns that are left exist.
        unsafe {
            let mut start = [S::splat(0.0); P];
            if self.bias.is_null() {
                return start;
            }
            let mut j = 0;
            while j < P {
                let column = (first + j) * LANES;
                let n = (self.columns - column).min(LANES);
                start[j] = S::load_up_to(self.bias.add(column), n);
                j += 1;
            }
            start
        }
    }

    /// Writes pool `I` of a tile whose first is pool `at`, if there is one.
    ///
    /// # Safety
    /// The contract of the kernel.
    #[inline(always)]
    unsafe fn finish<S: Simd, const P: usize, const G: usize, const I: usize>(
        &self,
        at: usize,
        first: usize,
        sums: &[[[S::V; P]; FOUR]; G],
    ) {
        if I >= G || at + I >= self.pools.len() {
            return;
        }
        let to = self.pools[at + I].to;
        // SAFETY: the contract of the kernel.
        unsafe {
            self.panel::<S, P, 0>(to, first, &sums[I]);
            self.panel::<S, P, 1>(to, first, &sums[I]);
            self.panel::<S, P, 2>(to, first, &sums[I]);
            self.panel::<S, P, 3>(to, first, &sums[I]);
        }
    }

    /// Writes panel `J` of a pool, if there is one.
    ///
    /// # Safety
    /// The contract of the kernel.
    #[inline(always)]
    unsafe fn panel<S: Simd, const P: usize, const J: usize>(
        &self,
        to: usize,
        first: usize,
        sums: &[[S::V; P]; FOUR],
    ) {
        if J >= P {
            return;
        }
        let column = (first + J) * LANES;
        // SAFETY: the columns that are left exist.
        unsafe {
            let four = [sums[0][J], sums[1][J], sums[2][J], sums[3][J]];
            let (best, slot) = largest_of_four::<S>(four);
            let (y, slot) = activate::<S>(self.activation, best, slot);
            let slots = self.slots;
            let slots = if slots.is_null() { slots } else { slots.add(to + column) };
            let place = Place { y: self.y.add(to + column), slots };
            put::<S>(place, y, slot, (self.columns - column).min(LANES));
        }
    }
}
