//! Rows times packed weights: `out[row][column] = sum over k of row[k] * weights[k][column]`.
//!
//! A row is not one piece of memory but a few runs, at the same offsets for every row: for a
//! convolution, the part of each image row that lies under the kernel. Read that way an image is
//! its own matrix of windows, and nothing has to be copied out of it.

use super::{OnPanels, ROWS, on_all, panels};
use crate::simd::{Kernel, LANES, Simd};

/// Most `k` in a block of the reduction: 64 columns of weights then fill 128 KiB, which stay in the
/// second-level cache while all rows pass by.
pub(crate) const BLOCK: usize = 512;

/// A piece of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// Where it starts, in floats from the row's place.
    pub offset: usize,
    /// Its floats.
    pub len: usize,
}

/// Cuts runs longer than [`BLOCK`], so that blocks can be made of whole runs.
pub(crate) fn cut(runs: impl IntoIterator<Item = Run>) -> Vec<Run> {
    let mut pieces = Vec::new();
    for Run { mut offset, mut len } in runs {
        while len > 0 {
            let piece = len.min(BLOCK);
            pieces.push(Run { offset, len: piece });
            (offset, len) = (offset + piece, len - piece);
        }
    }
    pieces
}

/// Where a row is read and where its result is written, in floats from the two bases.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub from: usize,
    pub to: usize,
}

/// Where the sixteen weights of a panel and a `k` are, in floats.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packing {
    /// From a panel to the next.
    pub panel: usize,
    /// From a `k` to the next.
    pub step: usize,
}

impl Packing {
    /// `[panel][k][16]`, for so many `k`.
    pub(crate) fn dense(depth: usize) -> Self {
        Self { panel: depth * LANES, step: LANES }
    }
}

/// Many rows times all columns.
///
/// # Safety of running it
/// `source + row.from + run.offset` must be valid for `run.len` floats, for each row and run;
/// `output + row.to` for `columns` floats that nothing else uses meanwhile, and `residual` and
/// `bias` alike where not null. `weights` must have sixteen floats for each of `panels(columns)`
/// panels and each `k` below the sum of `run.len`, where `packing` says.
#[derive(Clone, Copy)]
pub(crate) struct RowsTimesWeights<'a> {
    pub source: *const f32,
    pub output: *mut f32,
    pub rows: &'a [Row],
    pub runs: &'a [Run],
    pub weights: *const f32,
    pub packing: Packing,
    /// Columns of the result.
    pub columns: usize,
    /// What the sums start from, `[columns]`, or null for zero.
    pub bias: *const f32,
    /// Added to the sums, at the places of `output`; or null.
    pub residual: *const f32,
    /// What the results are limited to.
    pub bounds: (f32, f32),
    /// Whether the sums go on from what `output` holds, instead of `bias`.
    pub accumulate: bool,
}

impl Kernel for RowsTimesWeights<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (mut first_run, mut k) = (0, 0);
        loop {
            let (mut end, mut len) = (first_run, 0);
            while end < self.runs.len() && (len == 0 || len + self.runs[end].len <= BLOCK) {
                len += self.runs[end].len;
                end += 1;
            }
            let stretch = Stretch {
                product: &self,
                runs: &self.runs[first_run..end],
                k,
                starts: first_run == 0 && !self.accumulate,
                ends: end == self.runs.len(),
            };
            // SAFETY: the contract of this kernel is that of the tiles.
            unsafe { on_all::<S>(panels(self.columns), &stretch) };
            (first_run, k) = (end, k + len);
            if end == self.runs.len() {
                break;
            }
        }
    }
}

/// Some runs, all panels.
struct Stretch<'a> {
    product: &'a RowsTimesWeights<'a>,
    runs: &'a [Run],
    /// The first of the runs' rows of weights.
    k: usize,
    starts: bool,
    ends: bool,
}

impl OnPanels for Stretch<'_> {
    /// # Safety
    /// The contract of the kernel.
    #[inline(always)]
    unsafe fn run<S: Simd, const P: usize>(&self, first: usize) {
        let Self { product, runs, k, starts, ends } = *self;
        let packing = product.packing;
        // SAFETY: panel `first` and row `k` lie in the weights; the rest is the caller's.
        unsafe {
            product.tiles::<S, P>(&PanelBlock {
                runs,
                weights: product.weights.add(first * packing.panel + k * packing.step),
                column: first * LANES,
                last_width: (product.columns - (first + P - 1) * LANES).min(LANES),
                starts,
                ends,
            });
        }
    }
}

/// Some runs and some panels.
struct PanelBlock<'a> {
    runs: &'a [Run],
    weights: *const f32,
    /// The first column.
    column: usize,
    /// Columns of the last panel.
    last_width: usize,
    /// Whether the sums start here, or go on from what `output` holds.
    starts: bool,
    /// Whether the sums are complete after this block.
    ends: bool,
}

impl RowsTimesWeights<'_> {
    #[inline(always)]
    unsafe fn tiles<S: Simd, const P: usize>(&self, block: &PanelBlock<'_>) {
        let mut at = 0;
        while at < self.rows.len() {
            // Missing rows at the end are stood in for by the last one, and not stored.
            let last = self.rows.len() - 1;
            let mut rows = [self.rows[last]; ROWS];
            let mut i = 0;
            while i < ROWS && at + i <= last {
                rows[i] = self.rows[at + i];
                i += 1;
            }
            // SAFETY: the contract of the kernel.
            unsafe {
                let mut sums = self.start::<S, P>(block, &rows);
                let mut starts = [self.source; ROWS];
                let mut row = 0;
                while row < ROWS {
                    starts[row] = self.source.add(rows[row].from);
                    row += 1;
                }
                let weights = (block.weights, self.packing);
                accumulate::<S, P, ROWS, 1>(starts, [0], block.runs, weights, &mut sums);
                self.finish::<S, P>(block, &rows[..i], &mut sums);
            }
            at += ROWS;
        }
    }

    #[inline(always)]
    unsafe fn start<S: Simd, const P: usize>(
        &self,
        block: &PanelBlock<'_>,
        rows: &[Row; ROWS],
    ) -> [[[S::V; P]; 1]; ROWS] {
        // SAFETY: only the columns that exist are read.
        unsafe {
            let mut sums = [[[S::splat(0.0); P]; 1]; ROWS];
            if block.starts && self.bias.is_null() {
                return sums;
            }
            let mut i = 0;
            while i < ROWS {
                let from: *const f32 =
                    if block.starts { self.bias } else { self.output.add(rows[i].to) };
                let from = from.add(block.column);
                let mut j = 0;
                while j < P {
                    let width = if j + 1 == P { block.last_width } else { LANES };
                    sums[i][0][j] = S::load_up_to(from.add(j * LANES), width);
                    j += 1;
                }
                i += 1;
            }
            sums
        }
    }

    #[inline(always)]
    unsafe fn finish<S: Simd, const P: usize>(
        &self,
        block: &PanelBlock<'_>,
        rows: &[Row],
        sums: &mut [[[S::V; P]; 1]; ROWS],
    ) {
        // SAFETY: only the columns that exist are read and written.
        unsafe {
            let (low, high) = (S::splat(self.bounds.0), S::splat(self.bounds.1));
            let mut i = 0;
            while i < ROWS {
                if i < rows.len() {
                    let place = rows[i].to + block.column;
                    let mut j = 0;
                    while j < P {
                        let width = if j + 1 == P { block.last_width } else { LANES };
                        let at = place + j * LANES;
                        let mut v = sums[i][0][j];
                        if block.ends {
                            if !self.residual.is_null() {
                                v = S::add(v, S::load_up_to(self.residual.add(at), width));
                            }
                            v = S::min(high, S::max(low, v));
                        }
                        if width == LANES {
                            S::store(self.output.add(at), v);
                        } else {
                            S::store_first(self.output.add(at), v, width);
                        }
                        j += 1;
                    }
                }
                i += 1;
            }
        }
    }
}

/// Adds the products of `runs` with as many rows of packed weights to the sums of one tile: where
/// nearly all time is spent. The tile's rows start at each of `places` from each of `starts`.
///
/// # Safety
/// The CPU must have `S`; rows must be valid for all runs, and panels for as many rows of weights.
#[inline(always)]
pub(crate) unsafe fn accumulate<S: Simd, const P: usize, const G: usize, const W: usize>(
    starts: [*const f32; G],
    places: [usize; W],
    runs: &[Run],
    (weights, packing): (*const f32, Packing),
    sums: &mut [[[S::V; P]; W]; G],
) {
    // SAFETY: the caller's.
    unsafe {
        let mut weights = weights;
        let mut run = 0;
        while run < runs.len() {
            let Run { offset, len } = runs[run];
            let mut from = starts;
            let mut g = 0;
            while g < G {
                from[g] = starts[g].add(offset);
                g += 1;
            }
            let mut k = 0;
            while k < len {
                let mut w = [S::splat(0.0); P];
                let mut j = 0;
                while j < P {
                    w[j] = S::load(weights.add(j * packing.panel));
                    j += 1;
                }
                let mut g = 0;
                while g < G {
                    let mut i = 0;
                    while i < W {
                        let x = S::splat(*from[g].add(places[i] + k));
                        let mut j = 0;
                        while j < P {
                            sums[g][i][j] = S::fma(x, w[j], sums[g][i][j]);
                            j += 1;
                        }
                        i += 1;
                    }
                    g += 1;
                }
                weights = weights.wrapping_add(packing.step);
                k += 1;
            }
            run += 1;
        }
    }
}
