//! The layer that a block starts with: what it is, its sizes, and how many threads it deserves.

use burn::backend::flex::FlexTensor;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2d;
use tinderbox_kernels::conv::{self, ConvShape, Finish};
use tinderbox_kernels::linear::{self, LinearShape};
use tinderbox_kernels::{Options, buffer, parallel};

use super::tensor::dims;
use crate::ops::parts::Layer;

/// The layer that a block starts with.
#[derive(Clone, Copy, Debug)]
pub(super) enum LayerSpec {
    Conv { stride: [usize; 2], padding: [[usize; 2]; 2], dilation: [usize; 2], groups: usize },
    Linear,
}

impl LayerSpec {
    /// What `layer` is on images of `size` rows and columns.
    pub(super) fn new(layer: Layer<'_>, size: [usize; 2]) -> Self {
        let Layer::Conv(conv) = layer else { return Self::Linear };
        let &Conv2d { stride, dilation, groups, ref padding, kernel_size, .. } = conv;
        let padding = match *padding {
            PaddingConfig2d::Valid => [[0, 0]; 2],
            PaddingConfig2d::Explicit(top, left, bottom, right) => [[top, bottom], [left, right]],
            // As burn has it: what keeps ceil(size / stride), the odd one after.
            PaddingConfig2d::Same => [0, 1].map(|axis| {
                let steps = size[axis].div_ceil(stride[axis]) - 1;
                let all = (steps * stride[axis] + kernel_size[axis]).saturating_sub(size[axis]);
                [all / 2, all - all / 2]
            }),
        };
        Self::Conv { stride, padding, dilation, groups }
    }
}

/// Multiplications for a single image below which one thread is faster than two: some 50
/// microseconds. Several images are dealt to the threads; of a single one, what one thread writes
/// the other has to fetch.
const ALONE: usize = 4 << 20;

/// The sizes of a layer.
#[derive(Clone, Copy, Debug)]
pub(super) enum LayerShape {
    Conv(ConvShape),
    Linear(LinearShape),
}

impl LayerShape {
    pub(super) fn new(spec: &LayerSpec, x: [usize; 4], weight: &FlexTensor) -> Self {
        let [n, c, h, w] = x;
        match *spec {
            LayerSpec::Conv { stride, padding, dilation, groups } => {
                let [co, _, kh, kw] = dims(weight);
                Self::Conv(ConvShape {
                    n,
                    input: [h, w],
                    ci: c,
                    co,
                    kernel: [kh, kw],
                    stride,
                    padding,
                    dilation,
                    groups,
                })
            }
            LayerSpec::Linear => {
                let [inputs, outputs] = weight.layout().shape().dims::<2>();
                Self::Linear(LinearShape { n, inputs, outputs })
            }
        }
    }

    /// Runs `work`, by this thread alone where there is too little for several.
    pub(super) fn with_threads<T>(&self, work: impl FnOnce() -> T) -> T {
        let (images, multiplications) = match self {
            Self::Conv(shape) => (shape.n, shape.multiplications()),
            Self::Linear(shape) => (shape.n, shape.inputs * shape.outputs),
        };
        if images < 2 && multiplications < ALONE { parallel::alone(work) } else { work() }
    }

    /// The shape of the layer's output, `[N, C, H, W]`.
    pub(super) fn output(&self) -> [usize; 4] {
        match self {
            Self::Conv(shape) => {
                let [oh, ow] = shape.output();
                [shape.n, shape.co, oh, ow]
            }
            Self::Linear(shape) => [shape.n, shape.outputs, 1, 1],
        }
    }

    pub(super) fn forward(
        &self,
        options: Options,
        x: &[f32],
        weight: &[f32],
        finish: Finish<'_>,
    ) -> Vec<f32> {
        let mut y = buffer::arbitrary(self.output().iter().product());
        match self {
            Self::Conv(shape) => conv::forward(options, shape, x, weight, finish, &mut y),
            Self::Linear(shape) => linear::forward(options.isa, shape, x, weight, finish, &mut y),
        }
        y
    }
}
