//! Tar archives, read where they lie. In the convention of `WebDataset`, files whose names differ
//! after the first dot belong together: `0001.jpg`, `0001.cls` (or `0001.json` with a key `label`).
//! Without such labels the folders in the archive are the classes.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use tinderbox_base::{Error, Result, files};
use tinderbox_image::IMAGE_EXTENSIONS;
use tinderbox_image::decode::MOST_FILE_BYTES;

use super::{Builder, UNLABELLED, class_list, name_numbers, parts, split_named};
use crate::Format;
use crate::archive::{Archive, Spool};
use crate::dataset::{Dataset, Sample, Source};

/// Files in one archive.
const MOST_FILES: usize = 1 << 25;
/// A label's file is not larger.
const MOST_LABEL_BYTES: u64 = 1 << 16;
/// Keys of a JSON label that are looked for.
const LABEL_KEYS: [&str; 6] = ["label", "cls", "class", "class_name", "label_name", "target"];

/// Reads the names in the archives of a folder, or in one.
pub(super) fn open(path: &Path) -> Result<Dataset> {
    let archives = parts(path, Format::Tar)?;
    let mut builder = Builder::default();
    for archive in &archives {
        read(archive, &mut builder)?;
    }
    if builder.splits.iter().all(Vec::is_empty) {
        return Err(Error::input(format!("no labelled images in `{}`", path.display())).hint(
            "an archive holds `KEY.jpg` with `KEY.cls` or `KEY.json`, or a folder for each class",
        ));
    }
    let mut dataset = builder.finish(path)?;
    let names = class_list(if path.is_dir() { path } else { path.parent().unwrap_or(path) })?;
    name_numbers(&mut dataset.classes, &names);
    Ok(dataset)
}

/// What belongs to one key.
#[derive(Default)]
struct Entry {
    image: Option<(u64, u64, String)>,
    label: Option<String>,
    /// Further images, which the label may not mean.
    more: Vec<String>,
}

fn read(path: &Path, builder: &mut Builder) -> Result<()> {
    let archive = unpacked(path)?;
    let entries = list(path, &archive)?;
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let labelled = entries.values().any(|entry| entry.label.is_some());
    let archive = Arc::new(archive);
    for (key, entry) in entries {
        for name in entry.more {
            builder.leave_out("too large, or of a key that has an image", format!("{file}/{name}"));
        }
        let Some((offset, len, name)) = entry.image else { continue };
        let (split, class) = if labelled {
            let Some(label) = entry.label else {
                builder.leave_out(UNLABELLED, format!("{file}/{name}"));
                continue;
            };
            (split_named(&file), label)
        } else {
            let folders: Vec<&str> = key.split('/').filter(|part| *part != ".").collect();
            let Some(class) = folders.len().checked_sub(2).map(|i| folders[i].to_owned()) else {
                builder.leave_out(UNLABELLED, format!("{file}/{name}"));
                continue;
            };
            let named = folders.iter().rev().skip(2).find_map(|folder| split_named(folder));
            (named.or_else(|| split_named(&file)), class)
        };
        let sample = Sample {
            key: format!("{file}/{name}").into(),
            label: builder.class(&class).into(),
            group: None,
            source: Source::Part(Arc::clone(&archive), offset, len),
        };
        builder.push(split, sample);
    }
    Ok(())
}

/// The archive itself, or what it unpacks to.
fn unpacked(path: &Path) -> Result<Archive> {
    let name = path.to_string_lossy().to_lowercase();
    let ends = |ending: &str| name.ends_with(ending);
    if ends(".tar") {
        return Archive::open(path);
    }
    let file = std::io::BufReader::new(files::open(path)?);
    let mut spool = Spool::new(path);
    if ends("gz") {
        spool.add_all(flate2::read::MultiGzDecoder::new(file))?;
    } else {
        let decoder = zstd::stream::read::Decoder::with_buffer(file);
        spool.add_all(decoder.map_err(|cause| files::error("unpack", path, &cause))?)?;
    }
    Ok(spool.finish())
}

/// All images and labels in an archive, by key, sorted.
fn list(path: &Path, archive: &Archive) -> Result<BTreeMap<String, Entry>> {
    let bad = |cause: &std::io::Error| {
        files::error("read", path, cause)
            .hint("the archive may be cut off or damaged: copy it again")
    };
    let mut reader = ::tar::Archive::new(Cursor { archive, at: 0 });
    let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
    let mut count = 0;
    for file in reader.entries_with_seek().map_err(|cause| bad(&cause))? {
        let file = file.map_err(|cause| bad(&cause))?;
        count += 1;
        if count > MOST_FILES {
            return Err(Error::input(format!("`{}` holds too many files", path.display())));
        }
        // Links, devices and sparse files are no images.
        if !matches!(
            file.header().entry_type(),
            ::tar::EntryType::Regular | ::tar::EntryType::Continuous
        ) {
            continue;
        }
        let name = file.path_bytes();
        let name = String::from_utf8_lossy(&name).trim_start_matches("./").to_owned();
        let base = name.rsplit('/').next().unwrap_or(&name);
        let Some((stem, extension)) = base.split_once('.').filter(|(stem, _)| !stem.is_empty())
        else {
            continue; // hidden, or of no known kind
        };
        let key = name[..name.len() - base.len() + stem.len()].to_owned();
        let last = extension.rsplit('.').next().unwrap_or(extension).to_lowercase();
        let (offset, len) = (file.raw_file_position(), file.size());
        if !archive.holds(offset, len) {
            return Err(bad(&std::io::ErrorKind::UnexpectedEof.into()));
        }
        if IMAGE_EXTENSIONS.contains(&last.as_str()) {
            let entry = entries.entry(key).or_default();
            if len <= MOST_FILE_BYTES && entry.image.is_none() {
                entry.image = Some((offset, len, name));
            } else {
                entry.more.push(name);
            }
        } else if matches!(last.as_str(), "cls" | "json" | "label") && len <= MOST_LABEL_BYTES {
            let bytes = archive.read(offset, len as usize).map_err(|cause| {
                Error::input(format!("cannot read `{name}` in `{}`", path.display())).cause(cause)
            })?;
            if let Some(label) = label(&bytes, &last) {
                entries.entry(key).or_default().label = Some(label);
            }
        }
    }
    Ok(entries)
}

/// The class that a label's file names: its text, or a value in its JSON.
fn label(bytes: &[u8], extension: &str) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    if extension != "json" {
        return (!text.is_empty() && !text.contains('\n')).then(|| text.to_owned());
    }
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let found = LABEL_KEYS.iter().find_map(|key| value.get(key))?;
    match found {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Reads an archive from its beginning.
struct Cursor<'a> {
    archive: &'a Archive,
    at: u64,
}

impl Read for Cursor<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.archive.read_some(self.at, buffer)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Cursor<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(_) => None,
        };
        self.at = at.ok_or(std::io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
