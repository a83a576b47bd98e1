//! The direct forms of the forward pass. Pools of 2 x 2 are taken from registers; of others a band
//! of the convolution goes to scratch memory and is pooled from there. In both ways the outputs
//! before the pool never see the main memory. [`crate::conv::forward_pooled`] chooses.

use super::direct::PooledRows;
use super::pool::PoolRows;
use super::{PooledShape, Pooling, pool_plan};
use crate::conv::direct::{DirectPlan, ItemOperands, forward_windows, pack_forward, run_item};
use crate::conv::memo::{Memo, packed};
use crate::conv::{Activation, Finish};
use crate::gemm::panels;
use crate::parallel::{Shared, for_each, with_scratch};
use crate::simd::{Isa, LANES};

/// What a pooled convolution computes from.
#[derive(Clone, Copy, Debug)]
pub struct Operands<'a> {
    /// `[n, h, w, ci]`.
    pub x: &'a [f32],
    /// `[co, ci, kh, kw]`.
    pub weights: &'a [f32],
    /// `[co]`.
    pub bias: Option<&'a [f32]>,
    /// Between the convolution and the pool.
    pub activation: Activation,
    /// Where a form of the weights may be kept.
    pub memo: Option<&'a Memo>,
}

/// What a forward pass writes, an item each part.
pub(in crate::conv) struct Results<'a> {
    pub(in crate::conv) y: Shared<'a, f32>,
    pub(in crate::conv) slots: Option<Shared<'a, u8>>,
}

impl<'a> Results<'a> {
    /// Checks what every form relies on: that `y` and `slots` are `[n, ph, pw, co]`, and the
    /// lengths of the operands.
    ///
    /// # Panics
    /// If the shape is not valid, or a slice has not the length that it says.
    pub(in crate::conv) fn new(
        shape: &PooledShape,
        operands: &Operands<'_>,
        y: &'a mut [f32],
        slots: Option<&'a mut [u8]>,
    ) -> Self {
        shape.check();
        let &Operands { x, weights, bias, .. } = operands;
        assert_eq!(x.len(), shape.conv.input_len(), "length of the input");
        assert_eq!(weights.len(), shape.conv.weights_len(), "length of the weights");
        assert!(bias.is_none_or(|bias| bias.len() == shape.conv.co), "length of the bias");
        assert_eq!(y.len(), shape.pooled_len(), "length of the output");
        assert!(slots.as_ref().is_none_or(|slots| slots.len() == y.len()), "length of the slots");
        Self { y: Shared::new(y), slots: slots.map(Shared::new) }
    }
}

/// Pools of 2 x 2: each register tile holds whole pools.
pub(in crate::conv) fn in_registers(
    isa: Isa,
    shape: &PooledShape,
    operands: Operands<'_>,
    results: &Results<'_>,
) {
    let conv = &shape.conv;
    let (plan, windows) = pool_plan(shape);
    let &[first, right, below, last] = &windows[..] else { unreachable!("a pool of 2 x 2") };
    plan.check(operands.x.len(), shape.pooled_len());
    let mut here = Vec::new();
    let packed = packed(operands.memo, &mut here, || pack_forward(conv, 0, operands.weights));
    let depth: usize = plan.runs.iter().map(|run| run.len).sum();
    assert_eq!(packed.len(), panels(conv.co) * depth * LANES, "packed weights");
    for_each(plan.items(), |index| {
        let item = plan.item(index);
        let place = plan.target(&item);
        let slots = results.slots.as_ref().map(Shared::start);
        with_scratch(plan.scratch_len(), |scratch| {
            // The kernel's promises hold: `DirectPlan::check` has passed for the lengths of input
            // and output, the others are checked above and by `Results::new`, and no two items
            // write to the same place.
            isa.run(PooledRows {
                source: plan.source(&item, operands.x, scratch).as_ptr(),
                pools: plan.rows_of(&item),
                windows: [first, right, below, last],
                runs: &plan.runs,
                weights: packed.as_ptr(),
                columns: conv.co,
                bias: operands.bias.map_or(std::ptr::null(), <[f32]>::as_ptr),
                activation: operands.activation,
                y: results.y.start().wrapping_add(place),
                slots: slots.map_or(std::ptr::null_mut(), |slots| slots.wrapping_add(place)),
            });
        });
    });
}

/// Bands of the convolution, each pooled from scratch memory.
pub(in crate::conv) fn by_bands(
    isa: Isa,
    shape: &PooledShape,
    operands: Operands<'_>,
    results: &Results<'_>,
) {
    let Operands { x, weights, bias, .. } = operands;
    let (pool, co) = (shape.pool, shape.conv.co);
    let [rows, columns] = [shape.ph() * pool, shape.pw() * pool];
    // Outputs that no pool reads are not computed.
    let mut windows = forward_windows(&shape.conv, 0);
    windows.grid = [rows, columns];
    windows.target = [rows, columns, co];
    let plan = DirectPlan::new(windows, pool);
    plan.check(x.len(), shape.conv.n * rows * columns * co);
    let mut here = Vec::new();
    let packed = packed(operands.memo, &mut here, || pack_forward(&shape.conv, 0, weights));
    let finish = Finish { bias, ..Finish::default() };
    let pooling = Pooling { pool, ow: columns, co, activation: operands.activation };
    for_each(plan.items(), |index| {
        let item = plan.item(index);
        let len = plan.rows_of(&item).len() * co;
        with_scratch(len, |band| {
            let residual = std::ptr::null();
            let output = band.as_mut_ptr();
            let item_operands = ItemOperands { x, packed, finish, output, residual };
            // SAFETY: `DirectPlan::check` has passed for `x`; the item's windows are written one
            // after another from the start of `band`, which has room for them and is nobody else's.
            unsafe { run_item(isa, &plan, &item, &item_operands) };
            let start = plan.target(&item) / (pool * pool);
            let range = start..start + len / (pool * pool);
            // SAFETY: the pooled rows of an item are its own.
            let (y, slots) = unsafe {
                let slots = results.slots.as_ref();
                (results.y.part(range.clone()), slots.map(|slots| slots.part(range)))
            };
            isa.run(PoolRows::new(pooling, band, y, slots));
        });
    });
}
