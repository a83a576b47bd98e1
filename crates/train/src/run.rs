//! The loop. It is read from top to bottom: next batch, learning rate, step, checkpoint, validation.

use std::collections::BTreeSet;

use tinderbox_base::{Error, Event, Events, Result};
use tinderbox_data::Split;
use tinderbox_nn::Model;

use crate::audit::audit;
use crate::bad::BadWatch;
use crate::checkpoint::CheckpointWriter;
use crate::divergence::divergence;
use crate::job::{End, Job, Outcome};
use crate::meter::Meter;
use crate::predictions::predict_split;
use crate::snapshot::Saved;
use crate::state::{Bad, State};
use crate::step::{StepAt, step};
use crate::task::Task;
use crate::training::Training;

/// Trains `model`, whose weights lie on the job's device, to the end of the schedule: from its start, or
/// `from` a checkpoint, which is dropped when it is restored.
///
/// # Errors
/// If the training diverges, too many images are bad, a file cannot be written or the device
/// fails. The last checkpoint stays.
pub fn train<M: Model, T: Task>(
    model: M,
    from: Option<Saved>,
    job: &Job<T>,
    events: &mut impl Events,
) -> Result<Outcome<M, T>> {
    let Job { task, splits, learning, context, .. } = job;
    let (schedule, micro_batch, seed) = (&learning.schedule, learning.micro_batch, learning.seed);
    let bad = BadWatch::new(splits.max_bad, splits.train.samples.len() + splits.val.samples.len());
    let is_saved = from.is_some();
    let mut run = Training::start(model, from, job)?;
    let first = run.state.step;
    let decides = task.verdict(&task.scores(&[])).name;
    let mut checkpoints = CheckpointWriter::new(job, decides, first, is_saved);
    let mut loader = run.loader(job)?;
    let mut meter = Meter::start(schedule, decides, first);
    let stop = |state: &State| match job.keeping.signals.pending() {
        Some(signal) => Some(End::Signal(signal)),
        None => job.keeping.stop_after.filter(|&last| state.step >= last).map(|_| End::AsAsked),
    };
    let mut end = stop(&run.state);
    // What the data or the device failed with: the last complete step is saved before it ends all.
    let mut failed: Option<Error> = None;

    'training: while end.is_none() && run.state.goes_on(learning) {
        meter.start_epoch();
        while run.state.is_within_epoch(schedule) {
            let mut batch = match loader.wait(|seconds| waits(seconds, job, events)) {
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
            let unread = std::mem::take(&mut batch.bad);
            failed = bad.see(Split::Train, unread, &mut run.state.bad, events).err();
            if failed.is_some() {
                break 'training;
            }
            let rate = run.rate(schedule, run.state.step);
            let at = StepAt { seed, step: run.state.step, micro_batch, rate };
            if is_audited(job, run.state.step, first) {
                audit(&run.model, &batch, task, context, at)?;
            }
            let images = batch.labels.len();
            let loss;
            (run.model, loss) = step(run.model, batch, task, context, &mut run.optimizer, at)?;
            run.state.add_step(images, loss);
            if let Some(why) = divergence(schedule, task.guessing_loss(), &run.state, loss) {
                run = run.recover(schedule, why, &checkpoints.kept(events)?, events)?;
                loader = run.loader(job)?;
                continue 'training;
            }
            events.progress(&meter.step(&run.state, images));
            end = stop(&run.state);
            if end.is_some() {
                break 'training;
            }
            checkpoints.maybe_save(run.state.step, false, || run.snapshot(), events)?;
        }

        let candidate = run.model.valid();
        let scores = match validate(&candidate, job, bad, &mut run.state.bad, events) {
            Ok(Some(scores)) => scores,
            Ok(None) => {
                end = stop(&run.state);
                break;
            }
            Err(error) => {
                failed = Some(error);
                break;
            }
        };
        let loss = task.verdict(&scores).loss;
        if !loss.is_finite() {
            let why = format!("the loss is {loss} on validation");
            run = run.recover(schedule, why, &checkpoints.kept(events)?, events)?;
            loader = run.loader(job)?;
            continue;
        }
        let is_best = run.add_epoch(&scores, candidate, job)?;
        meter.event(&run.state, is_best).map_or(Ok(()), |event| events.event(&event))?;
        checkpoints.maybe_save(run.state.step, true, || run.snapshot(), events)?;
    }
    checkpoints.finish(&run.snapshot(), events)?;
    failed.map_or(Ok(()), Err)?;
    let end = end.unwrap_or(End::Finished);
    if let End::Signal(signal) = end {
        events.event(&Event::Interrupted { signal, step: run.state.step })?;
    } else if end == End::Finished && run.state.history.len() < schedule.epochs {
        let (epoch, best_epoch) = (run.state.history.len(), run.state.best_epoch);
        events.event(&Event::StoppedEarly { epoch, best_epoch })?;
    }
    let best = run.best.zip(run.state.best_scores::<T>()?);
    Ok(Outcome { best, state: run.state, end, images_per_second: meter.median() })
}

/// The figures of a model on validation; none where a signal came.
fn validate<M: Model, T: Task>(
    model: &M,
    job: &Job<T>,
    bad: BadWatch,
    seen: &mut BTreeSet<Bad>,
    events: &mut impl Events,
) -> Result<Option<T::Scores>> {
    let Job { task, splits, context, .. } = job;
    let goes_on = |seconds| waits(seconds, job, events);
    let found = predict_split(model, task, &splits.val, splits.threads, context, goes_on)?;
    let Some((predictions, replaced)) = found else { return Ok(None) };
    bad.see(Split::Val, replaced, seen, events)?;
    Ok(Some(task.scores(&predictions)))
}

/// Whether to wait for images any longer after so many seconds.
fn waits<T>(seconds: u64, job: &Job<T>, events: &mut impl Events) -> bool {
    events.late(seconds);
    job.keeping.signals.pending().is_none()
}

/// Whether a step is compared with the CPU's: the `first` of this process, and every so many.
fn is_audited<T>(job: &Job<T>, step: usize, first: usize) -> bool {
    step == first || (job.audit_every > 0 && step.is_multiple_of(job.audit_every))
}
