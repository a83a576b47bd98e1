//! Trainings in which some parameters are frozen.

use std::sync::Arc;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor, TensorData};
use tinderbox_base::draw::{Draw, Purpose};
use tinderbox_data::Batch;
use tinderbox_nn::params::tensors;
use tinderbox_nn::{
    Context, ForwardContext, Group, Kernels, Model, Network, ParamInfo, Params, spec, values,
};

use crate::step::gradients;
use crate::{Optimizer, OptimizerKind, Rule, SingleLabel, StepAt, step};

const INPUT: [usize; 3] = [3, 32, 32];
const IMAGES: usize = 4;

fn batch() -> Batch {
    let draw = Draw::at(3, 0, 0, Purpose::Synthetic);
    let size = (IMAGES * INPUT.iter().product::<usize>()) as u32;
    Batch {
        images: (0..size).map(|i| draw.normal(i)).collect(),
        input: INPUT,
        labels: (0..IMAGES as u32).map(|i| (i % 2).into()).collect(),
        mixing: 1.0,
        bad: Vec::new(),
    }
}

fn task() -> SingleLabel {
    SingleLabel::new(&["a".to_owned(), "b".to_owned()])
}

fn network(name: &str, context: &Context) -> Network {
    let spec = spec(name, INPUT, 2).unwrap();
    Network::new(&spec, 0, context.device()).unwrap()
}

fn at(step: usize) -> StepAt {
    StepAt { seed: 0, step, micro_batch: IMAGES, rate: 0.01 }
}

/// Parameters of `network`, trained where `trained` says so.
fn params(network: &Network, trained: impl Fn(&ParamInfo) -> bool) -> Params {
    let mut params = Params::of(network);
    let frozen = params.freeze(|info| !trained(info));
    assert!(frozen > 1000, "only {frozen} numbers are frozen");
    params
}

struct Collect<'a>(&'a Gradients, Vec<Option<Vec<f32>>>);

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.1.push(param.val().grad(self.0).map(|gradient| values(gradient).unwrap()));
    }
}

#[test]
fn frozen_parameters_and_statistics_keep_every_bit() {
    for name in ["resnet18", "mobilenet_v2"] {
        let context = Context::cpu();
        let before = network(name, &context);
        let params = Arc::new(params(&before, |info| info.group == Group::Head));
        let rule = Rule { kind: OptimizerKind::Adamw, momentum: 0.9, weight_decay: 0.1, clip: 1.0 };
        let mut optimizer = Optimizer::new(rule, Arc::clone(&params), Kernels::On);
        // Not a clone of it, which would share its running statistics.
        let mut model = params.apply(network(name, &context).train());
        for number in 0..3 {
            model = step(model, batch(), &task(), &context, &mut optimizer, at(number)).unwrap().0;
        }
        let before = tensors(&before).unwrap();
        let after = tensors(&model.valid()).unwrap();
        let mut changed = 0;
        for ((info, before), after) in params.all().iter().zip(&before).zip(&after) {
            assert_eq!(before.name, info.name);
            let same = before.values == after.values;
            assert_eq!(same, !info.trained, "{name}: {}", info.name);
            changed += usize::from(!same);
        }
        assert_eq!(changed, 2, "{name}: the weight and the bias of the last layer");
    }
}

/// What is frozen gets no gradient; the head's is that of a head on fixed features.
#[test]
fn the_head_learns_on_features_of_inference() {
    let context = Context::cpu();
    let network = network("resnet18", &context);
    let params = params(&network, |info| info.group == Group::Head);
    let trained = params.apply(network.clone().train());
    let (_, found) = gradients(&trained, batch(), &task(), &context, at(0)).unwrap();
    let mut collect = Collect(&found, Vec::new());
    trained.visit(&mut collect);
    for (info, gradient) in params.all().iter().zip(&collect.1) {
        assert_eq!(gradient.is_some(), info.trained, "{}", info.name);
    }
    // The scores in training are those of inference: no statistics of the batch are used.
    let Batch { images, input: [c, h, w], .. } = batch();
    let images = TensorData::new(images, [IMAGES, c, h, w]);
    let training = ForwardContext::training(&context, 0, 0);
    let scores = trained.forward(Tensor::from_data(images.clone(), &context.autodiff()), &training);
    let inference = ForwardContext::inference(&context);
    let expected = network.forward(Tensor::from_data(images, context.device()), &inference);
    for (a, b) in values(scores).unwrap().into_iter().zip(values(expected).unwrap()) {
        assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{a} and {b}");
    }
}

/// A frozen layer between trained ones passes their gradients on.
#[test]
fn gradients_pass_a_frozen_layer_in_the_middle() {
    let context = Context::cpu();
    let network = network("cnn", &context);
    let first = Params::of(&network).all()[0].name.clone();
    let params = params(&network, |info| info.name == first || info.group == Group::Head);
    let found = |model: &Network| {
        let (_, gradients) = gradients(model, batch(), &task(), &context, at(0)).unwrap();
        let mut collect = Collect(&gradients, Vec::new());
        model.visit(&mut collect);
        collect.1
    };
    let all = found(&network.clone().train());
    let some = found(&params.apply(network.train()));
    for ((info, all), some) in params.all().iter().zip(all).zip(some) {
        assert!(all.is_some(), "{}", info.name);
        assert_eq!(some, all.filter(|_| info.trained), "{}", info.name);
    }
}
