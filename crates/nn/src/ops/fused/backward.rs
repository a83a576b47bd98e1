//! A block backward.

use std::sync::Arc;

use burn::backend::flex::FlexTensor;
use tinderbox_kernels::conv::{self, Activation, pooled};
use tinderbox_kernels::{Isa, Options, buffer, linear, norm, pool};

use super::forward::{Saved, SavedPool, SavedTail};
use super::layer::LayerShape;
use super::recompute::{Input, Normalised};
use super::tensor::{
    channels_last, contiguous, formed, from_channels_last, is_channels_last, turn_rows_back,
};

/// Which gradients somebody asks for.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub x: bool,
    pub weight: bool,
    pub bias: bool,
    /// The norm's two.
    pub norm: bool,
    pub add: bool,
}

/// The gradients of x, weight, bias, gamma, beta and the addend; those that are wanted, at least.
pub(super) type Found = [Option<FlexTensor>; 6];

/// The gradients of a block from that of its output.
pub(super) fn backward(saved: Saved, dy: FlexTensor, wanted: Wanted) -> Found {
    let layer = saved.layer;
    layer.with_threads(|| all_gradients(saved, dy, wanted))
}

fn all_gradients(saved: Saved, dy: FlexTensor, wanted: Wanted) -> Found {
    let dy = formed(dy, channels_last);
    let Saved { options, activation, layer, input, x, weight, tail } = saved;
    let isa = options.isa;
    let (norm, z, pool) = match tail {
        SavedTail::Pooled { shape, slots } => {
            let back = PooledBack { isa, shape, slots: &slots, dy: dy.storage() };
            return back.run(x, &weight, input, wanted);
        }
        SavedTail::Plain { norm, z, pool } => (norm, z, pool),
    };
    let dz = match pool {
        Some(pool) => unpool(isa, &pool, dy.storage(), layer.output()),
        None => dy,
    };
    let mut back = Tail { isa, activation, z, norm, wanted }.run(dz);
    let mut found = [const { None }; 6];
    found[3] = back.gamma.take();
    found[4] = back.beta.take();
    found[5] = back.add.take();
    // A dense layer whose input has channels last has the rows of its weights in that order.
    let turned = match (&layer, &x) {
        (LayerShape::Linear(_), Input::Kept(x)) => is_channels_last(x),
        _ => false,
    };
    let dy = back.layer;
    let dy = dy.storage::<f32>();
    if wanted.bias {
        let channels = layer.output()[1];
        let mut db = vec![0.0; channels];
        norm::sum_rows(isa, dy, channels, &mut db);
        found[2] = Some(contiguous(db, [channels]));
    }
    if wanted.weight {
        let dw = layer_weights(options, &layer, x.get(isa).storage(), dy);
        found[1] = Some(if turned { turn_rows_back(&dw, input) } else { dw });
    }
    if wanted.x {
        let last = matches!(layer, LayerShape::Conv(_)) || turned;
        let dx = layer_data(options, &layer, dy, weight.storage(), input.iter().product());
        let shaped = if last { from_channels_last } else { contiguous };
        found[0] = Some(shaped(dx, input));
    }
    found
}

fn layer_weights(options: Options, layer: &LayerShape, x: &[f32], dy: &[f32]) -> FlexTensor {
    match layer {
        LayerShape::Conv(shape) => {
            let mut dw = buffer::arbitrary(shape.weights_len());
            conv::backward_weights(options, shape, x, dy, &mut dw);
            let [kh, kw] = shape.kernel;
            contiguous(dw, [shape.co, shape.ci / shape.groups, kh, kw])
        }
        LayerShape::Linear(shape) => {
            let mut dw = buffer::arbitrary(shape.inputs * shape.outputs);
            linear::backward_weights(options.isa, shape, x, dy, &mut dw);
            contiguous(dw, [shape.inputs, shape.outputs])
        }
    }
}

fn layer_data(
    options: Options,
    layer: &LayerShape,
    dy: &[f32],
    weight: &[f32],
    len: usize,
) -> Vec<f32> {
    let mut dx = buffer::arbitrary(len);
    match layer {
        LayerShape::Conv(shape) => conv::backward_data(options, shape, dy, weight, &mut dx),
        LayerShape::Linear(shape) => linear::backward_data(options.isa, shape, dy, weight, &mut dx),
    }
    dx
}

fn unpool(isa: Isa, pool: &SavedPool, dy: &[f32], shape: [usize; 4]) -> FlexTensor {
    let mut dz = buffer::arbitrary(shape.iter().product());
    match pool {
        SavedPool::Max { shape, slots } => pool::max_backward(isa, shape, dy, slots, &mut dz),
        &SavedPool::GlobalAverage { n, pixels, channels } => {
            pool::global_average_backward(isa, n, pixels, channels, dy, &mut dz);
        }
    }
    from_channels_last(dz, shape)
}

/// Norm, addition and activation.
struct Tail {
    isa: Isa,
    activation: Activation,
    z: Option<FlexTensor>,
    norm: Option<Arc<Normalised>>,
    wanted: Wanted,
}

/// The gradients of a tail's inputs.
struct TailGradients {
    layer: FlexTensor,
    gamma: Option<FlexTensor>,
    beta: Option<FlexTensor>,
    add: Option<FlexTensor>,
}

impl Tail {
    /// From the gradient `dz` of the activation's output.
    fn run(self, mut dz: FlexTensor) -> TailGradients {
        let shape = super::tensor::dims(&dz);
        let z = self.z.as_ref().map(FlexTensor::storage::<f32>);
        let Some(Normalised { raw, gamma, mean, inverse, scale, shift, .. }) = self.norm.as_deref()
        else {
            if let Some(z) = z {
                norm::mask(self.isa, dz.storage_mut(), z, self.activation);
            }
            let add = self.wanted.add.then(|| dz.clone());
            return TailGradients { layer: dz, gamma: None, beta: None, add };
        };
        let args = norm::Backward {
            x: raw.storage(),
            z,
            scale,
            shift,
            activation: self.activation,
            mean,
            inv_std: inverse,
            gamma: gamma.storage(),
        };
        let channels = shape[1];
        let (mut dgamma, mut dbeta) = (vec![0.0; channels], vec![0.0; channels]);
        // With an addend its gradient takes the place of `dz`; without, the layer's does.
        let mut other = self.wanted.add.then(|| buffer::arbitrary(shape.iter().product::<usize>()));
        norm::backward(
            self.isa,
            args,
            dz.storage_mut(),
            other.as_deref_mut(),
            &mut dgamma,
            &mut dbeta,
        );
        let wanted = self.wanted.norm;
        let flat = |values| wanted.then(|| contiguous(values, [channels]));
        let (gamma, beta) = (flat(dgamma), flat(dbeta));
        match other {
            Some(layer) => {
                let layer = from_channels_last(layer, shape);
                TailGradients { layer, gamma, beta, add: Some(dz) }
            }
            None => TailGradients { layer: dz, gamma, beta, add: None },
        }
    }
}

/// A convolution, its activation and its pool in one.
struct PooledBack<'a> {
    isa: Isa,
    shape: pooled::PooledShape,
    slots: &'a [u8],
    dy: &'a [f32],
}

impl PooledBack<'_> {
    fn run(&self, x: Input, weight: &FlexTensor, input: [usize; 4], wanted: Wanted) -> Found {
        let Self { isa, shape, slots, dy } = self;
        let conv = &shape.conv;
        let mut found = [const { None }; 6];
        if wanted.x {
            let mut dx = buffer::arbitrary(conv.input_len());
            pooled::backward_data(*isa, shape, dy, slots, weight.storage(), &mut dx);
            found[0] = Some(from_channels_last(dx, input));
        }
        if wanted.weight {
            let mut dw = buffer::arbitrary(conv.weights_len());
            pooled::backward_weights(*isa, shape, x.get(*isa).storage(), dy, slots, &mut dw);
            let [kh, kw] = conv.kernel;
            found[1] = Some(contiguous(dw, [conv.co, conv.ci / conv.groups, kh, kw]));
        }
        if wanted.bias {
            let mut db = vec![0.0; conv.co];
            pooled::backward_bias(*isa, shape, dy, slots, &mut db);
            found[2] = Some(contiguous(db, [conv.co]));
        }
        found
    }
}
