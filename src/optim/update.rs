//! Update rules, each one pass over every parameter.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};

use crate::config::{OptimizerKind, Settings};

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// What the rule remembers of one parameter, flat.
#[derive(Clone, Debug)]
pub struct Moments {
    /// The running mean of the gradient; the velocity of `sgd`.
    pub first: Tensor<1>,
    /// The running mean of its square; `sgd` has none.
    pub second: Option<Tensor<1>>,
}

/// An update rule with what it remembers.
#[derive(Clone, Debug)]
pub struct Optimizer {
    kind: OptimizerKind,
    momentum: f64,
    weight_decay: f64,
    clip: f64,
    steps: usize,
    moments: Vec<Option<Moments>>,
}

impl Optimizer {
    /// A rule that remembers nothing yet.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            kind: settings.optimizer,
            momentum: settings.momentum,
            weight_decay: settings.weight_decay,
            clip: settings.clip,
            steps: 0,
            moments: Vec::new(),
        }
    }

    /// What a resume needs: the steps taken, and what is remembered of each tensor of the module in
    /// the order of its fields. The rest comes from the settings.
    #[must_use]
    pub fn state(&self) -> (usize, &[Option<Moments>]) {
        let Self { kind: _, momentum: _, weight_decay: _, clip: _, steps, moments } = self;
        (*steps, moments)
    }

    /// `module` after one step along `gradients`.
    #[must_use]
    pub fn step<M: Module>(&mut self, module: M, mut gradients: Gradients, rate: f64) -> M {
        self.steps += 1;
        let scale = if self.clip > 0.0 { clip_scale(&module, &gradients, self.clip) } else { 1.0 };
        let mut updater = Updater { rule: self, gradients: &mut gradients, rate, scale, index: 0 };
        module.map(&mut updater)
    }

    /// The new values of a parameter. Matrices and kernels decay; biases and norms do not.
    fn update<const D: usize>(
        &mut self,
        index: usize,
        param: Tensor<D>,
        gradient: Tensor<D>,
        rate: f64,
    ) -> Tensor<D> {
        let decay = if D > 1 { self.weight_decay } else { 0.0 };
        let (param, gradient) = match self.kind {
            OptimizerKind::Adamw if decay > 0.0 => (param * (1.0 - rate * decay), gradient),
            OptimizerKind::Adam | OptimizerKind::Sgd if decay > 0.0 => {
                let gradient = gradient + param.clone() * decay;
                (param, gradient)
            }
            _ => (param, gradient),
        };
        let shape = param.dims();
        let size = shape.iter().product::<usize>();
        let gradient: Tensor<1> = gradient.reshape([size]);
        let old = self.moments[index].take();
        let (step, moments) = match self.kind {
            OptimizerKind::Sgd => self.velocity(gradient, old, rate),
            OptimizerKind::Adam | OptimizerKind::Adamw => self.adam(gradient, old, rate),
        };
        self.moments[index] = Some(moments);
        param - step.reshape(shape)
    }

    fn velocity(
        &self,
        gradient: Tensor<1>,
        old: Option<Moments>,
        rate: f64,
    ) -> (Tensor<1>, Moments) {
        let first = match old {
            Some(old) => old.first * self.momentum + gradient,
            None => gradient,
        };
        (first.clone() * rate, Moments { first, second: None })
    }

    /// Algorithm 1 of Kingma and Ba, 2015, in PyTorch's order of operations.
    fn adam(&self, gradient: Tensor<1>, old: Option<Moments>, rate: f64) -> (Tensor<1>, Moments) {
        let square = gradient.clone() * gradient.clone() * (1.0 - BETA2);
        let gradient = gradient * (1.0 - BETA1);
        let (first, second) = match old {
            Some(Moments { first, second: Some(second) }) => {
                (first * BETA1 + gradient, second * BETA2 + square)
            }
            _ => (gradient, square),
        };
        let correction = |beta: f64| 1.0 - beta.powf(self.steps as f64);
        let root = second.clone().sqrt() / correction(BETA2).sqrt() + EPSILON;
        let step = first.clone() / root * (rate / correction(BETA1));
        (step, Moments { first, second: Some(second) })
    }
}

struct Updater<'a> {
    rule: &'a mut Optimizer,
    gradients: &'a mut Gradients,
    rate: f64,
    scale: f64,
    index: usize,
}

impl ModuleMapper for Updater<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let index = self.index;
        self.index += 1;
        if self.rule.moments.len() <= index {
            self.rule.moments.push(None);
        }
        let tensor = param.val();
        // Running statistics and frozen weights have no gradient.
        let Some(gradient) = tensor.grad_remove(self.gradients) else { return param };
        let gradient = if self.scale < 1.0 { gradient * self.scale } else { gradient };
        drop(tensor);
        param.map(|old| {
            let new = self.rule.update(index, old.inner(), gradient, self.rate);
            Tensor::from_inner(new).require_grad()
        })
    }
}

/// What gradients are multiplied by so that their common length is at most `longest`.
fn clip_scale<M: Module>(module: &M, gradients: &Gradients, longest: f64) -> f64 {
    let mut squares = Squares { gradients, sum: 0.0 };
    module.visit(&mut squares);
    longest / squares.sum.sqrt().max(longest)
}

struct Squares<'a> {
    gradients: &'a Gradients,
    sum: f64,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            let square: f32 = (gradient.clone() * gradient).sum().into_scalar();
            self.sum += f64::from(square);
        }
    }
}
