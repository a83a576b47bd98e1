//! The data set of a command: opened, described, put under a model's labels.

use std::path::Path;

use tinderbox_base::units::{list, thousands};
use tinderbox_base::{Error, Folders, Result};
use tinderbox_data::Dataset;
use tinderbox_image::Preprocessing;
use tinderbox_train::{ClassWeights, Recipe, Settings};

use super::fetch::with_way;

/// The data set of a training with all its splits, and what there is to say about that; those of the
/// lock in the file `own`, where there is one.
///
/// # Errors
/// If it cannot be used.
pub fn open_split(
    settings: &Settings,
    folders: &Folders,
    own: Option<&Path>,
) -> Result<(Dataset, Vec<String>)> {
    let opened = tinderbox_train::open_split(&settings.data, settings.train.seed, folders, own);
    opened.map_err(|error| with_way(error, &settings.data.dataset, folders))
}

/// What was decided of the balance of the classes, and why, where something was.
pub fn describe_balance(recipe: &Recipe, counts: &[usize]) -> Option<String> {
    let [most, least] = recipe.unequal_classes(counts)?.map(|class| {
        format!("`{}` has {}", recipe.card.classes[class], thousands(counts[class] as u64))
    });
    let how = match recipe.balance {
        ClassWeights::Sampled => "rare classes are shown more often",
        _ => "rare classes count more in the loss",
    };
    Some(format!("{how}: {most} images, {least} (`--class-weights none` leaves them as they are)"))
}

/// The samples of a data set under a model's labels.
///
/// # Errors
/// If the data set has a class that the model does not know.
pub fn relabel(dataset: &mut Dataset, classes: &[String]) -> Result<()> {
    let mut labels = Vec::new();
    for name in &dataset.classes {
        let label = classes.iter().position(|class| class == name).ok_or_else(|| {
            Error::input(format!("the model does not know the class `{name}`"))
                .cause(format!("it knows {}", list(classes, 8)))
                .hint("evaluate it on data with the classes that it was trained on")
        })?;
        labels.push(u32::try_from(label).unwrap_or(u32::MAX));
    }
    for sample in dataset.samples_mut() {
        sample.label = sample.label.map(|class| labels[class as usize]);
    }
    dataset.classes = classes.to_vec();
    Ok(())
}

/// The line that says what a data set holds.
pub fn describe(dataset: &Dataset, recipe: &Recipe) -> String {
    let [train, val, test] = [0, 1, 2].map(|i| dataset.splits[i].len() as u64);
    let test = if test == 0 { String::new() } else { format!(" / {} test", thousands(test)) };
    let Preprocessing { width, height, channels, .. } = recipe.card.preprocessing;
    format!(
        "{} classes, {} train / {} val{test} images, {width}x{height} {}",
        thousands(dataset.classes.len() as u64),
        thousands(train),
        thousands(val),
        if channels == 1 { "grey" } else { "colour" }
    )
}
