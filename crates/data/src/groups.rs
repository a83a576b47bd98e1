//! What must stay together: samples of one patient, video or camera.

use std::collections::BTreeMap;

use regex_lite::Regex;
use tinderbox_base::{Error, Result};

use crate::Reading;
use crate::dataset::{Dataset, Split};

/// Gives every sample the group that `--group` finds in its key, where it was no column of a table:
/// what the first parentheses of the pattern match, else what all of it does. A sample that does
/// not match is a group of its own.
///
/// # Errors
/// If the pattern is none, or finds nothing at all.
pub(super) fn find(dataset: &mut Dataset, how: &Reading) -> Result<()> {
    let Some(pattern) = &how.group else { return Ok(()) };
    if dataset.samples().any(|sample| sample.group.is_some()) {
        return Ok(());
    }
    let regex = Regex::new(pattern).map_err(|cause| {
        Error::usage(format!("`--group {pattern}` is no pattern"))
            .cause(cause.to_string())
            .hint("a regular expression like `(patient[0-9]+)`, or the name of a column")
    })?;
    let mut any = false;
    for sample in dataset.samples_mut() {
        let found = regex.captures(&sample.key);
        let group = found.as_ref().and_then(|found| found.get(1).or_else(|| found.get(0)));
        sample.group = group.map(|group| group.as_str().into());
        any |= sample.group.is_some();
    }
    if any {
        return Ok(());
    }
    let example = dataset.samples().next();
    let example = example.map_or("", |sample| &sample.key);
    Err(Error::usage(format!("`--group {pattern}` is in no path and no column's name"))
        .hint(format!("paths are like `{example}`")))
}

impl Dataset {
    /// Groups that are in more than one split, with the number of one sample of each.
    #[must_use]
    pub fn torn_groups(&self) -> Vec<(String, Vec<usize>)> {
        let mut groups: BTreeMap<&str, BTreeMap<Split, usize>> = BTreeMap::new();
        for (index, (sample, split)) in self.samples().zip(self.split_of_each()).enumerate() {
            if let Some(group) = &sample.group {
                groups.entry(group).or_default().entry(split).or_insert(index);
            }
        }
        let torn = groups.into_iter().filter(|(_, splits)| splits.len() > 1);
        torn.map(|(group, splits)| (group.to_owned(), splits.into_values().collect())).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{Sample, Source};

    fn dataset(keys: &[&str]) -> Dataset {
        let sample = |key: &&str| Sample {
            key: (*key).into(),
            label: 0.into(),
            group: None,
            source: Source::File((*key).into()),
        };
        Dataset {
            name: "d".to_owned(),
            path: None,
            classes: vec!["a".to_owned()],
            single_tree: true,
            splits: [Arc::new(keys.iter().map(sample).collect()), Arc::default(), Arc::default()],
            ..Dataset::default()
        }
    }

    fn groups(pattern: &str) -> Result<Vec<Option<String>>> {
        let mut dataset = dataset(&["a/p1_x.png", "b/p2_y.png", "b/other.png"]);
        find(&mut dataset, &Reading { group: Some(pattern.to_owned()), ..Reading::default() })?;
        let group = |sample: &Sample| sample.group.as_deref().map(str::to_owned);
        Ok(dataset.splits[0].iter().map(group).collect())
    }

    #[test]
    fn a_pattern_finds_the_groups_in_the_paths() {
        let two = [Some("p1".to_owned()), Some("p2".to_owned()), None];
        assert_eq!(groups("(p[0-9])_").unwrap(), two);
        assert_eq!(groups("p[0-9]").unwrap(), two);
    }

    #[test]
    fn a_pattern_that_finds_nothing_is_an_error() {
        assert!(groups("patient").unwrap_err().hint.unwrap().contains("a/p1_x.png"));
        assert!(groups("(").unwrap_err().message.contains("no pattern"));
    }
}
