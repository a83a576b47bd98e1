//! The forms that data sets come in. Each becomes the same [`Dataset`]; no image is decoded here.

mod cifar;
mod csv;
pub(super) mod folder;
mod idx;
#[cfg(feature = "parquet")]
mod parquet;
mod tar;

use std::cmp::Ordering;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;

use crate::dataset::{Dataset, LeftOut, Sample, Source, Split};
use crate::{Format, Reading};
use tinderbox_base::units::list;
use tinderbox_base::{Error, Result, files};

/// Reads the catalogue of the data set at `path`, a folder or a file.
///
/// # Errors
/// If it is of no known form, or damaged.
pub fn open(path: &Path, how: &Reading) -> Result<Dataset> {
    let format = match how.format {
        Some(format) => format,
        None => detect(path, how)?,
    };
    let dataset = match format {
        Format::Folder => folder::open(path),
        Format::Csv => csv::open(path, how),
        Format::Idx => idx::open(path),
        Format::Cifar => cifar::open(path),
        Format::Tar => tar::open(path),
        #[cfg(feature = "parquet")]
        Format::Parquet => parquet::open(path, how),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => Err(Error::environment(format!(
            "`{}` is Parquet, which this build of tinderbox does not read",
            path.display()
        ))
        .hint("the GPU image and `cargo build` read it; in the CPU image it was left out to stay small")),
    };
    Ok(Dataset { format: Some(format), ..dataset? })
}

/// A file's sample has no class.
const UNLABELLED: &str = "without a label";

/// The form of what lies at `path`. Who names columns means a table.
fn detect(path: &Path, how: &Reading) -> Result<Format> {
    if path.is_file() {
        return by_name(path).ok_or_else(|| {
            Error::input(format!("`{}` is a file of no known form", path.display())).hint(
                "a data set is a folder, or a `.csv`, `.tsv`, `.tar`, `.tar.gz`, `.tar.zst` or `.parquet` file",
            )
        });
    }
    if how.columns.is_some() {
        let is_parquet = !parts(path, Format::Parquet)?.is_empty();
        return Ok(if is_parquet { Format::Parquet } else { Format::Csv });
    }
    if idx::is_here(path)? {
        return Ok(Format::Idx);
    }
    if cifar::find(path).is_some() {
        return Ok(Format::Cifar);
    }
    for format in [Format::Tar, Format::Parquet] {
        if !parts(path, format)?.is_empty() {
            return Ok(format);
        }
    }
    Ok(if csv::is_here(path)? { Format::Csv } else { Format::Folder })
}

/// A table in a folder, whatever its columns.
pub(super) fn table_in(folder: &Path) -> Option<PathBuf> {
    csv::all(folder).ok()?.into_iter().next()
}

/// Whether a file is a data set by its name.
pub(super) fn is_file_of_data(path: &Path) -> bool {
    by_name(path).is_some()
}

/// The form that a file's name says.
fn by_name(path: &Path) -> Option<Format> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if ends(&[".csv", ".tsv"]) {
        Some(Format::Csv)
    } else if ends(&[".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst"]) {
        Some(Format::Tar)
    } else if ends(&[".parquet"]) {
        Some(Format::Parquet)
    } else {
        None
    }
}

/// The files of a form that make up a data set: the file itself, or those in the folder, or in the
/// folder `data` in it.
fn parts(path: &Path, format: Format) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let data = path.join("data");
    for folder in [path, &data] {
        if !folder.is_dir() {
            continue;
        }
        let mut found = files::list(folder)?;
        found.retain(|path| by_name(path) == Some(format) && path.is_file());
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// The split that a name begins with or is: `train-00001.tar`, `validation`, `test`.
fn split_named(name: &str) -> Option<Split> {
    let name = name.to_lowercase();
    let word: String = name.chars().take_while(char::is_ascii_alphabetic).collect();
    match word.as_str() {
        "train" | "training" => Some(Split::Train),
        "val" | "valid" | "validation" | "dev" => Some(Split::Val),
        "test" | "testing" | "eval" => Some(Split::Test),
        _ => None,
    }
}

/// A class's name in Unicode's form C, without characters that would break a line.
pub(super) fn class_name(name: &str) -> String {
    name.trim().nfc().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// What a folder's file `classes.txt` says: names of classes by number, one a line.
fn class_list(folder: &Path) -> Result<Vec<String>> {
    let path = folder.join("classes.txt");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let text = files::read_text(&path)?;
    Ok(text.lines().map(class_name).filter(|name| !name.is_empty()).collect())
}

/// Gives classes that are numbers their names, where there are any.
fn name_numbers(classes: &mut [String], names: &[String]) {
    for class in classes {
        if let Some(name) = class.parse::<usize>().ok().and_then(|number| names.get(number)) {
            class.clone_from(name);
        }
    }
}

/// The name of a folder or file, for the data set in it.
fn dataset_name(path: &Path) -> String {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let name = whole.components().next_back().map(|c| c.as_os_str().to_string_lossy().into_owned());
    let name = name.filter(|name| name != "/" && name != "..");
    let name = name.unwrap_or_else(|| "dataset".to_owned());
    if path.is_file() { name.split('.').next().unwrap_or(&name).to_owned() } else { name }
}

/// Collects samples whose classes come to light one by one.
#[derive(Default)]
struct Builder {
    names: Vec<String>,
    numbers: HashMap<String, u32>,
    splits: [Vec<Sample>; 3],
    /// Whether any sample came with its split.
    any_split: bool,
    left_out: LeftOut,
}

impl Builder {
    /// The number of a class, for now.
    fn class(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = self.names.len() as u32;
        self.names.push(class_name(name));
        self.numbers.insert(name.to_owned(), number);
        number
    }

    /// One more sample. Without a split it trains.
    fn push(&mut self, split: Option<Split>, sample: Sample) {
        self.any_split |= split.is_some();
        self.splits[split.unwrap_or(Split::Train) as usize].push(sample);
    }

    /// Takes note of a file that is no sample.
    fn leave_out(&mut self, what: &'static str, name: String) {
        self.left_out.entry(what).or_default().push(name);
    }

    /// The data set: classes in the order of their names, of numbers where all are numbers.
    fn finish(self, path: &Path) -> Result<Dataset> {
        let mut classes: Vec<String> = self.names.clone();
        sort_names(&mut classes);
        classes.dedup();
        let labels: HashMap<&str, u32> =
            (0..).zip(&classes).map(|(i, n)| (n.as_str(), i)).collect();
        let labels: Vec<u32> = self.names.iter().map(|name| labels[name.as_str()]).collect();
        let mut splits = self.splits;
        for sample in splits.iter_mut().flatten() {
            sample.label = sample.label.map(|class| labels[class as usize]);
        }
        let dataset = Dataset {
            name: dataset_name(path),
            path: Some(path.to_owned()),
            classes,
            single_tree: !self.any_split,
            left_out: self.left_out,
            splits: splits.map(Arc::new),
            ..Dataset::default()
        };
        check_training(&dataset, path)?;
        Ok(dataset)
    }
}

/// Sorts by name, or by number where all are numbers.
fn sort_names(names: &mut [String]) {
    let numbers: Option<Vec<i64>> = names.iter().map(|name| name.parse().ok()).collect();
    match numbers {
        Some(_) => names.sort_by_key(|name| name.parse::<i64>().unwrap_or(0)),
        None => names.sort_by(|a, b| a.as_str().cmp(b).then(Ordering::Equal)),
    }
}

/// Every class has a training image, and there are some.
fn check_training(dataset: &Dataset, path: &Path) -> Result<()> {
    let mut counts = vec![0usize; dataset.classes.len()];
    dataset.split(Split::Train).iter().for_each(|sample| {
        sample.label.classes().iter().for_each(|&class| counts[class as usize] += 1);
    });
    if dataset.split(Split::Train).is_empty() {
        let error = Error::input(format!("no training images in `{}`", path.display()))
            .hint("a split called `train`, or no splits at all, is needed");
        return Err(Error { cause: dataset.notes().into_iter().next(), ..error });
    }
    match counts.iter().position(|&count| count == 0) {
        None => Ok(()),
        Some(class) => {
            let known: Vec<String> = (0..counts.len())
                .filter(|&class| counts[class] > 0)
                .map(|class| dataset.classes[class].clone())
                .collect();
            Err(Error::input(format!(
                "the class `{}` of `{}` has no training image",
                dataset.classes[class],
                path.display()
            ))
            .cause(format!("training has {}", list(&known, 8))))
        }
    }
}

/// A sample whose pixels lie in a file of their own.
fn in_file(root: &Arc<Path>, path: PathBuf, label: u32) -> Sample {
    let below = path.strip_prefix(root).unwrap_or(&path);
    let parts: Vec<_> = below.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    let key: Box<str> = parts.join("/").into();
    let source =
        if root.join(&*key) == path { Source::Below(Arc::clone(root)) } else { Source::File(path) };
    Sample { key, label: label.into(), group: None, source }
}
