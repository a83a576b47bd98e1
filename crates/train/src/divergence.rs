//! When a training has diverged.

use tinderbox_base::units::plural;

use crate::schedule::Schedule;
use crate::state::State;

/// Steps of an epoch before its mean loss says anything.
const FEWEST_STEPS: usize = 20;
/// How many times the loss of guessing, and that of the epoch before, is too much.
const TOO_MUCH: f64 = 3.0;
/// How often a training goes back to the last good epoch.
pub(super) const MOST_ROLLBACKS: usize = 5;
/// What each time does to the learning rate.
pub(super) const ROLLBACK_RATE: f64 = 0.5;

/// Why the training has diverged with the newest step's `loss`, if it has: the loss is not finite, or
/// the epoch's mean is three times both the loss of guessing and that of the epoch before.
pub(super) fn divergence(
    schedule: &Schedule,
    guessing: f64,
    state: &State,
    loss: f64,
) -> Option<String> {
    if !loss.is_finite() {
        return Some(format!("the loss is {loss}"));
    }
    let before = state.history.last()?.train_loss;
    let steps = state.steps_of_epoch(schedule);
    let (mean, most) = (state.mean_loss(), TOO_MUCH * before.max(guessing));
    (steps >= FEWEST_STEPS && mean > most).then(|| {
        format!(
            "the mean loss of {} is {mean:.2}, after {before:.2} in the epoch before",
            plural(steps, "step", "steps")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::ScheduleKind;
    use crate::state::EpochRecord;

    #[test]
    fn a_loss_far_above_guessing_after_a_good_epoch_is_a_divergence_and_noise_is_none() {
        let kind = ScheduleKind::Constant;
        let schedule = Schedule { kind, peak: 0.1, warmup: 0.0, epochs: 3, steps_per_epoch: 100 };
        let divergence = |state: &State, loss| divergence(&schedule, 10f64.ln(), state, loss);
        let record =
            EpochRecord { epoch: 1, train_loss: 0.5, val_loss: 0.5, val_score: 0.8, lr: 0.1 };
        let at = |steps: usize, mean: f64| State {
            step: 100 + steps,
            images: 10 * steps,
            loss: 10.0 * steps as f64 * mean,
            history: vec![record.clone()],
            ..State::default()
        };
        assert!(divergence(&at(5, 2.0), f64::NAN).is_some());
        assert!(divergence(&at(5, 2.0), f64::INFINITY).is_some());
        assert!(divergence(&at(30, 50.0), 50.0).unwrap().contains("30 steps"));
        assert!(divergence(&at(30, 2.0), 50.0).is_none(), "one bad step");
        assert!(divergence(&at(5, 50.0), 50.0).is_none(), "too few steps");
        let first = State { step: 30, images: 300, loss: 30_000.0, ..State::default() };
        assert!(divergence(&first, 100.0).is_none(), "the first epoch may start anywhere");
    }
}
