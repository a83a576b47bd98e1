//! Every kind of block: gradients against finite differences, which are taken in double precision.
//! burn's operators answer gradients in double precision, the fused blocks in single.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Device, Gradients, Tensor, TensorData};
use tinderbox_base::draw::{Draw, Purpose};
use tinderbox_nn::Activation::{Relu, Relu6};
use tinderbox_nn::ops::{Operation, Pool, cross_entropy};
use tinderbox_nn::spec::{Block, Conv};
use tinderbox_nn::{Context, ForwardContext, Kernels, Model, Network, Spec};

const IMAGES: usize = 3;
const CLASSES: usize = 4;
const INPUT: [usize; 3] = [2, 9, 8];
/// The step of the differences: their error is its square, that of rounding 1e-16 over it.
const STEP: f64 = 1e-6;
/// How far a gradient may be off, as a part of one plus its size. In double precision that is the
/// differences' own error.
const DOUBLE: f64 = 1e-6;
/// In single precision: the blocks below are off by up to 1e-6, sixteen roundings of 2^-24; ten times
/// that leaves room for the roundings of other instruction sets, and none for a wrong formula.
const SINGLE: f64 = 1e-5;

/// The network's parameters in double precision.
struct ToDouble;

impl ModuleMapper for ToDouble {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| tensor.cast(DType::F64))
    }
}

/// Adds `by` to one element, counted over all parameters, when it is reached.
struct Nudge {
    element: usize,
    by: f64,
}

impl ModuleMapper for Nudge {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = param.val().dims();
        let size = shape.iter().product::<usize>();
        let here = self.element;
        self.element = self.element.wrapping_sub(size);
        if here >= size {
            return param;
        }
        self.element = usize::MAX / 2;
        param.map(|tensor| {
            let mut values = vec![0.0f64; size];
            values[here] = self.by;
            let nudge = TensorData::new(values, shape);
            let options = (&tensor.device(), DType::F64);
            tensor + Tensor::from_data(nudge, options)
        })
    }
}

/// The gradients of every element in the order of [`Nudge`]; none for running statistics.
struct Collect<'a> {
    gradients: &'a Gradients,
    values: Vec<Option<f64>>,
}

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let size = param.val().dims().iter().product::<usize>();
        match param.val().grad(self.gradients) {
            Some(gradient) => {
                let gradient = gradient.into_data().convert::<f64>();
                self.values.extend(gradient.iter::<f64>().map(Some));
            }
            None => self.values.extend(vec![None; size]),
        }
    }
}

/// Random numbers that single precision has.
fn normal<const D: usize>(shape: [usize; D], position: u64, on: (&Device, DType)) -> Tensor<D> {
    let draw = Draw::at(9, 0, position, Purpose::Synthetic);
    let size = shape.iter().product::<usize>() as u32;
    let values: Vec<f32> = (0..size).map(|i| draw.normal(i)).collect();
    Tensor::from_data(TensorData::new(values, shape), on)
}

fn loss(network: &Network, on: (&Device, DType)) -> Tensor<1> {
    let [c, h, w] = INPUT;
    let images = normal([IMAGES, c, h, w], 0, on);
    assert_eq!(Kernels::On.fuse(Operation::Block, &images), on.1 == DType::F32);
    let targets = normal([IMAGES, CLASSES], 1, on).abs();
    let context = ForwardContext::training(&Context::cpu(), 1, 2);
    cross_entropy(network.forward(images, &context), targets, Kernels::On)
}

/// The gradients of all parameters' elements; none for running statistics.
fn gradients(network: Network, device: &Device, dtype: DType) -> Vec<Option<f64>> {
    let network = network.train();
    let gradients = loss(&network, (&device.clone().autodiff(), dtype)).backward();
    let mut collect = Collect { gradients: &gradients, values: Vec::new() };
    network.visit(&mut collect);
    collect.values
}

fn check(blocks: Vec<Block>, device: &Device) {
    let names = blocks.iter().map(|block| block.name.clone()).collect::<Vec<_>>().join(" ");
    let spec = Spec { name: "test".to_owned(), input: INPUT, classes: CLASSES, blocks };
    // Clones share their running statistics, which are of one kind of number.
    let network = || Network::new(&spec, 5, device).unwrap();
    let double = network().map(&mut ToDouble);
    let fused = gradients(network(), device, DType::F32);
    let composed = gradients(double.clone(), device, DType::F64);
    assert_eq!(fused.len(), composed.len());
    let mut compared = 0;
    // Every 7th element, and all of small tensors' neighbours, is enough to see every formula.
    for (element, found) in fused.into_iter().zip(composed).enumerate().filter(|(i, _)| i % 7 < 2) {
        let (Some(fused), Some(composed)) = found else {
            assert_eq!(found, (None, None), "{names}: element {element}");
            continue;
        };
        let at = |by: f64| -> f64 {
            let nudged = double.clone().map(&mut Nudge { element, by });
            loss(&nudged, (device, DType::F64)).into_scalar()
        };
        let difference = (at(STEP) - at(-STEP)) / (2.0 * STEP);
        for (gradient, bound) in [(fused, SINGLE), (composed, DOUBLE)] {
            let error = (difference - gradient).abs() / (1.0 + difference.abs());
            assert!(error < bound, "{names}: element {element}: {gradient} but {difference}");
        }
        compared += 1;
    }
    assert!(compared > 20, "{names}: only {compared} elements compared");
}

/// Blocks between a 3x3 convolution and a dense layer, so that gradients of data are seen as well.
fn around(middle: Vec<Block>) -> Vec<Block> {
    let mut blocks = vec![Block::conv("first", Conv { bias: true, ..Conv::same(4, 3, 1) })];
    blocks.extend(middle);
    blocks.push(Block::linear("last", CLASSES));
    blocks
}

fn all_blocks() -> Vec<Vec<Block>> {
    let conv = |name: &str, conv: Conv| Block::conv(name, conv);
    let max = Pool::Max { kernel: 3, stride: 2, padding: 1 };
    vec![
        around(vec![Block::linear("dense", 6).activation(Relu)]),
        around(vec![conv("valid", Conv::valid(5, 3)).activation(Relu).max_pool(2)]),
        around(vec![conv("strided", Conv::same(6, 5, 2)).norm("n").activation(Relu6)]),
        around(vec![conv("grouped", Conv { groups: 2, ..Conv::same(6, 3, 1) }).pool(max)]),
        around(vec![
            conv("depthwise", Conv { groups: 4, ..Conv::same(4, 3, 2) })
                .norm("n")
                .activation(Relu6),
        ]),
        around(vec![
            conv("point", Conv::same(4, 1, 1)).norm("n").residual("first").activation(Relu),
        ]),
        around(vec![conv("average", Conv::same(7, 3, 1)).pool(Pool::GlobalAverage)]),
        around(vec![conv("dropped", Conv::same(3, 3, 1)).activation(Relu).dropout(0.4)]),
        around(vec![
            conv("downsample", Conv::same(4, 1, 2)).norm("n0"),
            conv("a", Conv::same(4, 3, 2)).from("first").norm("n1").activation(Relu),
            conv("b", Conv::same(4, 3, 1)).norm("n2").residual("downsample").activation(Relu),
        ]),
    ]
}

#[test]
fn gradients_of_every_block_agree_with_finite_differences() {
    for blocks in all_blocks() {
        check(blocks, &Device::flex());
    }
}
