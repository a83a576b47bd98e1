//! What is computed from what, and the weights in the order in which they are used.

use std::ops::Range;

use super::axis::Axis;
use crate::parallel::{part, with_scratch};
use crate::simd::LANES;

/// Bytes of packed weights that stay in the first-level cache beside the rows that are read.
const WEIGHTS_IN_CACHE: usize = 12 << 10;

/// Sixteen channels at a time. With fewer than sixteen the one block is a partial one; otherwise
/// the last block ends with the last channel, and may compute channels of the one before again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocks {
    pub(super) channels: usize,
}

impl Blocks {
    pub(super) fn count(self) -> usize {
        self.channels.div_ceil(LANES)
    }

    /// The first channel of a block.
    #[inline(always)]
    pub(super) fn start(self, block: usize) -> usize {
        (block * LANES).min(self.channels.saturating_sub(LANES))
    }

    /// Whether the one block has fewer than sixteen channels.
    #[inline(always)]
    pub(super) fn partial(self) -> bool {
        self.channels < LANES
    }

    /// The blocks in groups, so that `taps` vectors for each block of a group fit into cache.
    #[inline(always)]
    pub(super) fn groups(self, taps: usize) -> usize {
        (self.count() * taps * LANES * size_of::<f32>())
            .div_ceil(WEIGHTS_IN_CACHE)
            .min(self.count())
    }

    #[inline(always)]
    pub(super) fn group(self, groups: usize, index: usize) -> Range<usize> {
        part(self.count(), groups, index)
    }
}

/// A convolution of images `[n, read[0], read[1], c]` to `[n, written[0], written[1], c]`.
pub(super) struct DepthwisePlan {
    /// For rows and for columns: written position `i` belongs to `axes[i % axes.len()]`.
    pub(super) axes: [Vec<Axis>; 2],
    pub(super) blocks: Blocks,
    pub(super) read: [usize; 2],
    pub(super) written: [usize; 2],
    /// Vectors of packed weights for one block, in all pairs of axes.
    pub(super) vectors: usize,
    /// The least and the largest value to write.
    pub(super) bounds: (f32, f32),
}

impl DepthwisePlan {
    pub(super) fn new(
        channels: usize,
        axes: [Vec<Axis>; 2],
        [read, written]: [[usize; 2]; 2],
        bounds: (f32, f32),
    ) -> Self {
        let pairs = axes[0].iter().flat_map(|row| axes[1].iter().map(move |column| (row, column)));
        let vectors = pairs.map(|(row, column)| Self::block_len(row, column) / LANES).sum();
        Self { axes, blocks: Blocks { channels }, read, written, vectors, bounds }
    }

    /// Floats of one block: the bias, then the taps row by row, sixteen channels each.
    #[inline(always)]
    pub(super) fn block_len(row: &Axis, column: &Axis) -> usize {
        (1 + row.taps * column.taps) * LANES
    }

    /// Where the blocks of row axis `row` and column axis `column` begin in the packed weights.
    pub(super) fn offsets(&self) -> Vec<usize> {
        let [rows, columns] = &self.axes;
        let mut next = 0;
        let pairs = rows.iter().flat_map(|row| columns.iter().map(move |column| (row, column)));
        pairs
            .map(|(row, column)| {
                let offset = next;
                next += self.blocks.count() * Self::block_len(row, column);
                offset
            })
            .collect()
    }

    /// Runs `work` with weights `[c, 1, kernel[0], kernel[1]]` packed for all pairs of axes.
    pub(super) fn with_packed(
        &self,
        kernel: [usize; 2],
        weights: &[f32],
        bias: Option<&[f32]>,
        work: impl FnOnce(&[f32]),
    ) {
        let [rows, columns] = &self.axes;
        let pairs = || rows.iter().flat_map(|row| columns.iter().map(move |column| (row, column)));
        let lens = pairs().map(|(row, column)| self.blocks.count() * Self::block_len(row, column));
        with_scratch(lens.sum(), |packed| {
            let mut rest = &mut *packed;
            for (row, column) in pairs() {
                for block in 0..self.blocks.count() {
                    let start = self.blocks.start(block);
                    let lanes = self.blocks.channels.min(LANES);
                    let (vectors, after) = rest.split_at_mut(Self::block_len(row, column));
                    let (first, vectors) = vectors.split_at_mut(LANES);
                    first.fill(0.0);
                    if let Some(bias) = bias {
                        first[..lanes].copy_from_slice(&bias[start..start + lanes]);
                    }
                    for (vector, taps) in vectors.chunks_exact_mut(LANES).enumerate() {
                        let [p, q] = [vector / column.taps, vector % column.taps];
                        let tap = row.kernel(p) * kernel[1] + column.kernel(q);
                        if lanes < LANES {
                            taps.fill(0.0);
                        }
                        for (lane, value) in taps.iter_mut().take(lanes).enumerate() {
                            *value = weights[(start + lane) * kernel[0] * kernel[1] + tap];
                        }
                    }
                    rest = after;
                }
            }
            work(packed);
        });
    }
}
