//! The loop. It is read from top to bottom: next batch, learning rate, step, event, checkpoint.

use burn::tensor::Device;
use serde_json::{Value, json};

use super::bad::BadWatch;
use super::checkpoint::RunFolder;
use super::loss::Targets;
use super::meter::Meter;
use super::state::State;
use super::step::{StepInput, step};
use crate::base::signals::Signals;
use crate::base::{Error, Result};
use crate::config::Plan;
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
    /// Signals that end the training in good order.
    pub signals: Signals,
}

/// What a training left.
#[derive(Clone, Debug)]
pub struct Outcome<M> {
    /// The best model, without autodiff; none when no epoch was complete.
    pub best: Option<(M, Scores)>,
    /// Counters and history.
    pub state: State,
    /// The signal that ended it before its time.
    pub interrupted: Option<u8>,
    /// Training images in a second: the median of the epochs.
    pub images_per_second: f64,
    /// The samples that did not decode so far.
    pub bad: BadWatch,
}

/// Trains `model`, whose weights lie on the job's device.
///
/// # Errors
/// If the loss is not finite, too many images are bad, a file cannot be written or the device
/// fails. The files of the last complete epoch stay.
pub fn train<M: Classifier>(model: M, job: &Job, out: &mut Reporter) -> Result<Outcome<M>> {
    let Job { plan, device, .. } = job;
    let train_device = device.clone().autodiff();
    let targets = Targets {
        smoothing: plan.settings.label_smoothing,
        class_weights: plan.class_weights.clone(),
    };
    let mut model = model.train();
    let mut optimizer = Optimizer::new(&plan.settings);
    let mut state = State::default();
    let (mut best, mut best_scores, mut interrupted) = (None, Value::Null, None);
    let images = job.train.samples.len() + job.val.samples.len();
    let mut bad = BadWatch::new(plan.settings.max_bad, images);
    let mut loader = Loader::start(&job.train, 0, plan.total_steps(), plan.loader_threads)?;
    let mut meter = Meter::start(plan);

    'training: for epoch in 0..plan.settings.epochs {
        meter.start_epoch();
        for _ in 0..plan.steps_per_epoch {
            let Some(batch) = loader.next().transpose()? else { break 'training };
            bad.see(Split::Train, batch.bad, out)?;
            let rate = learning_rate(plan, state.step);
            let pass = Pass::training(plan.settings.seed, state.step);
            let (images, labels) = (batch.images, batch.labels.as_slice());
            let input = plan.preprocessing.input();
            let device = &train_device;
            let input = StepInput { images, input, labels, targets: &targets, rate, device };
            let loss;
            (model, loss) = step(model, &mut optimizer, input, &pass)?;
            if !loss.is_finite() {
                return Err(diverged(job, &state, rate, loss, out)?);
            }
            state.step += 1;
            out.progress(&meter.step(epoch, labels.len(), loss, rate));
            interrupted = job.signals.pending();
            if let Some(signal) = interrupted {
                out.event(&Event::Interrupted { signal, step: state.step })?;
                break 'training;
            }
        }

        let candidate = model.valid();
        let (answers, replaced) = answer_split(&candidate, &job.val, plan.loader_threads, device)?;
        bad.see(Split::Val, replaced, out)?;
        let val = scores(&answers, &plan.classes);
        if !val.loss.is_finite() {
            return Err(diverged(job, &state, learning_rate(plan, state.step - 1), val.loss, out)?);
        }
        let record = meter.finish_epoch(epoch, &val);
        let is_best = state.add(record.clone());
        if let Some(folder) = &job.folder {
            if is_best {
                best_scores = json!({ "epoch": epoch + 1, "val": val });
                folder.save_model(&candidate, plan, best_scores.clone())?;
            }
            folder.save_checkpoint((&model, &optimizer, &state), plan, &best_scores)?;
        }
        if is_best {
            best = Some((candidate, val));
        }
        out.event(&meter.event(&record, state.step, is_best))?;
        if state.is_exhausted(plan.settings.patience) {
            let best_epoch = state.best_epoch;
            out.event(&Event::StoppedEarly { epoch: epoch + 1, best_epoch })?;
            break;
        }
    }
    Ok(Outcome { best, state, interrupted, images_per_second: meter.median(), bad })
}

fn diverged(job: &Job, state: &State, lr: f64, loss: f64, out: &mut Reporter) -> Result<Error> {
    out.event(&Event::Diverged { step: state.step + 1, lr, loss: loss.to_string() })?;
    let kept = match (&job.folder, state.history.len()) {
        (Some(folder), epochs @ 1..) => {
            format!("the state after epoch {epochs} is in `{}`", folder.checkpoint_file().display())
        }
        _ => "no epoch was complete, so nothing is saved".to_owned(),
    };
    Ok(Error::failed(format!("the loss is {loss} at step {}", state.step + 1))
        .cause(format!("the training diverged at a learning rate of {lr:.2e}; {kept}"))
        .hint(format!("try `--lr {:.1e}`, a longer `--warmup` or `--clip 1`", lr / 10.0)))
}
