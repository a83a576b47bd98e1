//! Speed while training.

use tinderbox_base::env::Stopwatch;
use tinderbox_base::{Event, Progress, Score, median};

use crate::schedule::Schedule;
use crate::state::State;

/// Speed of an epoch and of the whole training.
pub(super) struct Meter {
    /// The name of the deciding score.
    score: &'static str,
    epochs: usize,
    steps: usize,
    all: usize,
    first: usize,
    total: Stopwatch,
    epoch: Stopwatch,
    images: usize,
    speed: f64,
    speeds: Vec<f64>,
}

impl Meter {
    /// Starts with a training that is at `step`.
    pub(super) fn start(schedule: &Schedule, score: &'static str, step: usize) -> Self {
        let now = Stopwatch::start();
        Self {
            score,
            epochs: schedule.epochs,
            steps: schedule.steps_per_epoch,
            all: schedule.steps(),
            first: step,
            total: now,
            epoch: now,
            images: 0,
            speed: 0.0,
            speeds: Vec::new(),
        }
    }

    pub(super) fn start_epoch(&mut self) {
        self.epoch = Stopwatch::start();
        self.images = 0;
    }

    /// After a step on `images` images.
    pub(super) fn step(&mut self, state: &State, images: usize) -> Progress {
        self.images += images;
        self.speed = self.images as f64 / self.epoch.seconds().max(1e-9);
        let done = state.step.saturating_sub(self.first).max(1) as f64;
        let left = self.all.saturating_sub(state.step) as f64;
        Progress {
            epoch: state.history.len(),
            epochs: self.epochs,
            step: state.step - state.history.len() * self.steps,
            steps: self.steps,
            loss: state.mean_loss(),
            val_score: state.history.last().map(|record| self.score(record.val_score)),
            images_per_second: self.speed,
            seconds_left: self.total.seconds() / done * left,
        }
    }

    /// The event of the epoch that was just added to `state`.
    pub(super) fn event(&mut self, state: &State, best: bool) -> Option<Event> {
        let record = state.history.last()?;
        if self.images > 0 {
            self.speeds.push(self.speed);
        }
        Some(Event::EpochFinished {
            epoch: record.epoch,
            epochs: self.epochs,
            step: state.step,
            train_loss: record.train_loss,
            val_loss: record.val_loss,
            val_score: self.score(record.val_score),
            lr: record.lr,
            images_per_second: self.speed,
            seconds: self.epoch.seconds(),
            best,
        })
    }

    fn score(&self, value: f64) -> Score {
        Score { name: self.score, value }
    }

    pub(super) fn median(&self) -> f64 {
        median(&self.speeds).unwrap_or(self.speed)
    }
}
