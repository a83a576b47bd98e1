//! The gradient of the weights.

use std::ops::Range;

use super::layout::{FREQUENCIES, Layout, Matrices};
use super::pass::{CHUNK, COMMON, FEWEST, Panels, bytes_per_tile, chunk, with_matrices};
use super::product::{FrequencyProduct, TILE};
use super::tiles::{Images, Of, Read, Tiles};
use super::weights::{self, Taps, WeightsView};
use crate::parallel::{for_each, with_scratch};
use crate::simd::{Isa, LANES};

/// The gradient of the weights of a convolution.
pub(super) struct WeightsGradient<'a> {
    pub(super) isa: Isa,
    pub(super) n: usize,
    pub(super) input: Images,
    pub(super) output: Images,
    /// Zeros before the first row and column of the input.
    pub(super) before: [isize; 2],
    pub(super) x: &'a [f32],
    pub(super) dy: &'a [f32],
}

impl WeightsGradient<'_> {
    /// Computes `dw` `[co, ci, 3, 3]`.
    ///
    /// Blocks of tiles are taken one after the other, each by all threads. An element of a
    /// frequency's gradient belongs to one item of work, which adds tiles up in their order.
    pub(super) fn run(&self, dw: &mut [f32]) {
        let (ci, co) = (self.input.channels, self.output.channels);
        let tiles = Tiles::over(self.n, self.output.size);
        let panels = self.isa.run(Panels);
        let count = tiles.count();
        let blocks = count.div_ceil((COMMON / bytes_per_tile(ci, co)).max(FEWEST));
        let size = count.div_ceil(blocks);
        let v = Layout::plain(size, ci);
        let d = Layout::grouped(size, co, panels);
        let u = Layout::grouped(ci.next_multiple_of(TILE), co, panels);
        let zeros = vec![0.0; ci.max(co)];
        with_scratch(u.floats(), |buffer| {
            let u = Matrices::new(buffer, u);
            with_matrices(v, d, |v, d| {
                for block in 0..blocks {
                    let range = (block * size).min(count)..count.min((block + 1) * size);
                    for_each(range.len().div_ceil(CHUNK), |index| {
                        let (range, first) = chunk(&range, index);
                        self.read(Of::Input, (tiles, range.clone(), first), &zeros, v);
                        self.read(Of::Gradient, (tiles, range, first), &zeros, d);
                    });
                    self.add_products((v, d), u, range);
                }
            });
            weights::from_frequencies(self.isa, Taps { co, ci, view: WeightsView::Forward }, u, dw);
        });
    }

    fn read(
        &self,
        of: Of,
        (tiles, range, first): (Tiles, Range<usize>, usize),
        zeros: &[f32],
        into: Matrices,
    ) {
        let (pixels, images, before) = match of {
            Of::Input => (self.x, self.input, self.before),
            Of::Gradient => (self.dy, self.output, [0, 0]),
        };
        self.isa.run(Read { of, pixels, images, tiles, before, zeros, range, first, into });
    }

    /// Adds the products of a block of tiles to `u`, or sets `u` to those of the first block.
    fn add_products(&self, (v, d): (Matrices, Matrices), u: Matrices, range: Range<usize>) {
        let groups = u.layout.groups();
        for_each(FREQUENCIES * groups, |item| {
            let (frequency, group) = (item / groups, item % groups);
            self.isa.run(FrequencyProduct {
                a: v.group(frequency, 0),
                a_row: 1,
                a_step: v.layout.panels() * LANES,
                b: d.group(frequency, group),
                c: u.group(frequency, group),
                rows: u.layout.rows,
                depth: range.len(),
                panels: u.layout.width(group),
                add: range.start > 0,
            });
        });
    }
}
