//! `tinderbox train`

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;

use super::plan::{describe, evaluation_work, open_split, plan, training_work};
use super::{Context, choose, output, pictures};
use crate::base::env::{Stopwatch, timestamp};
use crate::base::files::{self, Log};
use crate::base::signals::Signals;
use crate::base::units::{bytes, count, duration, percent, plural, thousands};
use crate::base::{Error, Result};
use crate::config::{Folders, Plan, Resolved, write};
use crate::data::{Dataset, Split, Work, is_there, lock};
use crate::doctor;
use crate::eval::{Scores, answer_split, scores};
use crate::events::{Event, Reporter};
use crate::model::{Network, Shapes, check, spec};
use crate::ops::{device, kernels, memory, threads::with_threads};
use crate::train::{EpochRecord, Job, Outcome, RunFolder, train};

/// Trains a model and leaves its files and pictures.
///
/// # Errors
/// If a setting, the data, a device or a folder cannot be used, or the training fails.
pub fn run(context: &Context, resolved: Resolved) -> Result<()> {
    let clock = Stopwatch::start();
    let threads = resolved.settings.compute_threads();
    let chosen = choose(resolved.settings.device.parse()?, resolved.settings.kernels)?;
    with_threads(threads, || Session::start(context, resolved, chosen, clock)?.run())?
}

/// A training from its first to its last file.
struct Session<'a> {
    context: &'a Context,
    resolved: Resolved,
    device: device::Chosen,
    clock: Stopwatch,
    dataset: Dataset,
    plan: Plan,
    train: Work,
    val: Work,
    test: Work,
}

/// Where a run's files lie.
struct Places {
    name: String,
    models: RunFolder,
    images: PathBuf,
}

impl<'a> Session<'a> {
    fn start(
        context: &'a Context,
        resolved: Resolved,
        device: device::Chosen,
        clock: Stopwatch,
    ) -> Result<Self> {
        let folders = &context.folders;
        doctor::require_outputs(folders)?;
        let name = &resolved.settings.dataset;
        let dataset = open_split(&resolved.settings, folders).map_err(|error| {
            let found = is_there(name, folders);
            if found { error } else { doctor::explain_missing(error, name, folders) }
        })?;
        let (plan, samples) = plan(&resolved, &dataset)?;
        let train = training_work(&plan, &samples[0]);
        let [val, test] = [1, 2].map(|i| evaluation_work(&samples[i], &plan.preprocessing));
        Ok(Self { context, resolved, device, clock, dataset, plan, train, val, test })
    }

    fn run(self) -> Result<()> {
        let Plan { model, preprocessing, classes, settings, .. } = &self.plan;
        let spec = spec(model, preprocessing.input(), classes.len())?;
        let shapes = check(&spec)?;
        let network = Network::new(&spec, settings.seed, &self.device.device)?;
        let places =
            claim(&self.context.folders, &self.resolved, &self.dataset.name, &self.plan.model)?;
        let mut out = Reporter::new(self.context.verbosity);
        self.announce(&places, &shapes, &out);
        self.record(&places, &mut out)?;
        let signals = Signals::listen()?;
        let job = Job {
            plan: self.plan.clone(),
            train: self.train.clone(),
            val: self.val.clone(),
            device: self.device.device.clone(),
            folder: Some(places.models.clone()),
            signals,
        };
        let outcome = train(network, &job, &mut out);
        memory::give_back(); // answers and pictures need little of what a step needs
        out.finish();
        let outcome = outcome?;
        let Some((model, val)) = &outcome.best else {
            return Err(interrupted(&outcome, "no epoch was complete, so no model is saved"));
        };
        let tested = self.finish(&places, model, val, &outcome, &mut out);
        out.finish();
        let tested = tested?;
        self.print(&places, &outcome, val, tested.as_ref())?;
        match outcome.interrupted {
            None => Ok(()),
            Some(_) => Err(interrupted(
                &outcome,
                &format!("the best epoch so far is in `{}`", places.models.model_file().display()),
            )),
        }
    }

    /// The head of the output: what is trained on what, where, and how that was chosen.
    fn announce(&self, places: &Places, shapes: &Shapes, out: &Reporter) {
        let (parameters, flops) = (shapes.parameters(), shapes.flops());
        let origin = |key: &str| match self.resolved.origins.get(key) {
            Some(origin) => origin.to_string(),
            None => "default".to_owned(),
        };
        let place = match &self.dataset.path {
            Some(path) => path.display().to_string(),
            None => "in the program".to_owned(),
        };
        let reason = self.device.reason.map_or_else(|| origin("device"), str::to_owned);
        let operators = if kernels::enabled() { "" } else { ", burn's operators" };
        let device = format!(
            "{}{operators}, {}",
            self.device.description,
            plural(self.plan.settings.compute_threads(), "thread", "threads")
        );
        let rows = [
            (self.dataset.name.as_str(), describe(&self.dataset, &self.plan), place),
            (
                self.plan.model.as_str(),
                format!("{} parameters, {}FLOP an image", thousands(parameters), count(flops)),
                origin("model"),
            ),
            (self.device.name.as_str(), device, reason),
            ("run", places.models.path().display().to_string(), String::new()),
        ];
        let width = rows.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0);
        for (name, what, why) in rows {
            let why = if why.is_empty() { why } else { format!("  ({why})") };
            out.say(&format!("{name:width$}  {what}{why}"));
        }
        if self.device.name == "cpu"
            && let Some(warning) = doctor::memory_warning(shapes, self.plan.settings.batch)
        {
            out.say(&format!("warning: {warning}"));
        }
        out.say("");
        for (key, origin) in &self.resolved.origins {
            out.detail(&format!("setting {key} from {origin}"));
        }
    }

    /// What is written before the first step: settings, lock, log, and the picture of a batch.
    fn record(&self, places: &Places, out: &mut Reporter) -> Result<()> {
        let folder = places.models.path();
        let record = toml::Table::from_iter([
            ("version".to_owned(), env!("CARGO_PKG_VERSION").into()),
            ("started".to_owned(), timestamp().into()),
            ("run".to_owned(), places.name.clone().into()),
            ("model".to_owned(), self.plan.model.clone().into()),
            ("device".to_owned(), self.device.name.clone().into()),
            ("device-description".to_owned(), self.device.description.clone().into()),
            ("threads".to_owned(), (self.plan.settings.compute_threads() as i64).into()),
            ("loader-threads".to_owned(), (self.plan.loader_threads as i64).into()),
            ("batch".to_owned(), (self.plan.settings.batch as i64).into()),
        ]);
        files::replace(&folder.join("run.toml"), write(&self.resolved, &record)?.as_bytes())?;
        files::replace(&folder.join("dataset.lock"), lock(&self.dataset).as_bytes())?;
        out.log_to(Log::create(&folder.join("events.jsonl"))?);
        let images = [&self.train, &self.val, &self.test].map(|work| work.samples.len());
        out.event(&Event::RunStarted {
            run: places.name.clone(),
            dataset: self.dataset.name.clone(),
            model: self.plan.model.clone(),
            device: self.device.name.clone(),
            steps: self.plan.total_steps(),
            images,
        })?;
        pictures::batch(&places.images, &self.train, &self.plan.classes)
    }

    /// What is done after the loop: the test split, once, and the pictures.
    fn finish(
        &self,
        places: &Places,
        model: &Network,
        val: &Scores,
        outcome: &Outcome<Network>,
        out: &mut Reporter,
    ) -> Result<Option<Scores>> {
        let tested = !self.test.samples.is_empty() && outcome.interrupted.is_none();
        let (shown, split) =
            if tested { (&self.test, Split::Test) } else { (&self.val, Split::Val) };
        let threads = self.plan.loader_threads;
        let (answers, replaced) = answer_split(model, shown, threads, &self.device.device)?;
        let mut bad = outcome.bad.clone();
        bad.add_images(if tested { shown.samples.len() } else { 0 });
        bad.see(split, replaced, out)?;
        let test = tested.then(|| scores(&answers, &self.plan.classes));
        if let Some(test) = &test {
            let scores = json!({ "epoch": outcome.state.best_epoch, "val": val, "test": test });
            places.models.save_model(model, &self.plan, scores)?;
        }
        out.event(&Event::RunFinished {
            best_epoch: outcome.state.best_epoch,
            val_top1: val.top1,
            test_top1: test.as_ref().map(|test| test.top1),
            seconds: self.clock.seconds(),
        })?;
        let history = &outcome.state.history;
        pictures::after(&places.images, shown, &answers, &self.plan.classes, history)?;
        Ok(test)
    }

    fn print(
        &self,
        places: &Places,
        outcome: &Outcome<Network>,
        val: &Scores,
        test: Option<&Scores>,
    ) -> Result<()> {
        let seconds = self.clock.seconds();
        if self.context.json {
            return output::print_json(&Summary {
                run: &places.name,
                models: places.models.path(),
                images: &places.images,
                best_epoch: outcome.state.best_epoch,
                epochs: &outcome.state.history,
                val,
                test,
                images_per_second: outcome.images_per_second,
                seconds,
                interrupted: outcome.interrupted.is_some(),
            });
        }
        let (split, scores) = test.map_or(("validation", val), |test| ("test", test));
        let [low, high] = scores.top1_interval;
        let model = places.models.model_file();
        let size = files::size(&model)?;
        let pictures = files::list(&places.images)?.len();
        output::print(&format!(
            "done in {}: {split} top-1 {} ({:.1} to {}), best epoch {}\n  model     {}   {}\n  pictures  {}/   {}\nnext: tinderbox predict {} PHOTO...\n",
            duration(seconds),
            percent(scores.top1),
            low * 100.0,
            percent(high),
            outcome.state.best_epoch,
            model.display(),
            bytes(size),
            places.images.display(),
            plural(pictures, "file", "files"),
            places.name,
        ))
    }
}

/// The result as `--json` prints it.
#[derive(Serialize)]
struct Summary<'a> {
    run: &'a str,
    models: &'a Path,
    images: &'a Path,
    best_epoch: usize,
    epochs: &'a [EpochRecord],
    val: &'a Scores,
    test: Option<&'a Scores>,
    images_per_second: f64,
    seconds: f64,
    interrupted: bool,
}

fn interrupted(outcome: &Outcome<Network>, what: &str) -> Error {
    let epochs = outcome.state.history.len();
    Error::interrupted(
        outcome.interrupted.unwrap_or(2),
        format!("interrupted after {}", plural(epochs, "complete epoch", "complete epochs")),
    )
    .cause(what)
}

/// Makes the run's two folders, which must be new unless they may be overwritten.
fn claim(folders: &Folders, resolved: &Resolved, dataset: &str, model: &str) -> Result<Places> {
    for folder in [&folders.models, &folders.images] {
        files::make_folder(folder)?;
    }
    let settings = &resolved.settings;
    let name = match &settings.name {
        Some(name) => {
            let taken = |folder: &Path| {
                Error::usage(format!("there is a run `{name}` in `{}`", folder.display()))
                    .hint("choose another `--name`, or replace it with `--overwrite`")
            };
            let pictures = files::list(&folders.images.join(name)).unwrap_or_default();
            let is_new = !folders.models.join(name).exists();
            if is_new && !settings.overwrite && !pictures.is_empty() {
                return Err(taken(&folders.images));
            }
            if !files::claim_folder(&folders.models.join(name))? && !settings.overwrite {
                return Err(taken(&folders.models));
            }
            name.clone()
        }
        None => next_name(folders, &format!("{}-{model}", folder_safe(dataset)))?,
    };
    let places = Places {
        models: RunFolder::new(folders.models.join(&name)),
        images: folders.images.join(&name),
        name,
    };
    files::make_folder(&places.images)?;
    if settings.overwrite {
        for file in [places.models.model_file(), places.models.checkpoint_file()] {
            files::remove(&file)?;
        }
        for picture in pictures::FILES {
            files::remove(&places.images.join(picture))?;
        }
    }
    Ok(places)
}

/// The first free number after the highest one in use.
fn next_name(folders: &Folders, stem: &str) -> Result<String> {
    let numbers = [&folders.models, &folders.images].into_iter().flat_map(|folder| {
        files::list(folder).unwrap_or_default().into_iter().filter_map(|path| {
            path.file_name()?.to_str()?.strip_prefix(stem)?.strip_prefix('-')?.parse::<u32>().ok()
        })
    });
    let mut number = numbers.max().unwrap_or(0);
    loop {
        number += 1;
        let name = format!("{stem}-{number:03}");
        if files::claim_folder(&folders.models.join(&name))? {
            return Ok(name);
        }
    }
}

/// A data set's name as part of a folder's.
fn folder_safe(name: &str) -> String {
    let safe: String = name
        .chars()
        .take(80)
        .map(|c| if c.is_alphanumeric() || "._-".contains(c) { c } else { '-' })
        .collect();
    safe.trim_start_matches('.').to_owned()
}
