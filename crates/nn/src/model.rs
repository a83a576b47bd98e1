//! What a network must be able to do.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::forward_context::ForwardContext;
use crate::spec::Spec;

/// The part of a network that a parameter belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// What makes features of an image.
    Backbone,
    /// The last layer, which makes logits of features.
    Head,
}

/// A network that tinderbox can train: any burn module that makes logits of images.
pub trait Model: Module + 'static {
    /// The logits of `images`, `[N, C, H, W]`, as `[N, classes]`.
    fn forward(&self, images: Tensor<4>, context: &ForwardContext) -> Tensor<2>;

    /// The spec it was built from; a network written by hand has none, and its model file holds
    /// weights only.
    fn spec(&self) -> Option<&Spec> {
        None
    }

    /// The name in a file of the tensor at `path` in the module, and whether it is stored transposed
    /// there (burn keeps dense weights as `[in, out]`, PyTorch as `[out, in]`).
    fn stored_name(&self, path: &str) -> (String, bool) {
        (path.to_owned(), false)
    }

    /// The group of the parameter that is stored under `name`.
    fn group(&self, _name: &str) -> Group {
        Group::Backbone
    }
}
