//! One step: forward, loss, backward, update. `bench` calls the same function.

use burn::tensor::{Device, Tensor, TensorData};

use super::loss::{Targets, cross_entropy};
use crate::base::{Error, Result};
use crate::model::{Classifier, Pass};
use crate::optim::Optimizer;

/// What a step works on.
#[derive(Debug)]
pub struct StepInput<'a> {
    /// Normalised images, `[N, C, H, W]`.
    pub images: Vec<f32>,
    /// `[C, H, W]` of an image.
    pub input: [usize; 3],
    /// The class of each image.
    pub labels: &'a [u32],
    /// How labels become targets.
    pub targets: &'a Targets,
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
    let [c, h, w] = input.input;
    let shape = [input.labels.len(), c, h, w];
    let images = Tensor::from_data(TensorData::new(input.images, shape), input.device);
    let targets = input.targets.tensor(input.labels, input.device);
    let loss = cross_entropy(model.forward(images, pass), targets);
    let gradients = loss.backward();
    let value = loss.try_into_scalar::<f32>().map_err(|cause| {
        Error::failed("the device failed in a training step").cause(format!("{cause:?}"))
    })?;
    Ok((optimizer.step(model, gradients, input.rate), f64::from(value)))
}
