//! `tinderbox datasets speed`

use serde::Serialize;
use tinderbox_base::env::{Stopwatch, peak_memory};
use tinderbox_base::units::{duration, thousands};
use tinderbox_base::{Error, Result};
use tinderbox_data::{Loader, Lock};
use tinderbox_nn::threads::with_threads;
use tinderbox_train::training_loader;

use super::data::open_split;
use super::train::Request;
use super::trial::machine;
use super::{Invocation, choose, output};

/// Passes where `--epochs` does not say: the first, and one that may find images kept.
const PASSES: usize = 2;

#[derive(Serialize)]
struct Figures {
    dataset: String,
    images: usize,
    batch: usize,
    loader_threads: usize,
    /// Until the files were listed and split.
    catalogue_seconds: f64,
    /// Until the data were looked at for their statistics, from the start.
    ready_seconds: f64,
    /// Until the first batch was there, from the start.
    first_batch_seconds: f64,
    /// Of each pass.
    images_per_second: Vec<f64>,
    peak_rss_mb: Option<f64>,
}

/// Makes the batches of a training and drops them: how fast the data can be had.
///
/// # Errors
/// If the data or a setting cannot be used.
pub fn run(invocation: &Invocation, request: Request) -> Result<()> {
    let resolved = request.settings("datasets speed")?;
    let threads = resolved.settings.run.compute_threads();
    let passes = if resolved.is_chosen("epochs") { resolved.settings.train.epochs } else { PASSES };
    let (chosen, _) = choose("cpu", resolved.settings.run.kernels)?;
    let figures = with_threads(threads, || {
        let clock = Stopwatch::start();
        let (dataset, _) = open_split(&resolved.settings, &invocation.folders, None)?;
        let lock = Lock::of(&dataset);
        let catalogue_seconds = clock.seconds();
        let models = &invocation.folders.models;
        let (recipe, [train, ..]) = tinderbox_train::resolve(
            &resolved.settings,
            resolved.is_chosen("batch"),
            &dataset,
            &lock,
            &machine(&chosen),
            models,
        )?;
        let work = training_loader(&recipe, &train);
        let ready_seconds = clock.seconds();
        let steps = work.order.steps_per_epoch();
        let mut loader = Loader::start(&work, 0, passes * steps, recipe.loader_threads)?;
        let mut first_batch_seconds = 0.0;
        let mut images_per_second = Vec::new();
        for pass in 0..passes {
            let start = Stopwatch::start();
            for batch in loader.by_ref().take(steps) {
                batch?;
                if pass == 0 && first_batch_seconds == 0.0 {
                    first_batch_seconds = clock.seconds();
                }
            }
            images_per_second.push(train.len() as f64 / start.seconds());
        }
        Ok::<_, Error>(Figures {
            dataset: dataset.name.clone(),
            images: train.len(),
            batch: recipe.learning.batch,
            loader_threads: recipe.loader_threads,
            catalogue_seconds,
            ready_seconds,
            first_batch_seconds,
            images_per_second,
            peak_rss_mb: peak_memory().map(|bytes| bytes as f64 / 1e6),
        })
    })??;
    if invocation.json {
        return output::print_json(&figures);
    }
    output::print(&lines(&figures))
}

/// The figures as people read them.
fn lines(figures: &Figures) -> String {
    let mut speeds = String::new();
    for (speed, pass) in figures.images_per_second.iter().zip(1..) {
        speeds += &format!("  epoch {pass}  {} images/s\n", thousands(speed.round() as u64));
    }
    let memory =
        figures.peak_rss_mb.map_or(String::new(), |mb| format!(", {mb:.0} MB at the most"));
    format!(
        "{}: {} training images, first batch after {}{memory}\n{speeds}",
        figures.dataset,
        thousands(figures.images as u64),
        duration(figures.first_batch_seconds),
    )
}
