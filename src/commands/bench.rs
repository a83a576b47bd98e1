//! `tinderbox bench`

use std::sync::Arc;

use burn::module::Module;
use serde::Serialize;
use tinderbox_base::draw::{Draw, Purpose};
use tinderbox_base::env::{Stopwatch, peak_memory};
use tinderbox_base::settings::{Spec, check_range};
use tinderbox_base::units::thousands;
use tinderbox_base::{Error, Result, median};
use tinderbox_data::{Batch, Labels};
use tinderbox_nn::threads::with_threads;
use tinderbox_nn::{Context, Kernels, Network, Params, spec};
use tinderbox_train::{
    Optimizer, RunSpec, Settings, SingleLabel, StepAt, check_batch, learning, logits,
    probabilities, step,
};

use super::{Invocation, choose, output};

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
    /// How long is measured.
    pub length: Length,
    /// What is measured; both where not given.
    pub only: Option<Phase>,
    /// What computes: its device, kernels and threads.
    pub compute: RunSpec,
}

/// How long is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    /// So many steps.
    Steps(usize),
    /// Steps until they have taken so many seconds together, and [`FEWEST_STEPS`] at least.
    Seconds(f64),
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Forward, backward and update.
    Training,
    /// Forward, without what training needs.
    Inference,
}

/// Steps before the first that is measured, and the share of the measured seconds that they take at
/// the least.
const WARM_UP_STEPS: usize = 2;
const WARM_UP_SHARE: f64 = 0.1;
/// Steps that are measured however long they take.
const FEWEST_STEPS: usize = 3;

#[derive(Serialize)]
struct Figures {
    model: String,
    size: usize,
    channels: usize,
    classes: usize,
    batch: usize,
    device: String,
    kernels: Kernels,
    threads: usize,
    train_images_per_second: Option<f64>,
    train_steps: Option<usize>,
    infer_images_per_second: Option<f64>,
    infer_steps: Option<usize>,
    peak_rss_mb: Option<f64>,
}

/// Measures training (AdamW) and inference on made-up data of one shape.
///
/// # Errors
/// If a value makes no sense, or there is no such model or device.
pub fn run(invocation: &Invocation, options: Options) -> Result<()> {
    options.compute.check()?;
    let threads = options.compute.compute_threads();
    check_range("size", options.size, 1, 4096)?;
    check_range("channels", options.channels, 1, 4096)?;
    check_range("classes", options.classes, 1, 1 << 20)?;
    check_range("batch", options.batch, 1, 65_536)?;
    match options.length {
        Length::Steps(steps) => check_range("steps", steps, 1, 1_000_000)?,
        Length::Seconds(seconds) => check_seconds(seconds)?,
    }
    check_batch(options.batch, [options.channels, options.size, options.size])?;
    let (_, context) = choose(&options.compute.device, options.compute.kernels)?;
    let figures = with_threads(threads, || measure(&options, threads, &context))??;
    if invocation.json {
        return output::print_json(&figures);
    }
    output::print(&line(&figures))
}

/// The figures as people read them.
fn line(figures: &Figures) -> String {
    let Figures { model, batch, device, .. } = figures;
    let speeds = [
        (figures.train_images_per_second, "training"),
        (figures.infer_images_per_second, "inference"),
    ];
    let mut line = format!("{model} on {device}, batch {batch}:");
    for (speed, what) in speeds {
        if let Some(speed) = speed {
            line += &format!(" {} images/s {what},", thousands(speed.round() as u64));
        }
    }
    match figures.peak_rss_mb {
        Some(mb) => format!("{line} {mb:.0} MB at the most\n"),
        None => format!("{}\n", line.trim_end_matches(',')),
    }
}

fn check_seconds(seconds: f64) -> Result<()> {
    if seconds > 0.0 && seconds <= 3600.0 {
        return Ok(());
    }
    Err(Error::usage(format!("`--seconds {seconds}` makes no sense"))
        .hint("it must be more than 0 and at most 3,600"))
}

fn measure(options: &Options, threads: usize, context: &Context) -> Result<Figures> {
    let input = [options.channels, options.size, options.size];
    let spec = spec(&options.model, input, options.classes)?;
    let (images, labels) = synthetic(options, input);
    let wants = |phase| options.only.is_none_or(|only| only == phase);
    let mut model = Network::new(&spec, 0, context.device())?;
    let mut figures = Figures {
        model: options.model.clone(),
        size: options.size,
        channels: options.channels,
        classes: options.classes,
        batch: options.batch,
        device: context.id.to_string(),
        kernels: options.compute.kernels,
        threads,
        train_images_per_second: None,
        train_steps: None,
        infer_images_per_second: None,
        infer_steps: None,
        peak_rss_mb: None,
    };
    if wants(Phase::Training) {
        let (trained, times) = training(options, model, (&images, &labels), context)?;
        model = trained;
        figures.train_images_per_second = speed(options, &times);
        figures.train_steps = Some(times.len());
        figures.peak_rss_mb = peak_mb();
    }
    if wants(Phase::Inference) {
        // As in training, the copy does not count.
        let ((), times) = timed(options.length, (), |(), _| {
            let images = images.clone();
            let clock = Stopwatch::start();
            let rows = logits(&model, images, input, context)?;
            let _: Vec<_> = rows.iter().map(|row| probabilities(row)).collect();
            Ok(((), clock.seconds()))
        })?;
        figures.infer_images_per_second = speed(options, &times);
        figures.infer_steps = Some(times.len());
        figures.peak_rss_mb = figures.peak_rss_mb.or_else(peak_mb);
    }
    Ok(figures)
}

/// The model after the training steps, and the seconds of each that counts.
fn training(
    options: &Options,
    model: Network,
    (images, labels): (&[f32], &Labels),
    context: &Context,
) -> Result<(Network, Vec<f64>)> {
    let input = [options.channels, options.size, options.size];
    let classes: Vec<String> = (0..options.classes).map(|class| class.to_string()).collect();
    let task = SingleLabel::new(&classes);
    let rule = learning(&Settings::default(), [options.batch; 2], options.batch).rule;
    let mut optimizer = Optimizer::new(rule, Arc::new(Params::of(&model)), context.kernels);
    let (model, times) = timed(options.length, model.train(), |model, number| {
        // A loader makes each batch anew, at the same time as the step before is computed: the copy
        // does not count.
        let (images, labels) = (images.to_vec(), labels.clone());
        let clock = Stopwatch::start();
        let batch = Batch { images, input, labels, mixing: 1.0, bad: Vec::new() };
        let at = StepAt { seed: 0, step: number, micro_batch: options.batch, rate: 1e-3 };
        let (model, _) = step(model, batch, &task, context, &mut optimizer, at)?;
        context
            .device()
            .sync()
            .map_err(|cause| Error::failed("the device failed").cause(format!("{cause:?}")))?;
        Ok((model, clock.seconds()))
    })?;
    Ok((model.valid(), times))
}

/// Takes steps, each from the state that the one before left and answering its seconds: first those
/// that warm up, then those that count, whose seconds come back with the last state.
fn timed<S>(
    length: Length,
    mut state: S,
    mut step: impl FnMut(S, usize) -> Result<(S, f64)>,
) -> Result<(S, Vec<f64>)> {
    let (steps, enough) = match length {
        Length::Steps(steps) => (steps, 0.0),
        Length::Seconds(seconds) => (FEWEST_STEPS, seconds),
    };
    let (mut number, mut warm) = (0, 0.0);
    let mut times = Vec::new();
    let mut total = 0.0;
    while times.len() < steps || total < enough {
        let (next, seconds) = step(state, number)?;
        state = next;
        number += 1;
        if number <= WARM_UP_STEPS || warm < WARM_UP_SHARE * enough {
            warm += seconds;
        } else {
            total += seconds;
            times.push(seconds);
        }
    }
    Ok((state, times))
}

fn peak_mb() -> Option<f64> {
    peak_memory().map(|bytes| bytes as f64 / 1e6)
}

fn synthetic(options: &Options, input: [usize; 3]) -> (Vec<f32>, Labels) {
    let draw = Draw::at(0, 0, 0, Purpose::Synthetic);
    let values = options.batch * input.iter().product::<usize>();
    let images = (0..values as u32).map(|i| draw.between(i, -1.0, 1.0)).collect();
    let labels = Draw::at(0, 0, 1, Purpose::Synthetic);
    let labels = (0..options.batch as u32).map(|i| labels.below(i, options.classes) as u32);
    (images, Labels::one_each(labels))
}

/// Images a second, from the median of the steps' seconds.
fn speed(options: &Options, times: &[f64]) -> Option<f64> {
    median(times).map(|seconds| options.batch as f64 / seconds)
}
