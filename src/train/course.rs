//! The loop: next batch, learning rate, step, checkpoint, validation.

use std::collections::BTreeSet;

use burn::tensor::Device;

use super::audit::audit;
use super::bad::BadWatch;
use super::checkpoint::Keeper;
use super::divergence::divergence;
use super::job::{End, Job, Outcome};
use super::loss::Targets;
use super::meter::Meter;
use super::run::Run;
use super::snapshot::Saved;
use super::state::{Bad, State};
use super::step::{StepInput, step};
use crate::base::{Error, Result};
use crate::config::Plan;
use crate::data::{Loader, Split};
use crate::eval::{Scores, answer_split, scores};
use crate::events::{Event, Reporter};
use crate::model::{Classifier, Pass};

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
    let is_saved = from.is_some();
    let mut run = Run::start(model, from, job)?;
    let mut course = Course::start(&run, is_saved, job)?;
    let mut ended = course.asked(&run.state).map(Ok);
    while ended.is_none() && run.state.goes_on(&job.plan) {
        let stop;
        (run, stop) = course.epoch(run, out)?;
        ended = match stop {
            None => None,
            Some(Stop::End(end)) => Some(Ok(end)),
            Some(Stop::Failed(error)) => Some(Err(error)),
            Some(Stop::Diverged(why)) => {
                run = run.recover(job, why, &course.keeper.kept(out)?, out)?;
                course.loader = run.loader(job)?;
                None
            }
        };
    }
    course.keeper.finish(&run.snapshot(), out)?;
    let end = ended.unwrap_or(Ok(End::Finished))?;
    if let End::Signal(signal) = end {
        out.event(&Event::Interrupted { signal, step: run.state.step })?;
    } else if end == End::Finished && run.state.history.len() < job.plan.settings.epochs {
        let (epoch, best_epoch) = (run.state.history.len(), run.state.best_epoch);
        out.event(&Event::StoppedEarly { epoch, best_epoch })?;
    }
    let best = run.best.zip(run.state.best_scores.clone());
    Ok(Outcome { best, state: run.state, end, images_per_second: course.meter.median() })
}

/// Why an epoch ended before it was complete.
enum Stop {
    /// A signal, or the last step that was asked for.
    End(End),
    /// The data or the device failed: the last complete step is saved before it ends all.
    Failed(Error),
    /// The loss left all bounds.
    Diverged(String),
}

/// What leads a training from step to step.
struct Course<'a, M> {
    job: &'a Job,
    targets: Targets,
    autodiff: Device,
    bad: BadWatch,
    /// The first step of this process.
    first: usize,
    keeper: Keeper<'a, M>,
    loader: Loader,
    meter: Meter,
}

impl<'a, M: Classifier> Course<'a, M> {
    fn start(run: &Run<M>, is_saved: bool, job: &'a Job) -> Result<Self> {
        let settings = &job.plan.settings;
        let images = job.train.samples.len() + job.val.samples.len();
        let first = run.state.step;
        Ok(Self {
            job,
            targets: Targets {
                smoothing: settings.label_smoothing,
                class_weights: job.plan.class_weights.clone(),
            },
            autodiff: job.device.clone().autodiff(),
            bad: BadWatch::new(settings.max_bad, images),
            first,
            keeper: Keeper::new(job, first, is_saved),
            loader: run.loader(job)?,
            meter: Meter::start(&job.plan, first),
        })
    }

    /// Whether the training was asked to end here.
    fn asked(&self, state: &State) -> Option<End> {
        match self.job.signals.pending() {
            Some(signal) => Some(End::Signal(signal)),
            None => {
                let last = self.job.plan.settings.stop_after;
                last.filter(|&last| state.step >= last).map(|_| End::AsAsked)
            }
        }
    }

    /// Why there were no images: whoever waited for them gave up.
    fn interrupted(&self, state: &State) -> Stop {
        Stop::End(self.asked(state).unwrap_or(End::Finished))
    }

    /// The steps that are left of an epoch, and its validation.
    fn epoch(&mut self, mut run: Run<M>, out: &mut Reporter) -> Result<(Run<M>, Option<Stop>)> {
        self.meter.start_epoch();
        while run.state.is_within_epoch(&self.job.plan) {
            let stop;
            (run, stop) = self.step(run, out)?;
            if stop.is_some() {
                return Ok((run, stop));
            }
        }
        let stop = self.validate(&mut run, out)?;
        Ok((run, stop))
    }

    fn step(&mut self, mut run: Run<M>, out: &mut Reporter) -> Result<(Run<M>, Option<Stop>)> {
        let (job, plan) = (self.job, &self.job.plan);
        let batch = match self.loader.wait(|seconds| waits(seconds, job, out)) {
            Some(Ok(batch)) => batch,
            Some(Err(error)) => return Ok((run, Some(Stop::Failed(error)))),
            None => {
                let stop = self.interrupted(&run.state);
                return Ok((run, Some(stop)));
            }
        };
        if let Err(error) = self.bad.see(Split::Train, batch.bad, &mut run.state.bad, out) {
            return Ok((run, Some(Stop::Failed(error))));
        }
        let input = StepInput {
            images: batch.images,
            input: plan.preprocessing.input(),
            labels: &batch.labels,
            own: batch.own,
            targets: &self.targets,
            micro_batch: plan.micro_batch,
            rate: run.rate(plan),
            device: &self.autodiff,
        };
        let pass = Pass::training(plan.settings.seed, run.state.step);
        if is_audited(plan, run.state.step, self.first) {
            audit(&run.model, &input, &pass, &job.device)?;
        }
        let loss;
        (run.model, loss) = step(run.model, &mut run.optimizer, input, &pass)?;
        run.state.add_step(batch.labels.len(), loss);
        if let Some(why) = divergence(plan, &run.state, loss) {
            return Ok((run, Some(Stop::Diverged(why))));
        }
        out.progress(&self.meter.step(&run.state, batch.labels.len()));
        let stop = self.asked(&run.state).map(Stop::End);
        if stop.is_none() {
            self.keeper.tend(run.state.step, false, || run.snapshot(), out)?;
        }
        Ok((run, stop))
    }

    /// Scores the model on validation, and ends the epoch.
    fn validate(&mut self, run: &mut Run<M>, out: &mut Reporter) -> Result<Option<Stop>> {
        let (job, plan) = (self.job, &self.job.plan);
        let candidate = run.model.valid();
        let val = match scores_on_val(&candidate, job, self.bad, &mut run.state.bad, out) {
            Ok(Some(val)) => val,
            Ok(None) => return Ok(Some(self.interrupted(&run.state))),
            Err(error) => return Ok(Some(Stop::Failed(error))),
        };
        if !val.loss.is_finite() {
            return Ok(Some(Stop::Diverged(format!("the loss is {} on validation", val.loss))));
        }
        let is_best = run.add_epoch(&val, candidate, plan);
        self.meter.event(&run.state, is_best).map_or(Ok(()), |event| out.event(&event))?;
        self.keeper.tend(run.state.step, true, || run.snapshot(), out)?;
        Ok(None)
    }
}

/// The scores of a model on validation; none where a signal came.
fn scores_on_val<M: Classifier>(
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

/// Whether a step is compared with the CPU's: the `first` of this process, and every so many.
fn is_audited(plan: &Plan, step: usize, first: usize) -> bool {
    let every = plan.settings.audit_every;
    step == first || (every > 0 && step.is_multiple_of(every))
}
