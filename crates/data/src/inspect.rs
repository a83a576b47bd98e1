//! A look at every sample of a data set, and what would spoil a training with it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use tinderbox_image::{DecodeSize, Pixels, decode};

use crate::content::content;
use crate::dataset::{Dataset, Sample, Source, Split};
use crate::load::read;
use crate::near_duplicates::{Fingerprint, NearDuplicates, Sets, near_duplicates};

/// What was seen of a sample that decodes.
struct Seen {
    size: [usize; 2],
    content: [u8; 16],
    print: Fingerprint,
    /// Of each channel: pixels, the sum of their values and of their squares.
    sums: [[u64; 3]; 3],
}

/// What a data set holds, and what is wrong with it. Samples are counted through the splits, as
/// [`Dataset::samples`] lists them.
#[derive(Debug, Default)]
pub struct Findings {
    /// Of each class, the samples in each split.
    pub counts: Vec<[usize; 3]>,
    /// Samples that do not decode, and why.
    pub bad: Vec<(usize, String)>,
    /// The smallest, median and largest image by area, `[H, W]`.
    pub sizes: Option<[[usize; 2]; 3]>,
    /// The narrowest and the widest image, width by height.
    pub aspects: Option<[f64; 2]>,
    /// Of red, green and blue for values in `[0, 1]`.
    pub mean: [f64; 3],
    /// The same.
    pub std: [f64; 3],
    /// Samples whose files are equal, two and more together.
    pub copies: Vec<Vec<usize>>,
    /// Pairs that are nearly the same, without copies.
    pub near_duplicates: Vec<NearDuplicates>,
    /// Copies and near duplicates of one picture in different splits: one pair for each picture and splits.
    pub leaks: Vec<[usize; 2]>,
    /// Copies with different labels.
    pub conflicts: Vec<[usize; 2]>,
    /// Groups that are in more than one split, with one sample of each.
    pub torn_groups: Vec<(String, Vec<usize>)>,
    /// Samples that belong together as copies or near duplicates: by their number, the least in the set.
    pub grouped: Vec<(usize, usize)>,
}

/// Decodes every sample on all cores; `done` hears how many were looked at.
#[must_use]
pub fn inspect(dataset: &Dataset, done: impl Fn(usize) + Sync) -> Findings {
    let samples: Vec<&Sample> = dataset.samples().collect();
    let count = AtomicUsize::new(0);
    let seen: Vec<Result<Seen, String>> = samples
        .par_iter()
        .map(|sample| {
            let seen = look(sample);
            done(count.fetch_add(1, Ordering::Relaxed) + 1);
            seen
        })
        .collect();
    let splits: Vec<Split> = dataset.split_of_each().collect();
    let mut findings =
        Findings { counts: vec![[0; 3]; dataset.classes.len()], ..Findings::default() };
    for (sample, &split) in samples.iter().zip(&splits) {
        for &class in sample.label.classes() {
            findings.counts[class as usize][split as usize] += 1;
        }
    }
    findings.measure(&seen);
    findings.compare(&samples, &splits, seen);
    findings.torn_groups = dataset.torn_groups();
    findings
}

fn look(sample: &Sample) -> Result<Seen, String> {
    let (content, pixels) = if let Source::Memory(store, index) = &sample.source {
        (content(store.bytes(*index)), store.pixels(*index, 3))
    } else {
        let bytes = read(sample)?;
        (content(&bytes), decode(&bytes, DecodeSize::all(3))?)
    };
    let Pixels { width, height, ref data, .. } = pixels;
    if data.is_empty() {
        return Err("it has no pixels".to_owned());
    }
    let mut sums = [[0u64; 3]; 3];
    for pixel in data.chunks_exact(3) {
        for (sum, &value) in sums.iter_mut().zip(pixel) {
            let value = u64::from(value);
            *sum = [sum[0] + 1, sum[1] + value, sum[2] + value * value];
        }
    }
    Ok(Seen { size: [height, width], content, print: Fingerprint::of(&pixels), sums })
}

impl Findings {
    /// Sizes, aspects, mean, deviation, and what does not decode.
    fn measure(&mut self, seen: &[Result<Seen, String>]) {
        let bad = seen.iter().enumerate().filter_map(|(i, s)| Some((i, s.as_ref().err()?.clone())));
        self.bad = bad.collect();
        let mut sizes: Vec<[usize; 2]> = seen.iter().flatten().map(|seen| seen.size).collect();
        sizes.sort_by_key(|[height, width]| (height * width, *width));
        if let (Some(&first), Some(&last)) = (sizes.first(), sizes.last()) {
            self.sizes = Some([first, sizes[sizes.len() / 2], last]);
            let aspects = sizes.iter().map(|&[height, width]| width as f64 / height as f64);
            self.aspects = Some(aspects.fold([f64::INFINITY, 0.0], |[low, high], aspect| {
                [low.min(aspect), high.max(aspect)]
            }));
        }
        for channel in 0..3 {
            let sum = seen
                .iter()
                .flatten()
                .fold([0u64; 3], |sum, seen| [0, 1, 2].map(|i| sum[i] + seen.sums[channel][i]));
            let [count, sum, squares] = sum.map(|value| value as f64);
            let mean = sum / count.max(1.0);
            self.mean[channel] = mean / 255.0;
            self.std[channel] = (squares / count.max(1.0) - mean * mean).max(0.0).sqrt() / 255.0;
        }
    }

    /// Copies, near duplicates, and which of them lie in different splits or classes.
    fn compare(&mut self, samples: &[&Sample], splits: &[Split], seen: Vec<Result<Seen, String>>) {
        let mut by_content: HashMap<[u8; 16], Vec<usize>> = HashMap::new();
        let mut prints = Vec::with_capacity(seen.len());
        for (index, seen) in seen.into_iter().enumerate() {
            let seen = seen.ok();
            if let Some(seen) = &seen {
                by_content.entry(seen.content).or_default().push(index);
            }
            prints.push(seen.map(|seen| seen.print));
        }
        self.copies = by_content.into_values().filter(|copies| copies.len() > 1).collect();
        self.copies.sort_unstable();
        let mut sets = Sets::new(samples.len());
        for copies in &self.copies {
            for &copy in &copies[1..] {
                sets.join(copies[0], copy);
                prints[copy] = None; // the first stands for all
            }
            let other = copies.iter().find(|&&c| samples[c].label != samples[copies[0]].label);
            self.conflicts.extend(other.map(|&other| [copies[0], other]));
        }
        self.near_duplicates = near_duplicates(&prints);
        for pair in &self.near_duplicates {
            sets.join(pair.first, pair.second);
        }
        let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for index in 0..samples.len() {
            members.entry(sets.find(index)).or_default().push(index);
        }
        for (first, members) in members.iter().filter(|(_, members)| members.len() > 1) {
            self.grouped.extend(members.iter().map(|&member| (member, *first)));
            for pair in
                [[Split::Train, Split::Test], [Split::Train, Split::Val], [Split::Val, Split::Test]]
            {
                let [a, b] =
                    pair.map(|split| members.iter().find(|&&member| splits[member] == split));
                if let (Some(&a), Some(&b)) = (a, b) {
                    self.leaks.push([a, b]);
                }
            }
        }
    }

    /// How many pictures are copies of another one.
    #[must_use]
    pub fn surplus(&self) -> usize {
        self.copies.iter().map(|copies| copies.len() - 1).sum()
    }

    /// The classes of which a split that has samples has none.
    #[must_use]
    pub fn missing(&self) -> Vec<(usize, Split)> {
        let filled: BTreeSet<Split> = Split::ALL
            .into_iter()
            .filter(|&split| self.counts.iter().any(|counts| counts[split as usize] > 0))
            .collect();
        let of = |(class, counts): (usize, &[usize; 3])| {
            let missing = filled.iter().filter(|&&split| counts[split as usize] == 0);
            missing.map(|&split| (class, split)).collect::<Vec<_>>()
        };
        self.counts.iter().enumerate().flat_map(of).collect()
    }
}
