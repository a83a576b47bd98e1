//! Weights to frequencies, and the gradient of frequencies to that of weights.

// Loops over several arrays of registers at once: indices say it, iterators would hide it.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use super::layout::{FREQUENCIES, Matrices};
use super::transform;
use crate::parallel::{Shared, for_each};
use crate::simd::{Isa, Kernel, LANES, Simd};

/// Taps of a kernel.
const TAPS: usize = 9;
/// Rows of a matrix that one item of work has.
const CHUNK: usize = 32;
/// Rows that are gathered before they are transformed.
const AT_ONCE: usize = 8;

/// How weights `[a, b, 3, 3]` become a matrix `[rows, channels]` per frequency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WeightsView {
    /// `[b, a]`: what a forward pass multiplies inputs with.
    Forward,
    /// `[a, b]`, the taps turned by half a circle: what the gradient of outputs is multiplied with.
    Turned,
}

/// The sizes of the weights `[co, ci, 3, 3]` and how they are looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taps {
    pub(super) co: usize,
    pub(super) ci: usize,
    pub(super) view: WeightsView,
}

impl Taps {
    /// Rows and channels of the matrices.
    pub(super) fn size(&self) -> [usize; 2] {
        match self.view {
            WeightsView::Forward => [self.ci, self.co],
            WeightsView::Turned => [self.co, self.ci],
        }
    }

    /// Where the first tap of a row and channel is.
    #[inline(always)]
    fn at(&self, row: usize, channel: usize) -> usize {
        match self.view {
            WeightsView::Forward => (channel * self.ci + row) * TAPS,
            WeightsView::Turned => (row * self.ci + channel) * TAPS,
        }
    }
}

/// Fills `into` with the transformed weights.
pub(super) fn to_frequencies(isa: Isa, taps: Taps, weights: &[f32], into: Matrices) {
    let [rows, channels] = taps.size();
    assert!(weights.len() == rows * channels * TAPS && into.layout.rows >= rows);
    assert!(into.layout.panels() == channels.div_ceil(LANES));
    let chunks = rows.div_ceil(CHUNK);
    for_each(into.layout.panels() * chunks, |item| {
        let start = item % chunks * CHUNK;
        let rows = start..rows.min(start + CHUNK);
        isa.run(Transform { taps, weights, into, panel: item / chunks, rows });
    });
}

struct Transform<'a> {
    taps: Taps,
    weights: &'a [f32],
    into: Matrices<'a>,
    panel: usize,
    rows: Range<usize>,
}

impl Kernel for Transform<'_> {
    type Output = ();

    /// # Safety
    /// No other thread may use these rows of the panel.
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let [_, channels] = self.taps.size();
        let first = self.panel * LANES;
        let lanes = LANES.min(channels - first);
        // Some rows at once, so that a load of sixteen floats is not right after their stores.
        let mut lines = [[[0.0; LANES]; TAPS]; AT_ONCE];
        let mut row = self.rows.start;
        while row < self.rows.end {
            let count = AT_ONCE.min(self.rows.end - row);
            for i in 0..count {
                for lane in 0..lanes {
                    let start = self.taps.at(row + i, first + lane);
                    let taps = &self.weights[start..start + TAPS];
                    for tap in 0..TAPS {
                        let to = if self.taps.view == WeightsView::Turned {
                            TAPS - 1 - tap
                        } else {
                            tap
                        };
                        lines[i][to][lane] = taps[tap];
                    }
                }
            }
            for i in 0..count {
                // SAFETY: `lines` has sixteen floats per tap; `into` is a row of the matrices.
                unsafe {
                    let mut g = [S::splat(0.0); TAPS];
                    for tap in 0..TAPS {
                        g[tap] = S::load(lines[i][tap].as_ptr());
                    }
                    let u = transform::weights::<S>(&g);
                    let into = self.into.row(self.panel, row + i);
                    for frequency in 0..FREQUENCIES {
                        S::store(into.add(frequency * self.into.layout.stride), u[frequency]);
                    }
                }
            }
            row += count;
        }
    }
}

/// Fills `dw` `[co, ci, 3, 3]` from the gradient `[ci, co]` of each frequency.
pub(super) fn from_frequencies(isa: Isa, taps: Taps, from: Matrices, dw: &mut [f32]) {
    let [rows, channels] = taps.size();
    assert!(taps.view == WeightsView::Forward && dw.len() == rows * channels * TAPS);
    assert!(from.layout.rows >= rows && from.layout.panels() == channels.div_ceil(LANES));
    let chunks = rows.div_ceil(CHUNK);
    let dw = &Shared::new(dw);
    for_each(from.layout.panels() * chunks, |item| {
        let start = item % chunks * CHUNK;
        let rows = start..rows.min(start + CHUNK);
        isa.run(Back { taps, dw, from, panel: item / chunks, rows });
    });
}

struct Back<'a> {
    taps: Taps,
    dw: &'a Shared<'a, f32>,
    from: Matrices<'a>,
    panel: usize,
    rows: Range<usize>,
}

impl Kernel for Back<'_> {
    type Output = ();

    /// # Safety
    /// No other thread may use these rows of the panel.
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let first = self.panel * LANES;
        let lanes = LANES.min(self.taps.co - first);
        let mut lines = [[0.0; LANES]; TAPS];
        for row in self.rows {
            // SAFETY: `from` is a row of the matrices; `lines` has sixteen floats per tap.
            unsafe {
                let from = self.from.row(self.panel, row);
                let mut u = [S::splat(0.0); FREQUENCIES];
                for frequency in 0..FREQUENCIES {
                    u[frequency] = S::load(from.add(frequency * self.from.layout.stride));
                }
                let dw = transform::weights_gradient::<S>(&u);
                for tap in 0..TAPS {
                    S::store(lines[tap].as_mut_ptr(), dw[tap]);
                }
            }
            for lane in 0..lanes {
                let start = self.taps.at(row, first + lane);
                // SAFETY: each row and channel has taps of its own, and the caller keeps threads
                // apart.
                let dw = unsafe { self.dw.part(start..start + TAPS) };
                for tap in 0..TAPS {
                    dw[tap] = lines[tap][lane];
                }
            }
        }
    }
}
