//! The burn module that is built from a spec.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, TensorData};
use tinderbox_base::Result;
use tinderbox_base::draw::{Draw, Purpose};

use crate::forward_context::ForwardContext;
use crate::model::{Group, Model};
use crate::ops::{Layer, Prepared, Tail, block};
use crate::shape::{self, BlockShape, Shapes};
use crate::spec::{self, Spec};

/// A network built from a [`Spec`].
#[derive(Module, Debug)]
pub struct Network {
    layers: Vec<Parameters>,
    #[module(skip)]
    spec: Spec,
    #[module(skip)]
    sources: Vec<(Option<usize>, Option<usize>)>,
}

/// The parameters of one block: exactly one of `conv` and `linear` is there.
#[derive(Module, Debug)]
struct Parameters {
    conv: Option<Conv2d>,
    linear: Option<Linear>,
    norm: Option<BatchNorm>,
    #[module(skip)]
    prepared: Prepared,
}

impl Network {
    /// A network with fresh weights, which are a pure function of `spec` and `seed`.
    ///
    /// # Errors
    /// If the blocks of `spec` do not fit each other.
    pub fn new(spec: &Spec, seed: u64, device: &Device) -> Result<Self> {
        let Shapes { blocks, sources } = shape::check(spec)?;
        let layers = (0u16..).zip(spec.blocks.iter().zip(&blocks)).map(|(i, (block, shape))| {
            let draw = Draw::at(seed, 0, 0, Purpose::Weights).layer(i);
            Parameters::new(block, shape, draw, device)
        });
        Ok(Self { layers: layers.collect(), spec: spec.clone(), sources })
    }

    fn name_in_file(&self, path: &str) -> Option<(String, bool)> {
        let (index, rest) = path.strip_prefix("layers.")?.split_once('.')?;
        let block = self.spec.blocks.get(index.parse::<usize>().ok()?)?;
        let (part, field) = rest.split_once('.')?;
        match part {
            "conv" => Some((format!("{}.{field}", block.name), false)),
            "linear" => Some((format!("{}.{field}", block.name), field == "weight")),
            _ => {
                let field = match field {
                    "gamma" => "weight",
                    "beta" => "bias",
                    statistic => statistic,
                };
                Some((format!("{}.{field}", block.norm.as_ref()?.name), false))
            }
        }
    }
}

impl Network {
    /// Which blocks are constant while training: nothing that they compute from is trained, so that
    /// no gradient passes them.
    fn constant_blocks(&self, can_freeze: bool) -> Vec<bool> {
        let mut constant: Vec<bool> = Vec::with_capacity(self.layers.len());
        for (layer, (from, add)) in self.layers.iter().zip(&self.sources) {
            let mut sources = [from, add].into_iter().flatten();
            let is_constant =
                can_freeze && !layer.is_trained() && sources.all(|&source| constant[source]);
            constant.push(is_constant);
        }
        constant
    }
}

impl Model for Network {
    fn forward(&self, images: Tensor<4>, context: &ForwardContext) -> Tensor<2> {
        // Without autodiff nothing has a gradient, frozen or not.
        let can_freeze = context.training && images.device().is_autodiff();
        let constant = self.constant_blocks(can_freeze);
        // An output is kept only while a later block still reads it.
        let mut outputs: Vec<Option<Tensor<4>>> = Vec::with_capacity(self.layers.len());
        let wanted_later = |source: usize, after: usize| {
            self.sources[after + 1..]
                .iter()
                .any(|&(from, add)| from == Some(source) || add == Some(source))
        };
        for (i, (layer, block_spec)) in self.layers.iter().zip(&self.spec.blocks).enumerate() {
            let (from, add) = self.sources[i];
            let x = match from {
                None => images.clone(),
                Some(at) => outputs[at].clone().unwrap_or_else(|| images.clone()),
            };
            let tail = Tail {
                norm: layer.norm.as_ref(),
                add: add.and_then(|at| outputs[at].clone()),
                activation: block_spec.activation,
                pool: block_spec.pool,
                constant: constant[i],
                frozen_norm: can_freeze && layer.has_frozen_norm(),
                prepared: Some(&layer.prepared),
            };
            let y = block(layer.layer(), x, tail, context);
            outputs.push(Some(context.dropout(y, block_spec.dropout, i as u16)));
            for source in [from, add].into_iter().flatten() {
                if !wanted_later(source, i) {
                    outputs[source] = None;
                }
            }
        }
        let scores = outputs.pop().flatten().unwrap_or(images);
        let [n, classes, h, w] = scores.dims();
        scores.reshape([n, classes * h * w])
    }

    fn spec(&self) -> Option<&Spec> {
        Some(&self.spec)
    }

    fn stored_name(&self, path: &str) -> (String, bool) {
        self.name_in_file(path).unwrap_or_else(|| (path.to_owned(), false))
    }

    fn group(&self, name: &str) -> Group {
        let head = self.spec.blocks.last();
        let layer = name.rsplit_once('.').map(|(layer, _)| layer);
        let is_head = head.is_some_and(|block| layer == Some(block.name.as_str()));
        if is_head { Group::Head } else { Group::Backbone }
    }
}

impl Parameters {
    fn new(block: &spec::Block, shape: &BlockShape, draw: Draw, device: &Device) -> Self {
        let normed = block.norm.is_some();
        let (conv, linear) = match &block.layer {
            spec::LayerKind::Conv(conv) => {
                (Some(new_conv(conv, shape.input[0], normed, draw, device)), None)
            }
            spec::LayerKind::Linear(linear) => {
                (None, Some(new_linear(linear, shape.input.iter().product(), draw, device)))
            }
        };
        let norm = block.norm.as_ref().map(|norm| {
            // The layer's channels, before a pool changes height and width but never them.
            BatchNormConfig::new(shape.output[0])
                .with_epsilon(norm.epsilon)
                .with_momentum(norm.momentum)
                .init(device)
        });
        Self { conv, linear, norm, prepared: Prepared::default() }
    }

    /// Whether any of the parameters has a gradient.
    fn is_trained(&self) -> bool {
        let conv = self.conv.as_ref().map(|conv| (conv.weight.val().is_require_grad(), &conv.bias));
        let linear = self.linear.as_ref();
        let linear = linear.map(|linear| (linear.weight.val().is_require_grad(), &linear.bias));
        let norm = self.norm.as_ref().map(|norm| (&norm.gamma, &norm.beta));
        let tracked = |param: &Param<Tensor<1>>| param.val().is_require_grad();
        conv.into_iter()
            .chain(linear)
            .any(|(weight, bias)| weight || bias.as_ref().is_some_and(tracked))
            || norm.is_some_and(|(gamma, beta)| tracked(gamma) || tracked(beta))
    }

    /// Whether the norm is to use its running statistics in training.
    fn has_frozen_norm(&self) -> bool {
        let tracked = |param: &Param<Tensor<1>>| param.val().is_require_grad();
        self.norm.as_ref().is_some_and(|norm| !tracked(&norm.gamma) && !tracked(&norm.beta))
    }

    fn layer(&self) -> Layer<'_> {
        match (&self.conv, &self.linear) {
            (Some(conv), _) => Layer::Conv(conv),
            (None, Some(linear)) => Layer::Linear(linear),
            (None, None) => unreachable!("a block has a layer: `Parameters::new` makes one"),
        }
    }
}

/// He normal over the outputs that an input reaches (He et al., 2015) before a norm; else uniform in
/// `+-1 / sqrt(inputs)`, as PyTorch starts its layers. torchvision does the same but counts the
/// outputs of all groups, which starts depthwise weights far smaller: they then need a longer
/// training until the running statistics fit.
fn new_conv(
    conv: &spec::Conv,
    channels: usize,
    normed: bool,
    draw: Draw,
    device: &Device,
) -> Conv2d {
    let taps = conv.kernel * conv.kernel;
    let fan_in = channels / conv.groups * taps;
    let fan_out = conv.channels / conv.groups * taps;
    let shape = [conv.channels, channels / conv.groups, conv.kernel, conv.kernel];
    let mut module = Conv2dConfig::new([channels, conv.channels], [conv.kernel; 2])
        .with_stride([conv.stride; 2])
        .with_padding(PaddingConfig2d::Explicit(
            conv.padding,
            conv.padding,
            conv.padding,
            conv.padding,
        ))
        .with_groups(conv.groups)
        .with_bias(conv.bias)
        .init(device);
    module.weight = if normed {
        parameter(shape, device, |i| draw.normal(i) * (2.0 / fan_out as f32).sqrt())
    } else {
        parameter(shape, device, uniform(draw, 0, fan_in))
    };
    module.bias = conv
        .bias
        .then(|| parameter([conv.channels], device, uniform(draw, shape.iter().product(), fan_in)));
    module
}

fn new_linear(linear: &spec::Linear, inputs: usize, draw: Draw, device: &Device) -> Linear {
    let shape = [inputs, linear.features];
    let mut module = LinearConfig::new(inputs, linear.features).with_bias(linear.bias).init(device);
    module.weight = parameter(shape, device, uniform(draw, 0, inputs));
    module.bias = linear.bias.then(|| {
        parameter([linear.features], device, uniform(draw, inputs * linear.features, inputs))
    });
    module
}

/// Draws `first`, `first + 1`, ... between `-1 / sqrt(inputs)` and `1 / sqrt(inputs)`.
fn uniform(draw: Draw, first: usize, inputs: usize) -> impl Fn(u32) -> f32 {
    let bound = 1.0 / (inputs as f32).sqrt();
    move |i| draw.between(first as u32 + i, -bound, bound)
}

fn parameter<const D: usize>(
    shape: [usize; D],
    device: &Device,
    value: impl Fn(u32) -> f32,
) -> Param<Tensor<D>> {
    let values: Vec<f32> = (0..shape.iter().product::<usize>() as u32).map(value).collect();
    Param::from_data(TensorData::new(values, shape), device)
}
