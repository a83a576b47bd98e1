//! Which sample at which step: a pure function.

use crate::base::draw::{Purpose, permutation};

/// The order in which a split is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Samples in the split.
    pub samples: usize,
    /// Samples in a batch; the last batch of an epoch may be smaller.
    pub batch: usize,
    /// The seed of the shuffling; none: in the order of the split.
    pub seed: Option<u64>,
}

impl Order {
    /// Batches in one pass.
    #[must_use]
    pub fn steps_per_epoch(&self) -> usize {
        self.samples.div_ceil(self.batch)
    }

    /// The epoch and the first position in it of a step.
    #[must_use]
    pub fn locate(&self, step: usize) -> (usize, usize) {
        let per_epoch = self.steps_per_epoch();
        (step / per_epoch, step % per_epoch * self.batch)
    }

    /// The samples of a whole epoch in their order.
    #[must_use]
    pub fn epoch(&self, epoch: usize) -> Vec<u32> {
        match self.seed {
            Some(seed) => permutation(seed, epoch as u64, self.samples, Purpose::Order),
            None => (0..self.samples as u32).collect(),
        }
    }
}
