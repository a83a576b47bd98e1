//! `tinderbox evaluate`

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;
use tinderbox_base::settings::Spec;
use tinderbox_base::units::{list, percent, plural, thousands};
use tinderbox_base::{Error, Result, files};
use tinderbox_data::{Dataset, Reading, Samples, Split, add_missing_splits, content, lock, open};
use tinderbox_nn::threads::with_threads;
use tinderbox_train::{
    Package, RunSpec, Scores, Settings, SingleLabel, Task, evaluation_loader, locate, predict_split,
};

use super::data::relabel;
use super::fetch::with_way;
use super::output::{Rows, print, print_json};
use super::{Invocation, choose};
use crate::settings::resolve;
use crate::terminal::Reporter;

/// What is evaluated.
#[derive(Clone, Debug)]
pub struct Options {
    /// A run's name, its folder, or a model file.
    pub run: String,
    /// The data set; the one it was trained on, where not given.
    pub dataset: Option<String>,
    /// `train`, `val`, `test` or `all`; test where there is such a split, else validation, where
    /// not given.
    pub split: Option<String>,
    /// Whether images that the model was trained on are evaluated too.
    pub allow_leak: bool,
    /// How the data set's files are read; as in the training, where nothing is said.
    pub reading: Reading,
    /// What computes: its device, kernels and threads.
    pub compute: RunSpec,
}

/// Prints honest figures of a trained model.
///
/// # Errors
/// If the model, the data or the device cannot be used.
pub fn run(invocation: &Invocation, options: &Options) -> Result<()> {
    options.compute.check()?;
    let threads = options.compute.compute_threads();
    let file = locate(&options.run, &invocation.folders.models)?;
    let package = Package::read(&file)?;
    let (_, context) = choose(&options.compute.device, options.compute.kernels)?;
    let mut dataset = open_for(invocation, options, &file)?;
    relabel(&mut dataset, &package.classes)?;
    let (split, samples) = choose_split(&dataset, options.split.as_deref())?;
    let samples = Samples::new(samples, package.classes.len());
    let images = evaluation_loader(&samples, &package.preprocessing);
    let task = SingleLabel::new(&package.classes);
    let out = Reporter::new(invocation.verbosity);
    let (predictions, bad) = with_threads(threads, || {
        let network = package.network(context.device())?;
        let goes_on = |seconds| {
            out.late(seconds);
            true
        };
        let found = predict_split(&network, &task, &images, threads, &context, goes_on)?;
        Ok(found.unwrap_or_default())
    })??;
    let names: BTreeSet<&str> = bad.iter().map(|bad| bad.key.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    if !names.is_empty() {
        out.say(&format!(
            "warning: {} could not be read, another of its class was taken: {}",
            plural(names.len(), "image", "images"),
            list(&names, 3)
        ));
    }
    let leaks = if matches!(split, "train" | "val") {
        Some(Vec::new())
    } else {
        leaks(&file, package.lock.as_deref().filter(|_| !options.allow_leak), &samples)?
    };
    if leaks.is_none() {
        out.say("warning: whether the model was trained on these images is not known: no `dataset.lock` lies beside it");
    }
    let found = leaks.as_deref().unwrap_or_default();
    if !options.allow_leak && matches!(options.split.as_deref(), None | Some("test")) {
        refuse(found, samples.len())?;
    }
    let scores = task.scores(&predictions);
    if invocation.json {
        return print_json(&json!({
            "model": file, "dataset": dataset.name, "split": split, "scores": scores, "bad": names.len(),
            "leaks": leaks.as_ref().map(|_| found.iter().map(|(path, _)| path).collect::<Vec<_>>()),
        }));
    }
    print(&table(&scores, &dataset.name, split))?;
    if found.is_empty() {
        return Ok(());
    }
    print(&format!(
        "\nno test: the model was trained on {} of these images\n",
        thousands(found.len() as u64)
    ))
}

/// The data set with the splits that training made: with the run's seed where its `run.toml` is
/// there and it is the same data set.
fn open_for(invocation: &Invocation, options: &Options, file: &Path) -> Result<Dataset> {
    let record = file.parent().map(|folder| folder.join("run.toml")).filter(|path| path.is_file());
    let trained = record.map(|path| resolve(Some(&path), Vec::new())).transpose()?;
    let trained = trained.map(|resolved| resolved.settings);
    let name = match (&options.dataset, &trained) {
        (Some(name), _) => name.clone(),
        (None, Some(settings)) => settings.data.dataset.clone(),
        (None, None) => {
            return Err(Error::usage(format!(
                "which data set? `{}` lies without its `run.toml`",
                file.display()
            ))
            .hint("name one: `tinderbox evaluate RUN DATASET`"));
        }
    };
    // What the run was told of its own data holds, unless something is said now.
    let own = trained.as_ref().map(|settings| &settings.data).filter(|data| data.dataset == name);
    let reading = match own {
        Some(data) if options.reading == Reading::default() => data.reading(),
        _ => options.reading.clone(),
    };
    reading.check()?;
    let mut dataset = open(&name, &invocation.folders, &reading)
        .map_err(|error| with_way(error, &name, &invocation.folders))?;
    if let Some(Settings { data, train, .. }) = trained {
        let same = data.dataset == name
            || open(&data.dataset, &invocation.folders, &data.reading())
                .is_ok_and(|other| other.path == dataset.path);
        if same {
            let complete = Split::ALL.iter().all(|&split| !dataset.split(split).is_empty());
            let lock = file.with_file_name("dataset.lock");
            if !complete && lock.is_file() && options.split.as_deref() != Some("all") {
                lock::apply(&mut dataset, &files::read_text(&lock)?, |_| false)?;
            } else {
                add_missing_splits(&mut dataset, data.val_fraction, train.seed);
            }
        }
    }
    Ok(dataset)
}

/// The images that the model was trained or chosen on, by what their files hold; none where there is no
/// lock that tells. `hash` is that of the lock which the model was trained with.
///
/// # Errors
/// If the lock beside the model is another one.
fn leaks(
    file: &Path,
    hash: Option<&str>,
    samples: &Samples,
) -> Result<Option<Vec<(String, String)>>> {
    let lock = file.with_file_name("dataset.lock");
    let Ok(text) = files::read_text(&lock) else { return Ok(None) };
    if hash.is_some_and(|hash| lock::hash_of(&text) != hash) {
        return Err(Error::input(format!("`{}` is not that of the model", lock.display()))
            .cause("it lists other images, or other splits, than the model was trained with")
            .hint("put the model's own beside it, or get figures that may be no test with `--allow-leak`"));
    }
    let learned = lock::learned_contents(&text);
    let of = |index: u32| {
        let sample = samples.get(index);
        let twin = learned.get(&samples.content(index).map(content::hex)?)?;
        Some((sample.key.to_string(), twin.clone()))
    };
    Ok(Some((0..samples.len() as u32).filter_map(of).collect()))
}

/// Figures on images that were learned are no test.
fn refuse(leaks: &[(String, String)], images: usize) -> Result<()> {
    let Some((name, twin)) = leaks.first() else { return Ok(()) };
    let same = if name == twin { String::new() } else { format!(" (as `{twin}`)") };
    Err(Error::input(format!(
        "the model was trained on {} of {}",
        thousands(leaks.len() as u64),
        plural(images, "image", "images")
    ))
    .cause(format!("among them `{name}`{same}"))
    .hint("take them out, or get figures that are no test with `--allow-leak`"))
}

/// The samples of the split that was asked for, or of the one that says most.
fn choose_split(
    dataset: &Dataset,
    asked: Option<&str>,
) -> Result<(&'static str, Vec<tinderbox_data::Sample>)> {
    let filled = |split: &Split| !dataset.split(*split).is_empty();
    let split = match asked {
        Some("all") => None,
        Some(name) => Split::ALL
            .into_iter()
            .find(|split| split.name() == name)
            .filter(filled)
            .map(Some)
            .ok_or_else(|| {
                let there: Vec<&str> =
                    Split::ALL.iter().filter(|s| filled(s)).map(|s| s.name()).collect();
                Error::input(format!("the data set `{}` has no split `{name}`", dataset.name))
                    .cause(format!("it has {}", list(&there, 3)))
                    .hint("`--split all` takes every image there is")
            })?,
        // Data without splits that the model was not trained on is evaluated as a whole.
        None => [Split::Test, Split::Val].into_iter().find(filled),
    };
    Ok(match split {
        Some(split) => (split.name(), dataset.split(split).to_vec()),
        None => ("all", dataset.samples().cloned().collect()),
    })
}

fn table(scores: &Scores, dataset: &str, split: &str) -> String {
    let [low, high] = scores.top1_interval;
    let mut rows = Rows::new(&["CLASS", ">PRECISION", ">RECALL", ">F1", ">IMAGES"]);
    for class in &scores.classes {
        rows.row([
            class.class.clone(),
            percent(class.precision),
            percent(class.recall),
            percent(class.f1),
            thousands(class.support as u64),
        ]);
    }
    format!(
        "{dataset}, {split}: {}\ntop-1  {} ({:.1} to {})\ntop-5  {}\nloss   {:.4}\nmacro F1 {}, calibration error {}\n\n{}",
        plural(scores.images, "image", "images"),
        percent(scores.top1),
        low * 100.0,
        percent(high),
        percent(scores.top5),
        scores.loss,
        percent(scores.macro_f1),
        percent(scores.calibration_error),
        rows.text(),
    )
}
