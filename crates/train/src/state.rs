//! All that a training knows beside its weights and the optimiser's moments.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tinderbox_base::{Error, Result};
use tinderbox_data::Split;

use crate::learning::Learning;
use crate::schedule::Schedule;
use crate::task::{Task, Verdict};

/// One complete epoch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EpochRecord {
    /// Epochs complete.
    pub epoch: usize,
    /// Mean loss of its steps.
    pub train_loss: f64,
    /// Loss on validation.
    pub val_loss: f64,
    /// The deciding score on validation.
    pub val_score: f64,
    /// The learning rate of its last step.
    pub lr: f64,
}

/// A sample that did not decode.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bad {
    /// The split it belongs to.
    pub split: Split,
    /// Its index in the split.
    pub index: u32,
    /// Its path below the data set's folder.
    pub path: String,
}

/// The counters and the history. The checkpoint holds it as TOML, whose numbers are read as exactly
/// the ones that were written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Steps complete.
    pub step: usize,
    /// Images of the epoch that is not complete.
    pub images: usize,
    /// The sum of their losses.
    pub loss: f64,
    /// What the schedule's learning rate is multiplied by: a half for each time the training
    /// diverged.
    pub rate_scale: f64,
    /// How often it went back because it diverged.
    pub rollbacks: usize,
    /// The number of the best epoch; 0 before the first.
    pub best_epoch: usize,
    /// The best epoch's figures on validation.
    pub best_scores: Option<toml::Table>,
    /// Every complete epoch.
    #[serde(with = "lines")]
    pub history: Vec<EpochRecord>,
    /// The samples that did not decode.
    pub bad: BTreeSet<Bad>,
}

/// Epochs as lines of numbers in one text: as a table of values, thousands of them would take
/// megabytes in every checkpoint's making.
mod lines {
    use std::fmt::Write;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::EpochRecord;

    pub fn serialize<S: Serializer>(epochs: &[EpochRecord], to: S) -> Result<S::Ok, S::Error> {
        let mut text = String::new();
        for EpochRecord { epoch, train_loss, val_loss, val_score, lr } in epochs {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "{epoch} {train_loss} {val_loss} {val_score} {lr}");
        }
        to.serialize_str(&text)
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Vec<EpochRecord>, D::Error> {
        let text = String::deserialize(from)?;
        let record = |line: &str| {
            let (epoch, rest) = line.split_once(' ')?;
            let numbers = rest.split(' ').map(str::parse).collect::<Result<Vec<f64>, _>>().ok()?;
            let [train_loss, val_loss, val_score, lr] = numbers[..] else { return None };
            Some(EpochRecord { epoch: epoch.parse().ok()?, train_loss, val_loss, val_score, lr })
        };
        let bad = |line: &str| D::Error::custom(format!("`{line}` is no epoch"));
        text.lines().map(|line| record(line).ok_or_else(|| bad(line))).collect()
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            step: 0,
            images: 0,
            loss: 0.0,
            rate_scale: 1.0,
            rollbacks: 0,
            best_epoch: 0,
            best_scores: None,
            history: Vec::new(),
            bad: BTreeSet::new(),
        }
    }
}

impl State {
    /// Checks that it does not contradict itself, or a schedule.
    ///
    /// # Errors
    /// If it does: the file was not written by this program.
    pub fn check(&self, schedule: &Schedule) -> Result<()> {
        let epochs = self.history.len();
        let begun =
            epochs.checked_mul(schedule.steps_per_epoch).and_then(|all| self.step.checked_sub(all));
        let good = begun.is_some_and(|steps| steps <= schedule.steps_per_epoch)
            && self.best_epoch <= epochs
            && self.best_scores.is_some() == (self.best_epoch > 0)
            && self.history.iter().zip(1..).all(|(record, number)| record.epoch == number)
            && self.loss.is_finite()
            && (0.0..=1.0).contains(&self.rate_scale);
        if good { Ok(()) } else { Err(Error::input("its `state` contradicts itself")) }
    }

    /// Counts the steps anew in batches of another size.
    pub(super) fn rebatch(&mut self, learning: &Learning) {
        let per_epoch = learning.schedule.steps_per_epoch;
        let whole = self.history.len() * per_epoch;
        self.step = whole + (self.images / learning.batch).min(per_epoch);
    }

    /// Whether there is more to train: epochs are left, and the patience.
    #[must_use]
    pub fn goes_on(&self, learning: &Learning) -> bool {
        let epochs = self.history.len();
        epochs < learning.schedule.epochs && !self.is_exhausted(learning.patience)
    }

    /// Whether the epoch in progress has steps left. Where it has none, its validation is due.
    #[must_use]
    pub fn is_within_epoch(&self, schedule: &Schedule) -> bool {
        self.step < (self.history.len() + 1) * schedule.steps_per_epoch
    }

    /// Steps of the epoch in progress.
    #[must_use]
    pub fn steps_of_epoch(&self, schedule: &Schedule) -> usize {
        self.step - self.history.len() * schedule.steps_per_epoch
    }

    /// The mean loss of the epoch in progress.
    #[must_use]
    pub fn mean_loss(&self) -> f64 {
        self.loss / (self.images as f64).max(1.0)
    }

    /// The best epoch's figures on validation.
    ///
    /// # Errors
    /// If they are another task's.
    pub fn best_scores<T: Task>(&self) -> Result<Option<T::Scores>> {
        let scores = self.best_scores.clone().map(T::Scores::deserialize).transpose();
        scores.map_err(|cause| {
            Error::input("the figures of the best epoch cannot be read").cause(cause.message())
        })
    }

    /// The best epoch's figures, as a model file tells them.
    #[must_use]
    pub fn scores(&self) -> serde_json::Value {
        serde_json::json!({ "epoch": self.best_epoch, "val": self.best_scores })
    }

    /// Adds a step over `images` images with a mean loss.
    pub fn add_step(&mut self, images: usize, loss: f64) {
        self.step += 1;
        self.images += images;
        self.loss += loss * images as f64;
    }

    /// The best epoch's record.
    #[must_use]
    pub fn best(&self) -> Option<&EpochRecord> {
        self.best_epoch.checked_sub(1).and_then(|index| self.history.get(index))
    }

    /// Ends the epoch in progress, whose last step had the learning rate `lr`; whether it is the best
    /// so far. `scores` are its figures on validation, of which `verdict` decides.
    pub fn add_epoch(&mut self, verdict: Verdict, scores: toml::Table, lr: f64) -> bool {
        let record = EpochRecord {
            epoch: self.history.len() + 1,
            train_loss: self.mean_loss(),
            val_loss: verdict.loss,
            val_score: verdict.score,
            lr,
        };
        (self.images, self.loss) = (0, 0.0);
        let better = self.best().is_none_or(|best| {
            let best = Verdict { score: best.val_score, loss: best.val_loss, ..verdict };
            verdict.is_better_than(&best)
        });
        self.history.push(record);
        if better {
            self.best_epoch = self.history.len();
            self.best_scores = Some(scores);
        }
        better
    }

    /// Whether the best epoch lies `patience` epochs back; never where that is 0.
    #[must_use]
    pub fn is_exhausted(&self, patience: usize) -> bool {
        patience > 0 && self.history.len() - self.best_epoch >= patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(score: f64, loss: f64) -> Verdict {
        Verdict { name: "top1", score, loss }
    }

    #[test]
    fn the_best_epoch_has_the_highest_top1_then_the_lowest_loss() {
        let mut state = State::default();
        let mut add = |top1, loss| state.add_epoch(with(top1, loss), toml::Table::new(), 0.1);
        assert!(add(0.5, 1.0));
        assert!(!add(0.5, 1.0));
        assert!(add(0.5, 0.9));
        assert!(!add(0.4, 0.1));
        assert_eq!(state.best_epoch, 3);
        assert!(state.is_exhausted(1) && !state.is_exhausted(2) && !state.is_exhausted(0));
    }

    #[test]
    fn what_is_written_is_read_to_the_last_bit() {
        let mut state = State { rate_scale: 0.1 + 0.2, ..State::default() };
        state.add_step(7, 1.0 / 3.0);
        let scores = toml::Table::from_iter([("loss".to_owned(), 5e-324.into())]);
        state.add_epoch(with(2.0 / 3.0, 5e-324), scores, 1e-300 / 3.0);
        state.add_step(3, f64::MAX);
        state.bad.insert(Bad { split: Split::Val, index: 3, path: "a\"b\nü".to_owned() });
        let text = toml::to_string(&state).unwrap();
        assert_eq!(toml::from_str::<State>(&text).unwrap(), state, "{text}");
    }
}
