//! What `datasets check` found to belong together, kept for the splits of later trainings: a line
//! a sample with the number of its set, its size in bytes and its path, between tabs.

use std::collections::HashMap;
use std::path::PathBuf;

use tinderbox_base::{Folders, Result, files};

use crate::dataset::{Dataset, Sample};
use crate::inspect::Findings;
use crate::lock::bytes_of;
use crate::near_duplicates::Sets;

const HEADER: &str = "# tinderbox datasets check 1\n# set\tbytes\tpath\n";

/// Hidden, so that it is no run.
fn path(folders: &Folders, dataset: &Dataset) -> PathBuf {
    folders.models.join(".checked").join(format!("{}.tsv", dataset.name))
}

/// Keeps what was found, in the models folder: the datasets folder is only read.
///
/// # Errors
/// If it cannot be written.
pub fn keep_groups(
    folders: &Folders,
    dataset: &Dataset,
    samples: &[&Sample],
    found: &Findings,
) -> Result<()> {
    let path = path(folders, dataset);
    if found.grouped.is_empty() && !path.is_file() {
        return Ok(());
    }
    let mut text = HEADER.to_owned();
    for &(index, set) in &found.grouped {
        let sample = samples[index];
        let key = sample.key.replace(['\n', '\r'], " ");
        text.push_str(&format!("{set}\t{}\t{key}\n", bytes_of(sample)));
    }
    if let Some(folder) = path.parent() {
        files::make_folder(folder)?;
    }
    files::replace(&path, text.as_bytes())
}

/// Puts samples that were found to belong together into one group. What has changed since, or
/// cannot be read, is left as it is: the groups only make a split better. Answers how many samples
/// were put together.
#[must_use]
pub fn apply_stored_groups(folders: &Folders, dataset: &mut Dataset) -> usize {
    let Ok(text) = files::read_text(&path(folders, dataset)) else { return 0 };
    if !text.starts_with(HEADER) {
        return 0;
    }
    let mut known: HashMap<&str, (&str, u64)> = HashMap::new();
    for line in text.lines().skip(2) {
        let mut parts = line.splitn(3, '\t');
        if let (Some(set), Some(bytes), Some(key)) = (parts.next(), parts.next(), parts.next()) {
            known.insert(key, (set, bytes.parse().unwrap_or(u64::MAX)));
        }
    }
    let samples: Vec<&Sample> = dataset.samples().collect();
    let mut sets = Sets::new(samples.len());
    let mut first_of: HashMap<(bool, &str), usize> = HashMap::new();
    let mut joined = Vec::new();
    for (index, sample) in samples.iter().enumerate() {
        if let Some(group) = &sample.group {
            let first = *first_of.entry((true, group)).or_insert(index);
            sets.join(first, index);
        }
        let found = known.get(&*sample.key).filter(|(_, bytes)| *bytes == bytes_of(sample));
        if let Some((set, _)) = found {
            let first = *first_of.entry((false, set)).or_insert(index);
            sets.join(first, index);
            joined.push(index);
        }
    }
    let mut names: HashMap<usize, Box<str>> = HashMap::new();
    for &index in &joined {
        let first = sets.find(index);
        let own = samples[first].group.clone();
        names.entry(first).or_insert_with(|| own.unwrap_or_else(|| samples[first].key.clone()));
    }
    // A group that a joined sample is in takes all its members along.
    let groups: Vec<Option<Box<str>>> = (0..samples.len())
        .map(|index| names.get(&sets.find(index)).cloned().or_else(|| samples[index].group.clone()))
        .collect();
    for (sample, group) in dataset.samples_mut().zip(groups) {
        sample.group = group;
    }
    joined.len()
}
