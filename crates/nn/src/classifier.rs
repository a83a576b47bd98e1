//! What a network must be able to do.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::{Pass, Spec};

/// A network that tinderbox can train: any burn module that answers images with one score a class.
pub trait Classifier: Module + 'static {
    /// The scores (logits) of `images`, `[N, C, H, W]`, as `[N, classes]`.
    fn forward(&self, images: Tensor<4>, pass: &Pass) -> Tensor<2>;

    /// The spec it was built from; a network written by hand has none, and its model file holds
    /// weights only.
    fn spec(&self) -> Option<&Spec> {
        None
    }

    /// The name in a model file of the tensor at `path` in the module, and whether it is stored
    /// transposed there (burn keeps dense weights as `[in, out]`, PyTorch as `[out, in]`).
    fn weight_name(&self, path: &str) -> (String, bool) {
        (path.to_owned(), false)
    }
}
