//! What can happen in a training, and who is told of it.

use serde::{Serialize, Serializer};

use crate::Result;

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
        /// The deciding score on validation: `val_top1`.
        #[serde(flatten, serialize_with = "score_as_key")]
        val_score: Score,
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

/// A score with its name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The name in files: `top1`.
    pub name: &'static str,
    /// The value.
    pub value: f64,
}

/// As one key: `val_top1`.
fn score_as_key<S: Serializer>(score: &Score, to: S) -> std::result::Result<S::Ok, S::Error> {
    to.collect_map([(format!("val_{}", score.name), score.value)])
}

/// Where the training is within an epoch.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Epochs complete.
    pub epoch: usize,
    /// Epochs planned.
    pub epochs: usize,
    /// Steps complete in this epoch.
    pub step: usize,
    /// Steps in an epoch.
    pub steps: usize,
    /// Mean loss of the epoch so far.
    pub loss: f64,
    /// The deciding score on validation after the epoch before.
    pub val_score: Option<Score>,
    /// Training images in a second.
    pub images_per_second: f64,
    /// Seconds to the end, at this speed.
    pub seconds_left: f64,
}

/// Who is told what happens in a training.
pub trait Events {
    /// Something happened.
    ///
    /// # Errors
    /// If it cannot be written down.
    fn event(&mut self, event: &Event) -> Result<()>;

    /// The training went on by a step.
    fn progress(&mut self, at: &Progress);

    /// A line for people.
    fn say(&mut self, line: &str);

    /// Nothing has come from the data set for this many seconds.
    fn late(&mut self, seconds: u64);
}

/// Nobody is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Events for Silent {
    fn event(&mut self, _: &Event) -> Result<()> {
        Ok(())
    }

    fn progress(&mut self, _: &Progress) {}

    fn say(&mut self, _: &str) {}

    fn late(&mut self, _: u64) {}
}
