//! The gradient of the weights where the windows are small: sixteen output channels at a time look at
//! all slots of a pool, and each adds its own.
//!
//! The sparse way reads a run of inputs for one chosen element; with one or three input channels the
//! runs are too short for that to pay.

use super::{PooledShape, PooledWindows, pool_plan};
use crate::conv::direct::add_parts;
use crate::gemm::tile::Row;
use crate::gemm::{ROWS, panels};
use crate::parallel::{Shared, for_each, part, with_scratch};
use crate::simd::{Isa, Kernel, LANES, Simd};

/// Most parts that the images are dealt to.
const PARTS: usize = 16;

/// Whether this way should be faster than the sparse one: cycles for a pooled pixel, about. Here
/// every slot costs a step for each six taps and sixteen channels; there every channel costs the
/// steps of sixteen that cover its window, and eight to find it.
pub(super) fn wins(shape: &PooledShape) -> bool {
    let conv = &shape.conv;
    let taps = conv.ci * conv.kernel[0] * conv.kernel[1];
    let here = panels(conv.co) * shape.pool * shape.pool * taps.div_ceil(ROWS) * (ROWS + 2);
    let there = conv.co * (conv.kernel[0] * PooledWindows::new(shape).across + 8);
    here < there
}

/// Writes the gradient `[co, ci, kh, kw]` of the weights; lengths are checked by the caller.
pub(super) fn backward_weights(
    isa: Isa,
    shape: &PooledShape,
    x: &[f32],
    dy: &[f32],
    slots: &[u8],
    dw: &mut [f32],
) {
    let conv = &shape.conv;
    let (plan, offsets) = pool_plan(shape);
    plan.check(x.len(), dy.len());
    let taps = plan.taps();
    let len = taps.len() * panels(conv.co) * LANES;
    let parts = PARTS.min(plan.items().max(1));
    let mut sums = vec![0.0; parts * len];
    let shared = Shared::new(&mut sums);
    for_each(parts, |number| {
        // SAFETY: parts have places of their own.
        let sums = unsafe { shared.part(number * len..(number + 1) * len) };
        for item in part(plan.items(), parts, number) {
            let item = plan.item(item);
            let start = plan.target(&item);
            with_scratch(plan.scratch_len(), |scratch| {
                isa.run(Masked {
                    source: plan.source(&item, x, scratch),
                    rows: plan.rows_of(&item),
                    taps: &taps,
                    offsets: &offsets,
                    dy: &dy[start..],
                    slots: &slots[start..],
                    channels: conv.co,
                    sums,
                });
            });
        }
    });
    add_parts(&mut sums, len);
    let kernel = conv.kernel[0] * conv.kernel[1];
    for (k, sums) in sums[..len].chunks_exact(panels(conv.co) * LANES).enumerate() {
        for (o, sum) in sums[..conv.co].iter().enumerate() {
            dw[o * taps.len() + k % conv.ci * kernel + k / conv.ci] = *sum;
        }
    }
}

/// Adds the products of an item to `sums`, `[tap][panels * 16]`.
struct Masked<'a> {
    source: &'a [f32],
    rows: &'a [Row],
    taps: &'a [usize],
    offsets: &'a [usize],
    dy: &'a [f32],
    slots: &'a [u8],
    channels: usize,
    sums: &'a mut [f32],
}

impl Kernel for Masked<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        let furthest = |places: &[usize]| places.iter().copied().max().unwrap_or(0);
        let from = self.rows.iter().map(|row| row.from).max().unwrap_or(0);
        let to = self.rows.iter().map(|row| row.to).max().unwrap_or(0);
        let last = from + furthest(self.offsets) + furthest(self.taps);
        assert!(last < self.source.len(), "windows outside the image");
        assert!(to + self.channels <= self.dy.len().min(self.slots.len()), "gradients");
        let stride = panels(self.channels) * LANES;
        assert_eq!(self.sums.len(), self.taps.len() * stride, "sums");
        let mut first = 0;
        while first < self.channels {
            let mut at = 0;
            while at < self.taps.len() {
                // SAFETY: this CPU has `S`, and the assertions above bound all places.
                unsafe { self.tile::<S>(at, first, stride) };
                at += ROWS;
            }
            first += LANES;
        }
    }
}

impl Masked<'_> {
    /// Six taps and sixteen channels.
    #[inline(always)]
    unsafe fn tile<S: Simd>(&mut self, at: usize, first: usize, stride: usize) {
        // SAFETY: the caller has checked that all places lie in the slices.
        unsafe {
            let width = (self.channels - first).min(LANES);
            let valid = (self.taps.len() - at).min(ROWS);
            let mut from = [self.source.as_ptr(); ROWS];
            let mut i = 0;
            while i < ROWS {
                from[i] = from[i].add(self.taps[at + i.min(valid - 1)]);
                i += 1;
            }
            let mut sums = [S::splat(0.0); ROWS];
            for row in self.rows {
                let place = row.to + first;
                let dy = S::load_first(self.dy.as_ptr().add(place), width);
                let mut tail = [super::DEAD; LANES];
                let mut slots = self.slots.as_ptr().add(place);
                if width < LANES {
                    std::ptr::copy_nonoverlapping(slots, tail.as_mut_ptr(), width);
                    slots = tail.as_ptr();
                }
                let mut slot = 0;
                while slot < self.offsets.len() {
                    let chosen = S::bytes_equal(slots, slot as u8);
                    let window = row.from + *self.offsets.get_unchecked(slot);
                    let mut i = 0;
                    while i < ROWS {
                        // Selected, not multiplied by zero: what is not chosen may be infinite.
                        let more = S::fma(S::splat(*from[i].add(window)), dy, sums[i]);
                        sums[i] = S::select(chosen, more, sums[i]);
                        i += 1;
                    }
                    slot += 1;
                }
            }
            let mut i = 0;
            while i < ROWS {
                if i < valid {
                    let to = self.sums.as_mut_ptr().add((at + i) * stride + first);
                    S::store(to, S::add(S::load(to), sums[i]));
                }
                i += 1;
            }
        }
    }
}
