//! An architecture as data: a list of blocks, each of which becomes one fused operation.

use serde::{Deserialize, Serialize};

use crate::ops::{Activation, Pool};

/// A whole network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name it has in the zoo, or one of its author's choice.
    pub name: String,
    /// Channels, height and width of an image: `[C, H, W]`.
    pub input: [usize; 3],
    /// How many classes the last block answers.
    pub classes: usize,
    /// The blocks in the order in which they run.
    pub blocks: Vec<Block>,
}

/// Convolution or dense layer, then norm, residual add, activation, pool and dropout, in this
/// order, each where present.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// The prefix of the layer's weights in a model file, unique in the network.
    pub name: String,
    /// The block whose output is read; the one before, where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The layer itself.
    pub layer: LayerKind,
    /// Batch normalisation of the layer's output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub norm: Option<Norm>,
    /// The block whose output is added before the activation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add: Option<String>,
    /// The activation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
    /// The pooling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<Pool>,
    /// The fraction of the elements that dropout sets to zero while training; 0 for none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropout: f64,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_zero(x: &f64) -> bool {
    *x == 0.0
}

/// What a block computes first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LayerKind {
    /// A convolution over `[N, C, H, W]`.
    Conv(Conv),
    /// A dense layer over the flattened input, `[N, C * H * W]`.
    Linear(Linear),
}

/// A convolution with a square kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv {
    /// Output channels.
    pub channels: usize,
    /// Rows and columns of the kernel.
    pub kernel: usize,
    /// Step of the window.
    pub stride: usize,
    /// Zeros added on each of the four sides.
    pub padding: usize,
    /// Groups of channels that do not see each other.
    pub groups: usize,
    /// Whether a bias is added.
    pub bias: bool,
}

/// A dense layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// Output features.
    pub features: usize,
    /// Whether a bias is added.
    pub bias: bool,
}

/// Batch normalisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Norm {
    /// The prefix of its weights in a model file.
    pub name: String,
    /// Added to the variance.
    pub epsilon: f64,
    /// The weight of the newest batch in the running statistics.
    pub momentum: f64,
}

impl Conv {
    /// A dense convolution that keeps the image's size when the stride is 1 and the kernel odd.
    #[must_use]
    pub fn same(channels: usize, kernel: usize, stride: usize) -> Self {
        Self { channels, kernel, stride, padding: kernel / 2, groups: 1, bias: false }
    }

    /// A convolution without padding, with a bias.
    #[must_use]
    pub fn valid(channels: usize, kernel: usize) -> Self {
        Self { channels, kernel, stride: 1, padding: 0, groups: 1, bias: true }
    }
}

impl Block {
    /// A block that is a layer and nothing else.
    #[must_use]
    pub fn new(name: impl Into<String>, layer: LayerKind) -> Self {
        Self {
            name: name.into(),
            from: None,
            layer,
            norm: None,
            add: None,
            activation: None,
            pool: None,
            dropout: 0.0,
        }
    }

    /// A convolution.
    #[must_use]
    pub fn conv(name: impl Into<String>, conv: Conv) -> Self {
        Self::new(name, LayerKind::Conv(conv))
    }

    /// A dense layer with a bias.
    #[must_use]
    pub fn linear(name: impl Into<String>, features: usize) -> Self {
        Self::new(name, LayerKind::Linear(Linear { features, bias: true }))
    }

    /// Followed by batch normalisation with torchvision's epsilon and momentum.
    #[must_use]
    pub fn norm(mut self, name: impl Into<String>) -> Self {
        self.norm = Some(Norm { name: name.into(), epsilon: 1e-5, momentum: 0.1 });
        self
    }

    /// Followed by an activation.
    #[must_use]
    pub fn activation(mut self, activation: Activation) -> Self {
        self.activation = Some(activation);
        self
    }

    /// Followed by a max-pool whose windows do not overlap.
    #[must_use]
    pub fn max_pool(mut self, kernel: usize) -> Self {
        self.pool = Some(Pool::Max { kernel, stride: kernel, padding: 0 });
        self
    }

    /// Followed by a pool.
    #[must_use]
    pub fn pool(mut self, pool: Pool) -> Self {
        self.pool = Some(pool);
        self
    }

    /// Followed by dropout.
    #[must_use]
    pub fn dropout(mut self, rate: f64) -> Self {
        self.dropout = rate;
        self
    }

    /// Reads the output of `block` instead of the one before.
    #[must_use]
    pub fn from(mut self, block: impl Into<String>) -> Self {
        self.from = Some(block.into());
        self
    }

    /// Adds the output of `block`.
    #[must_use]
    pub fn residual(mut self, block: impl Into<String>) -> Self {
        self.add = Some(block.into());
        self
    }
}
