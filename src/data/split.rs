//! Splits that the data does not have: seeded and stratified.

use super::catalogue::{Dataset, Split};
use crate::base::draw::{Draw, Purpose};

/// Where a data set is a single tree, this share of every class tests (as `fraction` validates).
/// Where it has a training split only, `fraction` of every class validates. At least one image of
/// every class stays in training.
pub fn add_missing_splits(dataset: &mut Dataset, fraction: f64, seed: u64) {
    if dataset.single_tree && dataset.split(Split::Test).is_empty() {
        take(dataset, Split::Test, fraction, seed);
    }
    if dataset.split(Split::Val).is_empty() {
        take(dataset, Split::Val, fraction, seed);
    }
}

/// Moves `fraction` of every class from training to `split`, chosen by the draw of each sample's
/// place in its class.
fn take(dataset: &mut Dataset, split: Split, fraction: f64, seed: u64) {
    let train = std::mem::take(&mut dataset.splits[Split::Train as usize]);
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); dataset.classes.len()];
    for (index, sample) in train.iter().enumerate() {
        members[sample.label as usize].push(index);
    }
    let mut taken = vec![false; train.len()];
    for (label, members) in members.iter_mut().enumerate() {
        let draw = Draw::at(seed, split as u64, label as u64, Purpose::Split);
        let mut keyed: Vec<(u32, usize)> =
            members.iter().enumerate().map(|(i, &index)| (draw.word(i as u32), index)).collect();
        keyed.sort_unstable();
        let count = share(members.len(), fraction);
        keyed.iter().take(count).for_each(|&(_, index)| taken[index] = true);
    }
    for (index, sample) in train.into_iter().enumerate() {
        let target = if taken[index] { split } else { Split::Train };
        dataset.splits[target as usize].push(sample);
    }
}

/// `fraction` of `count`, rounded, at least 1 where two are left, never all.
fn share(count: usize, fraction: f64) -> usize {
    let share = (count as f64 * fraction).round() as usize;
    share.max(1).min(count.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Sample, Source};

    fn tree(per_class: &[usize]) -> Dataset {
        let samples = per_class.iter().enumerate().flat_map(|(label, &count)| {
            (0..count).map(move |i| Sample {
                key: format!("{label}/{i}"),
                label: label as u32,
                source: Source::File(format!("{label}/{i}").into()),
            })
        });
        Dataset {
            name: "tree".to_owned(),
            path: None,
            single_tree: true,
            classes: per_class.iter().enumerate().map(|(i, _)| i.to_string()).collect(),
            splits: [samples.collect(), Vec::new(), Vec::new()],
        }
    }

    fn count(dataset: &Dataset, split: Split, label: u32) -> usize {
        dataset.split(split).iter().filter(|sample| sample.label == label).count()
    }

    #[test]
    fn a_tree_is_split_by_class_and_nothing_is_lost_or_doubled() {
        let mut dataset = tree(&[100, 40, 3]);
        add_missing_splits(&mut dataset, 0.1, 7);
        assert_eq!([0, 1, 2].map(|c| count(&dataset, Split::Test, c)), [10, 4, 1]);
        assert_eq!([0, 1, 2].map(|c| count(&dataset, Split::Val, c)), [9, 4, 1]);
        let mut keys: Vec<&str> = dataset.splits.iter().flatten().map(|s| s.key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 143);
    }

    #[test]
    fn the_same_seed_gives_the_same_split_and_another_seed_another() {
        let keys = |seed| {
            let mut dataset = tree(&[50, 50]);
            add_missing_splits(&mut dataset, 0.1, seed);
            dataset.split(Split::Val).iter().map(|s| s.key.clone()).collect::<Vec<_>>()
        };
        assert_eq!(keys(1), keys(1));
        assert_ne!(keys(1), keys(2));
    }

    #[test]
    fn a_class_of_one_image_stays_in_training() {
        let mut dataset = tree(&[1, 9]);
        add_missing_splits(&mut dataset, 0.5, 0);
        assert_eq!(count(&dataset, Split::Train, 0), 1);
    }
}
