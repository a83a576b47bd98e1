//! Learning-rate schedules: pure functions of the step.

use serde::{Deserialize, Serialize};

/// How the learning rate goes after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleKind {
    /// Down to zero along half a cosine.
    Cosine,
    /// Divided by 10 at half and at three quarters of the epochs.
    Step,
    /// Not at all.
    Constant,
}

/// How the learning rate goes over a training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The form after the warm-up.
    pub kind: ScheduleKind,
    /// The highest learning rate.
    pub peak: f64,
    /// Epochs in which it rises.
    pub warmup: f64,
    /// Epochs of the whole training.
    pub epochs: usize,
    /// Steps in an epoch.
    pub steps_per_epoch: usize,
}

impl Schedule {
    /// Steps of the whole training.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.steps_per_epoch * self.epochs
    }

    /// The learning rate of a step: a linear warm-up from near zero, then the schedule's form over
    /// the steps that are left.
    #[must_use]
    pub fn rate(&self, step: usize) -> f64 {
        let total = self.steps() as f64;
        // A warm-up longer than a third of a short training would leave little of it.
        let warmup = (self.warmup * self.steps_per_epoch as f64).min(total / 3.0).round();
        let step = step as f64;
        if step < warmup {
            return self.peak * (step + 1.0) / (warmup + 1.0);
        }
        let progress = (step - warmup) / (total - warmup).max(1.0);
        match self.kind {
            ScheduleKind::Constant => self.peak,
            ScheduleKind::Cosine => {
                self.peak * 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos())
            }
            ScheduleKind::Step => {
                let epoch = step / total;
                let drops = i32::from(epoch >= 0.5) + i32::from(epoch >= 0.75);
                self.peak * 0.1f64.powi(drops)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(kind: ScheduleKind, warmup: f64) -> Schedule {
        Schedule { kind, peak: 1.0, warmup, epochs: 10, steps_per_epoch: 10 }
    }

    #[test]
    fn the_rate_rises_to_its_peak_and_falls_along_a_cosine() {
        let schedule = schedule(ScheduleKind::Cosine, 1.0);
        let rates: Vec<f64> = (0..100).map(|step| schedule.rate(step)).collect();
        assert!(rates[..10].is_sorted() && rates[0] > 0.0);
        assert!((rates[10] - 1.0).abs() < 1e-12);
        assert!(rates[10..].is_sorted_by(|a, b| a >= b));
        assert!((rates[55] - 0.5).abs() < 1e-12);
        assert!(rates[99] < 1e-3 && rates[99] > 0.0);
    }

    #[test]
    fn steps_and_constants_are_what_they_say() {
        let step = schedule(ScheduleKind::Step, 0.0);
        let at = |i| step.rate(i);
        assert!(
            (at(49) - 1.0).abs() < 1e-12
                && (at(50) - 0.1).abs() < 1e-12
                && (at(75) - 0.01).abs() < 1e-12
        );
        assert!((schedule(ScheduleKind::Constant, 0.0).rate(99) - 1.0).abs() < 1e-12);
    }
}
