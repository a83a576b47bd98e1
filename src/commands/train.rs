//! `tinderbox train`

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use tinderbox_base::env::Stopwatch;
use tinderbox_base::settings::Given;
use tinderbox_base::units::{bytes, duration, percent, plural, thousands};
use tinderbox_base::{Error, Event, Events, Result, files};
use tinderbox_data::{Dataset, LoaderSpec, Lock, Samples, Split, is_there};
use tinderbox_nn::device::DeviceId;
use tinderbox_nn::threads::with_threads;
use tinderbox_nn::{Context, Network, check, device, memory, spec};
use tinderbox_train::{
    BadWatch, End, EpochRecord, Job, Keeping, Outcome, Recipe, Scores, SingleLabel, Task,
    evaluation_loader, predict_split, training_loader,
};

use super::data::open_split;
use super::resume::Resumed;
use super::run_directory::{RunDirectories, create};
use super::trial::machine;
use super::watch::Watch;
use super::{Invocation, choose, output, pictures, resume};
use crate::doctor;
use crate::settings::{Resolved, resolve};
use crate::terminal::Reporter;

/// What a training is asked to do.
#[derive(Clone, Debug)]
pub struct Request {
    /// A file of settings.
    pub config: Option<PathBuf>,
    /// The run that goes on.
    pub resume: Option<String>,
    /// Settings from flags and from the environment.
    pub given: Given,
}

impl Request {
    /// The settings, for a `command` that trains no run.
    ///
    /// # Errors
    /// If it names a run to go on, or a setting cannot be used.
    pub(super) fn settings(self, command: &str) -> Result<Resolved> {
        if self.resume.is_some() {
            return Err(Error::usage(format!("`{command}` has no use for `--resume`"))
                .hint("give a data set and settings, as to `train`"));
        }
        resolve(self.config.as_deref(), self.given)
    }
}

/// How long a file that cannot be written is tried again.
const RETRY_FOR: Duration = Duration::from_mins(5);
/// Seconds after a signal that the pictures may take. `docker stop` waits 10 in all.
const LAST_PICTURES: f64 = 2.0;

/// Trains a model and leaves its files and pictures.
///
/// # Errors
/// If a setting, the data, a device or a folder cannot be used, or the training fails.
pub fn run(invocation: &Invocation, request: Request) -> Result<()> {
    let clock = Stopwatch::start();
    let (resolved, resumed) = match &request.resume {
        Some(run) => {
            let (resolved, resumed) = resume::open(run, request.given, &invocation.folders)?;
            (resolved, Some(resumed))
        }
        None => (resolve(request.config.as_deref(), request.given)?, None),
    };
    let threads = resolved.settings.run.compute_threads();
    let compute = choose(&resolved.settings.run.device, resolved.settings.run.kernels)?;
    let watch = Watch::default();
    let (invocation, seen) = (invocation.clone(), watch.clone());
    let work = move || {
        with_threads(threads, || {
            Session::start(&invocation, resolved, resumed, compute, clock)?.run(&seen)
        })?
    };
    watch.over(work)
}

/// A training from its first to its last file.
pub struct Session<'a> {
    invocation: &'a Invocation,
    pub(super) resolved: Resolved,
    pub(super) resumed: Option<Resumed>,
    pub(super) device: device::Chosen,
    pub(super) context: Context,
    clock: Stopwatch,
    pub(super) dataset: Dataset,
    pub(super) lock: Lock,
    pub(super) samples: [Arc<Samples>; 3],
    /// What there is to say about the data.
    pub(super) notes: Vec<String>,
    pub(super) recipe: Recipe,
    pub(super) train: LoaderSpec,
    pub(super) val: LoaderSpec,
    pub(super) test: LoaderSpec,
}

impl<'a> Session<'a> {
    fn start(
        invocation: &'a Invocation,
        resolved: Resolved,
        resumed: Option<Resumed>,
        (device, context): (device::Chosen, Context),
        clock: Stopwatch,
    ) -> Result<Self> {
        let folders = &invocation.folders;
        doctor::require_outputs(folders)?;
        let name = &resolved.settings.data.dataset;
        let own = resumed.as_ref().map(|run| run.folder.path().join("dataset.lock"));
        let own = own.filter(|path| path.is_file());
        let opened = open_split(&resolved.settings, folders, own.as_deref());
        let (dataset, notes) = opened.map_err(|error| {
            let found = is_there(name, folders);
            if found { error } else { doctor::explain_missing(error, name, folders) }
        })?;
        let lock = Lock::of(&dataset);
        let asked = resolved.is_chosen("batch");
        let (settings, machine) = (&resolved.settings, machine(&device));
        let (recipe, samples) =
            tinderbox_train::resolve(settings, asked, &dataset, &lock, &machine, &folders.models)?;
        let train = training_loader(&recipe, &samples[0]);
        let how = &recipe.card.preprocessing;
        let [val, test] = [1, 2].map(|i| evaluation_loader(&samples[i], how));
        Ok(Self {
            invocation,
            resolved,
            resumed,
            device,
            context,
            clock,
            dataset,
            lock,
            samples,
            notes,
            recipe,
            train,
            val,
            test,
        })
    }

    fn run(mut self, watch: &Watch) -> Result<()> {
        let Recipe { model, settings, learning, card, .. } = &self.recipe;
        let spec = spec(model, card.preprocessing.input(), card.classes.len())?;
        let shapes = check(&spec)?;
        let on_cpu = self.device.id == DeviceId::Cpu;
        let warning = on_cpu.then(|| doctor::memory_warning(&shapes, learning.micro_batch));
        let warning = warning.transpose()?.flatten();
        doctor::require_space(&self.invocation.folders.models, &shapes, &settings.train)?;
        let network = Network::new(&spec, learning.seed, self.context.device())?;
        let mut out = Reporter::new(self.invocation.verbosity);
        let record = self.device_record();
        let images = self.train.samples.len();
        let change = self
            .resumed
            .as_mut()
            .map(|run| run.compare(&self.recipe, images, &record))
            .transpose()?;
        let places = match &self.resumed {
            Some(run) => RunDirectories::of(run.folder.clone(), &self.invocation.folders)?,
            None => create(&self.invocation.folders, &self.resolved, &self.dataset.name, model)?,
        };
        self.announce(&places, &shapes, (change.as_ref(), warning), &out);
        self.record(&places, record, change, &mut out)?;
        watch.signals.start()?;
        let job = self.job(&places, watch);
        let from = self.resumed.as_mut().and_then(|run| run.saved.take());
        let outcome = tinderbox_train::train(network, from, &job, &mut out);
        self.keep_lock(&places)?; // by now contents are known
        memory::give_back(); // answers and pictures need little of what a step needs
        out.finish();
        let outcome = outcome?;
        if outcome.end == End::AsAsked {
            return self.print_stopped(&places, outcome.state.step);
        }
        let Some((model, val)) = &outcome.best else {
            return Err(interrupted(&outcome, &places));
        };
        let tested = self.finish(&places, model, val, &outcome, &mut out);
        out.finish();
        let tested = tested?;
        self.print(&places, &outcome, val, tested.as_ref())?;
        if outcome.end == End::Finished { Ok(()) } else { Err(interrupted(&outcome, &places)) }
    }

    /// The training that the recipe describes.
    fn job(&self, places: &RunDirectories, watch: &Watch) -> Job<SingleLabel> {
        let (run, task) = (&self.recipe.settings.run, self.recipe.task.clone());
        let loaders = [self.train.clone(), self.val.clone()];
        let keeping = Keeping {
            directory: Some(places.models.clone()),
            every: run.checkpoint_every,
            retry_for: RETRY_FOR,
            stop_after: run.stop_after,
            signals: watch.signals.clone(),
            rescue: watch.rescue.clone(),
        };
        Job { keeping, ..Job::new(&self.recipe, task, loaders, self.context.clone()) }
    }

    fn print_stopped(&self, places: &RunDirectories, step: usize) -> Result<()> {
        let RunDirectories { name, models, images } = places;
        if self.invocation.json {
            return output::print_json(&json!({
                "run": name, "models": models.path(), "images": images, "step": step, "interrupted": true,
            }));
        }
        output::print(&format!(
            "stopped after step {}, as asked\nnext: tinderbox train --resume {name} --stop-after {}\n",
            thousands(step as u64),
            2 * step,
        ))
    }

    /// What is done after the loop: the test split, once, and the pictures.
    fn finish(
        &self,
        places: &RunDirectories,
        model: &Network,
        val: &Scores,
        outcome: &Outcome<Network, SingleLabel>,
        out: &mut Reporter,
    ) -> Result<Option<Scores>> {
        let tested = !self.test.samples.is_empty() && outcome.end == End::Finished;
        let (shown, split) =
            if tested { (&self.test, Split::Test) } else { (&self.val, Split::Val) };
        let Recipe { settings, loader_threads: threads, task, card, .. } = &self.recipe;
        let clock = Stopwatch::start();
        let goes_on = |seconds| {
            out.late(seconds);
            outcome.end == End::Finished || clock.seconds() <= LAST_PICTURES
        };
        let found = predict_split(model, task, shown, *threads, &self.context, goes_on)?;
        let Some((predictions, replaced)) = found else { return Ok(None) };
        let images = self.train.samples.len() + self.val.samples.len();
        let images = images + if tested { shown.samples.len() } else { 0 };
        let bad = BadWatch::new(settings.data.max_bad, images);
        bad.see(split, replaced, &mut outcome.state.bad.clone(), out)?;
        let test = tested.then(|| task.scores(&predictions));
        if let Some(test) = &test {
            let scores = json!({ "epoch": outcome.state.best_epoch, "val": val, "test": test });
            places.models.save_model(model, card, scores)?;
        }
        out.event(&Event::RunFinished {
            best_epoch: outcome.state.best_epoch,
            val_top1: val.top1,
            test_top1: test.as_ref().map(|test| test.top1),
            seconds: self.clock.seconds(),
        })?;
        self.keep_lock(places)?;
        let history = &outcome.state.history;
        pictures::after(&places.images, shown, &predictions, &card.classes, history)?;
        Ok(test)
    }

    fn print(
        &self,
        places: &RunDirectories,
        outcome: &Outcome<Network, SingleLabel>,
        val: &Scores,
        test: Option<&Scores>,
    ) -> Result<()> {
        let seconds = self.clock.seconds();
        if self.invocation.json {
            return output::print_json(&Summary {
                run: &places.name,
                models: places.models.path(),
                images: &places.images,
                best_epoch: outcome.state.best_epoch,
                epochs: outcome.state.history.iter().map(Epoch::of).collect(),
                val,
                test,
                images_per_second: outcome.images_per_second,
                seconds,
                interrupted: outcome.end != End::Finished,
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
    epochs: Vec<Epoch>,
    val: &'a Scores,
    test: Option<&'a Scores>,
    images_per_second: f64,
    seconds: f64,
    interrupted: bool,
}

/// One epoch of it.
#[derive(Serialize)]
struct Epoch {
    #[serde(rename = "epoch")]
    number: usize,
    train_loss: f64,
    val_loss: f64,
    val_top1: f64,
    lr: f64,
}

impl Epoch {
    fn of(record: &EpochRecord) -> Self {
        let EpochRecord { epoch: number, train_loss, val_loss, val_score: val_top1, lr } = *record;
        Self { number, train_loss, val_loss, val_top1, lr }
    }
}

fn interrupted(outcome: &Outcome<Network, SingleLabel>, places: &RunDirectories) -> Error {
    let state = &outcome.state;
    let after = match state.history.len() {
        0 => format!("step {}", thousands(state.step as u64)),
        epochs => plural(epochs, "complete epoch", "complete epochs"),
    };
    let saved = places.models.checkpoint_file();
    let signal = if let End::Signal(signal) = outcome.end { signal } else { 2 };
    Error::interrupted(signal, format!("interrupted after {after}"))
        .cause(format!("everything is saved in `{}`", saved.display()))
        .hint(format!("go on with `tinderbox train --resume {}`", places.name))
}
