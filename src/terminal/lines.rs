//! Events as lines for people.

use tinderbox_base::units::{duration, percent, thousands};
use tinderbox_base::{Event, Score};

/// The line for people, where there is something to say.
pub fn line(event: &Event) -> Option<String> {
    match event {
        Event::EpochFinished {
            epoch,
            epochs,
            train_loss,
            val_loss,
            val_score,
            lr,
            images_per_second,
            seconds,
            best,
            ..
        } => Some(format!(
            "epoch {epoch:>width$}/{epochs}  train {train_loss:.3}  val {val_loss:.3}  {} {:>5}  lr {lr:.2e}  {} images/s  {}{}",
            name(*val_score),
            percent(val_score.value),
            thousands(images_per_second.round() as u64),
            duration(*seconds),
            if *best { "  best so far" } else { "" },
            width = epochs.to_string().len(),
        )),
        Event::SampleQuarantined { split, path, reason } => {
            Some(format!("warning: skipped `{path}` ({split}): {reason}"))
        }
        Event::StoppedEarly { epoch, best_epoch } => Some(format!(
            "stopped after epoch {epoch}: no better validation since epoch {best_epoch}"
        )),
        Event::Diverged { step, reason, back_to: Some(to), .. } => Some(format!(
            "warning: {reason} at step {}: back to step {} with half the learning rate",
            thousands(*step as u64),
            thousands(*to as u64)
        )),
        Event::RunStarted { .. }
        | Event::RunFinished { .. }
        | Event::Resumed { .. }
        | Event::Interrupted { .. }
        | Event::Diverged { back_to: None, .. } => None,
    }
}

/// A score's name for people: `top-1`.
pub fn name(score: Score) -> &'static str {
    match score.name {
        "top1" => "top-1",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_learning_rate_of_a_late_epoch_has_three_digits() {
        let event = Event::EpochFinished {
            epoch: 14,
            epochs: 15,
            step: 100,
            train_loss: 0.5,
            val_loss: 0.25,
            val_score: Score { name: "top1", value: 0.9 },
            lr: 3.288e-5,
            images_per_second: 1000.0,
            seconds: 2.0,
            best: true,
        };
        let line = line(&event).unwrap();
        assert!(line.contains("  lr 3.29e-5  1,000 images/s"), "{line}");
    }
}
