//! What can happen.

use serde::Serialize;

use crate::base::units::{duration, percent, thousands};

/// One thing that happened. Field names are stable: they are the keys of `events.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The loop starts.
    RunStarted {
        /// The run's name.
        run: String,
        /// The data set's name.
        dataset: String,
        /// The network's name.
        model: String,
        /// The device's name.
        device: String,
        /// Steps in the whole training.
        steps: usize,
        /// Images in the training, validation and test split.
        images: [usize; 3],
    },
    /// An epoch and its validation are complete.
    EpochFinished {
        /// Epochs complete.
        epoch: usize,
        /// Epochs planned.
        epochs: usize,
        /// Steps complete.
        step: usize,
        /// Mean loss of the epoch's steps.
        train_loss: f64,
        /// Loss on validation.
        val_loss: f64,
        /// Top-1 on validation.
        val_top1: f64,
        /// The learning rate of the epoch's last step.
        lr: f64,
        /// Training images in a second.
        images_per_second: f64,
        /// Seconds of the epoch, validation included.
        seconds: f64,
        /// Whether it is the best so far.
        best: bool,
    },
    /// A sample did not decode and was replaced by the next of its class.
    SampleQuarantined {
        /// The split it belongs to.
        split: &'static str,
        /// Its path below the data set's folder.
        path: String,
        /// Why it did not decode.
        reason: String,
    },
    /// No better validation for as many epochs as `--patience` allows.
    StoppedEarly {
        /// Epochs complete.
        epoch: usize,
        /// The best epoch.
        best_epoch: usize,
    },
    /// The training goes on from a checkpoint; events of later steps are void.
    Resumed {
        /// Steps complete.
        step: usize,
        /// Epochs complete.
        epoch: usize,
        /// The settings that are other than before.
        changes: Vec<String>,
    },
    /// The loss is not finite, or far too high.
    Diverged {
        /// The step.
        step: usize,
        /// Its learning rate.
        lr: f64,
        /// What is wrong with the loss.
        reason: String,
        /// The step to which the training went back, with half the learning rate; null where it
        /// stopped.
        back_to: Option<usize>,
    },
    /// A signal ended the training.
    Interrupted {
        /// The signal's number.
        signal: u8,
        /// Steps complete.
        step: usize,
    },
    /// Everything is done.
    RunFinished {
        /// The best epoch.
        best_epoch: usize,
        /// Its top-1 on validation.
        val_top1: f64,
        /// Top-1 on test, where there is such a split.
        test_top1: Option<f64>,
        /// Seconds from start to end.
        seconds: f64,
    },
}

impl Event {
    /// The line for people, where there is something to say.
    #[must_use]
    pub fn line(&self) -> Option<String> {
        match self {
            Self::EpochFinished {
                epoch,
                epochs,
                train_loss,
                val_loss,
                val_top1,
                lr,
                images_per_second,
                seconds,
                best,
                ..
            } => Some(format!(
                "epoch {epoch:>width$}/{epochs}  train {train_loss:.3}  val {val_loss:.3}  top-1 {:>5}  lr {lr:.4}  {} images/s  {}{}",
                percent(*val_top1),
                thousands(images_per_second.round() as u64),
                duration(*seconds),
                if *best { "  best so far" } else { "" },
                width = epochs.to_string().len(),
            )),
            Self::SampleQuarantined { split, path, reason } => {
                Some(format!("warning: skipped `{path}` ({split}): {reason}"))
            }
            Self::StoppedEarly { epoch, best_epoch } => Some(format!(
                "stopped after epoch {epoch}: no better validation since epoch {best_epoch}"
            )),
            Self::Diverged { step, reason, back_to: Some(to), .. } => Some(format!(
                "warning: {reason} at step {}: back to step {} with half the learning rate",
                thousands(*step as u64),
                thousands(*to as u64)
            )),
            Self::RunStarted { .. }
            | Self::RunFinished { .. }
            | Self::Resumed { .. }
            | Self::Interrupted { .. }
            | Self::Diverged { back_to: None, .. } => None,
        }
    }
}
