//! Inputs that are computed again on the way back instead of being kept.
//!
//! A block with a norm keeps what it normalised, and its output follows from that in one pass over
//! memory. So the block after it need not keep that output as its input: it asks here, by the node
//! of the graph, and shares what the first block keeps. That is nearly half of the memory of a
//! network whose every convolution has a norm.

use std::sync::Arc;

use burn::backend::flex::FlexTensor;
use tinderbox_kernels::conv::Activation;
use tinderbox_kernels::{Isa, buffer, norm};

use super::tensor::{dims, from_channels_last};

/// A norm's input and statistics: enough for its gradients and for its output.
#[derive(Debug)]
pub(super) struct Normalised {
    /// The norm's input, channels last.
    pub raw: FlexTensor,
    pub gamma: FlexTensor,
    pub mean: Vec<f32>,
    /// 1 / deviation.
    pub inverse: Vec<f32>,
    /// `gamma * inverse`.
    pub scale: Vec<f32>,
    /// `beta - mean * scale`.
    pub shift: Vec<f32>,
    /// Whether something was added before the activation: the output does not follow then.
    pub added: bool,
    pub activation: Activation,
}

impl Normalised {
    /// `activation(raw * scale + shift + add)`, channels last: the same bits each time.
    pub(super) fn output(&self, isa: Isa, add: Option<&[f32]>) -> FlexTensor {
        let x = self.raw.storage::<f32>();
        let (scale, shift, activation) = (&self.scale[..], &self.shift[..], self.activation);
        let mut z = buffer::arbitrary(x.len());
        norm::apply(isa, norm::Apply { x, scale, shift, add, activation }, &mut z);
        from_channels_last(z, dims(&self.raw))
    }
}

/// An input that a backward pass needs.
#[derive(Clone, Debug)]
pub(super) enum Input {
    Kept(FlexTensor),
    Recomputed(Arc<Normalised>),
}

impl Input {
    pub(super) fn get(self, isa: Isa) -> FlexTensor {
        match self {
            Self::Kept(tensor) => tensor,
            Self::Recomputed(normalised) => normalised.output(isa, None),
        }
    }
}
