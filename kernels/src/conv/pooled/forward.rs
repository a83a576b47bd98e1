//! The forward pass: a band of the convolution goes to scratch memory and is pooled from there, so
//! that its outputs before the pool never see the main memory.

use super::pool::PoolRows;
use super::{PooledShape, Pooling};
use crate::buffer::arbitrary;
use crate::conv::direct::{Operands as Band, Plan, forward_windows, pack_forward, run_item};
use crate::conv::{Activation, Finish, winograd};
use crate::parallel::{Shared, for_each, with_scratch};
use crate::simd::Isa;

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
}

/// Computes `y` and `slots`, both `[n, ph, pw, co]`.
///
/// # Panics
/// If a slice has not the length that `shape` says.
pub fn forward(
    isa: Isa,
    shape: &PooledShape,
    operands: Operands<'_>,
    y: &mut [f32],
    slots: &mut [u8],
) {
    shape.check();
    let Operands { x, weights, bias, activation } = operands;
    let (pool, co) = (shape.pool, shape.conv.co);
    assert_eq!(weights.len(), shape.conv.weights_len(), "length of the weights");
    assert!(bias.is_none_or(|bias| bias.len() == co), "length of the bias");
    assert_eq!((y.len(), slots.len()), (shape.pooled_len(), shape.pooled_len()), "output");
    if winograd::wins(&shape.conv) {
        return through_memory(isa, shape, operands, y, slots);
    }
    let [rows, columns] = [shape.ph() * pool, shape.pw() * pool];
    // Outputs that no pool reads are not computed.
    let mut windows = forward_windows(&shape.conv, 0);
    windows.grid = [rows, columns];
    windows.target = [rows, columns, co];
    let plan = Plan::new(windows, pool);
    plan.check(x.len(), shape.conv.n * rows * columns * co);
    let packed = pack_forward(&shape.conv, 0, weights);
    let finish = Finish { bias, ..Finish::default() };
    let (y, slots) = (Shared::new(y), Shared::new(slots));
    for_each(plan.items(), |index| {
        let item = plan.item(index);
        let len = plan.rows_of(&item).len() * co;
        with_scratch(len, |band| {
            let residual = std::ptr::null();
            let output = band.as_mut_ptr();
            let band_operands = Band { x, packed: &packed, finish, output, residual };
            // SAFETY: `Plan::check` has passed for `x`; the item's windows are written one after
            // another from the start of `band`, which has room for them and is nobody else's.
            unsafe { run_item(isa, &plan, &item, &band_operands) };
            let start = plan.target(&item) / (pool * pool);
            let range = start..start + len / (pool * pool);
            // SAFETY: the pooled rows of an item are its own.
            let (y, slots) = unsafe { (y.part(range.clone()), slots.part(range)) };
            let pooling = Pooling { pool, ow: columns, co, activation };
            isa.run(PoolRows::new(pooling, band, y, slots));
        });
    });
}

/// Winograd's form works on tiles of all images at once, so its outputs are pooled afterwards.
fn through_memory(
    isa: Isa,
    shape: &PooledShape,
    operands: Operands<'_>,
    y: &mut [f32],
    slots: &mut [u8],
) {
    let Operands { x, weights, bias, activation } = operands;
    let (pool, co) = (shape.pool, shape.conv.co);
    let [oh, ow] = shape.conv.output();
    let mut conv = arbitrary(shape.conv.output_len());
    let parameters = winograd::Parameters { weights, bias, activation: Activation::None };
    winograd::forward(isa, &shape.conv, x, parameters, &mut conv);
    let len = shape.image_len();
    let (y, slots) = (Shared::new(y), Shared::new(slots));
    for_each(shape.conv.n, |image| {
        // Rows below the last whole pool are left out.
        let conv = &conv[image * oh * ow * co..][..shape.ph() * pool * ow * co];
        let range = image * len..(image + 1) * len;
        // SAFETY: each image is one item's.
        let (y, slots) = unsafe { (y.part(range.clone()), slots.part(range)) };
        isa.run(PoolRows::new(Pooling { pool, ow, co, activation }, conv, y, slots));
    });
}
