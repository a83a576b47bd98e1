//! What loaders do to pass over a split.

use std::sync::Arc;

use tinderbox_data::{LoaderSpec, Order, Samples};
use tinderbox_image::{Augmentation, Preprocessing};
use tinderbox_nn::memory;

use super::ClassWeights;
use super::recipe::Recipe;

/// Bytes of batches that wait: 1 GiB.
const MOST_WAITING: usize = 1 << 30;

/// Images in a batch of an evaluation: 256, fewer where they are large.
fn evaluation_batch(input: [usize; 3]) -> usize {
    ((1 << 24) / input.iter().product::<usize>()).clamp(1, 256)
}

/// What a loader does to pass over the training split: shuffled and varied.
#[must_use]
pub fn training_loader(recipe: &Recipe, samples: &Arc<Samples>) -> LoaderSpec {
    LoaderSpec {
        samples: Arc::clone(samples),
        order: Order {
            repeats: recipe.augmentation.repeats,
            balanced: (recipe.balance == ClassWeights::Sampled).then(|| samples.members()),
            ..Order::shuffled(samples.len(), recipe.learning.batch, recipe.learning.seed)
        },
        augmentation: recipe.augmentation,
        preprocessing: recipe.card.preprocessing.clone(),
        most_bytes: loader_bytes(),
    }
}

/// What a loader does to pass over a split as it lies.
#[must_use]
pub fn evaluation_loader(samples: &Arc<Samples>, preprocessing: &Preprocessing) -> LoaderSpec {
    let batch = evaluation_batch(preprocessing.input());
    LoaderSpec {
        samples: Arc::clone(samples),
        order: Order::plain(samples.len(), batch),
        augmentation: Augmentation::NONE,
        preprocessing: preprocessing.clone(),
        most_bytes: loader_bytes(),
    }
}

/// What batches that wait may take: an eighth of the memory that there is.
fn loader_bytes() -> usize {
    memory::total().map_or(MOST_WAITING, |total| (total / 8) as usize).min(MOST_WAITING)
}
