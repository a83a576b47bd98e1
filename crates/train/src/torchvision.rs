//! Our networks answer and learn as torchvision's: `../fixtures/torchvision.json` has torch's numbers,
//! in double precision, from `scripts/make/torchvision-networks`. Weights and images are formulas
//! that both sides compute to the same bits, so that the file holds results only.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use serde::Deserialize;
use tinderbox_data::Batch;
use tinderbox_nn::io::Tensor as Stored;
use tinderbox_nn::params::{load, tensors};
use tinderbox_nn::{Context, ForwardContext, Kernels, Model, Network, Params, spec, values};

use crate::{Optimizer, OptimizerKind, SingleLabel, StepAt, step};

/// How far an answer or the loss may be off, as a part of the largest; ours are off by 2e-6.
const ANSWERS: f64 = 2e-5;
/// The same of running statistics, which are off by 2e-7.
const STATISTICS: f64 = 2e-6;
/// How far the change of a tensor in the training step may be off, as a part of its length. Ours are
/// off by 4e-6; where a rounding decides on which side of zero an element is, it may be 3e-5.
const CHANGES: f64 = 1e-4;
/// What is added to that, as a part of the length of the tensor itself: twice what rounding the new
/// weights costs.
const ROUNDING: f64 = 1.0 / 8_388_608.0;

#[derive(Deserialize)]
struct Fixture {
    labels: Vec<u32>,
    classes: usize,
    smoothing: f64,
    networks: Vec<Case>,
    optimizers: Vec<OptimizerCase>,
}

/// An update rule and its settings.
#[derive(Deserialize)]
struct Rule {
    optimizer: OptimizerKind,
    rate: f64,
    momentum: f64,
    weight_decay: f64,
    clip: f64,
}

/// A network, and a training step of it.
#[derive(Deserialize)]
struct Case {
    network: String,
    /// `[C, H, W]` of an image.
    input: [usize; 3],
    #[serde(flatten)]
    rule: Rule,
    /// The sum of the bit patterns of all weights.
    bits: u64,
    logits: Vec<Vec<f64>>,
    loss: f64,
    logits_after: Vec<Vec<f64>>,
    /// By norm and statistic: the values of the first channels.
    statistics_after: BTreeMap<String, BTreeMap<String, Vec<f64>>>,
    /// By tensor: its shape, the length of its change and its product with `hashed("probe NAME")`.
    changes: BTreeMap<String, (Vec<usize>, f64, f64)>,
}

/// Three steps of a dense layer along given gradients.
#[derive(Deserialize)]
struct OptimizerCase {
    #[serde(flatten)]
    rule: Rule,
    weight: Vec<f64>,
    bias: Vec<f64>,
}

impl Rule {
    fn optimizer<M: Model>(&self, model: &M) -> Optimizer {
        let Self { optimizer: kind, rate: _, momentum, weight_decay, clip } = *self;
        let rule = crate::Rule { kind, momentum, weight_decay, clip };
        Optimizer::new(rule, Arc::new(Params::of(model)), Kernels::On)
    }
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../fixtures/torchvision.json")).unwrap()
}

/// `count` numbers in [-1, 1), multiples of 2^-23, that depend on `name` and their index alone: a
/// mixed (Wellons' lowbias32) counter from the name's FNV-1a on.
fn hashed(name: &str, count: usize) -> impl Iterator<Item = f32> {
    let seed = name
        .bytes()
        .fold(2_166_136_261, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619u32));
    (0..count as u32).map(move |i| {
        let mut x = seed ^ i.wrapping_mul(0x9e37_79b9);
        x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
        x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
        x ^= x >> 16;
        ((x >> 8) as i32 - (1 << 23)) as f32 / 8_388_608.0
    })
}

/// The values of the tensor `name`: centre and spread by its kind, one rounding for each operation.
/// The script says why these.
fn numbers(name: &str, shape: &[usize]) -> Vec<f32> {
    let inputs = shape[1..].iter().product::<usize>() as f64;
    let (centre, spread) = match (name.rsplit('.').next(), shape.len()) {
        (Some("images"), _) => (0.0, 1.75),
        (Some("running_var"), _) => (1.0 / 64.0, 1.0 / 128.0),
        (Some("running_mean"), _) => (0.0, 1.0 / 32.0),
        (_, 4) => (0.0, ((3.0 / inputs).sqrt() / 8.0) as f32),
        (_, 2) => (0.0, (3.0 / inputs).sqrt() as f32),
        (Some("bias"), _) => (1.5, 1.0),
        _ => (1.0, 0.25),
    };
    let values = hashed(name, shape.iter().product()).map(|x| centre + spread * x);
    let mut values: Vec<f32> = values.collect();
    if name != "images" && shape.len() > 1 {
        values.chunks_exact_mut(2).for_each(|pair| pair[1] = -pair[0]);
    }
    values
}

/// The network with its numbers and without dropout.
fn network(case: &Case, classes: usize) -> Network {
    let mut spec = spec(&case.network, case.input, classes).unwrap();
    for block in &mut spec.blocks {
        block.dropout = 0.0;
    }
    let network = Network::new(&spec, 0, &Device::flex()).unwrap();
    let mut tensors = tensors(&network).unwrap();
    let shapes: BTreeMap<_, _> =
        tensors.iter().map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice())).collect();
    let theirs: BTreeMap<_, _> =
        case.changes.iter().map(|(name, (shape, ..))| (name.as_str(), shape.as_slice())).collect();
    assert_eq!(shapes, theirs, "{}", case.network);
    for tensor in &mut tensors {
        tensor.values = numbers(&tensor.name, &tensor.shape);
    }
    let bits = tensors.iter().flat_map(|tensor| &tensor.values).map(|x| u64::from(x.to_bits()));
    assert_eq!(bits.sum::<u64>(), case.bits, "{}: the formula gives other weights", case.network);
    load(network, &tensors).unwrap()
}

fn answers(network: &Network, images: &[f32], [c, h, w]: [usize; 3]) -> Vec<f64> {
    let images = TensorData::new(images.to_vec(), [images.len() / (c * h * w), c, h, w]);
    let images = Tensor::from_data(images, &Device::flex());
    let logits = network.forward(images, &ForwardContext::inference(&Context::cpu()));
    values(logits).unwrap().into_iter().map(f64::from).collect()
}

/// A network, its answers and those after one training step.
struct Learned {
    logits: Vec<f64>,
    loss: f64,
    logits_after: Vec<f64>,
    before: Vec<Stored>,
    after: Vec<Stored>,
}

fn learn(case: &Case, fixture: &Fixture) -> Learned {
    let Fixture { labels, classes, smoothing, .. } = fixture;
    let model = network(case, *classes);
    let [c, h, w] = case.input;
    let images = numbers("images", &[labels.len(), c, h, w]);
    let before = tensors(&model).unwrap();
    let logits = answers(&model, &images, case.input);
    let names: Vec<String> = (0..*classes).map(|class| class.to_string()).collect();
    let task = SingleLabel { smoothing: *smoothing, ..SingleLabel::new(&names) };
    let batch = Batch {
        images: images.clone(),
        input: case.input,
        labels: labels.iter().map(|&label| label.into()).collect(),
        mixing: 1.0,
        bad: Vec::new(),
    };
    let mut optimizer = case.rule.optimizer(&model);
    let at = StepAt { seed: 0, step: 0, micro_batch: labels.len(), rate: case.rule.rate };
    let (model, loss) =
        step(model.train(), batch, &task, &Context::cpu(), &mut optimizer, at).unwrap();
    let model = model.valid();
    let logits_after = answers(&model, &images, case.input);
    Learned { logits, loss, logits_after, before, after: tensors(&model).unwrap() }
}

/// Compares numbers; how far they are off is a part of the largest of `theirs`.
#[track_caller]
fn close(what: &str, ours: &[f64], theirs: &[f64], bound: f64) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let largest = theirs.iter().map(|x| x.abs()).fold(0.0, f64::max);
    let off = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / largest;
    assert!(off < bound, "{what}: {ours:?}, torch has {theirs:?}: off by {off:.1e}");
}

/// Compares by how much the step changed a tensor: the length of the change, and its product with
/// fixed numbers, which sees where each element is.
fn changed_alike(name: &str, old: &[f32], new: &[f32], theirs: [f64; 2]) {
    let (mut squares, mut product, mut weights) = (0.0, 0.0, 0.0);
    for ((&old, &new), probe) in
        old.iter().zip(new).zip(hashed(&format!("probe {name}"), old.len()))
    {
        let change = f64::from(new) - f64::from(old);
        squares += change * change;
        product += change * f64::from(probe);
        weights += f64::from(old) * f64::from(old);
    }
    let ours = [squares.sqrt(), product];
    let bound = CHANGES * theirs[0] + ROUNDING * weights.sqrt();
    let off = (ours[0] - theirs[0]).abs().max((ours[1] - theirs[1]).abs());
    assert!(
        off < bound,
        "the step changes `{name}` by {ours:?}, torchvision's by {theirs:?}: off by {off:.1e}, at most {bound:.1e}"
    );
}

fn check(case: &Case, fixture: &Fixture) {
    let name = |what: &str| format!("{} at {:?}: {what}", case.network, case.input);
    let Learned { logits, loss, logits_after, before, after } = learn(case, fixture);
    close(&name("logits"), &logits, &case.logits.concat(), ANSWERS);
    close(&name("loss"), &[loss], &[case.loss], ANSWERS);
    for (norm, statistics) in &case.statistics_after {
        for (statistic, theirs) in statistics {
            let path = format!("{norm}.{statistic}");
            let tensor = after.iter().find(|tensor| tensor.name == path).unwrap();
            let ours = tensor.values[..theirs.len()].iter().map(|&x| f64::from(x));
            close(&name(&path), &ours.collect::<Vec<_>>(), theirs, STATISTICS);
        }
    }
    for (old, new) in before.iter().zip(&after) {
        let (_, length, product) = case.changes[&old.name];
        changed_alike(&old.name, &old.values, &new.values, [length, product]);
    }
    close(&name("logits after the step"), &logits_after, &case.logits_after.concat(), ANSWERS);
}

#[test]
fn networks_answer_and_learn_as_torchvisions() {
    let fixture = fixture();
    assert_eq!(fixture.networks.len(), 4);
    for case in &fixture.networks {
        check(case, &fixture);
    }
}

/// A dense layer's parameters as torch has them.
#[derive(Module, Debug)]
struct Dense {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl Dense {
    fn new(device: &Device) -> Self {
        let zeros = |count| TensorData::zeros::<f32, _>([count]);
        let weight = Tensor::<1>::from_data(zeros(28), device).reshape([4, 7]);
        Self { weight: Param::from_tensor(weight), bias: Param::from_data(zeros(4), device) }
    }
}

impl Model for Dense {
    fn forward(&self, images: Tensor<4>, _: &ForwardContext) -> Tensor<2> {
        images.flatten::<2>(1, 3).matmul(self.weight.val().transpose())
            + self.bias.val().unsqueeze()
    }
}

#[test]
fn three_steps_of_each_update_rule_are_torchs() {
    let fixture = fixture();
    assert_eq!(fixture.optimizers.len(), 6);
    let device = Device::flex();
    for OptimizerCase { rule, weight, bias } in fixture.optimizers {
        let layer = Dense::new(&device);
        let mut start = tensors(&layer).unwrap();
        for tensor in &mut start {
            tensor.values = hashed(&tensor.name, tensor.values.len()).collect();
        }
        let mut layer = load(layer, &start).unwrap().train();
        let mut optimizer = rule.optimizer(&layer);
        for step in 0..3 {
            let given = |name: &str, count: usize| {
                let values: Vec<f32> = hashed(&format!("{name} {step}"), count).collect();
                Tensor::<1>::from_data(TensorData::new(values, [count]), &device.clone().autodiff())
            };
            let along_weight = layer.weight.val().reshape([28]) * given("weight", 28);
            let along_bias = layer.bias.val() * given("bias", 4);
            let gradients = (along_weight.sum() + along_bias.sum()).backward();
            layer = optimizer.step(layer, gradients, rule.rate);
        }
        for (ours, theirs) in tensors(&layer).unwrap().iter().zip([weight, bias]) {
            let values: Vec<f64> = ours.values.iter().map(|&x| f64::from(x)).collect();
            let name = format!("{:?}, clip {}: {}", rule.optimizer, rule.clip, ours.name);
            close(&name, &values, &theirs, 1e-6);
        }
    }
}
