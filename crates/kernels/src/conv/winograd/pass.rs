//! A convolution from images to images, which serves forward and backward to the input.

use std::ops::Range;

use super::layout::{FREQUENCIES, Layout, Matrices};
use super::product::{FrequencyProduct, HALF, TILE};
use super::tiles::{Images, Of, Read, Tiles};
use super::weights::{self, Taps};
use super::write::{Pooled, Target, Whole, Write};
use crate::conv::{Activation, Memo, pooled};
use crate::parallel::{Shared, for_each, with_scratch};
use crate::simd::{Isa, Kernel, LANES, Simd};

/// Bytes of a block of tiles between the steps that a thread should keep to itself.
const OWN: usize = 900 << 10;
/// Fewest tiles of such a block: all transformed weights are read once per block.
pub(super) const FEWEST: usize = 24;
/// Fewest blocks to hand out to threads as a whole.
const BLOCKS: usize = 8;
/// Bytes of a block whose steps all threads share.
pub(super) const COMMON: usize = 10 << 20;
/// Tiles that one item of a shared step transforms.
pub(super) const CHUNK: usize = 8;

/// The panels of a register tile.
pub(super) struct Panels;

impl Kernel for Panels {
    type Output = usize;

    /// # Safety
    /// None is needed.
    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> usize {
        S::PANELS
    }
}

/// A convolution by 3 x 3 taps, in steps of one.
pub(super) struct Convolution<'a> {
    pub(super) isa: Isa,
    pub(super) n: usize,
    pub(super) input: Images,
    pub(super) output: Images,
    /// Zeros before the first row and column; rows and columns left out where negative.
    pub(super) before: [isize; 2],
    pub(super) taps: Taps,
    pub(super) weights: &'a [f32],
    pub(super) memo: Option<&'a Memo>,
    pub(super) bias: Option<&'a [f32]>,
    pub(super) sink: Sink<'a>,
}

/// Where the outputs go.
pub(super) enum Sink<'a> {
    /// All of them, between the bounds.
    Images { y: Shared<'a, f32>, bounds: (f32, f32) },
    /// The largest of each 2 x 2.
    Pooled { results: &'a pooled::Results<'a>, activation: Activation },
}

/// Bytes of one tile between the steps.
pub(super) fn bytes_per_tile(a: usize, b: usize) -> usize {
    let channels = (a.div_ceil(LANES) + b.div_ceil(LANES)) * LANES;
    FREQUENCIES * channels * size_of::<f32>()
}

/// The tiles of an item of a shared step, and the row of the first in the block.
pub(super) fn chunk(block: &Range<usize>, item: usize) -> (Range<usize>, usize) {
    let start = block.start + item * CHUNK;
    (start..block.end.min(start + CHUNK), item * CHUNK)
}

/// What the steps of a convolution share.
struct Steps<'a> {
    convolution: &'a Convolution<'a>,
    tiles: Tiles,
    x: &'a [f32],
    zeros: Vec<f32>,
    bias: Vec<f32>,
    weights: Matrices<'a>,
}

impl Convolution<'_> {
    /// Computes the results from `x`.
    pub(super) fn run(&self, x: &[f32]) {
        let tiles = Tiles::over(self.n, self.output.size);
        let panels = self.isa.run(Panels);
        let layout = Layout::grouped(self.input.channels, self.output.channels, panels);
        let mut bias = vec![0.0; layout.panels() * LANES];
        if let Some(values) = self.bias {
            bias[..values.len()].copy_from_slice(values);
        }
        let transform = |buffer: &mut [f32]| {
            let into = Matrices::new(buffer, layout);
            weights::to_frequencies(self.isa, self.taps, self.weights, into);
        };
        let zeros = vec![0.0; self.input.channels];
        let run = |weights: &[f32]| {
            let weights = Matrices::read_only(weights, layout);
            Steps { convolution: self, tiles, x, zeros, bias, weights }.run(panels);
        };
        match self.memo {
            Some(memo) => run(memo.frequencies(layout.floats(), transform)),
            None => with_scratch(layout.floats(), |buffer| {
                transform(buffer);
                run(buffer);
            }),
        }
    }
}

impl Steps<'_> {
    fn run(&self, panels: usize) {
        let (ci, co) = (self.convolution.input.channels, self.convolution.output.channels);
        let (tiles, bytes) = (self.tiles.count(), bytes_per_tile(ci, co));
        let own = (OWN / bytes).max(FEWEST) / TILE * TILE;
        // All transformed weights are read for each block: from a thread's own cache if they fit.
        let least =
            if self.weights.layout.floats() * size_of::<f32>() <= OWN { FEWEST } else { own };
        let each = tiles.div_ceil(BLOCKS).clamp(least, own);
        let fused = tiles.div_ceil(each) >= BLOCKS;
        let size = if fused { each } else { (COMMON / bytes).max(own).min(tiles) };
        let rows = size.next_multiple_of(TILE);
        let v = Layout::plain(rows, ci);
        let m = Layout::grouped(rows, co, panels);
        let block = |index: usize| index * size..tiles.min((index + 1) * size);
        let count = tiles.div_ceil(size);
        if fused {
            for_each(count, |index| with_matrices(v, m, |v, m| self.alone(block(index), v, m)));
        } else {
            with_matrices(v, m, |v, m| {
                (0..count).for_each(|index| self.together(block(index), v, m));
            });
        }
    }

    /// All steps for a block of tiles, by this thread.
    fn alone(&self, range: Range<usize>, v: Matrices, m: Matrices) {
        self.read(range.clone(), 0, v);
        for frequency in 0..FREQUENCIES {
            for group in 0..m.layout.groups() {
                self.multiply(frequency, group, range.len(), (v, m));
            }
        }
        self.write(range, 0, m);
    }

    /// All steps for a block of tiles, each by all threads.
    fn together(&self, range: Range<usize>, v: Matrices, m: Matrices) {
        let chunks = range.len().div_ceil(CHUNK);
        for_each(chunks, |index| {
            let (tiles, first) = chunk(&range, index);
            self.read(tiles, first, v);
        });
        let groups = m.layout.groups();
        for_each(FREQUENCIES * groups, |item| {
            self.multiply(item / groups, item % groups, range.len(), (v, m));
        });
        for_each(chunks, |index| {
            let (tiles, first) = chunk(&range, index);
            self.write(tiles, first, m);
        });
    }

    fn read(&self, range: Range<usize>, first: usize, into: Matrices) {
        let Convolution { isa, input, before, .. } = *self.convolution;
        let (pixels, tiles, zeros) = (self.x, self.tiles, &self.zeros[..]);
        let of = Of::Input;
        isa.run(Read { of, pixels, images: input, tiles, before, zeros, range, first, into });
    }

    fn multiply(&self, frequency: usize, group: usize, rows: usize, (v, m): (Matrices, Matrices)) {
        let depth = self.convolution.input.channels;
        self.convolution.isa.run(FrequencyProduct {
            a: v.group(frequency, 0),
            a_row: v.layout.panels() * LANES,
            a_step: 1,
            b: self.weights.group(frequency, group),
            c: m.group(frequency, group),
            rows: rows.next_multiple_of(HALF),
            depth,
            panels: m.layout.width(group),
            add: false,
        });
    }

    fn write(&self, range: Range<usize>, first: usize, from: Matrices) {
        let Convolution { output: images, ref sink, .. } = *self.convolution;
        match *sink {
            Sink::Images { y: ref pixels, bounds } => {
                with_scratch(images.channels, |outside| {
                    self.write_to(Whole { images, pixels, bounds, outside }, range, first, from);
                });
            }
            Sink::Pooled { results, activation } => {
                let images = Images { size: images.size.map(|size| size / 2), ..images };
                self.write_to(Pooled { images, results, activation }, range, first, from);
            }
        }
    }

    fn write_to(&self, target: impl Target, range: Range<usize>, first: usize, from: Matrices) {
        let (tiles, bias) = (self.tiles, &self.bias[..]);
        self.convolution.isa.run(Write { from, first, range, tiles, bias, target });
    }
}

/// Runs `work` with two sets of matrices, of unknown contents.
pub(super) fn with_matrices(a: Layout, b: Layout, work: impl FnOnce(Matrices, Matrices)) {
    // Both start at a cache line.
    let cut = a.floats().next_multiple_of(LANES);
    with_scratch(cut + b.floats(), |buffer| {
        let (first, second) = buffer.split_at_mut(cut);
        work(Matrices::new(first, a), Matrices::new(second, b));
    });
}
