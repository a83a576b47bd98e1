//! Which positions meet along one axis.

use std::ops::Range;

use crate::conv::ConvShape;

/// Along rows or columns: what is written, and what is read for it.
///
/// Written position `first + step * u` is the sum over taps `k` of what stands at
/// `origin + stride * u + dilation * k`, where that is inside, times the kernel's tap
/// `kernel_first + kernel_step * k`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Axis {
    /// How many positions are written.
    pub(super) count: usize,
    pub(super) first: usize,
    pub(super) step: usize,
    /// How many positions there are to read.
    pub(super) len: usize,
    pub(super) origin: isize,
    pub(super) stride: usize,
    pub(super) taps: usize,
    pub(super) dilation: usize,
    kernel_first: usize,
    kernel_step: isize,
}

impl Axis {
    /// The axis of a forward pass: all outputs, from the input.
    pub(super) fn forward(shape: &ConvShape, axis: usize) -> Self {
        Self {
            count: shape.output()[axis],
            first: 0,
            step: 1,
            len: shape.input[axis],
            origin: -(shape.padding[axis][0] as isize),
            stride: shape.stride[axis],
            taps: shape.kernel[axis],
            dilation: shape.dilation[axis],
            kernel_first: 0,
            kernel_step: 1,
        }
    }

    /// The axes of the gradient of the input, from that of the output: one for each remainder of the
    /// input position by the stride, for only every so manieth tap meets it. Each is a convolution
    /// of stride 1 with those taps, the last first.
    pub(super) fn backward(shape: &ConvShape, axis: usize) -> Vec<Self> {
        let (stride, dilation) = (shape.stride[axis], shape.dilation[axis]);
        let phase = |first: usize| {
            let reach = first + shape.padding[axis][0];
            let meets = |k: &usize| (k * dilation) % stride == reach % stride;
            let mut taps = (0..shape.kernel[axis]).filter(meets);
            let (start, second) = (taps.next(), taps.next());
            let last = taps.next_back().or(second).or(start).unwrap_or(0);
            // Taps meet at equal distances, and a step over one distance is whole strides.
            let distance = second.map_or(stride, |second| second - start.unwrap_or(0));
            Self {
                count: (shape.input[axis] - first).div_ceil(stride),
                first,
                step: stride,
                len: shape.output()[axis],
                origin: (reach as isize - (last * dilation) as isize).div_euclid(stride as isize),
                stride: 1,
                taps: start.map_or(0, |start| (last - start) / distance + 1),
                dilation: (distance * dilation / stride).max(1),
                kernel_first: last,
                kernel_step: -(distance as isize),
            }
        };
        (0..stride.min(shape.input[axis])).map(phase).collect()
    }

    /// The kernel's tap that tap `k` is.
    pub(super) fn kernel(&self, k: usize) -> usize {
        self.kernel_first.wrapping_add_signed(self.kernel_step * k as isize)
    }

    /// Where tap 0 of the `u`-th written position reads; may lie outside.
    #[inline(always)]
    pub(super) fn start(&self, u: usize) -> isize {
        self.origin + (self.stride * u) as isize
    }

    /// The taps that lie inside, at the `u`-th written position.
    #[inline(always)]
    pub(super) fn inside(&self, u: usize) -> Range<usize> {
        let start = self.start(u);
        let low = first_from(-start, self.dilation);
        let high = first_from(self.len as isize - start, self.dilation).min(self.taps);
        low.min(high)..high
    }

    /// Bit `j`, of the first 32, says whether `start + step * j` lies inside.
    #[inline(always)]
    pub(super) fn mask(&self, start: isize, step: usize) -> u32 {
        let low = first_from(-start, step).min(32);
        let high = first_from(self.len as isize - start, step).min(32);
        (((1u64 << high) - 1) & !((1u64 << low) - 1)) as u32
    }
}

/// The smallest `k >= 0` with `k * step >= distance`.
#[inline(always)]
fn first_from(distance: isize, step: usize) -> usize {
    let distance = distance.max(0).cast_unsigned();
    if step == 1 { distance } else { distance.div_ceil(step) }
}
