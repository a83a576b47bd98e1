//! The loop. It is read from top to bottom: next batch, learning rate, step, checkpoint, validation.

use std::collections::BTreeSet;

use crate::Plan;
use crate::audit::audit;
use crate::bad::BadWatch;
use crate::checkpoint::Keeper;
use crate::divergence::divergence;
use crate::job::{End, Job, Outcome};
use crate::loss::Targets;
use crate::meter::Meter;
use crate::snapshot::Saved;
use crate::state::{Bad, State};
use crate::step::{StepInput, step};
use crate::training::Training;
use crate::{Scores, answer_split, scores};
use tinderbox_base::Event;
use tinderbox_base::Events;
use tinderbox_base::{Error, Result};
use tinderbox_data::Split;
use tinderbox_nn::{Classifier, Pass};

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
    out: &mut impl Events,
) -> Result<Outcome<M>> {
    let Job { plan, device, .. } = job;
    let targets = Targets {
        smoothing: plan.settings.task.label_smoothing,
        class_weights: plan.class_weights.clone(),
    };
    let input = plan.preprocessing.input();
    let autodiff = device.clone().autodiff();
    let bad =
        BadWatch::new(plan.settings.data.max_bad, job.train.samples.len() + job.val.samples.len());
    let is_saved = from.is_some();
    let mut run = Training::start(model, from, job)?;
    let first = run.state.step;
    let mut keeper = Keeper::new(job, first, is_saved);
    let mut loader = run.loader(job)?;
    let mut meter = Meter::start(plan, first);
    let stop = |state: &State| match job.signals.pending() {
        Some(signal) => Some(End::Signal(signal)),
        None => {
            plan.settings.run.stop_after.filter(|&last| state.step >= last).map(|_| End::AsAsked)
        }
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
            let pass = Pass::training(plan.settings.train.seed, run.state.step);
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
    } else if end == End::Finished && run.state.history.len() < plan.settings.train.epochs {
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
    out: &mut impl Events,
) -> Result<Option<Scores>> {
    let goes_on = |seconds| waits(seconds, job, out);
    let answers = answer_split(model, &job.val, job.plan.loader_threads, &job.device, goes_on)?;
    let Some((answers, replaced)) = answers else { return Ok(None) };
    bad.see(Split::Val, replaced, seen, out)?;
    Ok(Some(scores(&answers, &job.plan.classes)))
}

/// Whether to wait for images any longer after so many seconds.
fn waits(seconds: u64, job: &Job, out: &mut impl Events) -> bool {
    out.late(seconds);
    job.signals.pending().is_none()
}

/// Whether a step is compared with the CPU's: the `first` of this process, and every so many.
fn is_audited(plan: &Plan, step: usize, first: usize) -> bool {
    let every = plan.settings.run.audit_every;
    step == first || (every > 0 && step.is_multiple_of(every))
}
