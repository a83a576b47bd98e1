//! Which sample at which step: a pure function.

use std::sync::Arc;

use tinderbox_base::draw::{Draw, Purpose, permutation, shuffle};

/// The order in which a split is passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Samples in the split, and positions in an epoch.
    pub samples: usize,
    /// Samples in a batch; the last batch of an epoch may be smaller.
    pub batch: usize,
    /// The seed of the shuffling; none: in the order of the split.
    pub seed: Option<u64>,
    /// How often a sample stands in a row (repeated augmentation: Hoffer and others, 2020). An epoch has
    /// as many positions as ever, so it has so many fewer samples.
    pub repeats: usize,
    /// The samples of each class, where each class is to be seen equally often.
    pub balanced: Option<Arc<Vec<Vec<u32>>>>,
}

impl Order {
    /// Each of so many samples once, as they lie.
    #[must_use]
    pub fn plain(samples: usize, batch: usize) -> Self {
        Self { samples, batch, seed: None, repeats: 1, balanced: None }
    }

    /// Each of so many samples once, shuffled anew in each epoch.
    #[must_use]
    pub fn shuffled(samples: usize, batch: usize, seed: u64) -> Self {
        Self { seed: Some(seed), ..Self::plain(samples, batch) }
    }

    /// Batches in one pass.
    #[must_use]
    pub fn steps_per_epoch(&self) -> usize {
        self.samples.div_ceil(self.batch)
    }

    /// The epoch and the first position in it of a step.
    #[must_use]
    pub fn locate(&self, step: usize) -> (usize, usize) {
        let per_epoch = self.steps_per_epoch();
        (step / per_epoch, step % per_epoch * self.batch)
    }

    /// The samples of a whole epoch in their order.
    #[must_use]
    pub fn epoch(&self, epoch: usize) -> Vec<u32> {
        let Some(seed) = self.seed else { return (0..self.samples as u32).collect() };
        let order = match &self.balanced {
            None => permutation(seed, epoch as u64, self.samples, Purpose::Order),
            Some(classes) => balanced(seed, epoch as u64, self.samples, classes),
        };
        if self.repeats == 1 {
            return order;
        }
        let repeated = order.iter().flat_map(|&sample| std::iter::repeat_n(sample, self.repeats));
        repeated.take(self.samples).collect()
    }
}

/// As many samples of each class, or one fewer: the next ones of the class's own shuffled order, which
/// begins again where it is at its end.
fn balanced(seed: u64, epoch: u64, positions: usize, classes: &[Vec<u32>]) -> Vec<u32> {
    let orders = classes.iter().enumerate().filter(|(_, members)| !members.is_empty());
    let orders: Vec<Vec<u32>> = orders
        .map(|(class, members)| {
            let draw = Draw::at(seed, epoch, class as u64, Purpose::Balance);
            shuffle(draw, members.clone())
        })
        .collect();
    let turns = permutation(seed, epoch, positions, Purpose::Order).into_iter();
    turns
        .map(|turn| {
            let order = &orders[turn as usize % orders.len()];
            order[turn as usize / orders.len() % order.len()]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(mut order: Vec<u32>) -> Vec<u32> {
        order.sort_unstable();
        order
    }

    #[test]
    fn a_shuffled_epoch_has_each_sample_once_and_is_another_each_time() {
        let order = Order::shuffled(100, 8, 1);
        assert_eq!(sorted(order.epoch(3)), (0..100).collect::<Vec<_>>());
        assert_ne!(order.epoch(3), order.epoch(4));
        assert_eq!(order.epoch(3), order.epoch(3));
    }

    #[test]
    fn a_repeated_sample_stands_in_a_row() {
        let order = Order { repeats: 3, ..Order::shuffled(10, 4, 1) };
        let epoch = order.epoch(0);
        assert_eq!(epoch.len(), 10);
        assert!(epoch.chunks(3).all(|row| row.iter().all(|sample| *sample == row[0])));
        let once = Order::shuffled(10, 4, 1).epoch(0);
        assert_eq!([epoch[0], epoch[3], epoch[6], epoch[9]], once[..4]);
    }

    #[test]
    fn a_balanced_epoch_shows_each_class_equally_often() {
        let classes = vec![(0..90).collect(), vec![], (90..97).collect(), vec![97, 98, 99]];
        let order = Order { balanced: Some(Arc::new(classes)), ..Order::shuffled(100, 8, 1) };
        let mut all = std::collections::BTreeSet::new();
        for epoch in 0..20 {
            let epoch = order.epoch(epoch);
            let count =
                |range: std::ops::Range<u32>| epoch.iter().filter(|s| range.contains(s)).count();
            assert_eq!(epoch.len(), 100);
            assert!(
                [count(0..90), count(90..97), count(97..100)].iter().all(|n| n.abs_diff(33) <= 1)
            );
            // No sample twice before all of its class were there.
            let most = |range: std::ops::Range<u32>| range.map(|s| count(s..s + 1)).max();
            assert_eq!((most(0..90), most(90..97)), (Some(1), Some(5)));
            assert!(most(97..100) <= Some(12));
            all.extend(epoch);
        }
        assert_eq!(all.len(), 100, "in the long run every sample is seen");
    }
}
