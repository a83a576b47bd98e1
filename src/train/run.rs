//! The loop. It is read from top to bottom: next batch, learning rate, step, checkpoint, validation.

use std::collections::BTreeSet;
use std::time::Duration;

use burn::tensor::Device;

use super::audit::audit;
use super::bad::BadWatch;
use super::checkpoint::{Keeper, Rescue, RunFolder};
use super::divergence::{MOST_ROLLBACKS, ROLLBACK_RATE, divergence};
use super::loss::Targets;
use super::meter::Meter;
use super::snapshot::{Point, Saved, Snapshot};
use super::state::{Bad, State};
use super::step::{StepInput, step};
use crate::base::signals::Signals;
use crate::base::{Error, Result};
use crate::config::{OnDivergence, Plan};
use crate::data::{Loader, Split, Work};
use crate::eval::{Scores, answer_split, scores};
use crate::events::{Event, Reporter};
use crate::model::{Classifier, Pass};
use crate::optim::{Optimizer, learning_rate};

/// What a training works on and where it leaves its files.
#[derive(Clone, Debug)]
pub struct Job {
    /// The frozen plan.
    pub plan: Plan,
    /// The training split.
    pub train: Work,
    /// The validation split.
    pub val: Work,
    /// The device, without autodiff.
    pub device: Device,
    /// Where the model and the checkpoint go; nowhere, where a caller only wants the model.
    pub folder: Option<RunFolder>,
    /// How long a file that cannot be written is tried again.
    pub patience: Duration,
    /// Signals that end the training in good order.
    pub signals: Signals,
    /// What saves the last complete step where one does not end after a signal.
    pub rescue: Rescue,
}

impl Job {
    /// A new training that leaves no files and hears no signals.
    #[must_use]
    pub fn new(plan: Plan, train: Work, val: Work, device: Device) -> Self {
        Self {
            plan,
            train,
            val,
            device,
            folder: None,
            patience: Duration::ZERO,
            signals: Signals::default(),
            rescue: Rescue::default(),
        }
    }
}

/// Why a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is complete, or its patience is.
    Finished,
    /// A signal came.
    Signal(u8),
    /// It was to stop after this step.
    AsAsked,
}

/// What a training left.
#[derive(Clone, Debug)]
pub struct Outcome<M> {
    /// The best model, without autodiff; none when no epoch was complete.
    pub best: Option<(M, Scores)>,
    /// Counters and history.
    pub state: State,
    /// Why it ended.
    pub end: End,
    /// Training images in a second: the median of the epochs.
    pub images_per_second: f64,
}

/// Trains `model`, whose weights lie on the job's device, to the end of the plan: from its start, or
/// `from` a checkpoint, which is dropped when it is restored.
///
/// # Errors
/// If the training diverges, too many images are bad, a file cannot be written or the device
/// fails. The last checkpoint stays.
pub fn train<M: Classifier>(
    model: M,
    from: Option<Saved>,
    job: &Job,
    out: &mut Reporter,
) -> Result<Outcome<M>> {
    let Job { plan, device, .. } = job;
    let targets = Targets {
        smoothing: plan.settings.label_smoothing,
        class_weights: plan.class_weights.clone(),
    };
    let input = plan.preprocessing.input();
    let autodiff = device.clone().autodiff();
    let bad = BadWatch::new(plan.settings.max_bad, job.train.samples.len() + job.val.samples.len());
    let is_saved = from.is_some();
    let mut run = Run::start(model, from, job)?;
    let first = run.state.step;
    let mut keeper = Keeper::new(job, first, is_saved);
    let mut loader = run.loader(job)?;
    let mut meter = Meter::start(plan, first);
    let stop = |state: &State| match job.signals.pending() {
        Some(signal) => Some(End::Signal(signal)),
        None => plan.settings.stop_after.filter(|&last| state.step >= last).map(|_| End::AsAsked),
    };
    let mut end = stop(&run.state);
    // What the data or the device failed with: the last complete step is saved before it ends all.
    let mut failed: Option<Error> = None;

    'training: while end.is_none() && run.state.goes_on(plan) {
        meter.start_epoch();
        while run.state.is_within_epoch(plan) {
            let batch = match loader.wait(|seconds| waits(seconds, job, out)) {
                Some(Ok(batch)) => batch,
                Some(Err(error)) => {
                    failed = Some(error);
                    break 'training;
                }
                None => {
                    end = stop(&run.state);
                    break 'training;
                }
            };
            failed = bad.see(Split::Train, batch.bad, &mut run.state.bad, out).err();
            if failed.is_some() {
                break 'training;
            }
            let rate = run.rate(plan);
            let pass = Pass::training(plan.settings.seed, run.state.step);
            let (images, labels, targets) = (batch.images, batch.labels.as_slice(), &targets);
            let (own, micro_batch, device) = (batch.own, plan.micro_batch, &autodiff);
            let input =
                StepInput { images, input, labels, own, targets, micro_batch, rate, device };
            if is_audited(plan, run.state.step, first) {
                audit(&run.model, &input, &pass, &job.device)?;
            }
            let loss;
            (run.model, loss) = step(run.model, &mut run.optimizer, input, &pass)?;
            run.state.add_step(labels.len(), loss);
            if let Some(why) = divergence(plan, &run.state, loss) {
                run = run.recover(job, why, &keeper.kept(out)?, out)?;
                loader = run.loader(job)?;
                continue 'training;
            }
            out.progress(&meter.step(&run.state, labels.len()));
            end = stop(&run.state);
            if end.is_some() {
                break 'training;
            }
            keeper.tend(run.state.step, false, || run.snapshot(), out)?;
        }

        let candidate = run.model.valid();
        let val = match validate(&candidate, job, bad, &mut run.state.bad, out) {
            Ok(Some(val)) => val,
            Ok(None) => {
                end = stop(&run.state);
                break;
            }
            Err(error) => {
                failed = Some(error);
                break;
            }
        };
        if !val.loss.is_finite() {
            let why = format!("the loss is {} on validation", val.loss);
            run = run.recover(job, why, &keeper.kept(out)?, out)?;
            loader = run.loader(job)?;
            continue;
        }
        let is_best = run.add_epoch(&val, candidate, plan);
        meter.event(&run.state, is_best).map_or(Ok(()), |event| out.event(&event))?;
        keeper.tend(run.state.step, true, || run.snapshot(), out)?;
    }
    keeper.finish(&run.snapshot(), out)?;
    if let Some(error) = failed {
        return Err(error);
    }
    let end = end.unwrap_or(End::Finished);
    if let End::Signal(signal) = end {
        out.event(&Event::Interrupted { signal, step: run.state.step })?;
    } else if end == End::Finished && run.state.history.len() < plan.settings.epochs {
        let (epoch, best_epoch) = (run.state.history.len(), run.state.best_epoch);
        out.event(&Event::StoppedEarly { epoch, best_epoch })?;
    }
    let best = run.best.zip(run.state.best_scores.clone());
    Ok(Outcome { best, state: run.state, end, images_per_second: meter.median() })
}

/// The scores of a model on validation; none where a signal came.
fn validate<M: Classifier>(
    model: &M,
    job: &Job,
    bad: BadWatch,
    seen: &mut BTreeSet<Bad>,
    out: &mut Reporter,
) -> Result<Option<Scores>> {
    let goes_on = |seconds| waits(seconds, job, out);
    let answers = answer_split(model, &job.val, job.plan.loader_threads, &job.device, goes_on)?;
    let Some((answers, replaced)) = answers else { return Ok(None) };
    bad.see(Split::Val, replaced, seen, out)?;
    Ok(Some(scores(&answers, &job.plan.classes)))
}

/// Whether to wait for images any longer after so many seconds.
fn waits(seconds: u64, job: &Job, out: &mut Reporter) -> bool {
    out.late(seconds);
    job.signals.pending().is_none()
}

/// A training under way.
struct Run<M> {
    /// With autodiff.
    model: M,
    optimizer: Optimizer,
    state: State,
    best: Option<M>,
    good: Option<Point<M>>,
}

impl<M: Classifier> Run<M> {
    /// A new training of `model`, or the one in a checkpoint.
    fn start(model: M, from: Option<Saved>, job: &Job) -> Result<Self> {
        let Snapshot { now, best, good } = if let Some(saved) = from {
            let restored = saved.restore(&model, &job.plan, &job.device);
            restored.map_err(|error| match &job.folder {
                Some(folder) => folder.unusable(error),
                None => error,
            })?
        } else {
            let optimizer = Optimizer::new(&job.plan.settings);
            let now = Point { model, optimizer, state: State::default() };
            Snapshot { now, best: None, good: None }
        };
        let wants_good = job.plan.settings.on_nan == OnDivergence::Rollback;
        let good = good.or_else(|| Some(now.clone())).filter(|_| wants_good);
        let Point { model, optimizer, state } = now;
        Ok(Self { model: model.train(), optimizer, state, best, good })
    }

    fn loader(&self, job: &Job) -> Result<Loader> {
        let last = job.plan.total_steps();
        let first = self.state.step.min(last); // a finished run may have had more epochs
        Loader::start(&job.train, first, last, job.plan.loader_threads)
    }

    /// The learning rate of the next step.
    fn rate(&self, plan: &Plan) -> f64 {
        self.state.rate_scale * learning_rate(plan, self.state.step)
    }

    /// The training at rest: its running statistics are settled, and no later step changes it.
    fn point(&self) -> Point<M> {
        let Self { model, optimizer, state, .. } = self;
        Point { model: model.valid(), optimizer: optimizer.clone(), state: state.clone() }
    }

    fn snapshot(&self) -> Snapshot<M> {
        Snapshot { now: self.point(), best: self.best.clone(), good: self.good.clone() }
    }

    /// Ends an epoch whose model, `candidate`, has the scores `val`; whether it is the best.
    fn add_epoch(&mut self, val: &Scores, candidate: M, plan: &Plan) -> bool {
        let rate = self.state.rate_scale * learning_rate(plan, self.state.step - 1);
        let is_best = self.state.add_epoch(val, rate);
        if is_best {
            self.best = Some(candidate);
        }
        if self.good.is_some() {
            self.good = Some(self.point());
        }
        is_best
    }

    /// The training at the end of the last good epoch, with a lower learning rate; or an error.
    fn recover(self, job: &Job, why: String, kept: &str, out: &mut Reporter) -> Result<Self> {
        let Self { state, best, good, .. } = self;
        let lr = state.rate_scale * learning_rate(&job.plan, state.step.saturating_sub(1));
        let mut report = |to: Option<usize>| {
            out.event(&Event::Diverged { step: state.step, lr, reason: why.clone(), back_to: to })
        };
        let Some(mut point) = good.filter(|_| state.rollbacks < MOST_ROLLBACKS) else {
            report(None)?;
            return Err(diverged(&state, &why, lr, kept));
        };
        report(Some(point.state.step))?;
        point.state.rate_scale = state.rate_scale * ROLLBACK_RATE;
        point.state.rollbacks = state.rollbacks + 1;
        point.state.bad = state.bad;
        let good = Some(point.clone());
        let Point { model, optimizer, state } = point;
        Ok(Self { model: model.train(), optimizer, state, best, good })
    }
}

fn diverged(state: &State, why: &str, lr: f64, kept: &str) -> Error {
    let cause = format!("the training diverged at a learning rate of {lr:.2e}");
    let cause = match state.rollbacks {
        0 => format!("{cause}; {kept}"),
        times => format!("{cause}, after going back {times} times; {kept}"),
    };
    Error::failed(format!("{why} at step {}", state.step)).cause(cause).hint(format!(
        "try `--lr {:.1e}`, a longer `--warmup`, `--clip 1` or `--on-nan rollback`",
        lr / 10.0
    ))
}

/// Whether a step is compared with the CPU's: the `first` of this process, and every so many.
fn is_audited(plan: &Plan, step: usize, first: usize) -> bool {
    let every = plan.settings.audit_every;
    step == first || (every > 0 && step.is_multiple_of(every))
}
