//! Whole blocks against burn's own operators and their gradients.

use burn::module::Param;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, TensorData};
use tinderbox_base::draw::{Draw, Purpose};

use crate::context::Context;
#[cfg(feature = "ndarray")]
use crate::device::{Request, choose};
use crate::forward_context::ForwardContext;
use crate::ops::Prepared;
use crate::ops::composed::composed;
use crate::ops::parts::{Activation, Layer, Pool, Tail};

/// A block on some device, from tensors that are the same on all devices.
struct Case {
    conv: Option<Conv2d>,
    linear: Option<Linear>,
    norm: Option<BatchNorm>,
    activation: Option<Activation>,
    pool: Option<Pool>,
    add: Option<Tensor<4>>,
    x: Tensor<4>,
    training: bool,
}

type Run = fn(Layer<'_>, Tensor<4>, Tail<'_>, &ForwardContext) -> Tensor<4>;

fn training() -> ForwardContext {
    ForwardContext::training(&Context::cpu(), 0, 0)
}

fn inference() -> ForwardContext {
    ForwardContext::inference(&Context::cpu())
}

impl Case {
    fn layer(&self) -> Layer<'_> {
        match (&self.conv, &self.linear) {
            (Some(conv), _) => Layer::Conv(conv),
            (_, Some(linear)) => Layer::Linear(linear),
            _ => unreachable!("a case has a layer"),
        }
    }

    /// The output, and the gradients of everything that has one.
    fn run(&self, run: Run) -> Vec<Vec<f32>> {
        let tail = Tail {
            norm: self.norm.as_ref(),
            add: self.add.clone(),
            activation: self.activation,
            pool: self.pool,
            ..Tail::default()
        };
        let context = if self.training { training() } else { inference() };
        let y = run(self.layer(), self.x.clone(), tail, &context);
        let mut found = vec![values(y.clone())];
        // A loss without symmetries: with a plain sum a norm's gradients would cancel.
        let shape = y.dims();
        let waves = (0..shape.iter().product()).map(|i: usize| (i as f32 * 0.37).sin()).collect();
        let waves = Tensor::from_data(TensorData::new::<f32, _>(waves, shape), &y.device());
        let gradients = (y.clone() * y * waves).sum().backward();
        let mut see = |gradient: Option<Vec<f32>>| found.push(gradient.unwrap_or_default());
        see(self.x.grad(&gradients).map(values));
        if let Some(conv) = &self.conv {
            see(conv.weight.val().grad(&gradients).map(values));
            see(conv.bias.as_ref().and_then(|b| b.val().grad(&gradients)).map(values));
        }
        if let Some(linear) = &self.linear {
            see(linear.weight.val().grad(&gradients).map(values));
            see(linear.bias.as_ref().and_then(|b| b.val().grad(&gradients)).map(values));
        }
        if let Some(norm) = &self.norm {
            see(norm.gamma.val().grad(&gradients).map(values));
            see(norm.beta.val().grad(&gradients).map(values));
            see(Some(values(norm.running_mean.value_sync())));
            see(Some(values(norm.running_var.value_sync())));
        }
        see(self.add.as_ref().and_then(|add| add.grad(&gradients)).map(values));
        found
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().unwrap()
}

fn close(what: &str, ours: &[Vec<f32>], theirs: &[Vec<f32>]) {
    assert_eq!(ours.len(), theirs.len());
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        assert_eq!(a.len(), b.len(), "{what}: result {i}");
        let largest = b.iter().fold(1f32, |m, x| m.max(x.abs()));
        let error = a.iter().zip(b).fold(0f32, |m, (a, b)| m.max((a - b).abs()));
        assert!(error <= 1e-4 * largest, "{what}: result {i} differs by {error} of {largest}");
    }
}

/// Sizes of a convolution.
#[derive(Clone, Copy)]
struct Sizes {
    channels: [usize; 2],
    size: [usize; 2],
    kernel: usize,
    stride: usize,
    padding: usize,
    groups: usize,
}

const PLAIN: Sizes =
    Sizes { channels: [3, 20], size: [13, 11], kernel: 3, stride: 1, padding: 1, groups: 1 };

/// Numbers that are the same in every run: with new ones each time, an element close to where an
/// activation or a pool decides would sooner or later fall on the other side.
fn normal<const D: usize>(number: u64, shape: [usize; D]) -> TensorData {
    let draw = Draw::at(number, 0, 0, Purpose::Weights);
    let values: Vec<f32> =
        (0..shape.iter().product::<usize>() as u32).map(|i| draw.normal(i)).collect();
    TensorData::new(values, shape)
}

fn linear(inputs: usize, outputs: usize, device: &Device) -> Linear {
    let mut linear = LinearConfig::new(inputs, outputs).init(device);
    linear.weight = Param::from_data(normal(1, [inputs, outputs]), device);
    linear.bias = Some(Param::from_data(normal(2, [outputs]), device));
    linear
}

fn conv_case(device: &Device, sizes: Sizes) -> Case {
    let [ci, co] = sizes.channels;
    let p = sizes.padding;
    let mut conv = Conv2dConfig::new([ci, co], [sizes.kernel; 2])
        .with_stride([sizes.stride; 2])
        .with_groups(sizes.groups)
        .with_padding(PaddingConfig2d::Explicit(p, p, p, p))
        .init(device);
    conv.weight = Param::from_data(normal(1, conv.weight.dims()), device);
    conv.bias = Some(Param::from_data(normal(2, [co]), device));
    let x = Tensor::from_data(normal(3, [3, ci, sizes.size[0], sizes.size[1]]), device);
    Case {
        conv: Some(conv),
        linear: None,
        norm: None,
        activation: None,
        pool: None,
        add: None,
        x: if device.is_autodiff() { x.require_grad() } else { x },
        training: true,
    }
}

fn with_norm(mut case: Case, channels: usize, device: &Device) -> Case {
    case.norm = Some(BatchNormConfig::new(channels).init(device));
    case
}

fn with_add(mut case: Case, device: &Device) -> Case {
    let shape = case.run_shape();
    let add = Tensor::from_data(normal(4, shape), device);
    case.add = Some(add.require_grad());
    case
}

impl Case {
    fn run_shape(&self) -> [usize; 4] {
        composed(self.layer(), self.x.clone(), Tail::default(), &inference()).dims()
    }
}

/// Every layer with every tail.
fn cases(device: &Device) -> Vec<(String, Case)> {
    let relu = Some(Activation::Relu);
    let max = |kernel, stride, padding| Some(Pool::Max { kernel, stride, padding });
    let mut cases = dense_cases(device);
    for (layer, sizes) in [
        ("plain", PLAIN),
        ("strided", Sizes { stride: 2, ..PLAIN }),
        ("pointwise", Sizes { kernel: 1, padding: 0, channels: [24, 10], ..PLAIN }),
        ("grouped", Sizes { groups: 2, channels: [6, 8], ..PLAIN }),
        ("depthwise", Sizes { groups: 18, channels: [18, 18], ..PLAIN }),
        ("wide", Sizes { channels: [40, 33], ..PLAIN }),
        ("large kernel", Sizes { kernel: 5, padding: 0, ..PLAIN }),
    ] {
        let case = || conv_case(device, sizes);
        let normed = || with_norm(case(), sizes.channels[1], device);
        let tails = [
            ("alone", case()),
            ("relu", Case { activation: relu, ..case() }),
            ("relu, pools side by side", Case { activation: relu, pool: max(2, 2, 0), ..case() }),
            ("relu, pools", Case { activation: relu, pool: max(3, 2, 1), ..case() }),
            ("average", Case { pool: Some(Pool::GlobalAverage), ..case() }),
            ("add, relu", with_add(Case { activation: relu, ..case() }, device)),
            ("norm", normed()),
            ("norm, relu6", Case { activation: Some(Activation::Relu6), ..normed() }),
            ("norm, relu, pools", Case { activation: relu, pool: max(3, 2, 1), ..normed() }),
            ("norm, add, relu", with_add(Case { activation: relu, ..normed() }, device)),
            ("fixed norm, relu", Case { training: false, activation: relu, ..normed() }),
        ];
        cases.extend(tails.map(|(tail, case)| (format!("{layer}: {tail}"), case)));
    }
    cases
}

fn dense_cases(device: &Device) -> Vec<(String, Case)> {
    let case = |shape: [usize; 4], outputs| Case {
        conv: None,
        linear: Some(linear(shape[1..].iter().product(), outputs, device)),
        norm: None,
        activation: None,
        pool: None,
        add: None,
        x: Tensor::from_data(normal(3, shape), device).require_grad(),
        training: true,
    };
    let image = Case { activation: Some(Activation::Relu), ..case([4, 5, 6, 7], 10) };
    vec![("flat".to_owned(), case([5, 70, 1, 1], 33)), ("image".to_owned(), image)]
}

/// Where burn's own operators and their gradients run: beside ours, and on a backend that has
/// nothing in common with it.
fn referees() -> Vec<Device> {
    vec![
        Device::flex().autodiff(),
        #[cfg(feature = "ndarray")]
        choose(Request::Ndarray).unwrap().device.autodiff(),
    ]
}

#[test]
fn fused_blocks_agree_with_burn() {
    for referee in referees() {
        // A norm's running statistics move with each run, so each run has cases of its own.
        let ours = cases(&Device::flex().autodiff());
        for ((what, ours), (_, theirs)) in ours.into_iter().zip(cases(&referee)) {
            let theirs = theirs.run(composed);
            // A folded norm only answers: `ops::block` asks for it where no gradient is wanted.
            if ours.norm.is_some() && !ours.training {
                close(&what, &ours.run(super::block)[..1], &theirs[..1]);
                close(&what, &ours.run(crate::ops::block), &theirs);
            } else {
                close(&what, &ours.run(super::block), &theirs);
            }
        }
    }
}

#[test]
fn a_chain_of_blocks_keeps_its_gradients_through_both_layouts() {
    let run = |run: Run, device: &Device| {
        let first = conv_case(device, PLAIN);
        let second = conv_case(device, Sizes { channels: [20, 8], ..PLAIN });
        let dense = linear(8 * 6 * 5, 4, device);
        let pool = Some(Pool::Max { kernel: 2, stride: 2, padding: 0 });
        let tail = |pool| Tail { activation: Some(Activation::Relu), pool, ..Tail::default() };
        let context = training();
        let y = run(first.layer(), first.x.clone(), tail(None), &context);
        // An operator of burn in between, on a tensor whose channels are last in memory.
        let y = run(second.layer(), y * 1.5, tail(pool), &context);
        let y = run(Layer::Linear(&dense), y, Tail::default(), &context);
        let gradients = (y.clone() * y.clone()).sum().backward();
        vec![
            values(y),
            values(first.x.grad(&gradients).unwrap()),
            values(first.conv.as_ref().unwrap().weight.val().grad(&gradients).unwrap()),
            values(dense.weight.val().grad(&gradients).unwrap()),
        ]
    };
    let ours = run(super::block, &Device::flex().autodiff());
    for referee in referees() {
        close("chain", &ours, &run(composed, &referee));
    }
}

/// Blocks whose inputs are computed again on the way back, and one after an addition that has no
/// activation, whose input is not.
#[test]
fn a_chain_of_norms_keeps_its_gradients() {
    let device = Device::flex().autodiff();
    let sizes = |from, to| Sizes { channels: [from, to], ..PLAIN };
    let normed = |from, to| with_norm(conv_case(&device, sizes(from, to)), to, &device);
    let [first, second, third, fourth] =
        [normed(3, 20), normed(20, 20), normed(20, 8), normed(8, 5)];
    let run = |run: Run| {
        let context = training();
        let block = |case: &Case, x, add, activation| {
            let norm = case.norm.as_ref();
            run(case.layer(), x, Tail { norm, add, activation, ..Tail::default() }, &context)
        };
        let a = block(&first, first.x.clone(), None, Some(Activation::Relu));
        let b = block(&second, a.clone(), Some(a), None);
        let c = block(&third, b, None, Some(Activation::Relu6));
        let d = block(&fourth, c, None, None);
        let gradients = (d.clone() * d.clone()).sum().backward();
        let mut found = vec![values(d), values(first.x.grad(&gradients).unwrap())];
        for case in [&first, &second, &third, &fourth] {
            let weight = case.conv.as_ref().unwrap().weight.val();
            found.push(values(weight.grad(&gradients).unwrap()));
            found.push(values(case.norm.as_ref().unwrap().gamma.val().grad(&gradients).unwrap()));
        }
        found
    };
    close("norms", &run(super::block), &run(composed));
}

/// Whether the weights or the norm's statistics change, what was made of the old is not used.
#[test]
fn prepared_weights_are_made_anew_when_they_change() {
    let device = Device::flex();
    let sizes = Sizes { channels: [32, 33], ..PLAIN }; // Winograd's form wins
    for normed in [false, true] {
        let mut case = Case { training: false, ..conv_case(&device, sizes) };
        if normed {
            case = with_norm(case, 33, &device);
        }
        let prepared = Prepared::default();
        let run = |case: &Case, prepared| {
            let (norm, activation) = (case.norm.as_ref(), Some(Activation::Relu));
            let tail = Tail { norm, activation, prepared, ..Tail::default() };
            values(super::block(case.layer(), case.x.clone(), tail, &inference()))
        };
        for round in 0..3 {
            let fresh = run(&case, None);
            assert_eq!(run(&case, Some(&prepared)), fresh, "round {round}");
            assert_eq!(run(&case, Some(&prepared)), fresh, "round {round}, again");
            if let Some(norm) = &case.norm {
                norm.running_mean.update(norm.running_mean.value_sync() + 0.5);
            } else if let Some(conv) = &mut case.conv {
                conv.weight = Param::from_tensor(conv.weight.val() * 1.5);
            }
        }
    }
}

/// Some images of a batch, which the forward pass reads where they lie: as burn has them and with
/// channels last, by a convolution and then by a dense layer that keeps its turned rows.
#[test]
fn a_view_of_a_batch_is_answered_like_a_copy() {
    let device = Device::flex();
    for channels in [1, 3] {
        let case = conv_case(&device, Sizes { channels: [channels, 20], ..PLAIN });
        let dense = linear(20 * 13 * 11, 1, &device);
        let prepared = Prepared::default();
        let run = |x: Tensor<4>, prepared: Option<&Prepared>| {
            let y = super::block(case.layer(), x, Tail::default(), &inference());
            let tail = Tail { prepared, ..Tail::default() };
            super::block(Layer::Linear(&dense), y, tail, &inference())
        };
        let maker = conv_case(&device, Sizes { channels: [channels; 2], ..PLAIN });
        let last = super::block(maker.layer(), maker.x.clone(), Tail::default(), &inference());
        for batch in [maker.x.clone(), last] {
            for range in [0..2, 1..3, 1..2] {
                let view = batch.clone().narrow(0, range.start, range.len());
                let copy = Tensor::from_data(view.clone().into_data(), &device);
                let anew = Prepared::default();
                let [plain, expected] =
                    [None, Some(&anew)].map(|prepared| vec![values(run(copy.clone(), prepared))]);
                close("turned rows", &expected, &plain);
                let expected = &expected[0];
                assert_eq!(values(run(view.clone(), Some(&prepared))), *expected, "{range:?}");
                assert_eq!(values(run(view, Some(&prepared))), *expected, "{range:?} again");
            }
        }
    }
}
