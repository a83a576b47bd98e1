//! Learning-rate schedules: pure functions of the step.

use crate::{Plan, ScheduleKind};

/// The learning rate of a step: a linear warm-up from near zero, then the schedule's form over the
/// steps that are left.
#[must_use]
pub fn learning_rate(plan: &Plan, step: usize) -> f64 {
    let peak = plan.settings.train.learning_rate();
    let total = plan.total_steps() as f64;
    // A warm-up longer than a third of a short training would leave little of it.
    let warmup =
        (plan.settings.train.warmup * plan.steps_per_epoch as f64).min(total / 3.0).round();
    let step = step as f64;
    if step < warmup {
        return peak * (step + 1.0) / (warmup + 1.0);
    }
    let progress = (step - warmup) / (total - warmup).max(1.0);
    match plan.settings.train.schedule {
        ScheduleKind::Constant => peak,
        ScheduleKind::Cosine => {
            peak * 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos())
        }
        ScheduleKind::Step => {
            let epoch = step / total;
            let drops = i32::from(epoch >= 0.5) + i32::from(epoch >= 0.75);
            peak * 0.1f64.powi(drops)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Settings, TrainSpec};

    fn plan(schedule: ScheduleKind, warmup: f64) -> Plan {
        let train =
            TrainSpec { schedule, warmup, lr: Some(1.0), epochs: 10, ..TrainSpec::default() };
        let settings = Settings { train, ..Settings::default() };
        Plan::sample(settings)
    }

    #[test]
    fn the_rate_rises_to_its_peak_and_falls_along_a_cosine() {
        let plan = plan(ScheduleKind::Cosine, 1.0);
        let rates: Vec<f64> = (0..100).map(|step| learning_rate(&plan, step)).collect();
        assert!(rates[..10].is_sorted() && rates[0] > 0.0);
        assert!((rates[10] - 1.0).abs() < 1e-12);
        assert!(rates[10..].is_sorted_by(|a, b| a >= b));
        assert!((rates[55] - 0.5).abs() < 1e-12);
        assert!(rates[99] < 1e-3 && rates[99] > 0.0);
    }

    #[test]
    fn steps_and_constants_are_what_they_say() {
        let step = plan(ScheduleKind::Step, 0.0);
        let at = |i| learning_rate(&step, i);
        assert!(
            (at(49) - 1.0).abs() < 1e-12
                && (at(50) - 0.1).abs() < 1e-12
                && (at(75) - 0.01).abs() < 1e-12
        );
        assert!((learning_rate(&plan(ScheduleKind::Constant, 0.0), 99) - 1.0).abs() < 1e-12);
    }
}
