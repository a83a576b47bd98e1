//! The sizes of a pooling.

use std::ops::Range;

/// The sizes of a pooling: a square window that steps over images `[n, h, w, channels]` and gives
/// images `[n, oh, ow, channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolShape {
    /// Images.
    pub n: usize,
    /// Rows and columns of an input image.
    pub input: [usize; 2],
    /// Channels.
    pub channels: usize,
    /// Rows, and columns, of the window.
    pub kernel: usize,
    /// Step of the window.
    pub stride: usize,
    /// Rows and columns around the image: below every number for a maximum, zeros for an average.
    pub padding: usize,
}

impl PoolShape {
    /// Checks what the kernels rely on: every window has a part in the image.
    ///
    /// # Panics
    /// If a size other than `n` is zero, the padding is not smaller than the window, or the window
    /// is larger than the padded image.
    pub fn check(&self) {
        let Self { n: _, input, channels, kernel, stride, padding } = *self;
        assert!(channels > 0 && kernel > 0 && stride > 0, "a size is zero: {self:?}");
        assert!(input[0] > 0 && input[1] > 0, "an image without pixels: {self:?}");
        assert!(padding < kernel && kernel < 1 << 16, "more padding than window: {self:?}");
        assert!(
            input.iter().all(|&size| size < 1 << 31 && kernel <= size + 2 * padding),
            "no place for the window: {self:?}"
        );
    }

    /// Rows and columns of an output image.
    #[must_use]
    pub fn output(&self) -> [usize; 2] {
        self.input.map(|size| (size + 2 * self.padding - self.kernel) / self.stride + 1)
    }

    /// Floats of all input images.
    #[must_use]
    pub fn input_len(&self) -> usize {
        product([self.n, self.input[0], self.input[1], self.channels])
    }

    /// Floats of all output images.
    #[must_use]
    pub fn output_len(&self) -> usize {
        let [oh, ow] = self.output();
        product([self.n, oh, ow, self.channels])
    }

    /// The part inside the image of window `out` along `axis`: where it begins in the image, and
    /// which rows or columns of the window it is. It is never empty.
    #[must_use]
    #[inline(always)]
    pub(super) fn window(&self, out: usize, axis: usize) -> (usize, Range<usize>) {
        let start = out * self.stride;
        let first = self.padding.saturating_sub(start);
        let end = self.kernel.min(self.input[axis] + self.padding - start);
        (start + first - self.padding, first..end)
    }
}

/// The product of four sizes; one that does not fit in memory must not pass for a small one.
pub(super) fn product(sizes: [usize; 4]) -> usize {
    let mut product = 1usize;
    for size in sizes {
        let (next, wrapped) = product.overflowing_mul(size);
        assert!(!wrapped || sizes.contains(&0), "no memory for images of {sizes:?}");
        product = next;
    }
    if sizes.contains(&0) { 0 } else { product }
}
