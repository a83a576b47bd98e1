//! Splits that the data does not have: seeded and stratified.

use std::collections::HashMap;
use std::sync::Arc;

use tinderbox_base::draw::{Draw, Purpose};

use crate::dataset::{Dataset, Sample, Split};

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

/// Moves `fraction` of every class from training to `split`. Who goes is decided by the draw of
/// each unit's place: a unit is a group, or a sample that is in none. A unit goes as long as one of
/// its classes has not given enough and none gives more than half too much, so that groups stay
/// whole and classes keep their shares as nearly as the groups allow.
fn take(dataset: &mut Dataset, split: Split, fraction: f64, seed: u64) {
    let train = std::mem::take(Arc::make_mut(&mut dataset.splits[Split::Train as usize]));
    let classes = dataset.classes.len();
    let mut counts = vec![0usize; classes + 1];
    for sample in &train {
        counts[sample.label.stratum(classes)] += 1;
    }
    let mut open: Vec<i64> = counts.iter().map(|&count| share(count, fraction) as i64).collect();
    let mut left = counts;
    let mut taken = vec![false; train.len()];
    for unit in units(&train, classes, split, seed) {
        let mut gives = HashMap::new();
        for &index in &unit {
            *gives.entry(train[index].label.stratum(classes)).or_insert(0usize) += 1;
        }
        let wanted = gives.iter().any(|(&class, _)| open[class] > 0);
        let fits = gives.iter().all(|(&class, &count)| {
            let count = count as i64;
            left[class] as i64 > count && open[class] - count >= -(count / 2)
        });
        if wanted && fits {
            for (class, count) in gives {
                open[class] -= count as i64;
                left[class] -= count;
            }
            for &index in &unit {
                taken[index] = true;
            }
        }
    }
    let (gone, stays): (Vec<_>, Vec<_>) =
        taken.into_iter().zip(train).partition(|(taken, _)| *taken);
    let samples = |part: Vec<(bool, Sample)>| part.into_iter().map(|(_, sample)| sample);
    Arc::make_mut(&mut dataset.splits[split as usize]).extend(samples(gone));
    dataset.splits[Split::Train as usize] = Arc::new(samples(stays).collect());
}

/// What goes together, in the order of the draws: of each class its samples by their place in it,
/// of groups by that of their first sample.
fn units(train: &[Sample], classes: usize, split: Split, seed: u64) -> Vec<Vec<usize>> {
    let mut places: HashMap<usize, u32> = HashMap::new();
    let mut of_group: HashMap<&str, usize> = HashMap::new();
    let mut units: Vec<((u32, u32), Vec<usize>)> = Vec::new();
    for (index, sample) in train.iter().enumerate() {
        if let Some(&unit) = sample.group.as_deref().and_then(|group| of_group.get(group)) {
            units[unit].1.push(index);
            continue;
        }
        let stratum = sample.label.stratum(classes);
        let place = places.entry(stratum).or_default();
        let draw = Draw::at(seed, split as u64, stratum as u64, Purpose::Split);
        if let Some(group) = &sample.group {
            of_group.insert(group, units.len());
        }
        units.push(((draw.word(*place), *place), vec![index]));
        *place += 1;
    }
    units.sort_unstable();
    units.into_iter().map(|(_, unit)| unit).collect()
}

/// `fraction` of `count`, rounded, at least 1 where two are left, never all.
fn share(count: usize, fraction: f64) -> usize {
    let share = (count as f64 * fraction).round() as usize;
    share.max(1).min(count.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;

    fn tree(per_class: &[usize]) -> Dataset {
        let samples = per_class.iter().enumerate().flat_map(|(label, &count)| {
            (0..count).map(move |i| Sample {
                key: format!("{label}/{i}").into(),
                label: (label as u32).into(),
                group: None,
                source: Source::File(format!("{label}/{i}").into()),
            })
        });
        Dataset {
            name: "tree".to_owned(),
            path: None,
            single_tree: true,
            classes: per_class.iter().enumerate().map(|(i, _)| i.to_string()).collect(),
            splits: [Arc::new(samples.collect()), Arc::default(), Arc::default()],
            ..Dataset::default()
        }
    }

    fn count(dataset: &Dataset, split: Split, label: u32) -> usize {
        dataset.split(split).iter().filter(|sample| sample.label == label.into()).count()
    }

    #[test]
    fn a_tree_is_split_by_class_and_nothing_is_lost_or_doubled() {
        let mut dataset = tree(&[100, 40, 3]);
        add_missing_splits(&mut dataset, 0.1, 7);
        assert_eq!([0, 1, 2].map(|c| count(&dataset, Split::Test, c)), [10, 4, 1]);
        assert_eq!([0, 1, 2].map(|c| count(&dataset, Split::Val, c)), [9, 4, 1]);
        let mut keys: Vec<&str> = dataset.samples().map(|s| &*s.key).collect();
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
    fn a_group_is_in_one_split_and_the_shares_are_kept() {
        let mut dataset = tree(&[200, 100]);
        for (index, sample) in dataset.samples_mut().enumerate() {
            sample.group = Some(format!("g{}", index / 7).into());
        }
        add_missing_splits(&mut dataset, 0.2, 5);
        let mut split_of = HashMap::new();
        for split in Split::ALL {
            for sample in dataset.split(split) {
                let group = sample.group.clone();
                assert_eq!(*split_of.entry(group).or_insert(split), split, "{}", sample.key);
            }
        }
        for (label, whole) in [(0, 200), (1, 100)] {
            for split in [Split::Val, Split::Test] {
                let share = count(&dataset, split, label) as f64 / f64::from(whole);
                assert!((0.1..0.25).contains(&share), "{split:?} of class {label}: {share}");
            }
        }
    }

    #[test]
    fn a_class_of_one_image_stays_in_training() {
        let mut dataset = tree(&[1, 9]);
        add_missing_splits(&mut dataset, 0.5, 0);
        assert_eq!(count(&dataset, Split::Train, 0), 1);
    }
}
