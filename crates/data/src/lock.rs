//! `dataset.lock`: which sample was in which split, and what its file held.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use rayon::prelude::*;
use tinderbox_base::units::{list, plural};
use tinderbox_base::{Error, Result, files, hash};

use crate::content::{content, hex};
use crate::dataset::{Dataset, Sample, Source, Split};
use crate::load::read;
use crate::quarantine::Samples;

/// The first line of a lock; `1` had no groups and no contents.
const FORMAT: &str = "# tinderbox dataset.lock ";
/// What is hashed begins so: the form of the first version, in which contents have no part.
const HASHED: &str = "# tinderbox dataset.lock 1\n# split\tclass\tbytes\tpath\n";
/// What stands for an unknown group or content.
const NONE: &str = "-";

/// A data set with the size of each sample's file.
#[derive(Debug)]
pub struct Lock {
    /// By split, in its order.
    sizes: [Vec<u64>; 3],
    /// BLAKE3 of which sample of which size and class is in which split, in which order. It does
    /// not change when contents become known.
    pub hash: String,
}

impl Lock {
    /// Reads the size of every file, and nothing of what is in it.
    #[must_use]
    pub fn of(dataset: &Dataset) -> Self {
        let sizes = Split::ALL
            .map(|split| dataset.split(split).par_iter().map(bytes_of).collect::<Vec<_>>());
        let mut text = String::from(HASHED);
        for (split, sizes) in Split::ALL.iter().zip(&sizes) {
            for (sample, bytes) in dataset.split(*split).iter().zip(sizes) {
                let (class, key) = (word(&sample.label.name(&dataset.classes)), path(sample));
                let _ = writeln!(text, "{}\t{class}\t{bytes}\t{key}", split.name());
            }
        }
        Self { sizes, hash: hash(text.as_bytes()) }
    }

    /// The text of the lock: two lines of header, then a line a sample with split, class, size in
    /// bytes, group, content and path, between tabs. The path comes last and may hold anything but
    /// a line break. A content is that of a sample that was decoded, or one that an `older` lock
    /// tells, where the size is the same.
    #[must_use]
    pub fn text(
        &self,
        dataset: &Dataset,
        samples: &[Arc<Samples>; 3],
        older: Option<&str>,
    ) -> String {
        let older: HashMap<&str, Entry> =
            older.into_iter().flat_map(entries).map(|entry| (entry.path, entry)).collect();
        let mut text = format!("{FORMAT}2\n# split\tclass\tbytes\tgroup\tcontent\tpath\n");
        for split in Split::ALL {
            let all = dataset.split(split).iter().zip(&self.sizes[split as usize]);
            for (index, (sample, &bytes)) in all.enumerate() {
                let key = path(sample);
                let content = samples[split as usize].content(index as u32);
                let known = older.get(&*key).filter(|entry| entry.bytes == bytes);
                let content = match (content, known) {
                    (Some(content), _) => hex(content),
                    (None, Some(entry)) => entry.content.to_owned(),
                    (None, None) => NONE.to_owned(),
                };
                let class = word(&sample.label.name(&dataset.classes));
                let group = sample.group.as_deref().map_or_else(|| NONE.to_owned(), word);
                let split = split.name();
                let _ = writeln!(text, "{split}\t{class}\t{bytes}\t{group}\t{content}\t{key}");
            }
        }
        text
    }
}

/// One line of a lock.
#[derive(Clone, Copy, Debug)]
struct Entry<'a> {
    split: Split,
    class: &'a str,
    bytes: u64,
    group: &'a str,
    content: &'a str,
    path: &'a str,
}

/// The lines of either version; none for one that cannot be read.
fn lines(text: &str) -> impl Iterator<Item = Option<Entry<'_>>> {
    let columns = if text.starts_with(&format!("{FORMAT}1")) { 4 } else { 6 };
    text.lines().filter(|line| !line.starts_with('#')).map(move |line| {
        let mut parts = line.splitn(columns, '\t');
        let split = parts.next()?;
        let split = Split::ALL.into_iter().find(|known| known.name() == split)?;
        let (class, bytes) = (parts.next()?, parts.next()?.parse().ok()?);
        let [group, content] =
            if columns == 6 { [parts.next()?, parts.next()?] } else { [NONE; 2] };
        Some(Entry { split, class, bytes, group, content, path: parts.next()? })
    })
}

/// The lines that can be read.
fn entries(text: &str) -> impl Iterator<Item = Entry<'_>> {
    lines(text).flatten()
}

/// The hash of a lock's text, as [`Lock::hash`].
#[must_use]
pub fn hash_of(text: &str) -> String {
    let mut hashed = String::from(HASHED);
    for Entry { split, class, bytes, path, .. } in entries(text) {
        let _ = writeln!(hashed, "{}\t{class}\t{bytes}\t{path}", split.name());
    }
    hash(hashed.as_bytes())
}

/// What is other than a lock says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Files that have another size or content.
    pub changed: Vec<String>,
    /// Samples that the lock does not know; they are left out.
    pub added: Vec<String>,
}

/// Puts a data set into the splits, the order and the groups of a lock. The files of samples that
/// are `suspect` are read and compared with the content that the lock tells.
///
/// # Errors
/// If the lock is damaged or of a version that is not known, or a sample of it is gone or has
/// another class.
pub fn apply(
    dataset: &mut Dataset,
    text: &str,
    suspect: impl Fn(&Sample) -> bool + Sync,
) -> Result<Changes> {
    let all: Vec<Sample> = dataset.samples().cloned().collect();
    let mut places = by_path(&all);
    let mut splits = [Vec::new(), Vec::new(), Vec::new()];
    let (mut missing, mut compared) = (Vec::new(), Vec::new());
    let version = text.strip_prefix(FORMAT).and_then(|rest| rest.lines().next());
    if !matches!(version, Some("1" | "2")) {
        return Err(damaged());
    }
    for entry in lines(text) {
        let entry = entry.ok_or_else(damaged)?;
        let class = |index: usize| word(&all[index].label.name(&dataset.classes));
        let fits =
            |&index: &usize| class(index) == entry.class && bytes_of(&all[index]) == entry.bytes;
        let Some(index) = take(&mut places, entry.path, fits) else {
            missing.push(entry.path.to_owned());
            continue;
        };
        let (sample, class) = (&all[index], class(index));
        if class != entry.class {
            return Err(Error::input(format!("`{}` is another class than before", entry.path))
                .cause(format!("it was `{}` and is `{class}`", entry.class))
                .hint("restore the data, or train without `--lock`"));
        }
        compared.push((index, entry));
        let mut sample = sample.clone();
        if entry.group != NONE {
            sample.group = Some(entry.group.into());
        }
        splits[entry.split as usize].push(sample);
    }
    if !missing.is_empty() {
        return Err(Error::input(format!(
            "{} not in the data set `{}`",
            plural(missing.len(), "image of the split is", "images of the split are"),
            dataset.name
        ))
        .cause(format!("missing: {}", list(&missing, 3)))
        .hint("restore the files: the same split needs all of them"));
    }
    let is_changed = |(index, entry): &(usize, Entry)| {
        let sample = &all[*index];
        let differs = bytes_of(sample) != entry.bytes
            || entry.content != NONE && suspect(sample) && content_of(sample) != entry.content;
        differs.then(|| entry.path.to_owned())
    };
    let changed = compared.par_iter().filter_map(is_changed).collect();
    let rest = places.into_iter().flat_map(|(path, alike)| vec![path; alike.len()]);
    let mut added: Vec<String> = rest.collect();
    added.sort_unstable();
    dataset.splits = splits.map(Arc::new);
    Ok(Changes { changed, added })
}

fn damaged() -> Error {
    Error::input("the split's `dataset.lock` is damaged, or of a newer version")
        .hint("restore the file from a copy, or train without `--lock`")
}

/// The places of the samples that a lock calls so. Different names can look alike in it: no line
/// breaks in them, and nothing but UTF-8.
fn by_path(samples: &[Sample]) -> HashMap<String, Vec<usize>> {
    let mut places: HashMap<String, Vec<usize>> = HashMap::with_capacity(samples.len());
    for (index, sample) in samples.iter().enumerate() {
        places.entry(path(sample)).or_default().push(index);
    }
    places
}

/// Takes out the sample of a path, where there are several the first that `fits`; none where all
/// are taken.
fn take(
    places: &mut HashMap<String, Vec<usize>>,
    path: &str,
    fits: impl Fn(&usize) -> bool,
) -> Option<usize> {
    let alike = places.get_mut(path).filter(|alike| !alike.is_empty())?;
    let place = if alike.len() == 1 { None } else { alike.iter().position(fits) };
    Some(alike.remove(place.unwrap_or(0)))
}

/// By split, the content of each sample, where it is told.
#[must_use]
pub fn contents(text: &str) -> [Vec<Option<[u8; 16]>>; 3] {
    let mut contents = [const { Vec::new() }; 3];
    for entry in entries(text) {
        let number =
            u128::from_str_radix(entry.content, 16).ok().filter(|_| entry.content.len() == 32);
        contents[entry.split as usize].push(number.map(u128::to_be_bytes));
    }
    contents
}

/// The contents of the samples that a model was trained or chosen on.
#[must_use]
pub fn learned_contents(text: &str) -> HashMap<String, String> {
    let learned = entries(text).filter(|entry| entry.split != Split::Test && entry.content != NONE);
    learned.map(|entry| (entry.content.to_owned(), entry.path.to_owned())).collect()
}

fn content_of(sample: &Sample) -> String {
    match &sample.source {
        Source::Memory(store, image) => hex(content(store.bytes(*image))),
        _ => read(sample).map_or_else(|_| NONE.to_owned(), |bytes| hex(content(&bytes))),
    }
}

/// A name that breaks no line and no column.
fn word(name: &str) -> String {
    name.replace(['\t', '\n', '\r'], " ")
}

fn path(sample: &Sample) -> String {
    sample.key.replace(['\n', '\r'], " ")
}

/// Bytes of a sample's file, or of its pixels; 0 where the file is gone.
pub(super) fn bytes_of(sample: &Sample) -> u64 {
    match &sample.source {
        Source::Below(_) | Source::File(_) => {
            sample.path().and_then(|path| files::size(&path).ok()).unwrap_or(0)
        }
        Source::Part(_, _, len) => *len,
        Source::Memory(store, image) => store.bytes(*image).len() as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;

    fn dataset(images: usize) -> Dataset {
        let data = (0..images * 4).map(|i| i as u8).collect();
        let store = Arc::new(Store::new([2, 2, 1], || data));
        let sample = |i: usize| Sample {
            key: format!("{i}\n").into(),
            label: ((i % 2) as u32).into(),
            group: (i < 2).then(|| "g".into()),
            source: Source::Memory(Arc::clone(&store), i),
        };
        Dataset {
            name: "d".to_owned(),
            path: None,
            classes: vec!["a".to_owned(), "b\t".to_owned()],
            single_tree: true,
            splits: [Arc::new((0..images).map(sample).collect()), Arc::default(), Arc::default()],
            ..Dataset::default()
        }
    }

    fn lock(dataset: &Dataset) -> String {
        let samples = dataset.splits.clone().map(|split| Samples::new(split, 2));
        Lock::of(dataset).text(dataset, &samples, None)
    }

    #[test]
    fn a_lock_brings_back_its_split_and_its_order() {
        let mut first = dataset(20);
        crate::add_missing_splits(&mut first, 0.2, 3);
        let text = lock(&first);
        let mut again = dataset(23);
        let changes = apply(&mut again, &text, |_| true).unwrap();
        assert_eq!(changes.added, ["20 ", "21 ", "22 "]);
        assert_eq!(changes.changed, Vec::<String>::new());
        assert_eq!(lock(&again), text);
        assert_eq!(Lock::of(&again).hash, Lock::of(&first).hash);
        assert_eq!(hash_of(&text), Lock::of(&first).hash);
        assert_eq!(learned_contents(&text).len(), 16);
    }

    #[test]
    fn names_that_look_alike_are_told_apart() {
        let open = || {
            let mut data = dataset(12);
            for (number, sample) in data.samples_mut().enumerate() {
                sample.key = ["a\n", "b", "a\r", "a "][number % 4].into();
                sample.label = u32::from(number >= 6).into();
                sample.group = None;
            }
            data
        };
        let mut first = open();
        crate::add_missing_splits(&mut first, 0.3, 2);
        let text = lock(&first);
        let mut again = open();
        assert_eq!(apply(&mut again, &text, |_| false).unwrap(), Changes::default());
        assert_eq!(Lock::of(&again).hash, Lock::of(&first).hash);
        let fewer = text.lines().filter(|line| !line.ends_with("a ")).collect::<Vec<_>>();
        let changes = apply(&mut open(), &fewer.join("\n"), |_| false).unwrap();
        assert_eq!(changes.added, ["a "; 9]);
    }

    #[test]
    fn a_sample_that_is_gone_or_changed_is_named() {
        let text = lock(&dataset(4));
        let error = apply(&mut dataset(3), &text, |_| true).unwrap_err();
        assert!(error.cause.unwrap().contains('3'), "{}", error.message);
        let mut other = dataset(4);
        other.samples_mut().nth(1).unwrap().source = dataset(9).splits[0][8].source.clone();
        assert_eq!(apply(&mut other.clone(), &text, |_| true).unwrap().changed, ["1 "]);
        assert_eq!(apply(&mut other, &text, |_| false).unwrap().changed, Vec::<String>::new());
    }

    #[test]
    fn a_lock_of_the_first_version_is_read() {
        let text = "# tinderbox dataset.lock 1\n# split\tclass\tbytes\tpath\ntrain\ta\t4\t0 \nval\tb \t4\t1 \n";
        let mut data = dataset(2);
        assert_eq!(apply(&mut data, text, |_| true).unwrap(), Changes::default());
        assert_eq!(data.splits.map(|split| split.len()), [1, 1, 0]);
    }
}
