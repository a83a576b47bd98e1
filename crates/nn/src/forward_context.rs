//! What one forward pass needs to know beside its images.

use crate::context::Context;
use crate::kernels::Kernels;
use crate::known::Known;

/// One forward pass: whether it trains, which kernels compute, and the address of its random draws. A
/// network that wants dropout asks for it here, so that no random state is hidden in a layer.
#[derive(Clone, Debug)]
pub struct ForwardContext {
    /// Whether this is a training step: dropout drops, batch normalisation uses the batch.
    pub training: bool,
    /// The seed of the run.
    pub seed: u64,
    /// The step of the run.
    pub step: u64,
    /// The place in the batch of the first image: not 0 where a batch is computed in parts.
    pub first_sample: usize,
    /// Which operations compute on the CPU.
    pub kernels: Kernels,
    /// What blocks keep for those after them.
    pub(crate) known: Known,
}

impl ForwardContext {
    /// A training step on a whole batch.
    #[must_use]
    pub fn training(context: &Context, seed: u64, step: usize) -> Self {
        Self { training: true, seed, step: step as u64, ..Self::inference(context) }
    }

    /// A pass that only predicts.
    #[must_use]
    pub fn inference(context: &Context) -> Self {
        let (kernels, known) = (context.kernels, Known::default());
        Self { training: false, seed: 0, step: 0, first_sample: 0, kernels, known }
    }

    /// The pass over a part of the batch, whose first image is at this place.
    #[must_use]
    pub fn part(&self, first_sample: usize) -> Self {
        Self { first_sample, known: Known::default(), ..self.clone() }
    }
}
