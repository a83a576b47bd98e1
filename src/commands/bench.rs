//! `tinderbox bench`

use serde::Serialize;

use super::plan::check_batch;
use super::{Compute, Context, output};
use crate::base::draw::{Draw, Purpose};
use crate::base::env::{Stopwatch, peak_memory};
use crate::base::units::thousands;
use crate::base::{Error, Result, median};
use crate::config::{Kernels, Settings, check_range, compute_threads};
use crate::eval::answer;
use crate::model::{Network, Pass, spec};
use crate::ops::{device, threads::with_threads};
use crate::optim::Optimizer;
use crate::train::{StepInput, Targets, step};
use burn::module::Module;

/// What is measured.
#[derive(Clone, Debug)]
pub struct Options {
    /// The network's name.
    pub model: String,
    /// Height and width of an image.
    pub size: usize,
    /// Channels of an image.
    pub channels: usize,
    /// Classes.
    pub classes: usize,
    /// Images in a step.
    pub batch: usize,
    /// Steps that are measured.
    pub steps: usize,
    /// What computes.
    pub compute: Compute,
}

/// Steps before the first that is measured.
const WARM_UP: usize = 3;

#[derive(Serialize)]
struct Figures {
    model: String,
    size: usize,
    channels: usize,
    classes: usize,
    batch: usize,
    steps: usize,
    device: String,
    kernels: Kernels,
    threads: usize,
    train_images_per_second: f64,
    infer_images_per_second: f64,
    peak_rss_mb: Option<f64>,
}

/// Measures training (AdamW) and inference on made-up data of one shape.
///
/// # Errors
/// If a value makes no sense, or there is no such model or device.
pub fn run(context: &Context, options: Options) -> Result<()> {
    let threads = compute_threads(options.compute.threads)?;
    check_range("size", options.size, 1, 4096)?;
    check_range("channels", options.channels, 1, 4096)?;
    check_range("classes", options.classes, 1, 1 << 20)?;
    check_range("batch", options.batch, 1, 65_536)?;
    check_range("steps", options.steps, 1, 1_000_000)?;
    check_batch(options.batch, [options.channels, options.size, options.size])?;
    let chosen = options.compute.choose()?;
    let figures = with_threads(threads, || measure(&options, threads, &chosen))??;
    if context.json {
        return output::print_json(&figures);
    }
    let Figures { train_images_per_second, infer_images_per_second, peak_rss_mb, device, .. } =
        figures;
    let memory = peak_rss_mb.map_or(String::new(), |mb| format!(", {mb:.0} MB at the most"));
    output::print(&format!(
        "{} on {device}, batch {}: {} images/s training, {} images/s inference{memory}\n",
        options.model,
        options.batch,
        thousands(train_images_per_second.round() as u64),
        thousands(infer_images_per_second.round() as u64),
    ))
}

fn measure(options: &Options, threads: usize, chosen: &device::Chosen) -> Result<Figures> {
    let input = [options.channels, options.size, options.size];
    let spec = spec(&options.model, input, options.classes)?;
    let device = &chosen.device;
    let train_device = device.clone().autodiff();
    let (images, labels) = synthetic(options, input);
    let targets = Targets { smoothing: 0.0, class_weights: vec![1.0; options.classes] };
    let mut model = Network::new(&spec, 0, device)?.train();
    let mut optimizer = Optimizer::new(&Settings::default());
    let mut times = Vec::new();
    for number in 0..WARM_UP + options.steps {
        let pass = Pass::training(0, number);
        let clock = Stopwatch::start();
        let input = StepInput {
            images: images.clone(),
            input,
            labels: &labels,
            targets: &targets,
            rate: 1e-3,
            device: &train_device,
        };
        (model, _) = step(model, &mut optimizer, input, &pass)?;
        device
            .sync()
            .map_err(|cause| Error::failed("the device failed").cause(format!("{cause:?}")))?;
        times.push(clock.seconds());
    }
    let train = options.batch as f64 / seconds(&times);
    let peak = peak_memory();
    let model = model.valid();
    let mut times = Vec::new();
    for _ in 0..WARM_UP + options.steps {
        let clock = Stopwatch::start();
        answer(&model, images.clone(), input, device)?;
        times.push(clock.seconds());
    }
    Ok(Figures {
        model: options.model.clone(),
        size: options.size,
        channels: options.channels,
        classes: options.classes,
        batch: options.batch,
        steps: options.steps,
        device: chosen.name.clone(),
        kernels: options.compute.kernels,
        threads,
        train_images_per_second: train,
        infer_images_per_second: options.batch as f64 / seconds(&times),
        peak_rss_mb: peak.map(|bytes| bytes as f64 / 1e6),
    })
}

fn synthetic(options: &Options, input: [usize; 3]) -> (Vec<f32>, Vec<u32>) {
    let draw = Draw::at(0, 0, 0, Purpose::Synthetic);
    let values = options.batch * input.iter().product::<usize>();
    let images = (0..values as u32).map(|i| draw.between(i, -1.0, 1.0)).collect();
    let labels = Draw::at(0, 0, 1, Purpose::Synthetic);
    let labels = (0..options.batch as u32).map(|i| labels.below(i, options.classes) as u32);
    (images, labels.collect())
}

/// The median time of the steps that count.
fn seconds(times: &[f64]) -> f64 {
    median(&times[WARM_UP..]).unwrap_or(f64::NAN)
}
