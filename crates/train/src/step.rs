//! One step: forward, loss, backward, update. `bench` calls the same function.

use burn::module::{ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor, TensorData};
use tinderbox_base::{Error, Result};
use tinderbox_data::Batch;
use tinderbox_nn::{Context, ForwardContext, Model};

use crate::optimizer::Optimizer;
use crate::task::Task;

/// What a step needs to know of the training around it.
#[derive(Clone, Copy, Debug)]
pub struct StepAt {
    /// The seed of the run.
    pub seed: u64,
    /// The number of the step.
    pub step: usize,
    /// Images whose gradients are computed at once; at least 1.
    pub micro_batch: usize,
    /// The learning rate.
    pub rate: f64,
}

/// `model`, which has autodiff, after one step of `optimizer`, and the loss before it.
///
/// # Errors
/// If the device fails.
pub fn step<M: Model, T: Task>(
    model: M,
    batch: Batch,
    task: &T,
    context: &Context,
    optimizer: &mut Optimizer,
    at: StepAt,
) -> Result<(M, f64)> {
    let (loss, gradients) = gradients(&model, batch, task, context, at)?;
    Ok((optimizer.step(model, gradients, at.rate), loss))
}

/// The loss of a batch, and its gradients: those of its parts of `micro_batch` images, added up in
/// their order. The loss is a sum over the batch, so the sum of the parts' gradients is its own,
/// but for batch normalisation, which sees one part at a time.
///
/// # Errors
/// If the device fails.
pub(super) fn gradients<M: Model, T: Task>(
    model: &M,
    batch: Batch,
    task: &T,
    context: &Context,
    at: StepAt,
) -> Result<(f64, Gradients)> {
    let Batch { images, input: [c, h, w], labels, mixing, .. } = batch;
    let (n, device) = (labels.len(), context.autodiff());
    let targets = task.targets(&labels, mixing, &device);
    let forward = ForwardContext::training(context, at.seed, at.step);
    if at.micro_batch >= n {
        let images = Tensor::from_data(TensorData::new(images, [n, c, h, w]), &device);
        return backward(model, images, targets, task, &forward);
    }
    let mut sum: Option<(f64, Gradients)> = None;
    for first in (0..n).step_by(at.micro_batch) {
        let count = at.micro_batch.min(n - first);
        let part = images[first * c * h * w..][..count * c * h * w].to_vec();
        let part = Tensor::from_data(TensorData::new(part, [count, c, h, w]), &device);
        let targets = targets.clone().narrow(0, first, count);
        let (loss, gradients) = backward(model, part, targets, task, &forward.part(first))?;
        sum = Some(match sum {
            None => (loss, gradients),
            Some((before, all)) => {
                let mut adder = Adder { all, more: gradients };
                model.visit(&mut adder);
                (before + loss, adder.all)
            }
        });
    }
    sum.ok_or_else(|| Error::failed("a step without images"))
}

fn backward<M: Model, T: Task>(
    model: &M,
    images: Tensor<4>,
    targets: Tensor<2>,
    task: &T,
    forward: &ForwardContext,
) -> Result<(f64, Gradients)> {
    let loss = task.loss(model.forward(images, forward), targets, forward.kernels);
    let gradients = loss.backward();
    let value = loss.try_into_scalar::<f32>().map_err(|cause| {
        Error::failed("the device failed in a training step")
            .cause(format!("{cause:?}"))
            .hint("where its memory is too small, a smaller `--micro-batch` helps")
    })?;
    Ok((f64::from(value), gradients))
}

/// Adds the gradients in `more` to those in `all`.
struct Adder {
    all: Gradients,
    more: Gradients,
}

impl ModuleVisitor for Adder {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let param = param.val();
        let Some(more) = param.grad_remove(&mut self.more) else { return };
        let sum = match param.grad_remove(&mut self.all) {
            Some(before) => before + more,
            None => more,
        };
        param.grad_replace(&mut self.all, sum);
    }
}
