//! All that a training knows beside its weights and the optimiser's moments.

use serde::{Deserialize, Serialize};

/// One complete epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochRecord {
    /// Epochs complete.
    pub epoch: usize,
    /// Mean loss of its steps.
    pub train_loss: f64,
    /// Loss on validation.
    pub val_loss: f64,
    /// Top-1 on validation.
    pub val_top1: f64,
    /// The learning rate of its last step.
    pub lr: f64,
}

/// The counters and the history.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Steps complete.
    pub step: usize,
    /// Every complete epoch.
    pub history: Vec<EpochRecord>,
    /// The number of the best epoch; 0 before the first.
    pub best_epoch: usize,
}

impl State {
    /// The best epoch's record.
    #[must_use]
    pub fn best(&self) -> Option<&EpochRecord> {
        self.best_epoch.checked_sub(1).and_then(|index| self.history.get(index))
    }

    /// Adds an epoch; whether it is the best so far: the highest top-1 on validation, of equals the
    /// lowest loss.
    pub fn add(&mut self, record: EpochRecord) -> bool {
        let better = self.best().is_none_or(|best| {
            (record.val_top1, -record.val_loss) > (best.val_top1, -best.val_loss)
        });
        self.history.push(record);
        if better {
            self.best_epoch = self.history.len();
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

    #[test]
    fn the_best_epoch_has_the_highest_top1_then_the_lowest_loss() {
        let mut state = State::default();
        let mut add = |val_top1, val_loss| {
            let epoch = state.history.len() + 1;
            state.add(EpochRecord { epoch, train_loss: 1.0, val_loss, val_top1, lr: 0.1 })
        };
        assert!(add(0.5, 1.0));
        assert!(!add(0.5, 1.0));
        assert!(add(0.5, 0.9));
        assert!(!add(0.4, 0.1));
        assert_eq!(state.best_epoch, 3);
        assert!(state.is_exhausted(1) && !state.is_exhausted(2) && !state.is_exhausted(0));
    }
}
