//! `tinderbox datasets show`

use serde_json::json;
use tinderbox_base::units::plural;
use tinderbox_base::{Result, files};
use tinderbox_data::{Lock, Order};
use tinderbox_image::Augmentation;
use tinderbox_report as report;
use tinderbox_report::Varied;
use tinderbox_train::{Recipe, training_loader};

use super::data::open_split;
use super::train::Request;
use super::trial::machine;
use super::{Invocation, choose, output};

/// Images in the picture, and how often each is varied.
const IMAGES: usize = 8;
const TIMES: usize = 6;

/// Draws some training images as they are evaluated and as a training with these settings would vary
/// them.
///
/// # Errors
/// If the data or a setting cannot be used, or the picture cannot be written.
pub fn run(invocation: &Invocation, request: Request) -> Result<()> {
    let resolved = request.settings("datasets show")?;
    let (chosen, _) = choose("cpu", resolved.settings.run.kernels)?;
    let (dataset, _) = open_split(&resolved.settings, &invocation.folders, None)?;
    let lock = Lock::of(&dataset);
    let (recipe, [train, ..]) = tinderbox_train::resolve(
        &resolved.settings,
        resolved.is_chosen("batch"),
        &dataset,
        &lock,
        &machine(&chosen),
        &invocation.folders.models,
    )?;
    let Recipe { augment, augmentation, card, .. } = &recipe;
    let mut work = training_loader(&recipe, &train);
    // The first images of the order of now, each once.
    work.order = Order::shuffled(train.len(), recipe.learning.batch, recipe.learning.seed);
    let images = (0..IMAGES.min(train.len())).map(|position| {
        let (plain, varied, label) = work.variants(position, TIMES)?;
        Ok(Varied { plain, varied, class: label.stratum(card.classes.len()) })
    });
    let images = images.collect::<Result<Vec<_>>>()?;
    let preset = toml::Value::try_from(augment).ok();
    let preset = preset.as_ref().and_then(toml::Value::as_str).unwrap_or_default();
    let changed = if recipe.settings.data.augmentation.is_empty() { "" } else { ", changed" };
    let path = invocation.folders.images.join(format!("{}-augmented.png", dataset.name));
    files::make_folder(&invocation.folders.images)?;
    let how = format!("--augment {preset}{changed}");
    files::replace(&path, &report::varied(&images, &card.classes, &how)?)?;
    if invocation.json {
        return output::print_json(&json!({
            "dataset": dataset.name, "augment": preset, "augmentation": augmentation, "picture": path,
        }));
    }
    let is_plain = *augmentation == Augmentation::NONE;
    let hint = if is_plain { "hint: nothing is varied; try `--augment light`\n" } else { "" };
    output::print(&format!(
        "{} of `{}` with and without `{how}`\n  picture  {}\n{hint}",
        plural(images.len(), "image", "images"),
        dataset.name,
        path.display()
    ))
}
