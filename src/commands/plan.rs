//! What the settings leave open is decided by the data: from resolved settings to a frozen plan.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::batch_size::Need;
use super::fetch::with_way;
use crate::settings::Resolved;
use tinderbox_base::Folders;
use tinderbox_base::settings::Amount;
use tinderbox_base::units::{list, plural, thousands};
use tinderbox_base::{Error, Result, files};
use tinderbox_data::{
    Cache, Dataset, Lock, Look, Order, Sample, Samples, Split, Work, add_missing_splits,
    apply_together, lock, look, open, statistics,
};
use tinderbox_image::Want;
use tinderbox_image::{Augment, Augmentation, Preprocessing};
use tinderbox_nn::check_name;
use tinderbox_nn::device::Chosen;
use tinderbox_nn::memory;
use tinderbox_train::locate_run;
use tinderbox_train::{ClassWeights, Plan, Settings, TrainSpec};

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
/// Values in a batch: 8 GiB of them.
const MOST_VALUES: usize = 1 << 31;
/// Loader threads for each compute thread: while one waits for a file, another decodes.
const A_CORE: usize = 2;
/// Bytes of batches that wait: 1 GiB.
const MOST_WAITING: usize = 1 << 30;

/// A resume reads so many of the files that are not older than its lock before it begins: a few were
/// edited, many were copied. Whatever differs in the others is noticed when they are decoded.
const MOST_READ: usize = 1000;

/// Checks that a batch of images fits into memory.
///
/// # Errors
/// If it is too large.
pub fn check_batch(batch: usize, input: [usize; 3]) -> Result<()> {
    let values = batch * input.iter().product::<usize>();
    if values <= MOST_VALUES {
        return Ok(());
    }
    let [_, height, width] = input;
    Err(Error::usage(format!("`--batch {batch}` is too large"))
        .cause(format!("{} values at {width}x{height} pixels", thousands(values as u64)))
        .hint("use a smaller `--batch` or a smaller `--size`"))
}

/// Images in a batch of an evaluation: 256, fewer where they are large.
fn evaluation_batch(input: [usize; 3]) -> usize {
    ((1 << 24) / input.iter().product::<usize>()).clamp(1, 256)
}

/// A data set whose splits are complete, and what there is to say about that: those of the lock in
/// the file `own`, else those of the run that `--lock` names, else those that the data have, and
/// for what they have not, new ones.
///
/// # Errors
/// If it cannot be used.
pub fn open_split(
    settings: &Settings,
    folders: &Folders,
    own: Option<&Path>,
) -> Result<(Dataset, Vec<String>)> {
    let mut dataset = open(&settings.data.dataset, folders, &settings.data.reading())
        .map_err(|error| with_way(error, &settings.data.dataset, folders))?;
    if let Some(path) = own {
        let text = files::read_text(path)?;
        let since = files::modified(path).unwrap_or_default();
        let read = AtomicUsize::new(0);
        let is_suspect = |sample: &Sample| {
            let Some(file) = sample.file() else { return true }; // in memory
            files::modified(&file).is_none_or(|time| time >= since)
                && read.fetch_add(1, Ordering::Relaxed) < MOST_READ
        };
        let changes = lock::apply(&mut dataset, &text, is_suspect)?;
        if let Some(changed) = images(&changes.changed, "other than then") {
            return Err(Error::input("the data are not those that the run was trained on")
                .cause(changed)
                .hint("restore the files, or start a new run"));
        }
        dataset.known = lock::contents(&text);
        return Ok((dataset, images(&changes.added, ADDED).into_iter().collect()));
    }
    if let Some(run) = &settings.data.lock {
        let path = locate_run(run, &folders.models)?.join("dataset.lock");
        let changes = lock::apply(&mut dataset, &files::read_text(&path)?, |_| true)?;
        let changed = images(&changes.changed, "other than when the split was made");
        let added = images(&changes.added, ADDED);
        return Ok((dataset, changed.into_iter().chain(added).collect()));
    }
    let _ = apply_together(folders, &mut dataset);
    add_missing_splits(&mut dataset, settings.data.val_fraction, settings.train.seed);
    let mut said = dataset.notes();
    let torn = dataset.torn_groups();
    if !torn.is_empty() {
        let names: Vec<&str> = torn.iter().map(|(group, _)| group.as_str()).collect();
        said.push(format!(
            "{} in two splits, so that scores are too good: {}; `tinderbox datasets check` shows them",
            plural(torn.len(), "group is", "groups are"),
            list(&names, 3)
        ));
    }
    Ok((dataset, said))
}

/// What images of the data are that a split does not know.
const ADDED: &str = "not in that split and left out";

/// That some images are `what`; nothing where there are none.
fn images(names: &[String], what: &str) -> Option<String> {
    let count = plural(names.len(), "image is", "images are");
    (!names.is_empty()).then(|| format!("{count} {what}: {}", list(names, 3)))
}

/// The plan for training on `dataset`, whose lock is `lock`, on a device, and the samples of its
/// splits. A cache on disk lies below the folder `models`.
///
/// # Errors
/// If the settings do not fit the data.
pub fn plan(
    resolved: &Resolved,
    dataset: &Dataset,
    lock: &Lock,
    device: &Chosen,
    models: &Path,
) -> Result<(Plan, [Arc<Samples>; 3])> {
    let settings = resolved.settings.clone();
    let model = settings.train.model.clone();
    let images = dataset.split(Split::Train).len();
    check_counts(resolved, dataset)?;
    let look = look(dataset);
    let keeps = look.size.filter(|size| size.iter().all(|&side| side <= KEPT_SIZE));
    let model =
        model.unwrap_or_else(|| if keeps.is_some() { "cnn" } else { "mobilenet_v2" }.to_owned());
    check_name(&model)?;
    let cache = Cache::open(settings.data.cache, models, memory::total());
    let samples =
        dataset.splits.clone().map(|split| Samples::cached(split, dataset.classes.len(), &cache));
    samples.iter().zip(&dataset.known).for_each(|(split, known)| split.expect(known));
    let preprocessing = preprocessing(&settings, look, keeps, &samples[0])?;
    samples.iter().try_for_each(|split| split.check_classes(Want::input(&preprocessing)))?;
    let augment = augment(settings.data.augment, keeps.is_some(), look);
    let augmentation = Augmentation::preset(augment, preprocessing.channels == 3);
    let augmentation = augmentation.with(&settings.data.augmentation)?;
    let counts = samples[0].class_counts();
    let balance = balance(settings.task.class_weights, &counts);
    let classes = dataset.classes.len();
    let need = Need { model: &model, input: preprocessing.input(), classes, device };
    let (batch, micro_batch) = batches(&settings.train, &need, images)?;
    if let Some(total) = memory::total().filter(|_| !device.is_gpu()) {
        cache.shrink(total.saturating_sub(need.bytes(micro_batch)?) / 2);
    }
    let usual = if dataset.in_memory() { 1 } else { A_CORE * settings.run.compute_threads() };
    let loader_threads = settings.data.loader_threads.unwrap_or(usual);
    let plan = Plan {
        model,
        augment,
        augmentation,
        loader_threads,
        balance,
        class_weights: class_weights(balance, &counts),
        classes: dataset.classes.clone(),
        batch,
        micro_batch,
        steps_per_epoch: images.div_ceil(batch),
        dataset_hash: lock.hash.clone(),
        preprocessing,
        settings,
    };
    Ok((plan, samples))
}

/// Whether there are images enough for what is asked for.
fn check_counts(resolved: &Resolved, dataset: &Dataset) -> Result<()> {
    let images = dataset.split(Split::Train).len();
    let batch = resolved.settings.train.batch.number().filter(|_| resolved.is_chosen("batch"));
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
fn batches(spec: &TrainSpec, need: &Need, images: usize) -> Result<(usize, usize)> {
    let batch = match spec.batch {
        Amount::Of(batch) => batch.min(images),
        Amount::Auto(_) => need.batch(images)?,
    };
    check_batch(batch, need.input)?;
    let at_once = match spec.micro_batch {
        Some(Amount::Of(most)) => most.min(batch),
        None if !need.device.is_gpu() => batch,
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

/// The classes with the fewest and with the most images, of those that have any.
fn extremes(counts: &[usize]) -> Option<[usize; 2]> {
    let held = || (0..counts.len()).filter(|&class| counts[class] > 0);
    let (least, most) = (held().min_by_key(|&c| counts[c])?, held().max_by_key(|&c| counts[c])?);
    Some([least, most])
}

/// What was decided of the balance of the classes, and why, where something was.
pub fn describe_balance(plan: &Plan, counts: &[usize]) -> Option<String> {
    if plan.settings.task.class_weights != ClassWeights::Auto || plan.balance == ClassWeights::None
    {
        return None;
    }
    let [least, most] = extremes(counts)?
        .map(|class| format!("`{}` has {}", plan.classes[class], thousands(counts[class] as u64)));
    let how = match plan.balance {
        ClassWeights::Sampled => "rare classes are shown more often",
        _ => "rare classes count more in the loss",
    };
    Some(format!("{how}: {most} images, {least} (`--class-weights none` leaves them as they are)"))
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

/// The work of passing over the training split: shuffled and varied.
pub fn training_work(plan: &Plan, samples: &Arc<Samples>) -> Work {
    Work {
        samples: Arc::clone(samples),
        order: Order {
            repeats: plan.augmentation.repeats,
            balanced: (plan.balance == ClassWeights::Sampled).then(|| samples.members()),
            ..Order::shuffled(samples.len(), plan.batch, plan.settings.train.seed)
        },
        augmentation: plan.augmentation,
        preprocessing: plan.preprocessing.clone(),
        most_bytes: loader_bytes(),
    }
}

/// The work of passing over a split as it lies.
pub fn evaluation_work(samples: &Arc<Samples>, preprocessing: &Preprocessing) -> Work {
    let batch = evaluation_batch(preprocessing.input());
    Work {
        samples: Arc::clone(samples),
        order: Order::plain(samples.len(), batch),
        augmentation: Augmentation::NONE,
        preprocessing: preprocessing.clone(),
        most_bytes: loader_bytes(),
    }
}

/// What batches that wait may take: an eighth of the memory that there is.
fn loader_bytes() -> usize {
    memory::total().map_or(MOST_WAITING, |total| (total / 8) as usize).min(MOST_WAITING)
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
pub fn describe(dataset: &Dataset, plan: &Plan) -> String {
    let [train, val, test] = [0, 1, 2].map(|i| dataset.splits[i].len() as u64);
    let test = if test == 0 { String::new() } else { format!(" / {} test", thousands(test)) };
    let Preprocessing { width, height, channels, .. } = plan.preprocessing;
    format!(
        "{} classes, {} train / {} val{test} images, {width}x{height} {}",
        thousands(dataset.classes.len() as u64),
        thousands(train),
        thousands(val),
        if channels == 1 { "grey" } else { "colour" }
    )
}
