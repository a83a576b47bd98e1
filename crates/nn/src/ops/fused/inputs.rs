//! The tensors of a block, on any backend.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, ExtensionType};

/// A tensor that not every block has: what crosses burn's dispatch is an enum of its own, no `Option`.
#[derive(Clone, Debug, ExtensionType)]
pub enum Optional<B: Backend> {
    /// There is none.
    Absent,
    /// There is one.
    Present(FloatTensor<B>),
}

impl<B: Backend> Optional<B> {
    /// The tensor.
    pub(super) fn get(&self) -> Option<&FloatTensor<B>> {
        match self {
            Self::Absent => None,
            Self::Present(tensor) => Some(tensor),
        }
    }

    fn map<C: Backend>(self, to: impl Fn(FloatTensor<B>) -> FloatTensor<C>) -> Optional<C> {
        match self {
            Self::Absent => Optional::Absent,
            Self::Present(tensor) => Optional::Present(to(tensor)),
        }
    }
}

impl<B: Backend> From<Option<FloatTensor<B>>> for Optional<B> {
    fn from(tensor: Option<FloatTensor<B>>) -> Self {
        tensor.map_or(Self::Absent, Self::Present)
    }
}

/// The norm of a block. What it has is `[C]`.
#[derive(Clone, Debug, ExtensionType)]
pub enum Norm<B: Backend> {
    /// There is none.
    Absent,
    /// By mean and variance of the batch.
    Batch {
        /// The factor.
        gamma: FloatTensor<B>,
        /// The summand.
        beta: FloatTensor<B>,
    },
    /// By mean and variance of earlier batches.
    Running {
        /// The factor.
        gamma: FloatTensor<B>,
        /// The summand.
        beta: FloatTensor<B>,
        /// The mean.
        mean: FloatTensor<B>,
        /// The unbiased variance.
        variance: FloatTensor<B>,
    },
}

impl<B: Backend> Norm<B> {
    /// Factor, summand, mean and variance.
    pub(super) fn parts(&self) -> [Option<&FloatTensor<B>>; 4] {
        match self {
            Self::Absent => [None; 4],
            Self::Batch { gamma, beta } => [Some(gamma), Some(beta), None, None],
            Self::Running { gamma, beta, mean, variance } => {
                [gamma, beta, mean, variance].map(Some)
            }
        }
    }

    fn map<C: Backend>(self, to: impl Fn(FloatTensor<B>) -> FloatTensor<C>) -> Norm<C> {
        match self {
            Self::Absent => Norm::Absent,
            Self::Batch { gamma, beta } => Norm::Batch { gamma: to(gamma), beta: to(beta) },
            Self::Running { gamma, beta, mean, variance } => Norm::Running {
                gamma: to(gamma),
                beta: to(beta),
                mean: to(mean),
                variance: to(variance),
            },
        }
    }
}

/// The tensors of a block.
#[derive(Clone, Debug, ExtensionType)]
pub struct BlockInputs<B: Backend> {
    /// `[N, C, H, W]`.
    pub x: FloatTensor<B>,
    /// `[Co, Ci / groups, Kh, Kw]`, or `[inputs, outputs]` of a dense layer.
    pub weight: FloatTensor<B>,
    /// `[Co]`.
    #[extension_type]
    pub bias: Optional<B>,
    /// After the layer.
    #[extension_type]
    pub norm: Norm<B>,
    /// What is added before the activation, of the layer's output shape.
    #[extension_type]
    pub add: Optional<B>,
}

impl<B: Backend> BlockInputs<B> {
    /// What can have a gradient: `x`, weight, bias, the norm's factor and summand, `add`.
    pub(super) fn learned(&self) -> [Option<&FloatTensor<B>>; 6] {
        let [gamma, beta, ..] = self.norm.parts();
        [Some(&self.x), Some(&self.weight), self.bias.get(), gamma, beta, self.add.get()]
    }

    /// What the layer's weights are made of, the norm folded in.
    pub(super) fn made_of(&self) -> [Option<&FloatTensor<B>>; 6] {
        let [gamma, beta, mean, variance] = self.norm.parts();
        [Some(&self.weight), self.bias.get(), gamma, beta, mean, variance]
    }

    /// The same tensors for another backend.
    pub(super) fn map<C: Backend>(
        self,
        to: impl Fn(FloatTensor<B>) -> FloatTensor<C>,
    ) -> BlockInputs<C> {
        let Self { x, weight, bias, norm, add } = self;
        BlockInputs {
            x: to(x),
            weight: to(weight),
            bias: bias.map(&to),
            norm: norm.map(&to),
            add: add.map(&to),
        }
    }
}
