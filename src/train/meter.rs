//! Loss and speed while training.

use super::state::EpochRecord;
use crate::base::env::Stopwatch;
use crate::base::median;
use crate::config::Plan;
use crate::eval::Scores;
use crate::events::{Event, Progress};

/// Loss and speed of an epoch and of the whole training.
pub(super) struct Meter {
    epochs: usize,
    steps: usize,
    total: Stopwatch,
    epoch: Stopwatch,
    done: usize,
    images: usize,
    loss: f64,
    rate: f64,
    speed: f64,
    val_top1: Option<f64>,
    speeds: Vec<f64>,
}

impl Meter {
    pub(super) fn start(plan: &Plan) -> Self {
        let now = Stopwatch::start();
        Self {
            epochs: plan.settings.epochs,
            steps: plan.steps_per_epoch,
            total: now,
            epoch: now,
            done: 0,
            images: 0,
            loss: 0.0,
            rate: 0.0,
            speed: 0.0,
            val_top1: None,
            speeds: Vec::new(),
        }
    }

    pub(super) fn start_epoch(&mut self) {
        self.epoch = Stopwatch::start();
        (self.done, self.images, self.loss) = (0, 0, 0.0);
    }

    pub(super) fn step(&mut self, epoch: usize, images: usize, loss: f64, rate: f64) -> Progress {
        self.done += 1;
        self.images += images;
        self.loss += loss * images as f64;
        self.rate = rate;
        self.speed = self.images as f64 / self.epoch.seconds().max(1e-9);
        let share = (epoch as f64 + self.done as f64 / self.steps as f64) / self.epochs as f64;
        Progress {
            epoch,
            epochs: self.epochs,
            step: self.done,
            steps: self.steps,
            loss: self.loss / self.images as f64,
            val_top1: self.val_top1,
            images_per_second: self.speed,
            seconds_left: self.total.seconds() * (1.0 - share) / share,
        }
    }

    pub(super) fn finish_epoch(&mut self, epoch: usize, val: &Scores) -> EpochRecord {
        self.speeds.push(self.speed);
        self.val_top1 = Some(val.top1);
        EpochRecord {
            epoch: epoch + 1,
            train_loss: self.loss / (self.images as f64).max(1.0),
            val_loss: val.loss,
            val_top1: val.top1,
            lr: self.rate,
        }
    }

    pub(super) fn event(&self, record: &EpochRecord, step: usize, best: bool) -> Event {
        Event::EpochFinished {
            epoch: record.epoch,
            epochs: self.epochs,
            step,
            train_loss: record.train_loss,
            val_loss: record.val_loss,
            val_top1: record.val_top1,
            lr: record.lr,
            images_per_second: self.speed,
            seconds: self.epoch.seconds(),
            best,
        }
    }

    pub(super) fn median(&self) -> f64 {
        median(&self.speeds).unwrap_or(self.speed)
    }
}
