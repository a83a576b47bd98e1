//! From a gradient of pooled images to one of the convolution's outputs, for dense kernels.

use crate::simd::{Kernel, LANES, Simd};

use super::PooledShape;

/// Writes the gradient `[oh, ow, co]` of one output image: a pooled element's gradient at its slot,
/// zero everywhere else.
pub(crate) struct Scatter<'a> {
    shape: &'a PooledShape,
    dy: &'a [f32],
    slots: &'a [u8],
    dense: &'a mut [f32],
}

impl<'a> Scatter<'a> {
    /// For one pooled image: `dy` and `slots` are `[ph, pw, co]`, `dense` is `[oh, ow, co]`.
    ///
    /// # Panics
    /// If the shape is not valid or a length does not fit.
    #[allow(dead_code)] // until the dense path uses it
    pub(crate) fn new(
        shape: &'a PooledShape,
        dy: &'a [f32],
        slots: &'a [u8],
        dense: &'a mut [f32],
    ) -> Self {
        shape.check();
        let [oh, ow] = shape.conv.output();
        assert_eq!(dy.len(), shape.image_len(), "length of dy");
        assert_eq!(slots.len(), dy.len(), "length of slots");
        assert_eq!(dense.len(), oh * ow * shape.conv.co, "length of the dense gradient");
        Self { shape, dy, slots, dense }
    }
}

impl Kernel for Scatter<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (pool, co) = (self.shape.pool, self.shape.conv.co);
        let [_, ow] = self.shape.conv.output();
        let (ph, pw, row) = (self.shape.ph(), self.shape.pw(), ow * co);
        for r in 0..ph {
            for c in 0..pw {
                let (from, to) = ((r * pw + c) * co, r * pool * row + c * pool * co);
                let mut o = 0;
                while o < co {
                    let n = (co - o).min(LANES);
                    // SAFETY: this CPU has `S`; `new` checked that channels `o..o + n` of this
                    // element, and of the window it came from, are inside the slices.
                    unsafe {
                        let dy = S::load_first(self.dy.as_ptr().add(from + o), n);
                        let mut tail = [0; LANES];
                        let mut slots = self.slots.as_ptr().add(from + o);
                        if n < LANES {
                            std::ptr::copy_nonoverlapping(slots, tail.as_mut_ptr(), n);
                            slots = tail.as_ptr();
                        }
                        let dense = self.dense.as_mut_ptr().add(to + o);
                        for slot in 0..pool * pool {
                            let chosen = S::bytes_equal(slots, slot as u8);
                            let value = S::select(chosen, dy, S::splat(0.0));
                            let at = dense.add(slot / pool * row + slot % pool * co);
                            if n == LANES {
                                S::store(at, value);
                            } else {
                                S::store_first(at, value, n);
                            }
                        }
                    }
                    o += LANES;
                }
            }
            for line in self.dense[r * pool * row..][..pool * row].chunks_exact_mut(row) {
                line[pw * pool * co..].fill(0.0); // columns that no pool reads
            }
        }
        self.dense[ph * pool * row..].fill(0.0); // rows that no pool reads
    }
}
