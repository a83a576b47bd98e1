//! A table with a column of paths and one of labels, and where wanted columns of splits and groups.
//! Commas, semicolons or tabs; quotes, a byte order mark and either line ending as spreadsheets
//! write them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tinderbox_base::units::list;
use tinderbox_base::{Error, Result, files, nearest};
use tinderbox_image::IMAGE_EXTENSIONS;

use super::{Builder, by_name, in_file, split_named};
use crate::dataset::{Dataset, Sample, Split};
use crate::{Format, Reading};

/// Names of columns that are known without being told, the most telling first.
const PATHS: &[&str] = &[
    "path",
    "file",
    "filename",
    "file_name",
    "filepath",
    "file_path",
    "image",
    "image_path",
    "image_file",
    "image_name",
    "img",
    "img_path",
    "image_id",
    "id",
];
const LABELS: &[&str] = &[
    "label",
    "labels",
    "class",
    "class_name",
    "classname",
    "category",
    "target",
    "species",
    "breed",
    "diagnosis",
    "y",
];
const SPLITS: &[&str] = &["split", "subset", "set", "partition", "fold"];
const GROUPS: &[&str] = &["group", "group_id", "patient", "patient_id", "subject", "subject_id"];

/// A table is not larger: ten million lines.
const MOST_BYTES: u64 = 2 << 30;

/// The places of the columns in a table.
struct Columns {
    path: usize,
    label: usize,
    split: Option<usize>,
    group: Option<usize>,
}

/// Whether a folder holds tables with paths and labels.
pub(super) fn is_here(folder: &Path) -> Result<bool> {
    Ok(!tables(folder, &Reading::default())?.is_empty())
}

/// The tables in a folder that have the columns: those that are named for splits, where any is.
fn tables(folder: &Path, how: &Reading) -> Result<Vec<PathBuf>> {
    let mut found = all(folder)?;
    found.retain(|path| columns_of(path, how).is_ok());
    if found.iter().any(|path| named(path).is_some()) {
        found.retain(|path| named(path).is_some());
    }
    Ok(found)
}

/// The tables in a folder, whatever their columns.
pub(super) fn all(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = files::list(folder)?;
    found.retain(|path| by_name(path) == Some(Format::Csv) && path.is_file());
    Ok(found)
}

/// The columns of a table, from its beginning.
fn columns_of(table: &Path, how: &Reading) -> Result<Columns> {
    columns(&files::read_head(table, 1 << 16)?, table, how)
}

/// The split that a table's name says.
fn named(path: &Path) -> Option<Split> {
    split_named(&path.file_stem()?.to_string_lossy())
}

/// Reads all tables of a folder, or one. Paths are looked for beside the table, then in its
/// folders `images` and those named as the split.
pub(super) fn open(path: &Path, how: &Reading) -> Result<Dataset> {
    let (root, found) = if path.is_file() {
        (path.parent().unwrap_or(path).to_owned(), vec![path.to_owned()])
    } else {
        (path.to_owned(), tables(path, how)?)
    };
    if found.is_empty() {
        if let Some(table) = all(path)?.first() {
            columns_of(table, how)?;
        }
        return Err(Error::input(format!("no table in `{}`", path.display())).hint(
            "a `.csv` or `.tsv` with a column `path` and a column `label`; `--columns path=NAME,label=NAME` names others",
        ));
    }
    if let [a, b, ..] = &found[..]
        && named(a).is_none()
    {
        return Err(Error::input(format!("`{}` holds more than one table", path.display()))
            .cause(format!("`{}` and `{}`", a.display(), b.display()))
            .hint("name the table itself, or call them `train.csv`, `val.csv`, `test.csv`"));
    }
    let mut builder = Builder::default();
    for table in &found {
        read(table, &root, how, &mut builder)?;
    }
    let mut dataset = builder.finish(path)?;
    once(&mut dataset, path)?;
    Ok(dataset)
}

/// Leaves out the second line for an image, which would put it into two splits.
///
/// # Errors
/// If its lines differ.
fn once(dataset: &mut Dataset, path: &Path) -> Result<()> {
    let mut seen: HashMap<&str, (Split, &Sample)> = HashMap::new();
    let mut first = [const { Vec::new() }; 3];
    for (split, first) in Split::ALL.into_iter().zip(&mut first) {
        for sample in dataset.split(split) {
            let class = |sample: &Sample| sample.label.name(&dataset.classes);
            let group = |sample: &Sample| sample.group.as_deref().unwrap_or_default().to_owned();
            let before = seen.insert(&sample.key, (split, sample));
            first.push(before.is_none());
            let Some((other, before)) = before else { continue };
            for (a, b) in [
                (class(before), class(sample)),
                (other.name().to_owned(), split.name().to_owned()),
                (group(before), group(sample)),
            ] {
                if a != b {
                    return Err(Error::input(format!(
                        "`{}` is listed as `{a}` and as `{b}` in `{}`",
                        sample.key,
                        path.display()
                    ))
                    .hint(
                        "an image has one class, one split and one group: keep one of the lines",
                    ));
                }
            }
        }
    }
    for (samples, first) in dataset.splits.iter_mut().zip(first) {
        if first.contains(&false) {
            let mut first = first.into_iter();
            Arc::make_mut(samples).retain(|_| first.next().unwrap_or(true));
        }
    }
    Ok(())
}

fn read(table: &Path, root: &Path, how: &Reading, builder: &mut Builder) -> Result<()> {
    let bytes = files::read_at_most(table, MOST_BYTES)?;
    let columns = columns(&bytes, table, how)?;
    let bad = |line: u64, cause: String, hint: &str| {
        Error::input(format!("cannot read line {line} of `{}`", table.display()))
            .cause(cause)
            .hint(hint.to_owned())
    };
    let folder = table.parent().unwrap_or(root);
    let base_folder: Arc<Path> = root.into();
    let mut base: Option<Place> = None;
    for (index, record) in reader(&bytes).byte_records().enumerate() {
        let line = index as u64 + 2;
        let record = record.map_err(|cause| {
            bad(
                line,
                cause.to_string(),
                "is a quote missing, or a comma in a path that has none around it?",
            )
        })?;
        let line = record.position().map_or(line, ::csv::Position::line);
        let field = |index: usize| -> Result<&str> {
            let field = record.get(index).ok_or_else(|| {
                bad(
                    line,
                    format!("it has {} columns", record.len()),
                    "every line needs a path and a label",
                )
            })?;
            let text = std::str::from_utf8(field).map_err(|_| {
                bad(line, "it is not UTF-8".to_owned(), "save the table as `CSV UTF-8`")
            })?;
            Ok(text.trim())
        };
        let (path, label) = (field(columns.path)?, field(columns.label)?);
        if path.is_empty() || label.is_empty() {
            let what = if path.is_empty() { "path" } else { "label" };
            return Err(bad(line, format!("the {what} is empty"), "fill it in or remove the line"));
        }
        let split = match columns.split.map(field).transpose()? {
            None => named(table),
            Some(name) => Some(split_named(name).ok_or_else(|| {
                bad(line, format!("`{name}` is no split"), "splits are `train`, `val` and `test`")
            })?),
        };
        let base = base.get_or_insert_with(|| Place::find(folder, path, split));
        let file = base.file(path);
        let mut sample = in_file(&base_folder, file, builder.class(label));
        let group = columns.group.map(field).transpose()?;
        sample.group = group.filter(|group| !group.is_empty()).map(Into::into);
        builder.push(split, sample);
    }
    Ok(())
}

/// Where the files of a table lie, learned from its first line.
struct Place {
    folder: PathBuf,
    /// What is left out of the paths, with its dot.
    extension: String,
}

impl Place {
    fn find(folder: &Path, first: &str, split: Option<Split>) -> Self {
        let mut folders = vec![folder.to_owned(), folder.join("images")];
        if let Some(split) = split {
            folders.push(folder.join(split.name()));
            folders.push(folder.join("images").join(split.name()));
        }
        folders.push(folder.join("train"));
        let plain = std::iter::once(String::new());
        let extensions: Vec<String> =
            plain.chain(IMAGE_EXTENSIONS.iter().map(|e| format!(".{e}"))).collect();
        for folder in &folders {
            for extension in &extensions {
                if folder.join(format!("{first}{extension}")).is_file() {
                    return Self { folder: folder.clone(), extension: extension.clone() };
                }
            }
        }
        Self { folder: folder.to_owned(), extension: String::new() }
    }

    fn file(&self, path: &str) -> PathBuf {
        // Tables from Windows have the other slash.
        self.folder.join(format!("{}{}", path.replace('\\', "/"), self.extension))
    }
}

fn reader(bytes: &[u8]) -> ::csv::Reader<&[u8]> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    ::csv::ReaderBuilder::new().delimiter(delimiter(bytes)).flexible(true).from_reader(bytes)
}

/// What separates the columns: of tab, semicolon and comma the most frequent in the first line.
fn delimiter(bytes: &[u8]) -> u8 {
    let line = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
    let parts = |delimiter: &u8| line.split(|b| b == delimiter).count();
    [b',', b';', b'\t'].into_iter().max_by_key(parts).unwrap_or(b',')
}

fn columns(bytes: &[u8], table: &Path, how: &Reading) -> Result<Columns> {
    let mut reader = reader(bytes);
    let header = reader.byte_headers().map_err(|cause| {
        Error::input(format!("cannot read `{}`", table.display())).cause(cause.to_string())
    })?;
    let names: Vec<String> =
        header.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
    let find = |role: &str, known: &[&str]| -> Result<Option<usize>> {
        if let Some(column) = how.column(role) {
            let found = names.iter().position(|name| name == column);
            return found.map(Some).ok_or_else(|| no_column(table, column, &names));
        }
        let is = |known: &&str| names.iter().position(|name| name.eq_ignore_ascii_case(known));
        Ok(known.iter().find_map(is))
    };
    let group = how.group.as_deref();
    let groups = group.as_ref().map_or(GROUPS, std::slice::from_ref);
    let (path, label) = (find("path", PATHS)?, find("label", LABELS)?);
    let (split, group) = (find("split", SPLITS)?, find("group", groups)?);
    match (path, label) {
        (Some(path), Some(label)) => Ok(Columns { path, label, split, group }),
        (path, _) => {
            let missing = if path.is_none() { "path" } else { "label" };
            Err(Error::input(format!("no column of {missing}s in `{}`", table.display()))
                .cause(format!("its columns are {}", list(&names, 12)))
                .hint(format!("`--columns {missing}=NAME` says which it is")))
        }
    }
}

fn no_column(table: &Path, column: &str, names: &[String]) -> Error {
    let error = Error::usage(format!("no column `{column}` in `{}`", table.display()))
        .cause(format!("its columns are {}", list(names, 12)));
    match nearest(column, names.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint("name one of these with `--columns`"),
    }
}
