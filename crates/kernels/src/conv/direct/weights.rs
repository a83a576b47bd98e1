//! The gradient of the weights: windows of the image times gradients of the output, summed over all
//! pixels.

use super::plan::{DirectPlan, Item};
use super::{ConvShape, forward_windows};
use crate::gemm::outer::{PIXELS, PixelsTimesGradients};
use crate::gemm::panels;
use crate::parallel::{Shared, for_each, part, with_scratch};
use crate::simd::{Isa, LANES};

/// Bytes that the partial sums of all parts may take together, where more than two parts do.
const PARTIAL_BYTES: usize = 16 << 20;
/// Most parts that the images are dealt to.
const PARTS: usize = 16;
/// Panels of one item: their sums for all taps stay in the second-level cache.
const ITEM_PANELS: usize = 8;

/// `dw`, the gradient of the weights, from the input and the gradient `dy` of the output.
///
/// The items of the forward plan are dealt to parts by a rule that knows the shape only; each part
/// has sums of its own, and they are added in the order of the parts.
///
/// # Panics
/// If a slice has not the length that `shape` says.
pub fn backward_weights(isa: Isa, shape: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    shape.check();
    assert_eq!(dw.len(), shape.weights_len(), "length of the weights");
    for group in 0..shape.groups {
        let plan = DirectPlan::new(forward_windows(shape, group), 1);
        plan.check(x.len(), dy.len());
        let pass = Pass { isa, plan: &plan, taps: plan.taps(), x, dy };
        pass.run(shape, group, dw);
    }
}

struct Pass<'a> {
    isa: Isa,
    plan: &'a DirectPlan,
    taps: Vec<usize>,
    x: &'a [f32],
    dy: &'a [f32],
}

impl Pass<'_> {
    fn run(&self, shape: &ConvShape, group: usize, dw: &mut [f32]) {
        let columns = self.plan.windows.columns;
        let (panels, depth) = (panels(columns), self.taps.len());
        let sums_len = depth * panels * LANES;
        let items = self.plan.items();
        let parts = (PARTIAL_BYTES / (sums_len * 4)).clamp(2, PARTS).min(items.max(1));
        let splits = panels.div_ceil(ITEM_PANELS);
        let mut sums = vec![0.0; parts * sums_len];
        let shared = Shared::new(&mut sums);
        for_each(parts * splits, |index| {
            let (number, split) = (index / splits, index % splits);
            let some = part(panels, splits, split);
            let len = depth * some.len() * LANES;
            let start = number * sums_len + depth * some.start * LANES;
            // SAFETY: parts and splits have places of their own.
            let sums = unsafe { shared.part(start..start + len) };
            for item in part(items, parts, number) {
                self.item(&self.plan.item(item), some.clone(), sums);
            }
        });
        add_parts(&mut sums, sums_len);
        self.unpack(shape, group, &sums[..sums_len], dw);
    }

    /// Adds an item's products to `sums`, `[tap][panels * 16]`.
    fn item(&self, item: &Item, panels: std::ops::Range<usize>, sums: &mut [f32]) {
        let rows = self.plan.rows_of(item);
        let target = self.plan.target(item);
        with_scratch(self.plan.scratch_len(), |scratch| {
            let source = self.plan.source(item, self.x, scratch);
            with_scratch(panels.len() * PIXELS * LANES, |packed| {
                for rows in rows.chunks(PIXELS) {
                    let mut pixels = [0; PIXELS];
                    for (pixel, row) in pixels.iter_mut().zip(rows) {
                        *pixel = row.from;
                    }
                    for (i, panel) in panels.clone().enumerate() {
                        let first = panel * LANES;
                        let width = LANES.min(self.plan.windows.columns - first);
                        let packed = &mut packed[i * rows.len() * LANES..][..rows.len() * LANES];
                        for (to, row) in packed.chunks_exact_mut(LANES).zip(rows) {
                            let from = &self.dy[target + row.to + first..][..width];
                            to[..width].copy_from_slice(from);
                            to[width..].fill(0.0);
                        }
                    }
                    self.isa.run(PixelsTimesGradients {
                        source: source.as_ptr(),
                        pixels: &pixels[..rows.len()],
                        taps: &self.taps,
                        dy: packed.as_ptr(),
                        panels: panels.len(),
                        sums: sums.as_mut_ptr(),
                        accumulate: true,
                    });
                }
            });
        });
    }

    /// From `[split][tap][channel][panels * 16]` to `[co][ci][kh][kw]`.
    fn unpack(&self, shape: &ConvShape, group: usize, sums: &[f32], dw: &mut [f32]) {
        let columns = self.plan.windows.columns;
        let (all, ci) = (panels(columns), shape.ci / shape.groups);
        let (taps, depth) = (shape.kernel[0] * shape.kernel[1], self.taps.len());
        let splits = all.div_ceil(ITEM_PANELS);
        let dw = Shared::new(&mut dw[group * columns * ci * taps..][..columns * ci * taps]);
        for_each(splits, |split| {
            let some = part(all, splits, split);
            let width = some.len() * LANES;
            let sums = &sums[depth * some.start * LANES..][..depth * width];
            for column in some.start * LANES..(some.end * LANES).min(columns) {
                // SAFETY: each column is in one split.
                let dw = unsafe { dw.part(column * depth..(column + 1) * depth) };
                for (k, sum) in
                    sums[column - some.start * LANES..].iter().step_by(width).enumerate()
                {
                    dw[k % ci * taps + k / ci] = *sum;
                }
            }
        });
    }
}

/// Adds the second and later parts of `len` floats to the first, in their order.
pub(crate) fn add_parts(sums: &mut [f32], len: usize) {
    const PIECE: usize = 16 << 10;
    let parts = sums.len() / len.max(1);
    let shared = Shared::new(sums);
    for_each(len.div_ceil(PIECE), |piece| {
        let range = piece * PIECE..((piece + 1) * PIECE).min(len);
        // SAFETY: each piece of each part is used by one item.
        let total = unsafe { shared.part(range.clone()) };
        for number in 1..parts {
            // SAFETY: as above; another part's piece.
            let more = unsafe { shared.part(range.start + number * len..range.end + number * len) };
            for (total, more) in total.iter_mut().zip(more) {
                *total += *more;
            }
        }
    });
}
