//! Dense layers: `[N, inputs]` times weights `[inputs, outputs]`.
//!
//! The weights may be far larger than the batch, so they are packed block by block into scratch
//! memory by the item that uses them: they are read from memory once for some hundred rows. For so
//! few samples that they fill one register tile, they are read where they lie.

pub mod reference;
#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::conv::Finish;
use crate::gemm::outer::PixelsTimesGradients;
use crate::gemm::tile::{BLOCK, Packing, Row, RowsTimesWeights, Run};
use crate::gemm::{ROWS, panel_group, panels};
use crate::parallel::{Shared, for_each, with_scratch};
use crate::simd::{Isa, LANES};

/// Panels of an item: one register tile's width.
const ITEM_PANELS: usize = 4;
/// Most rows of an item.
const ITEM_ROWS: usize = 384;
/// How many items there should be at least, so that several threads have work.
const ITEMS: usize = 8;
/// Input features of an item of the weights' gradient.
const FEATURES: usize = 96;
/// Most samples that are multiplied at once for the weights' gradient: their gradients for 64
/// columns, 64 KiB, and their features of an item stay in the second-level cache.
const SAMPLES: usize = 256;

/// The sizes of a dense layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinearShape {
    /// Samples.
    pub n: usize,
    /// Features of a sample.
    pub inputs: usize,
    /// Features of the result.
    pub outputs: usize,
}

impl LinearShape {
    fn check(&self, x: &[f32], weights: &[f32], y: &[f32]) {
        assert_eq!(x.len(), self.n * self.inputs, "length of the input");
        assert_eq!(weights.len(), self.inputs * self.outputs, "length of the weights");
        assert_eq!(y.len(), self.n * self.outputs, "length of the output");
    }
}

/// `y = activation(x * weights + bias + residual)`, `[N, outputs]`.
///
/// # Panics
/// If a slice has not the length that `shape` says.
pub fn forward(
    isa: Isa,
    shape: &LinearShape,
    x: &[f32],
    weights: &[f32],
    finish: Finish<'_>,
    y: &mut [f32],
) {
    shape.check(x, weights, y);
    let &LinearShape { n, inputs, outputs } = shape;
    assert!(finish.bias.is_none_or(|bias| bias.len() == outputs), "length of the bias");
    assert!(finish.residual.is_none_or(|r| r.len() == y.len()), "length of the residual");
    let in_place = (n <= ROWS).then_some(weights);
    let product = Product { isa, n, depth: inputs, columns: outputs, x, finish, in_place };
    product.run(y, |ks, first, width, packed| {
        copy_panel(ks.map(|k| &weights[k * outputs + first..][..width]), width, packed);
    });
}

/// `dx`, the gradient of the input, from the gradient `dy` of the output.
///
/// # Panics
/// If a slice has not the length that `shape` says.
pub fn backward_data(isa: Isa, shape: &LinearShape, dy: &[f32], weights: &[f32], dx: &mut [f32]) {
    shape.check(dx, weights, dy);
    let &LinearShape { n, inputs, outputs } = shape;
    let finish = Finish::default();
    let product =
        Product { isa, n, depth: outputs, columns: inputs, x: dy, finish, in_place: None };
    product.run(dx, |ks, first, width, packed| {
        if width < LANES {
            packed.fill(0.0);
        }
        for lane in 0..width {
            let row = &weights[(first + lane) * outputs..][ks.clone()];
            for (to, from) in packed[lane..].iter_mut().step_by(LANES).zip(row) {
                *to = *from;
            }
        }
    });
}

/// Writes `rows` of `width` values, at most sixteen, as rows of sixteen. No calls of `memcpy` for so
/// few: they would take as long as the multiplications.
fn copy_panel<'a>(rows: impl Iterator<Item = &'a [f32]>, width: usize, packed: &mut [f32]) {
    let (packed, _) = packed.as_chunks_mut::<LANES>();
    if width < LANES {
        packed.as_flattened_mut().fill(0.0);
    }
    for (to, from) in packed.iter_mut().zip(rows) {
        match from.first_chunk::<LANES>() {
            Some(from) => *to = *from,
            None => to.iter_mut().zip(from).for_each(|(to, from)| *to = *from),
        }
    }
}

/// `[n, depth]` times something that is packed on the way.
struct Product<'a> {
    isa: Isa,
    n: usize,
    depth: usize,
    columns: usize,
    x: &'a [f32],
    finish: Finish<'a>,
    /// The weights, `[depth, columns]`, where they are not worth packing.
    in_place: Option<&'a [f32]>,
}

impl Product<'_> {
    /// Computes `y`, `[n, columns]`. `pack(ks, first, width, panel)` writes the panel of columns
    /// `first..first + width`, `[k][16]`, for the rows `ks` of the weights.
    fn run(
        &self,
        y: &mut [f32],
        pack: impl Fn(Range<usize>, usize, usize, &mut [f32]) + Sync + Send,
    ) {
        let all = panels(self.columns);
        let groups = all.div_ceil(ITEM_PANELS);
        let wanted = self.n.div_ceil(ITEMS.div_ceil(groups.max(1))).next_multiple_of(ROWS);
        let rows = wanted.clamp(ROWS, ITEM_ROWS);
        let y = Shared::new(y);
        for_each(self.n.div_ceil(rows) * groups, |index| {
            let start = index / groups * rows;
            let samples = start..(start + rows).min(self.n);
            let (first, count) = panel_group(all, ITEM_PANELS, index % groups);
            with_scratch(count * BLOCK * LANES, |packed| {
                self.item(samples, first..first + count, packed, y.start(), &pack);
            });
        });
    }

    /// Computes some rows of some panels.
    fn item(
        &self,
        samples: Range<usize>,
        some: Range<usize>,
        packed: &mut [f32],
        y: *mut f32,
        pack: &impl Fn(Range<usize>, usize, usize, &mut [f32]),
    ) {
        let first = some.start * LANES;
        let rows: Vec<Row> =
            samples.map(|i| Row { from: i * self.depth, to: i * self.columns + first }).collect();
        let columns = (self.columns - first).min(some.len() * LANES);
        let work = |ks: Range<usize>, weights: &[f32], packing| {
            self.block(&rows, [first, columns], ks, weights, packing, y);
        };
        let mut done = 0;
        if let Some(weights) = self.in_place {
            // Rows after which as many floats follow as a panel that is not full reads too much.
            let beyond = some.len() * LANES - columns;
            let fit = self.depth - beyond.div_ceil(self.columns).min(self.depth);
            if fit > 0 {
                let packing = Packing { panel: LANES, step: self.columns };
                work(0..fit, &weights[first..], packing);
                done = fit;
            }
        }
        // At least once, so that a sum over nothing is written too.
        for start in (done..self.depth.max(1)).step_by(BLOCK) {
            let ks = start..(start + BLOCK).min(self.depth);
            let len = ks.len() * LANES;
            for (i, panel) in some.clone().enumerate() {
                let width = (self.columns - panel * LANES).min(LANES);
                pack(ks.clone(), panel * LANES, width, &mut packed[i * len..][..len]);
            }
            let packing = Packing::dense(ks.len());
            work(ks, packed, packing);
        }
    }

    /// Adds the products of `ks` to the results of an item, and ends them with the last.
    fn block(
        &self,
        rows: &[Row],
        [first, columns]: [usize; 2],
        ks: Range<usize>,
        weights: &[f32],
        packing: Packing,
        y: *mut f32,
    ) {
        let bias = self.finish.bias.map_or(std::ptr::null(), |bias| bias[first..].as_ptr());
        let residual = self.finish.residual.map_or(std::ptr::null(), <[f32]>::as_ptr);
        let last = ks.end == self.depth;
        let free = (f32::NEG_INFINITY, f32::INFINITY);
        // Rows lie in `x` and `y` (lengths checked by the public function), the columns of each
        // item are its own; what is read of weights in place ends within them.
        self.isa.run(RowsTimesWeights {
            source: self.x.as_ptr(),
            output: y,
            rows,
            runs: &[Run { offset: ks.start, len: ks.len() }],
            weights: weights.as_ptr(),
            packing,
            columns,
            bias,
            residual: if last { residual } else { std::ptr::null() },
            bounds: if last { self.finish.activation.bounds() } else { free },
            accumulate: ks.start > 0,
        });
    }
}

/// `dw`, the gradient of the weights, `[inputs, outputs]`, from the input and the gradient `dy` of
/// the output.
///
/// # Panics
/// If a slice has not the length that `shape` says.
pub fn backward_weights(isa: Isa, shape: &LinearShape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    shape.check(x, dw, dy);
    let &LinearShape { n, inputs, outputs } = shape;
    if n == 0 || outputs == 0 {
        return dw.fill(0.0);
    }
    let all = panels(outputs);
    let packed = pack_gradients(shape, dy);
    let dw = Shared::new(dw);
    for_each(inputs.div_ceil(FEATURES), |index| {
        let features = index * FEATURES..((index + 1) * FEATURES).min(inputs);
        // SAFETY: the rows of the weights are dealt to the items.
        let dw = unsafe { dw.part(features.start * outputs..features.end * outputs) };
        let compute = |sums: &mut [f32]| sum_products(isa, shape, x, &packed, features, sums);
        if outputs == all * LANES {
            return compute(dw);
        }
        with_scratch(dw.len() / outputs * all * LANES, |sums| {
            compute(sums);
            for (to, from) in dw.chunks_exact_mut(outputs).zip(sums.chunks_exact(all * LANES)) {
                to.copy_from_slice(&from[..outputs]);
            }
        });
    });
}

/// The gradients of the weights of some features, `[features][panels * 16]`.
fn sum_products(
    isa: Isa,
    shape: &LinearShape,
    x: &[f32],
    packed: &[f32],
    features: Range<usize>,
    sums: &mut [f32],
) {
    let &LinearShape { n, inputs, outputs } = shape;
    let (width, all) = (features.len(), panels(outputs));
    assert_eq!(sums.len(), width * all * LANES, "length of the sums");
    let taps: Vec<usize> = (0..width).collect();
    let most = SAMPLES.min(n);
    let pixels: Vec<usize> = (0..most).map(|i| i * width).collect();
    with_scratch(most * width, |block| {
        for chunk in 0..n.div_ceil(SAMPLES) {
            let samples = chunk * SAMPLES..((chunk + 1) * SAMPLES).min(n);
            for (to, i) in block.chunks_exact_mut(width).zip(samples.clone()) {
                to.copy_from_slice(&x[i * inputs..][features.clone()]);
            }
            isa.run(PixelsTimesGradients {
                source: block.as_ptr(),
                pixels: &pixels[..samples.len()],
                taps: &taps,
                dy: packed[samples.start * all * LANES..].as_ptr(),
                panels: all,
                sums: sums.as_mut_ptr(),
                accumulate: chunk > 0,
            });
        }
    });
}

/// `dy` as `[chunk of samples][panel][sample][16]`.
fn pack_gradients(shape: &LinearShape, dy: &[f32]) -> Vec<f32> {
    let &LinearShape { n, outputs, .. } = shape;
    let all = panels(outputs);
    let mut packed = crate::buffer::arbitrary(n * all * LANES);
    let shared = Shared::new(&mut packed);
    for_each(n.div_ceil(SAMPLES) * all, |index| {
        let (chunk, panel) = (index / all, index % all);
        let samples = chunk * SAMPLES..((chunk + 1) * SAMPLES).min(n);
        let start = (samples.start * all + panel * samples.len()) * LANES;
        // SAFETY: each panel of each chunk has a place of its own.
        let packed = unsafe { shared.part(start..start + samples.len() * LANES) };
        let first = panel * LANES;
        let width = (outputs - first).min(LANES);
        copy_panel(samples.map(|i| &dy[i * outputs + first..][..width]), width, packed);
    });
    packed
}
