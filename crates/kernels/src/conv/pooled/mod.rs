//! The fused block `maxpool_k(activation(conv(x, w) + b))`, pools side by side.
//!
//! Of the `k * k` outputs of the convolution under one pooled element, only the largest has a
//! gradient, and it has none where the activation let nothing through. The forward pass keeps that
//! choice in `slots`, one byte for each pooled element: `row * k + column` of the largest in its
//! window, or [`DEAD`]. The backward pass then multiplies for chosen outputs only, at most one of
//! `k * k`.
//!
//! An element that was not chosen contributes nothing, also where its input is infinite.

mod bias;
mod data;
mod direct;
mod forward;
mod masked;
mod padded;
pub(in crate::conv) mod pool;
#[cfg(test)]
mod tests;
mod tiles;
mod weights;

pub use bias::backward_bias;
pub use data::backward_data;
pub use forward::Operands;
pub(in crate::conv) use forward::{Results, by_bands, in_registers};
pub use pool::{Pooling, pool_rows};
pub use weights::backward_weights;

use super::ConvShape;
use super::direct::{DirectPlan, forward_windows};

/// The slot of an element that has no gradient.
pub const DEAD: u8 = u8::MAX;

/// The sizes of a convolution that is pooled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PooledShape {
    /// The convolution, without groups and dilation.
    pub conv: ConvShape,
    /// Rows and columns of a pool, and the step from one to the next.
    pub pool: usize,
}

impl PooledShape {
    /// Checks what every kernel relies on.
    ///
    /// # Panics
    /// If the convolution is not valid, has groups or dilation, or is smaller than a pool; or a pool
    /// has no element, or more than slots can name.
    pub fn check(&self) {
        self.conv.check();
        assert!(self.conv.groups == 1 && self.conv.dilation == [1, 1], "not a plain convolution");
        assert!(self.pool > 0 && self.pool <= 15, "pools of 1 x 1 to 15 x 15: {self:?}");
        assert!(self.ph() > 0 && self.pw() > 0, "no place for the pool: {self:?}");
    }

    /// Whether the fused kernels compute this.
    #[must_use]
    pub fn applies(&self) -> bool {
        let ConvShape { groups, dilation, .. } = self.conv;
        let fits = self.conv.output().into_iter().all(|size| size >= self.pool);
        groups == 1 && dilation == [1, 1] && (1..=15).contains(&self.pool) && fits
    }

    /// Rows of a pooled image.
    #[must_use]
    pub fn ph(&self) -> usize {
        self.conv.output()[0] / self.pool
    }

    /// Columns of a pooled image.
    #[must_use]
    pub fn pw(&self) -> usize {
        self.conv.output()[1] / self.pool
    }

    /// Elements of one pooled image `[ph, pw, co]`.
    #[must_use]
    pub fn image_len(&self) -> usize {
        self.ph() * self.pw() * self.conv.co
    }

    /// Elements of all pooled images `[n, ph, pw, co]`.
    #[must_use]
    pub fn pooled_len(&self) -> usize {
        self.conv.n * self.image_len()
    }
}

/// The work per pooled element instead of per output, and where the windows of a pool's outputs are,
/// in floats from that of the first: together they span what one larger window does.
fn pool_plan(shape: &PooledShape) -> (DirectPlan, Vec<usize>) {
    let (conv, pool) = (&shape.conv, shape.pool);
    let mut windows = forward_windows(conv, 0);
    windows.grid = [shape.ph(), shape.pw()];
    windows.target = [shape.ph(), shape.pw(), conv.co];
    for axis in 0..2 {
        windows.reach[axis] += (pool - 1) * conv.stride[axis];
        windows.step[axis] *= pool;
    }
    let plan = DirectPlan::new(windows, 1);
    let [_, width, channels] = plan.place();
    let place = |slot: usize| {
        (slot / pool * conv.stride[0] * width + slot % pool * conv.stride[1]) * channels
    };
    (plan, (0..pool * pool).map(place).collect())
}

/// Where the windows of outputs lie in a padded input image `[padded h, padded w, ci]`, in floats. A
/// window is `kh` runs of `kw * ci` floats.
struct PooledWindows {
    /// From one row of the image to the next.
    row: usize,
    /// From one image to the next.
    image: usize,
    /// Floats of a run.
    run: usize,
    /// Steps of sixteen that cover a run.
    across: usize,
    /// From one pooled element to its neighbours on the right and below.
    right: usize,
    down: usize,
    /// From the first window of a pool to that of a slot; 0 for bytes that are no slots.
    slots: [u32; 256],
    /// Rows and columns of a pooled image, and its elements: computed once, as they take divisions.
    ph: usize,
    pw: usize,
    elements: usize,
}

impl PooledWindows {
    fn new(shape: &PooledShape) -> Self {
        let conv = &shape.conv;
        let row = conv.padded(1) * conv.ci;
        let image = conv.padded(0) * row;
        // Places in a group of images, which is small or a single one, are kept in 32 bits.
        assert!(image.max(shape.image_len()) < 1 << 30, "an image of more than 4 GiB");
        let run = conv.kernel[1] * conv.ci;
        let (down, right) = (conv.stride[0] * row, conv.stride[1] * conv.ci);
        let mut slots = [0; 256];
        for (slot, offset) in slots.iter_mut().enumerate().take(shape.pool * shape.pool) {
            *offset = (slot / shape.pool * down + slot % shape.pool * right) as u32;
        }
        let (right, down) = (shape.pool * right, shape.pool * down);
        let across = run.div_ceil(crate::simd::LANES);
        let (ph, pw, elements) = (shape.ph(), shape.pw(), shape.image_len());
        Self { row, image, run, across, right, down, slots, ph, pw, elements }
    }
}
