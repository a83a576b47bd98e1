//! A block forward, and what its backward pass needs.

use std::borrow::Cow;
use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use tinderbox_kernels::conv::pooled::{self, PooledShape};
use tinderbox_kernels::conv::{self, Activation, ConvShape, Finish, Memo};
use tinderbox_kernels::linear::LinearShape;
use tinderbox_kernels::pool::{self, PoolShape};
use tinderbox_kernels::{Options, buffer, norm};

use super::inputs::{BlockInputs, Norm};
use super::layer::{LayerShape, LayerSpec};
use super::recompute::{Input, Normalised};
use super::tensor::{
    channels_first, channels_last, contiguous, dims, from_channels_last, in_order,
    is_channels_last, turn_rows, view,
};
use crate::known::Known;
use crate::ops::parts::Pool;
use crate::ops::prepared::{How, Prepared};

/// What a block computes.
#[derive(Clone, Debug)]
pub struct BlockSpec {
    pub(super) layer: LayerSpec,
    /// What the norm adds to the variance.
    pub(super) epsilon: f64,
    pub(super) activation: Activation,
    pub(super) pool: Option<Pool>,
    pub(super) prepared: Option<Prepared>,
    /// What the kernels may use.
    pub(super) options: Options,
    /// What inputs follow from that are not kept.
    pub(super) known: Known,
}

/// What a forward pass answers.
pub(super) struct Outcome {
    pub y: FlexTensor,
    /// Mean and unbiased variance of the batch, where a norm took them.
    pub mean: Option<FlexTensor>,
    pub variance: Option<FlexTensor>,
    /// What the backward pass needs, where asked for.
    pub saved: Option<Saved>,
}

/// What a forward pass keeps for the backward pass.
pub(super) enum Keep {
    Nothing,
    /// All it needs, but not the input where that follows from what another block keeps.
    Needed(Option<Arc<Normalised>>),
}

/// What a backward pass needs.
#[derive(Clone, Debug)]
pub(super) struct Saved {
    pub options: Options,
    pub activation: Activation,
    pub layer: LayerShape,
    /// The shape of the input.
    pub input: [usize; 4],
    /// The layer's input; channels last, but for a dense layer that may have them first.
    pub x: Input,
    /// The weights; those of a dense layer have their rows in the order of `x` in memory.
    pub weight: FlexTensor,
    pub tail: SavedTail,
}

impl Saved {
    /// What the block's output follows from, where that is kept.
    pub(super) fn gives(&self) -> Option<&Arc<Normalised>> {
        match &self.tail {
            SavedTail::Plain { norm, pool: None, .. } => norm.as_ref().filter(|norm| !norm.added),
            _ => None,
        }
    }
}

/// What the backward pass of the tail needs.
#[derive(Clone, Debug)]
pub(super) enum SavedTail {
    /// Convolution, activation and max-pool in one: where each maximum was.
    Pooled { shape: PooledShape, slots: Arc<Vec<u8>> },
    Plain {
        norm: Option<Arc<Normalised>>,
        /// The activation's output, channels last, where that does not follow from the norm's input.
        z: Option<FlexTensor>,
        pool: Option<SavedPool>,
    },
}

/// What a pool remembers.
#[derive(Clone, Debug)]
pub(super) enum SavedPool {
    Max { shape: PoolShape, slots: Arc<Vec<u8>> },
    GlobalAverage { n: usize, pixels: usize, channels: usize },
}

/// Computes a block.
pub(super) fn forward(inputs: BlockInputs<Flex>, spec: &BlockSpec, keep: Keep) -> Outcome {
    let input = dims(&inputs.x);
    let mut weight = in_order(&inputs.weight);
    let layer = LayerShape::new(&spec.layer, input, &weight);
    let options = spec.options;
    let keeps = matches!(keep, Keep::Needed(_));
    if let (true, Some(prepared)) = (keeps, &spec.prepared) {
        prepared.clear();
    }
    let kept = spec.prepared.as_ref().filter(|_| !keeps);
    let x = match layer {
        LayerShape::Conv(_) if !keeps && view(&inputs.x).is_some() => Cow::Borrowed(&inputs.x),
        LayerShape::Conv(_) => channels_last(&inputs.x),
        // Features are counted with the channel first.
        LayerShape::Linear(shape) if is_channels_last(&inputs.x) && turns_weights(&shape, kept) => {
            let turn = || (turn_rows(&weight, input), Vec::new());
            let turned = match kept {
                Some(kept) => {
                    let [_, c, h, w] = input;
                    kept.get(inputs.made_of(), How::Turned([c, h, w]), turn).values.0.clone()
                }
                None => turn().0,
            };
            weight = Cow::Owned(turned);
            Cow::Borrowed(&inputs.x)
        }
        LayerShape::Linear(_) => channels_first(&inputs.x),
    };
    let values = view(&x).unwrap_or_else(|| x.storage());
    let block = Block { options, spec, layer, keep: keeps, x: values, inputs: &inputs };
    let Parts { y, mean, variance, tail } = layer.with_threads(|| match &inputs.norm {
        Norm::Batch { gamma, beta } => block.training(&weight, gamma, beta),
        _ => block.without_statistics(&weight),
    });
    let saved = match (keep, layer) {
        (Keep::Nothing, _) => None,
        (Keep::Needed(Some(normalised)), LayerShape::Conv(_)) => {
            Some(Input::Recomputed(normalised))
        }
        (Keep::Needed(_), _) => Some(Input::Kept(x.into_owned())),
    };
    let activation = spec.activation;
    let saved = saved.map(|x| {
        let weight = weight.into_owned();
        Saved { options, activation, layer, input, x, weight, tail }
    });
    Outcome { y, mean: statistic(mean), variance: statistic(variance), saved }
}

/// Whether the weights of a dense layer are turned to the order of its input, not the input to theirs:
/// where they are smaller, or they stay turned for the next pass and are less than 4 MiB.
fn turns_weights(shape: &LinearShape, kept: Option<&Prepared>) -> bool {
    shape.outputs < shape.n || kept.is_some() && shape.inputs * shape.outputs < 1 << 20
}

/// A statistic of each channel, where it was taken.
fn statistic(values: Vec<f32>) -> Option<FlexTensor> {
    let len = values.len();
    (len > 0).then(|| contiguous(values, [len]))
}

struct Parts {
    y: FlexTensor,
    mean: Vec<f32>,
    variance: Vec<f32>,
    tail: SavedTail,
}

struct Block<'a> {
    options: Options,
    spec: &'a BlockSpec,
    layer: LayerShape,
    keep: bool,
    x: &'a [f32],
    inputs: &'a BlockInputs<Flex>,
}

impl Block<'_> {
    /// What is added before the activation, channels last.
    fn addend(&self) -> Option<Cow<'_, FlexTensor>> {
        self.inputs.add.get().map(channels_last)
    }

    /// The layer's own bias.
    fn bias(&self) -> Option<Cow<'_, FlexTensor>> {
        self.inputs.bias.get().map(in_order)
    }

    /// A norm with running statistics (`gamma`, `beta`, mean and variance) is a factor and a summand
    /// for each channel, which the weights and the bias take in.
    fn folded(&self, weight: &FlexTensor, norm: [&FlexTensor; 4]) -> (FlexTensor, Vec<f32>) {
        let epsilon = self.spec.epsilon;
        let norm = norm.map(in_order);
        let [gamma, beta, mean, variance] = norm.each_ref().map(|part| part.storage::<f32>());
        let bias = self.bias();
        let bias = bias.as_deref().map_or(&[][..], FlexTensor::storage::<f32>);
        let factor: Vec<f32> = gamma
            .iter()
            .zip(variance)
            .map(|(g, v)| (f64::from(*g) / (f64::from(*v) + epsilon).sqrt()) as f32)
            .collect();
        let shift = (0..factor.len())
            .map(|c| beta[c] + (bias.get(c).copied().unwrap_or(0.0) - mean[c]) * factor[c])
            .collect();
        let shape = weight.layout().shape().clone();
        let mut weight = weight.storage::<f32>().to_vec();
        match self.layer {
            LayerShape::Conv(shape) => {
                let taps = shape.weights_len() / shape.co;
                for (weights, factor) in weight.chunks_exact_mut(taps).zip(&factor) {
                    for weight in weights {
                        *weight *= factor;
                    }
                }
            }
            LayerShape::Linear(shape) => {
                for row in weight.chunks_exact_mut(shape.outputs) {
                    row.iter_mut().zip(&factor).for_each(|(w, factor)| *w *= factor);
                }
            }
        }
        (contiguous(weight, shape), shift)
    }

    /// A block whose norm, if it has one, does not look at the batch.
    fn without_statistics(&self, weight: &FlexTensor) -> Parts {
        let norm = match &self.inputs.norm {
            Norm::Running { gamma, beta, mean, variance } => Some([gamma, beta, mean, variance]),
            _ => None,
        };
        let how = norm.map_or(How::Plain, |_| How::Folded(self.spec.epsilon));
        let make = || match norm {
            Some(norm) => self.folded(weight, norm),
            None => (weight.clone(), Vec::new()),
        };
        let prepared = match (&self.spec.prepared, self.layer) {
            (Some(prepared), LayerShape::Conv(_)) if !self.keep => {
                Some(prepared.get(self.inputs.made_of(), how, make))
            }
            _ => None,
        };
        let made;
        let (folded, memo) = if let Some(prepared) = &prepared {
            (&prepared.values, Some(&prepared.memo))
        } else {
            made = make();
            (&made, None)
        };
        if norm.is_some() {
            return self.plain(folded.0.storage(), Some(&folded.1), memo);
        }
        let bias = self.bias();
        self.plain(weight.storage(), bias.as_deref().map(FlexTensor::storage), memo)
    }

    /// A block without a norm.
    fn plain(&self, weight: &[f32], bias: Option<&[f32]>, memo: Option<&Memo>) -> Parts {
        let addend = self.addend();
        let activation = self.spec.activation;
        if let (LayerShape::Conv(shape), Some(pool), None) = (self.layer, self.spec.pool, &addend)
            && let Some(shape) = fusable(&shape, pool)
        {
            let [n, ph, pw, co] = [shape.conv.n, shape.ph(), shape.pw(), shape.conv.co];
            let mut y = buffer::arbitrary(n * ph * pw * co);
            let mut slots = self.keep.then(|| vec![0; y.len()]);
            let operands = pooled::Operands { x: self.x, weights: weight, bias, activation, memo };
            conv::forward_pooled(self.options, &shape, operands, &mut y, slots.as_deref_mut());
            let tail = SavedTail::Pooled { shape, slots: Arc::new(slots.unwrap_or_default()) };
            let y = from_channels_last(y, [n, co, ph, pw]);
            return Parts { y, mean: Vec::new(), variance: Vec::new(), tail };
        }
        let residual = addend.as_deref().map(FlexTensor::storage::<f32>);
        let y = self.layer.forward(
            self.options,
            self.x,
            weight,
            Finish { bias, residual, activation, memo },
        );
        let y = from_channels_last(y, self.layer.output());
        let kept = self.keep.then(|| y.clone());
        self.pooled(y, kept, None, [Vec::new(), Vec::new()])
    }

    /// A block whose norm takes its statistics from the batch.
    fn training(&self, weight: &FlexTensor, gamma: &FlexTensor, beta: &FlexTensor) -> Parts {
        let epsilon = self.spec.epsilon;
        let shape = self.layer.output();
        let channels = shape[1];
        let bias = self.bias();
        let bias = bias.as_deref().map(FlexTensor::storage);
        let finish = Finish { bias, ..Finish::default() };
        let raw = self.layer.forward(self.options, self.x, weight.storage(), finish);
        let (mut mean, mut variance) = (vec![0.0; channels], vec![0.0; channels]);
        norm::statistics(self.options.isa, &raw, channels, &mut mean, &mut variance);
        let inverse: Vec<f32> =
            variance.iter().map(|v| (1.0 / (f64::from(*v) + epsilon).sqrt()) as f32).collect();
        let (gamma, beta) = (in_order(gamma), in_order(beta));
        let scale: Vec<f32> =
            gamma.storage::<f32>().iter().zip(&inverse).map(|(g, i)| g * i).collect();
        let shift = (0..channels).map(|c| beta.storage::<f32>()[c] - mean[c] * scale[c]).collect();
        let addend = self.addend();
        let norm = Normalised {
            raw: from_channels_last(raw, shape),
            gamma: gamma.into_owned(),
            mean: mean.clone(),
            inverse,
            scale,
            shift,
            added: addend.is_some(),
            activation: self.spec.activation,
        };
        let z = norm.output(self.options.isa, addend.as_deref().map(FlexTensor::storage::<f32>));
        // The running variance is the unbiased one, as PyTorch keeps it.
        let rows = (shape[0] * shape[2] * shape[3]) as f64;
        let unbiased = |v: &mut f32| *v = (f64::from(*v) * rows / (rows - 1.0).max(1.0)) as f32;
        variance.iter_mut().for_each(unbiased);
        let kept = (self.keep && addend.is_some()).then(|| z.clone());
        self.pooled(z, kept, self.keep.then(|| Arc::new(norm)), [mean, variance])
    }

    /// The pool, on the activation's output `z`, of which `kept` is another handle.
    fn pooled(
        &self,
        z: FlexTensor,
        kept: Option<FlexTensor>,
        norm: Option<Arc<Normalised>>,
        statistics: [Vec<f32>; 2],
    ) -> Parts {
        let [mean, variance] = statistics;
        let [n, channels, h, w] = dims(&z);
        let kept = kept.filter(|_| self.spec.activation != Activation::None);
        let (y, pool) = match self.spec.pool {
            None => (z, None),
            Some(Pool::GlobalAverage) => {
                let mut y = buffer::arbitrary(n * channels);
                pool::global_average_forward(
                    self.options.isa,
                    n,
                    h * w,
                    channels,
                    z.storage(),
                    &mut y,
                );
                let saved = SavedPool::GlobalAverage { n, pixels: h * w, channels };
                (from_channels_last(y, [n, channels, 1, 1]), Some(saved))
            }
            Some(Pool::Max { kernel, stride, padding }) => {
                let shape = PoolShape { n, input: [h, w], channels, kernel, stride, padding };
                let [oh, ow] = shape.output();
                let mut y = buffer::arbitrary(n * oh * ow * channels);
                let mut slots = self.keep.then(|| vec![0; y.len()]);
                let places = slots.as_deref_mut();
                pool::max_forward(self.options.isa, &shape, z.storage(), &mut y, places);
                let saved = slots.map(|slots| SavedPool::Max { shape, slots: Arc::new(slots) });
                (from_channels_last(y, [n, channels, oh, ow]), saved)
            }
        };
        Parts { y, mean, variance, tail: SavedTail::Plain { norm, z: kept, pool } }
    }
}

/// The fused form of a convolution and a pool, where there is one.
fn fusable(conv: &ConvShape, pool: Pool) -> Option<PooledShape> {
    let Pool::Max { kernel, stride, padding } = pool else { return None };
    let shape = PooledShape { conv: *conv, pool: kernel };
    (kernel == stride && padding == 0 && shape.applies()).then_some(shape)
}
