//! The device truth check: one step on the device and on the CPU, compared. A driver that computes
//! wrongly gives no error; the training would only be bad, or never learn.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};
use tinderbox_base::draw::{Draw, Purpose};
use tinderbox_base::{Error, Result};
use tinderbox_data::{Batch, Labels};
use tinderbox_nn::device::DeviceId;
use tinderbox_nn::{Context, Model, Network, spec, values};

use crate::step::{StepAt, gradients};
use crate::task::{SingleLabel, Task};

/// How far a loss may be off, as a part of its size, and a layer's gradient, as a part of its length.
/// Sums in another order are off by some 1e-5; a wrong kernel by about 1.
const LOSS: f64 = 1e-3;
const GRADIENT: f64 = 0.02;
/// A gradient shorter than this part of the longest one is rounding noise.
const NOISE: f64 = 1e-5;
/// What a device is looked at with.
const IMAGES: usize = 8;
const CLASSES: usize = 10;

/// Takes one step of `model` (with autodiff) on the context's device and on the CPU, and compares. The
/// model is not changed. Does nothing where the device is the CPU.
///
/// # Errors
/// If loss or gradients are not finite, zero where the CPU's are not, or not close to the CPU's: the
/// error names the layer that is off by the most.
pub(super) fn audit<M: Model, T: Task>(
    model: &M,
    batch: &Batch,
    task: &T,
    context: &Context,
    at: StepAt,
) -> Result<()> {
    if context.id == DeviceId::Cpu {
        return Ok(());
    }
    let cpu = Context::cpu().with_kernels(context.kernels);
    let reference = model.valid().to_device(cpu.device()).train();
    let found = layers(&model.valid().train(), batch, task, context, at)?;
    let expected = layers(&reference, batch, task, &cpu, at)?;
    match difference(&found, &expected) {
        None => Ok(()),
        Some(what) => Err(Error::environment("this device computes wrongly").cause(what).hint(
            "update its driver, or train with `--device cpu`; `tinderbox doctor` shows more",
        )),
    }
}

/// Takes a step of `cnn` on a device and on the CPU, and compares.
///
/// # Errors
/// As [`audit`].
pub fn audit_device(context: &Context) -> Result<()> {
    let input = [1, 28, 28];
    let network = Network::new(&spec("cnn", input, CLASSES)?, 0, context.device())?.train();
    let draw = Draw::at(0, 0, 0, Purpose::Synthetic);
    let values = IMAGES * input.iter().product::<usize>();
    let images = (0..values as u32).map(|i| draw.between(i, -1.0, 1.0)).collect();
    let labels = Labels::one_each((0..IMAGES as u32).map(|i| i % CLASSES as u32));
    let batch = Batch { images, input, labels, mixing: 1.0, bad: Vec::new() };
    let classes: Vec<String> = (0..CLASSES).map(|class| class.to_string()).collect();
    let at = StepAt { seed: 0, step: 0, micro_batch: IMAGES, rate: 0.0 };
    audit(&network, &batch, &SingleLabel::new(&classes), context, at)
}

/// What of a step is off from the expected one, if anything is.
fn difference(found: &Gradient, expected: &Gradient) -> Option<String> {
    if !expected.loss.is_finite() {
        return None; // the model has diverged, which is another error
    }
    if let Some(layer) =
        found.layers.iter().find(|layer| !layer.values.iter().all(|v| v.is_finite()))
    {
        return Some(format!("the gradient of `{}` is not finite", layer.name));
    }
    let lengths = expected.layers.iter().map(|layer| length(layer.values.iter().copied()));
    let longest = lengths.fold(0.0, f64::max);
    let off = found.layers.iter().zip(&expected.layers).map(|(found, expected)| {
        let apart = length(found.values.iter().zip(&expected.values).map(|(a, b)| a - b));
        let size = length(expected.values.iter().copied()).max(NOISE * longest);
        (apart / size, expected.name.as_str())
    });
    match off.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((off, name)) if off > GRADIENT => {
            Some(format!("the gradient of `{name}` is off by {off:.3} of its length"))
        }
        _ if !found.loss.is_finite()
            || (found.loss - expected.loss).abs() > LOSS * (1.0 + expected.loss.abs()) =>
        {
            Some(format!("the loss is {}, on the CPU {}", found.loss, expected.loss))
        }
        _ => None,
    }
}

/// The loss of a step, and the gradient of each tensor.
struct Gradient {
    loss: f64,
    layers: Vec<Layer>,
}

/// The gradient of one tensor.
struct Layer {
    name: String,
    values: Vec<f32>,
}

fn length(values: impl Iterator<Item = f32>) -> f64 {
    values.map(|value| f64::from(value).powi(2)).sum::<f64>().sqrt()
}

fn layers<M: Model, T: Task>(
    model: &M,
    batch: &Batch,
    task: &T,
    context: &Context,
    at: StepAt,
) -> Result<Gradient> {
    let (loss, gradients) = gradients(model, batch.clone(), task, context, at)?;
    let mut collector =
        Collector { gradients: &gradients, path: Vec::new(), layers: Ok(Vec::new()) };
    model.visit(&mut collector);
    let mut layers = collector.layers?;
    for layer in &mut layers {
        layer.name = model.stored_name(&layer.name).0;
    }
    Ok(Gradient { loss, layers })
}

struct Collector<'a> {
    gradients: &'a Gradients,
    path: Vec<String>,
    layers: Result<Vec<Layer>>,
}

impl ModuleVisitor for Collector<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Ok(layers) = &mut self.layers else { return };
        let Some(gradient) = param.val().grad(self.gradients) else { return };
        match values(gradient) {
            Ok(values) => layers.push(Layer { name: self.path.join("."), values }),
            Err(error) => self.layers = Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(feature = "ndarray")]
    use tinderbox_nn::{
        Kernels,
        device::{Request, choose},
    };

    use super::*;

    fn gradient(change: impl Fn(&mut Gradient)) -> Option<String> {
        let layer = |name: &str, scale: f32| Layer {
            name: name.to_owned(),
            values: (0..50).map(|i| scale * ((i * 37 % 11) as f32 - 5.0)).collect(),
        };
        let made = || Gradient {
            loss: 2.3,
            layers: vec![layer("conv1.weight", 1.0), layer("fc.weight", 0.01)],
        };
        let mut found = made();
        change(&mut found);
        difference(&found, &made())
    }

    #[test]
    fn rounding_is_no_difference_and_a_wrong_layer_is_named() {
        assert_eq!(gradient(|_| {}), None);
        assert_eq!(gradient(|g| g.layers[1].values.iter_mut().for_each(|v| *v *= 1.0001)), None);
        let zero = gradient(|g| g.layers[1].values.fill(0.0)).unwrap();
        assert!(zero.contains("`fc.weight`"), "{zero}");
        let swapped = gradient(|g| g.layers[0].values.reverse()).unwrap();
        assert!(swapped.contains("`conv1.weight`"), "{swapped}");
        let nan = gradient(|g| g.layers[0].values[7] = f32::NAN).unwrap();
        assert!(nan.contains("`conv1.weight` is not finite"), "{nan}");
        assert!(gradient(|g| g.loss = 2.4).unwrap().contains("the loss is 2.4"));
        assert!(gradient(|g| g.loss = f64::NAN).is_some());
    }

    #[cfg(feature = "ndarray")]
    #[test]
    fn the_referee_agrees_with_the_cpu() {
        let referee = choose(Request::Ndarray).unwrap();
        audit_device(&Context::new(&referee, Kernels::On)).unwrap();
        audit_device(&Context::cpu()).unwrap();
    }
}
