//! What the settings leave open is decided by the data: from settings to a recipe.

use std::path::Path;
use std::sync::Arc;

use tinderbox_base::settings::Amount;
use tinderbox_base::units::thousands;
use tinderbox_base::{Error, Result};
use tinderbox_data::{Cache, Dataset, Lock, Look, Samples, Split, look, statistics};
use tinderbox_image::{Augment, Augmentation, DecodeSize, Preprocessing};
use tinderbox_nn::check_name;

use super::batch_size::{Machine, Need, check_batch};
use super::recipe::{Recipe, extremes};
use super::{ClassWeights, Settings, TrainSpec};
use crate::learning::Learning;
use crate::optimizer::Rule;
use crate::package::ModelCard;
use crate::schedule::Schedule;
use crate::task::SingleLabel;

/// Images up to this size keep it.
const KEPT_SIZE: usize = 96;
/// The size of all others.
const PHOTO_SIZE: usize = 128;
/// The part of a photo that evaluation looks at (torchvision: 224 of 256 pixels).
const PHOTO_CROP: f64 = 0.875;
/// How many times the smallest class's images the largest may have before classes are balanced, and
/// before that is done by sampling.
const MILD: usize = 3;
const STRONG: usize = 20;
/// Loader threads for each compute thread: while one waits for a file, another decodes.
const A_CORE: usize = 2;

/// The recipe for training on `dataset`, whose lock is `lock`, and the samples of its splits. A cache
/// on disk lies below the folder `models`. `asked` says whether somebody asked for the batch.
///
/// # Errors
/// If the settings do not fit the data.
pub fn resolve(
    settings: &Settings,
    asked: bool,
    dataset: &Dataset,
    lock: &Lock,
    machine: &Machine<'_>,
    models: &Path,
) -> Result<(Recipe, [Arc<Samples>; 3])> {
    let images = dataset.split(Split::Train).len();
    check_counts(settings, asked, dataset)?;
    let look = look(dataset);
    let keeps = look.size.filter(|size| size.iter().all(|&side| side <= KEPT_SIZE));
    let usual = if keeps.is_some() { "cnn" } else { "mobilenet_v2" };
    let model = settings.train.model.clone().unwrap_or_else(|| usual.to_owned());
    check_name(&model)?;
    let cache = Cache::open(settings.data.cache, models, machine.memory);
    let samples =
        dataset.splits.clone().map(|split| Samples::cached(split, dataset.classes.len(), &cache));
    samples.iter().zip(&dataset.known).for_each(|(split, known)| split.expect(known));
    let preprocessing = preprocessing(settings, look, keeps, &samples[0])?;
    samples.iter().try_for_each(|split| split.check_classes(DecodeSize::input(&preprocessing)))?;
    let augment = augment(settings.data.augment, keeps.is_some(), look);
    let augmentation = Augmentation::preset(augment, preprocessing.channels == 3);
    let augmentation = augmentation.with(&settings.data.augmentation)?;
    let counts = samples[0].class_counts();
    let balance = balance(settings.task.class_weights, &counts);
    let (input, classes) = (preprocessing.input(), dataset.classes.len());
    let need = Need { model: &model, input, classes, machine };
    let (batch, micro_batch) = batches(&settings.train, &need, images)?;
    if let Some(total) = machine.memory.filter(|_| !machine.splits_batches) {
        cache.shrink(total.saturating_sub(need.bytes(micro_batch)?) / 2);
    }
    let usual = if dataset.in_memory() { 1 } else { A_CORE * settings.run.compute_threads() };
    let recipe = Recipe {
        augment,
        augmentation,
        balance,
        loader_threads: settings.data.loader_threads.unwrap_or(usual),
        task: SingleLabel {
            classes: dataset.classes.clone(),
            smoothing: settings.task.label_smoothing,
            class_weights: class_weights(balance, &counts),
        },
        learning: learning(settings, [batch, micro_batch], images),
        card: ModelCard {
            classes: dataset.classes.clone(),
            preprocessing,
            dataset_hash: lock.hash.clone(),
            settings: toml::Table::new(),
        },
        model,
        settings: settings.clone(),
    };
    Ok((recipe.with_results()?, samples))
}

/// How a network learns, with this many images in a step and at once, from `images` images.
#[must_use]
pub fn learning(settings: &Settings, [batch, micro_batch]: [usize; 2], images: usize) -> Learning {
    let spec = &settings.train;
    Learning {
        seed: spec.seed,
        batch,
        micro_batch,
        schedule: Schedule {
            kind: spec.schedule,
            peak: spec.learning_rate(),
            warmup: spec.warmup,
            epochs: spec.epochs,
            steps_per_epoch: images.div_ceil(batch.max(1)),
        },
        rule: Rule {
            kind: spec.optimizer,
            momentum: spec.momentum,
            weight_decay: spec.weight_decay,
            clip: spec.clip,
        },
        patience: spec.patience,
        on_divergence: spec.on_nan,
    }
}

/// Whether there are images enough for what is asked for.
fn check_counts(settings: &Settings, asked: bool, dataset: &Dataset) -> Result<()> {
    let images = dataset.split(Split::Train).len();
    let batch = settings.train.batch.number().filter(|_| asked);
    if let Some(batch) = batch.filter(|&batch| batch > images) {
        return Err(Error::usage(format!(
            "`--batch {batch}` is larger than the {} training images",
            thousands(images as u64)
        ))
        .hint(format!("use `--batch {}` or less", images.max(1))));
    }
    if dataset.split(Split::Val).is_empty() {
        return Err(Error::input(format!(
            "the data set `{}` is too small to validate",
            dataset.name
        ))
        .cause("no class has images to spare: a single one, or a single group of them")
        .hint(
            "add images: some of each class, and of other groups, are needed, or a folder `val`",
        ));
    }
    Ok(())
}

/// Images in a step, and those whose gradients are computed at once.
fn batches(spec: &TrainSpec, need: &Need<'_>, images: usize) -> Result<(usize, usize)> {
    let batch = match spec.batch {
        Amount::Of(batch) => batch.min(images),
        Amount::Auto(_) => need.batch(images)?,
    };
    check_batch(batch, need.input)?;
    let at_once = match spec.micro_batch {
        Some(Amount::Of(most)) => most.min(batch),
        None if !need.machine.splits_batches => batch,
        Some(Amount::Auto(_)) | None => need.micro_batch(batch)?,
    };
    Ok((batch, at_once))
}

/// How images are varied where nobody said: measured on Fashion-MNIST, the small convnet loses 1% by
/// shifted images.
fn augment(asked: Augment, keeps_size: bool, look: Look) -> Augment {
    match asked {
        Augment::Auto if keeps_size && !look.color => Augment::None,
        Augment::Auto if keeps_size => Augment::Light,
        Augment::Auto => Augment::Standard,
        asked => asked,
    }
}

fn preprocessing(
    settings: &Settings,
    look: Look,
    keeps: Option<[usize; 2]>,
    train: &Samples,
) -> Result<Preprocessing> {
    let [height, width] = match settings.data.size {
        Some(side) => [side; 2],
        None => keeps.unwrap_or([PHOTO_SIZE; 2]),
    };
    let channels = settings.data.channels.unwrap_or(if look.color { 3 } else { 1 });
    let crop = if keeps.is_some() { 1.0 } else { PHOTO_CROP };
    let mut how = Preprocessing {
        channels,
        height,
        width,
        crop,
        mean: vec![0.0; channels],
        std: vec![1.0; channels],
    };
    (how.mean, how.std) = statistics(train, &how, settings.train.seed)?;
    Ok(how)
}

/// How classes are balanced where nobody said: not where the largest has up to three times the images
/// of the smallest; by weights up to twenty times; above that one image would count as much as
/// twenty and throw the training about, so that rare ones are shown more often instead.
fn balance(asked: ClassWeights, counts: &[usize]) -> ClassWeights {
    let [least, most] = extremes(counts).map_or([1; 2], |both| both.map(|class| counts[class]));
    match asked {
        ClassWeights::Auto if most <= MILD * least => ClassWeights::None,
        ClassWeights::Auto if most <= STRONG * least => ClassWeights::Balanced,
        ClassWeights::Auto => ClassWeights::Sampled,
        asked => asked,
    }
}

/// The weight of each class in the loss; balanced weights are 1 on average over the samples.
fn class_weights(how: ClassWeights, counts: &[usize]) -> Vec<f32> {
    let (images, classes) = (counts.iter().sum::<usize>() as f64, counts.len() as f64);
    let weight = |&count: &usize| match how {
        ClassWeights::Auto | ClassWeights::None | ClassWeights::Sampled => 1.0,
        ClassWeights::Balanced => (images / (classes * count.max(1) as f64)) as f32,
    };
    counts.iter().map(weight).collect()
}
