//! The direct way: windows of the image times packed weights, any convolution.

mod plan;
mod weights;

pub(crate) use weights::add_parts;
pub use weights::backward_weights;

use super::memo::packed;
use super::{Activation, ConvShape, Memo};
use crate::buffer::arbitrary;
use crate::gemm::panels;
use crate::gemm::tile::{Packing, RowsTimesWeights};
use crate::parallel::{Shared, for_each, with_scratch};
use crate::simd::{Isa, LANES};
pub(crate) use plan::{ConvWindows, DirectPlan, Item};

/// What is done to the sums of a convolution before they are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Finish<'a> {
    /// Added to each channel, `[co]`.
    pub bias: Option<&'a [f32]>,
    /// Added to each output, of the output's shape.
    pub residual: Option<&'a [f32]>,
    /// Applied last.
    pub activation: Activation,
    /// Where a form of the weights may be kept.
    pub memo: Option<&'a Memo>,
}

/// `y = activation(conv(x, weights) + bias + residual)`.
///
/// # Panics
/// If a slice has not the length that `shape` says.
pub fn forward(
    isa: Isa,
    shape: &ConvShape,
    x: &[f32],
    weights: &[f32],
    finish: Finish<'_>,
    y: &mut [f32],
) {
    shape.check();
    assert_eq!(weights.len(), shape.weights_len(), "length of the weights");
    assert!(finish.bias.is_none_or(|bias| bias.len() == shape.co), "length of the bias");
    assert!(finish.residual.is_none_or(|r| r.len() == y.len()), "length of the residual");
    for group in 0..shape.groups {
        let memo = finish.memo.filter(|_| shape.groups == 1);
        let mut here = Vec::new();
        let packed = packed(memo, &mut here, || pack_forward(shape, group, weights));
        let plan = DirectPlan::new(forward_windows(shape, group), 1);
        run(isa, &plan, x, packed, finish, y);
    }
}

/// `dx`, the gradient of the input, from the gradient `dy` of the output.
///
/// With stride `s` the input pixels fall into `s * s` phases, by which taps reach them; each phase
/// is a convolution of `dy` with its taps.
///
/// # Panics
/// If a slice has not the length that `shape` says.
pub fn backward_data(isa: Isa, shape: &ConvShape, dy: &[f32], weights: &[f32], dx: &mut [f32]) {
    shape.check();
    assert_eq!(weights.len(), shape.weights_len(), "length of the weights");
    for group in 0..shape.groups {
        for row in 0..shape.stride[0] {
            for column in 0..shape.stride[1] {
                let Some(phase) = Phase::new(shape, [row, column]) else { continue };
                let packed = pack_backward(shape, group, &phase, weights);
                let plan = DirectPlan::new(phase.windows(shape, group), 1);
                run(isa, &plan, dy, &packed, Finish::default(), dx);
            }
        }
    }
}

/// Runs all items of a plan.
fn run(isa: Isa, plan: &DirectPlan, x: &[f32], packed: &[f32], finish: Finish<'_>, y: &mut [f32]) {
    plan.check(x.len(), y.len());
    let y = Shared::new(y);
    for_each(plan.items(), |index| {
        let item = plan.item(index);
        let place = plan.target(&item);
        let output = y.start().wrapping_add(place);
        let residual = finish.residual.map_or(std::ptr::null(), |r| r.as_ptr().wrapping_add(place));
        // SAFETY: `DirectPlan::check` has passed for the lengths of `x` and `y`, the residual is as
        // long as `y`, and no two items write to the same place.
        unsafe {
            run_item(isa, plan, &item, &ItemOperands { x, packed, finish, output, residual });
        };
    });
}

/// What an item works on.
pub(crate) struct ItemOperands<'a> {
    pub x: &'a [f32],
    /// `[panel][tap][channel][16]`.
    pub packed: &'a [f32],
    pub finish: Finish<'a>,
    /// Where the item's first result goes.
    pub output: *mut f32,
    /// Where the first result's residual is, or null.
    pub residual: *const f32,
}

/// Computes one item.
///
/// # Safety
/// `DirectPlan::check` must have passed for the lengths of the input and of what `output` points
/// into; nothing else may use the item's places meanwhile.
pub(crate) unsafe fn run_item(
    isa: Isa,
    plan: &DirectPlan,
    item: &Item,
    operands: &ItemOperands<'_>,
) {
    let columns = plan.windows.columns;
    let depth: usize = plan.runs.iter().map(|run| run.len).sum();
    assert_eq!(operands.packed.len(), panels(columns) * depth * LANES, "packed weights");
    let first = plan.windows.target_origin[2];
    let bias = operands.finish.bias.map_or(std::ptr::null(), |b| b[first..][..columns].as_ptr());
    with_scratch(plan.scratch_len(), |scratch| {
        isa.run(RowsTimesWeights {
            source: plan.source(item, operands.x, scratch).as_ptr(),
            output: operands.output,
            rows: plan.rows_of(item),
            runs: &plan.runs,
            weights: operands.packed.as_ptr(),
            packing: Packing::dense(depth),
            columns,
            bias,
            residual: operands.residual,
            bounds: operands.finish.activation.bounds(),
            accumulate: false,
        });
    });
}

/// The windows of a forward pass.
pub(crate) fn forward_windows(shape: &ConvShape, group: usize) -> ConvWindows {
    let [oh, ow] = shape.output();
    let (ci, co) = (shape.ci / shape.groups, shape.co / shape.groups);
    ConvWindows {
        n: shape.n,
        source: [shape.input[0], shape.input[1], shape.ci],
        channels: [group * ci, ci],
        taps: taps(shape),
        reach: [shape.reach(0), shape.reach(1)],
        grid: [oh, ow],
        origin: [0, 1].map(|axis| -(shape.padding[axis][0] as isize)),
        step: shape.stride,
        target: [oh, ow, shape.co],
        target_origin: [0, 0, group * co],
        target_step: [1, 1],
        columns: co,
    }
}

/// The taps of the kernel, as rows and columns from its corner.
fn taps(shape: &ConvShape) -> Vec<[usize; 2]> {
    let [kh, kw] = shape.kernel;
    let [dh, dw] = shape.dilation;
    (0..kh).flat_map(|p| (0..kw).map(move |q| [p * dh, q * dw])).collect()
}

/// The weights of a group, packed for a forward pass: a column is an output channel.
pub(crate) fn pack_forward(shape: &ConvShape, group: usize, weights: &[f32]) -> Vec<f32> {
    let (ci, co) = (shape.ci / shape.groups, shape.co / shape.groups);
    let taps = shape.kernel[0] * shape.kernel[1];
    pack(co, taps * ci, |column, k| {
        let (tap, channel) = (k / ci, k % ci);
        weights[((group * co + column) * ci + channel) * taps + tap]
    })
}

/// One of the phases of a backward pass: the input pixels that the same taps reach.
struct Phase {
    /// The taps, each as kernel row and column, in the order in which their gradients lie.
    kernel: Vec<[usize; 2]>,
    /// The same as rows and columns of `dy` from the window's corner.
    taps: Vec<[usize; 2]>,
    origin: [isize; 2],
    reach: [usize; 2],
    /// The first input row and column of the phase, and how many there are.
    first: [usize; 2],
    grid: [usize; 2],
}

/// The taps of one axis of a phase.
struct PhaseAxis {
    /// Kernel index and how far its gradient lies before that of the first pixel.
    taps: Vec<(usize, usize)>,
    origin: isize,
    reach: usize,
    first: usize,
    count: usize,
}

impl PhaseAxis {
    /// `None` where no input pixel is in the phase.
    fn new(shape: &ConvShape, axis: usize, phase: usize) -> Option<Self> {
        let (stride, dilation) = (shape.stride[axis], shape.dilation[axis]);
        let before = shape.padding[axis][0];
        // The first pixel whose padded place is `phase` modulo the stride.
        let first = (phase + stride - before % stride) % stride;
        if first >= shape.input[axis] {
            return None;
        }
        let place = ((first + before) / stride) as isize;
        // A tap at distance d is met by the gradient at (padded place - d) / stride.
        let mut taps: Vec<(usize, usize)> = (0..shape.kernel[axis])
            .filter(|k| k * dilation % stride == phase)
            .map(|k| (k, (k * dilation - phase) / stride))
            .collect();
        taps.reverse();
        let furthest = taps.first().map_or(0, |tap| tap.1);
        Some(Self {
            taps,
            origin: place - furthest as isize,
            reach: furthest + 1,
            first,
            count: (shape.input[axis] - first).div_ceil(stride),
        })
    }
}

impl Phase {
    fn new(shape: &ConvShape, phase: [usize; 2]) -> Option<Self> {
        let rows = PhaseAxis::new(shape, 0, phase[0])?;
        let columns = PhaseAxis::new(shape, 1, phase[1])?;
        let pairs = || rows.taps.iter().flat_map(|r| columns.taps.iter().map(move |c| (r, c)));
        Some(Self {
            kernel: pairs().map(|(r, c)| [r.0, c.0]).collect(),
            taps: pairs().map(|(r, c)| [rows.reach - 1 - r.1, columns.reach - 1 - c.1]).collect(),
            origin: [rows.origin, columns.origin],
            reach: [rows.reach, columns.reach],
            first: [rows.first, columns.first],
            grid: [rows.count, columns.count],
        })
    }

    fn windows(&self, shape: &ConvShape, group: usize) -> ConvWindows {
        let [oh, ow] = shape.output();
        let (ci, co) = (shape.ci / shape.groups, shape.co / shape.groups);
        ConvWindows {
            n: shape.n,
            source: [oh, ow, shape.co],
            channels: [group * co, co],
            taps: self.taps.clone(),
            reach: self.reach,
            grid: self.grid,
            origin: self.origin,
            step: [1, 1],
            target: [shape.input[0], shape.input[1], shape.ci],
            target_origin: [self.first[0], self.first[1], group * ci],
            target_step: shape.stride,
            columns: ci,
        }
    }
}

/// The weights of a group, packed for one phase of a backward pass: a column is an input channel.
fn pack_backward(shape: &ConvShape, group: usize, phase: &Phase, weights: &[f32]) -> Vec<f32> {
    let (ci, co) = (shape.ci / shape.groups, shape.co / shape.groups);
    let [kh, kw] = shape.kernel;
    pack(ci, phase.kernel.len() * co, |column, k| {
        let ([p, q], channel) = (phase.kernel[k / co], group * co + k % co);
        weights[((channel * ci + column) * kh + p) * kw + q]
    })
}

/// `[panel][depth][16]`, with zeros in the columns that fill up the last panel.
fn pack(columns: usize, depth: usize, weight: impl Fn(usize, usize) -> f32 + Sync) -> Vec<f32> {
    let mut packed = arbitrary(panels(columns) * depth * LANES);
    let shared = Shared::new(&mut packed);
    for_each(panels(columns), |panel| {
        let len = depth * LANES;
        // SAFETY: each panel is written by one item.
        let out = unsafe { shared.part(panel * len..(panel + 1) * len) };
        let width = LANES.min(columns - panel * LANES);
        if width < LANES {
            out.fill(0.0);
        }
        for lane in 0..width {
            for k in 0..depth {
                out[k * LANES + lane] = weight(panel * LANES + lane, k);
            }
        }
    });
    packed
}
