//! Networks: an architecture as data, its shape check, the burn module built from it, the zoo.

mod network;
mod shape;
pub mod spec;
mod weights;
mod zoo;

use burn::module::Module;
use burn::tensor::Tensor;

pub use crate::ops::Pass;
pub use network::Network;
pub use shape::{BlockShape, Shapes, check};
pub use spec::Spec;
pub use weights::{Weight, load_weights, weights};
pub use zoo::{Entry, ZOO, check_name, spec};

/// A network that tinderbox can train: any burn module that answers images with one score a class.
pub trait Classifier: Module + 'static {
    /// The scores (logits) of `images`, `[N, C, H, W]`, as `[N, classes]`.
    fn forward(&self, images: Tensor<4>, pass: &Pass) -> Tensor<2>;
}
