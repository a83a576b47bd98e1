//! Update rules, each one pass over every parameter.

use std::iter::Enumerate;
use std::sync::Arc;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};
use serde::{Deserialize, Serialize};
use tinderbox_kernels::optimizer::{Adam, Sgd};
use tinderbox_nn::ops::{self, Operation};
use tinderbox_nn::{Kernels, ParamInfo, Params};

/// The update rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Adam with decoupled weight decay (Loshchilov and Hutter, 2019).
    Adamw,
    /// Adam (Kingma and Ba, 2015), weight decay added to the gradient.
    Adam,
    /// Stochastic gradient descent with momentum, as PyTorch has it.
    Sgd,
}

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

/// How one parameter moves along its gradient.
#[derive(Clone, Copy, Debug)]
struct Along {
    /// The learning rate.
    rate: f64,
    /// What the gradient is multiplied by; 1 where it is not clipped.
    scale: f64,
    /// The parameter's weight decay.
    decay: f64,
}

/// An update rule and its constants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// The rule.
    pub kind: OptimizerKind,
    /// The momentum of `sgd`.
    pub momentum: f64,
    /// The weight decay of parameters whose factor is 1.
    pub weight_decay: f64,
    /// The longest gradient; 0 for any.
    pub clip: f64,
}

/// An update rule over the parameters of one network, with what it remembers of each.
#[derive(Clone, Debug)]
pub struct Optimizer {
    rule: Rule,
    kernels: Kernels,
    params: Arc<Params>,
    steps: usize,
    /// In the order of the parameters.
    moments: Vec<Option<Moments>>,
}

impl Optimizer {
    /// A rule that remembers nothing yet.
    #[must_use]
    pub fn new(rule: Rule, params: Arc<Params>, kernels: Kernels) -> Self {
        let moments = vec![None; params.all().len()];
        Self { rule, kernels, params, steps: 0, moments }
    }

    /// The parameters that it changes.
    #[must_use]
    pub fn params(&self) -> &Arc<Params> {
        &self.params
    }

    /// What a resume needs: the steps taken, and what is remembered of each parameter, in their order.
    /// The rest comes from the settings.
    #[must_use]
    pub fn state(&self) -> (usize, &[Option<Moments>]) {
        let Self { rule: _, kernels: _, params: _, steps, moments } = self;
        (*steps, moments)
    }

    /// The rule as it was when [`state`](Self::state) was taken.
    #[must_use]
    pub fn restored(self, steps: usize, moments: Vec<Option<Moments>>) -> Self {
        Self { steps, moments, ..self }
    }

    /// Whether the rule remembers a second moment.
    #[must_use]
    pub fn has_second(&self) -> bool {
        self.rule.kind != OptimizerKind::Sgd
    }

    /// `module` after one step along `gradients`.
    #[must_use]
    pub fn step<M: Module>(&mut self, module: M, mut gradients: Gradients, rate: f64) -> M {
        self.steps += 1;
        let clip = self.rule.clip;
        let scale =
            if clip > 0.0 { clip_scale(&module, &gradients, clip, self.kernels) } else { 1.0 };
        let params = Arc::clone(&self.params);
        let along = Along { rate, scale, decay: 0.0 };
        let all = params.all().iter().enumerate();
        module.map(&mut Updater { optimizer: self, gradients: &mut gradients, along, all })
    }

    /// The new values of a parameter.
    fn update<const D: usize>(
        &mut self,
        index: usize,
        param: Tensor<D>,
        gradient: Tensor<D>,
        along: Along,
    ) -> Tensor<D> {
        let old = self.moments[index].take();
        let fuse = |x| self.kernels.fuse(Operation::Optimizer, x);
        let (param, moments) = if fuse(&param) && fuse(&gradient) {
            self.fused(param, gradient, old, along)
        } else {
            self.composed(param, gradient, old, along)
        };
        self.moments[index] = Some(moments);
        param
    }

    /// The step as one operation of our own on the CPU.
    fn fused<const D: usize>(
        &self,
        param: Tensor<D>,
        gradient: Tensor<D>,
        old: Option<Moments>,
        Along { rate, scale, decay }: Along,
    ) -> (Tensor<D>, Moments) {
        let scale = scale as f32;
        if self.rule.kind == OptimizerKind::Sgd {
            let (decay, momentum, rate) = (decay as f32, self.rule.momentum as f32, rate as f32);
            let step = Sgd { scale, decay, momentum, rate, fresh: false };
            let (param, first) = ops::sgd(step, param, gradient, old.map(|old| old.first));
            return (param, Moments { first, second: None });
        }
        let decoupled = self.rule.kind == OptimizerKind::Adamw;
        let step = Adam {
            scale,
            shrink: if decoupled { (1.0 - rate * decay) as f32 } else { 1.0 },
            decay: if decoupled { 0.0 } else { decay as f32 },
            beta1: BETA1 as f32,
            rest1: (1.0 - BETA1) as f32,
            beta2: BETA2 as f32,
            rest2: (1.0 - BETA2) as f32,
            correction: self.correction(BETA2).sqrt() as f32,
            epsilon: EPSILON as f32,
            rate: (rate / self.correction(BETA1)) as f32,
            fresh: false,
        };
        let old = old.and_then(|Moments { first, second }| Some([first, second?]));
        let (param, [first, second]) = ops::adam(step, param, gradient, old);
        (param, Moments { first, second: Some(second) })
    }

    /// The step in burn's operators.
    fn composed<const D: usize>(
        &self,
        param: Tensor<D>,
        gradient: Tensor<D>,
        old: Option<Moments>,
        Along { rate, scale, decay }: Along,
    ) -> (Tensor<D>, Moments) {
        let gradient = if scale < 1.0 { gradient * scale } else { gradient };
        let (param, gradient) = match self.rule.kind {
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
        let (step, moments) = match self.rule.kind {
            OptimizerKind::Sgd => self.velocity(gradient, old, rate),
            OptimizerKind::Adam | OptimizerKind::Adamw => self.adam(gradient, old, rate),
        };
        (param - step.reshape(shape), moments)
    }

    /// By how much a running mean of `steps` values falls short, from zero on.
    fn correction(&self, beta: f64) -> f64 {
        1.0 - beta.powf(self.steps as f64)
    }

    fn velocity(
        &self,
        gradient: Tensor<1>,
        old: Option<Moments>,
        rate: f64,
    ) -> (Tensor<1>, Moments) {
        let first = match old {
            Some(old) => old.first * self.rule.momentum + gradient,
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
        let root = second.clone().sqrt() / self.correction(BETA2).sqrt() + EPSILON;
        let step = first.clone() / root * (rate / self.correction(BETA1));
        (step, Moments { first, second: Some(second) })
    }
}

struct Updater<'a> {
    optimizer: &'a mut Optimizer,
    gradients: &'a mut Gradients,
    along: Along,
    all: Enumerate<std::slice::Iter<'a, ParamInfo>>,
}

impl ModuleMapper for Updater<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some((index, info)) = self.all.next() else { return param };
        let tensor = param.val();
        // Running statistics and frozen weights have no gradient.
        let Some(gradient) = tensor.grad_remove(self.gradients) else { return param };
        drop(tensor);
        let along = Along {
            rate: self.along.rate * info.rate_factor,
            decay: self.optimizer.rule.weight_decay * info.decay_factor,
            ..self.along
        };
        param.map(|old| {
            let new = self.optimizer.update(index, old.inner(), gradient, along);
            Tensor::from_inner(new).require_grad()
        })
    }
}

/// What gradients are multiplied by so that their common length is at most `longest`.
fn clip_scale<M: Module>(module: &M, gradients: &Gradients, longest: f64, kernels: Kernels) -> f64 {
    let mut squares = Squares { gradients, kernels, sum: 0.0 };
    module.visit(&mut squares);
    longest / squares.sum.sqrt().max(longest)
}

struct Squares<'a> {
    gradients: &'a Gradients,
    kernels: Kernels,
    sum: f64,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            self.sum += if self.kernels.fuse(Operation::Optimizer, &gradient) {
                ops::sum_of_squares(gradient)
            } else {
                f64::from((gradient.clone() * gradient).sum().into_scalar::<f32>())
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution};
    use tinderbox_nn::{Network, spec};

    use super::*;

    fn rule(kind: OptimizerKind) -> Optimizer {
        let rule = Rule { kind, momentum: 0.9, weight_decay: 0.1, clip: 0.0 };
        let network = Network::new(&spec("mlp", [1, 2, 2], 2).unwrap(), 0, &Device::flex());
        Optimizer::new(rule, Arc::new(Params::of(&network.unwrap())), Kernels::On)
    }

    fn bits<const D: usize>(x: &Tensor<D>) -> Vec<u32> {
        let values = x.clone().into_data().try_into_vec::<f32>().unwrap();
        values.into_iter().map(f32::to_bits).collect()
    }

    /// One of the two ways to compute a step.
    type Way = fn(&Optimizer, Tensor<2>, Tensor<2>, Option<Moments>, Along) -> (Tensor<2>, Moments);

    #[test]
    fn one_operation_gives_the_same_bits_as_burns_operators() {
        let random =
            || Tensor::<2>::random([37, 11], Distribution::Normal(0.0, 1.0), &Device::flex());
        for kind in [OptimizerKind::Adamw, OptimizerKind::Adam, OptimizerKind::Sgd] {
            for (scale, decay) in [(1.0, 0.0), (0.3, 0.1)] {
                let start = random();
                let gradients = [random(), random().swap_dims(0, 1).reshape([37, 11]), random()];
                let ways: [Way; 2] = [Optimizer::fused, Optimizer::composed];
                let [ours, burns] = ways.map(|way| {
                    let mut rule = rule(kind);
                    let (mut param, mut moments) = (start.clone(), None);
                    for gradient in gradients.clone() {
                        rule.steps += 1;
                        let along = Along { rate: 0.01, scale, decay };
                        let (new, remembered) = way(&rule, param, gradient, moments, along);
                        (param, moments) = (new, Some(remembered));
                    }
                    let Moments { first, second } = moments.unwrap();
                    (bits(&param), bits(&first), second.as_ref().map(bits))
                });
                assert!(ours == burns, "{kind:?} with scale {scale} and decay {decay}");
            }
        }
    }

    #[test]
    fn a_step_does_not_change_copies_that_others_hold() {
        let random = || Tensor::<2>::random([9, 5], Distribution::Default, &Device::flex());
        let (param, gradient) = (random(), random());
        let (held, before) = (param.clone(), bits(&param));
        let mut rule = rule(OptimizerKind::Adamw);
        let along = Along { rate: 0.01, scale: 1.0, decay: 0.0 };
        rule.steps = 1;
        let param = rule.update(0, param, gradient.clone(), along);
        let moments = rule.state().1[0].clone().unwrap();
        let first = bits(&moments.first);
        let param = rule.update(0, param, gradient, along);
        assert_eq!(bits(&held), before);
        assert_eq!(bits(&moments.first), first);
        assert_ne!(bits(&param), before);
    }
}
