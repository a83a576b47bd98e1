//! The gradient of the bias.

use std::ops::Range;

use super::{DEAD, PooledShape};
use crate::parallel::{Shared, for_each, part, with_scratch};
use crate::simd::{Isa, Kernel, LANES, Simd};

/// Parts of the batch that are summed up on their own.
const PARTS: usize = 16;

/// Writes the gradient `[co]` of the bias: the sum of all `dy` that have a slot.
///
/// `dy` and `slots` are `[n, ph, pw, co]`.
///
/// # Panics
/// If the shape is not valid or a length does not fit.
pub fn backward_bias(isa: Isa, shape: &PooledShape, dy: &[f32], slots: &[u8], db: &mut [f32]) {
    shape.check();
    assert_eq!(dy.len(), shape.pooled_len(), "length of dy");
    assert_eq!(slots.len(), dy.len(), "length of slots");
    assert_eq!(db.len(), shape.conv.co, "length of db");
    let (co, image) = (shape.conv.co, shape.image_len());
    let parts = PARTS.min(shape.conv.n);
    with_scratch(parts * co, |sums| {
        let shared = Shared::new(sums);
        for_each(parts, |index| {
            // SAFETY: each item has a part of its own.
            let db = unsafe { shared.part(index * co..(index + 1) * co) };
            let images = part(shape.conv.n, parts, index);
            let elements = images.start * image..images.end * image;
            isa.run(Chunk { dy, slots, elements, db });
        });
        db.fill(0.0);
        for part in sums.chunks_exact(co) {
            for (db, part) in db.iter_mut().zip(part) {
                *db += part;
            }
        }
    });
}

/// The sums over a range of elements, whole vectors of channels.
struct Chunk<'a> {
    dy: &'a [f32],
    slots: &'a [u8],
    elements: Range<usize>,
    db: &'a mut [f32],
}

impl Kernel for Chunk<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (start, end, co) = (self.elements.start, self.elements.end, self.db.len());
        let mut o = 0;
        while o < co {
            let n = (co - o).min(LANES);
            // SAFETY: this CPU has `S`; the elements are inside both slices, whose lengths the
            // public function compared, and sixteen are read only where sixteen are left.
            unsafe {
                let mut sum = S::splat(0.0);
                let mut at = start + o;
                while at < end {
                    let dy = self.dy.as_ptr().add(at);
                    let slots = self.slots.as_ptr().add(at);
                    if at + LANES <= self.dy.len() {
                        sum = S::add(sum, alive::<S>(S::load(dy), slots));
                    } else {
                        let mut bytes = [DEAD; LANES];
                        std::ptr::copy_nonoverlapping(slots, bytes.as_mut_ptr(), n);
                        sum = S::add(sum, alive::<S>(S::load_first(dy, n), bytes.as_ptr()));
                    }
                    at += co;
                }
                S::store_first(self.db.as_mut_ptr().add(o), sum, n);
            }
            o += LANES;
        }
    }
}

/// `dy` where the slot is not [`DEAD`], else 0.
///
/// # Safety
/// The CPU must have `S`, and there must be sixteen slots.
#[inline(always)]
unsafe fn alive<S: Simd>(dy: S::V, slots: *const u8) -> S::V {
    // SAFETY: the caller's promises.
    unsafe { S::select(S::bytes_equal(slots, DEAD), S::splat(0.0), dy) }
}
