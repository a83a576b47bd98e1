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
