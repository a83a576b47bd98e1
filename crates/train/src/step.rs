//! One step: forward, loss, backward, update. `bench` calls the same function.

use burn::module::{ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};

use crate::Optimizer;
use crate::loss::{Targets, cross_entropy};
use tinderbox_base::{Error, Result};
use tinderbox_nn::{Classifier, Pass};

/// What a step works on.
#[derive(Debug)]
pub struct StepInput<'a> {
    /// Normalised images, `[N, C, H, W]`.
    pub images: Vec<f32>,
    /// `[C, H, W]` of an image.
    pub input: [usize; 3],
    /// The class of each image.
    pub labels: &'a [u32],
    /// How much of each image is its own; the rest is of the image before it.
    pub own: f32,
    /// How labels become targets.
    pub targets: &'a Targets,
    /// Images whose gradients are computed at once; at least 1.
    pub micro_batch: usize,
    /// The learning rate.
    pub rate: f64,
    /// The device with autodiff.
    pub device: &'a Device,
}

/// `model` after one step of `optimizer`, and the loss before it.
///
/// # Errors
/// If the device fails.
pub fn step<M: Classifier>(
    model: M,
    optimizer: &mut Optimizer,
    input: StepInput<'_>,
    pass: &Pass,
) -> Result<(M, f64)> {
    let rate = input.rate;
    let (loss, gradients) = gradients(&model, input, pass)?;
    Ok((optimizer.step(model, gradients, rate), loss))
}

/// The loss of a batch, and its gradients: those of its parts of `micro_batch` images, added up in
/// their order. The loss is a sum over the batch, so the sum of the parts' gradients is its own,
/// but for batch normalisation, which sees one part at a time.
///
/// # Errors
/// If the device fails.
pub(super) fn gradients<M: Classifier>(
    model: &M,
    input: StepInput<'_>,
    pass: &Pass,
) -> Result<(f64, Gradients)> {
    let StepInput { images, input: [c, h, w], labels, own, targets, micro_batch, device, .. } =
        input;
    let n = labels.len();
    let targets = targets.tensor(labels, own, device);
    if micro_batch >= n {
        let images = Tensor::from_data(TensorData::new(images, [n, c, h, w]), device);
        return backward(model, images, targets, pass);
    }
    let mut sum: Option<(f64, Gradients)> = None;
    for first in (0..n).step_by(micro_batch) {
        let count = micro_batch.min(n - first);
        let part = images[first * c * h * w..][..count * c * h * w].to_vec();
        let part = Tensor::from_data(TensorData::new(part, [count, c, h, w]), device);
        let pass = Pass { first_sample: first, ..*pass };
        let (loss, gradients) =
            backward(model, part, targets.clone().narrow(0, first, count), &pass)?;
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

fn backward<M: Classifier>(
    model: &M,
    images: Tensor<4>,
    targets: Tensor<2>,
    pass: &Pass,
) -> Result<(f64, Gradients)> {
    let loss = cross_entropy(model.forward(images, pass), targets);
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
