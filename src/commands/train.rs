//! `tinderbox train`

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::plan::{evaluation_work, open_split, plan, training_work};
use super::resume;
use super::resume::Resumed;
use super::run_directory::{Places, claim};
use super::watch::Watch;
use super::{Context, choose, output, pictures};
use crate::doctor;
use crate::settings::{Resolved, resolve};
use crate::terminal::Reporter;
use tinderbox_base::env::Stopwatch;
use tinderbox_base::files;
use tinderbox_base::settings::Given;
use tinderbox_base::units::{bytes, duration, percent, plural, thousands};
use tinderbox_base::{Error, Result};
use tinderbox_base::{Event, Events};
use tinderbox_data::{Dataset, Lock, Samples, Split, Work, is_there};
use tinderbox_nn::threads::with_threads;
use tinderbox_nn::{Network, check, spec};
use tinderbox_nn::{device, memory};
use tinderbox_train::Plan;
use tinderbox_train::{BadWatch, End, EpochRecord, Job, Outcome, train};
use tinderbox_train::{Scores, answer_split, scores};

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
    /// The settings, for a `verb` that trains no run.
    ///
    /// # Errors
    /// If it names a run to go on, or a setting cannot be used.
    pub(super) fn settings(self, verb: &str) -> Result<Resolved> {
        if self.resume.is_some() {
            return Err(Error::usage(format!("`{verb}` has no use for `--resume`"))
                .hint("give a data set and settings, as to `train`"));
        }
        resolve(self.config.as_deref(), self.given)
    }
}

/// How long a file that cannot be written is tried again.
const PATIENCE: Duration = Duration::from_mins(5);
/// Seconds after a signal that the pictures may take. `docker stop` waits 10 in all.
const LAST_PICTURES: f64 = 2.0;

/// Trains a model and leaves its files and pictures.
///
/// # Errors
/// If a setting, the data, a device or a folder cannot be used, or the training fails.
pub fn run(context: &Context, request: Request) -> Result<()> {
    let clock = Stopwatch::start();
    let (resolved, resumed) = match &request.resume {
        Some(run) => {
            let (resolved, resumed) = resume::open(run, request.given, &context.folders)?;
            (resolved, Some(resumed))
        }
        None => (resolve(request.config.as_deref(), request.given)?, None),
    };
    let threads = resolved.settings.run.compute_threads();
    let chosen = choose(&resolved.settings.run.device, resolved.settings.run.kernels)?;
    let watch = Watch::default();
    let (context, seen) = (context.clone(), watch.clone());
    let work = move || {
        with_threads(threads, || {
            Session::start(&context, resolved, resumed, chosen, clock)?.run(&seen)
        })?
    };
    watch.over(work)
}

/// A training from its first to its last file.
pub struct Session<'a> {
    context: &'a Context,
    pub(super) resolved: Resolved,
    pub(super) resumed: Option<Resumed>,
    pub(super) device: device::Chosen,
    clock: Stopwatch,
    pub(super) dataset: Dataset,
    pub(super) lock: Lock,
    pub(super) samples: [Arc<Samples>; 3],
    /// What there is to say about the data.
    pub(super) notes: Vec<String>,
    pub(super) plan: Plan,
    pub(super) train: Work,
    pub(super) val: Work,
    pub(super) test: Work,
}

impl<'a> Session<'a> {
    fn start(
        context: &'a Context,
        resolved: Resolved,
        resumed: Option<Resumed>,
        device: device::Chosen,
        clock: Stopwatch,
    ) -> Result<Self> {
        let folders = &context.folders;
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
        let (plan, samples) = plan(&resolved, &dataset, &lock, &device, &folders.models)?;
        let train = training_work(&plan, &samples[0]);
        let [val, test] = [1, 2].map(|i| evaluation_work(&samples[i], &plan.preprocessing));
        Ok(Self {
            context,
            resolved,
            resumed,
            device,
            clock,
            dataset,
            lock,
            samples,
            notes,
            plan,
            train,
            val,
            test,
        })
    }

    fn run(mut self, watch: &Watch) -> Result<()> {
        let Plan { model, preprocessing, classes, settings, .. } = &self.plan;
        let spec = spec(model, preprocessing.input(), classes.len())?;
        let shapes = check(&spec)?;
        let on_cpu = self.device.name == "cpu";
        let warning = on_cpu.then(|| doctor::memory_warning(&shapes, self.plan.micro_batch));
        let warning = warning.transpose()?.flatten();
        doctor::require_space(&self.context.folders.models, &shapes, &settings.train)?;
        let network = Network::new(&spec, settings.train.seed, &self.device.device)?;
        let mut out = Reporter::new(self.context.verbosity);
        let record = self.device_record();
        let images = self.train.samples.len();
        let change =
            self.resumed.as_mut().map(|run| run.fit(&self.plan, images, &record)).transpose()?;
        let places = match &self.resumed {
            Some(run) => Places::of(run.folder.clone(), &self.context.folders)?,
            None => {
                claim(&self.context.folders, &self.resolved, &self.dataset.name, &self.plan.model)?
            }
        };
        self.announce(&places, &shapes, (change.as_ref(), warning), &out);
        self.record(&places, record, change, &mut out)?;
        watch.signals.start()?;
        let job = Job {
            folder: Some(places.models.clone()),
            patience: PATIENCE,
            signals: watch.signals.clone(),
            rescue: watch.rescue.clone(),
            ..Job::new(
                self.plan.clone(),
                self.train.clone(),
                self.val.clone(),
                self.device.device.clone(),
            )
        };
        let from = self.resumed.as_mut().and_then(|run| run.saved.take());
        let outcome = train(network, from, &job, &mut out);
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

    fn print_stopped(&self, places: &Places, step: usize) -> Result<()> {
        let Places { name, models, images } = places;
        if self.context.json {
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
        places: &Places,
        model: &Network,
        val: &Scores,
        outcome: &Outcome<Network>,
        out: &mut Reporter,
    ) -> Result<Option<Scores>> {
        let tested = !self.test.samples.is_empty() && outcome.end == End::Finished;
        let (shown, split) =
            if tested { (&self.test, Split::Test) } else { (&self.val, Split::Val) };
        let (threads, device) = (self.plan.loader_threads, &self.device.device);
        let clock = Stopwatch::start();
        let goes_on = |seconds| {
            out.late(seconds);
            outcome.end == End::Finished || clock.seconds() <= LAST_PICTURES
        };
        let answers = answer_split(model, shown, threads, device, goes_on)?;
        let Some((answers, replaced)) = answers else { return Ok(None) };
        let images = self.train.samples.len() + self.val.samples.len();
        let images = images + if tested { shown.samples.len() } else { 0 };
        let bad = BadWatch::new(self.plan.settings.data.max_bad, images);
        bad.see(split, replaced, &mut outcome.state.bad.clone(), out)?;
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
        self.keep_lock(places)?;
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
    epochs: &'a [EpochRecord],
    val: &'a Scores,
    test: Option<&'a Scores>,
    images_per_second: f64,
    seconds: f64,
    interrupted: bool,
}

fn interrupted(outcome: &Outcome<Network>, places: &Places) -> Error {
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
