//! The IDX format of MNIST and its relatives: a big-endian header and raw bytes, often gzipped.
//! See "the IDX file format" at the end of LeCun, Cortes, Burges: The MNIST database.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tinderbox_base::units::thousands;
use tinderbox_base::{Error, Result, files};

use super::{class_list, dataset_name};
use crate::dataset::{Dataset, Sample, Source, Split, Store};

/// Two files that belong together.
struct Pair {
    split: Split,
    images: PathBuf,
    labels: PathBuf,
}

/// Bytes after unpacking that an IDX file may have: EMNIST, the largest known, has half a GiB.
const MOST_BYTES: u64 = 16 << 30;

/// Images in one file: fifty times the largest known.
const MOST_IMAGES: usize = 1 << 25;

/// Whether a folder holds IDX files: `train-images-idx3-ubyte[.gz]` and its siblings, also with one
/// common prefix as EMNIST has.
pub(super) fn is_here(folder: &Path) -> Result<bool> {
    Ok(!find(folder)?.is_empty())
}

fn find(folder: &Path) -> Result<Vec<Pair>> {
    let names: Vec<String> = files::list(folder)?
        .iter()
        .filter(|path| path.is_file())
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    let find = |part: &str, content: &str| {
        let stem = format!("{part}-{content}-ubyte");
        names
            .iter()
            .find(|name| name.trim_end_matches(".gz").replace(".idx", "-idx").ends_with(&stem))
    };
    let mut pairs = Vec::new();
    for (split, part) in [(Split::Train, "train"), (Split::Test, "t10k"), (Split::Test, "test")] {
        match (find(part, "images-idx3"), find(part, "labels-idx1")) {
            (Some(images), Some(labels)) if pairs.iter().all(|pair: &Pair| pair.split != split) => {
                let (images, labels) = (folder.join(images), folder.join(labels));
                pairs.push(Pair { split, images, labels });
            }
            (Some(_), Some(_)) | (None, None) => {}
            (images, _) => {
                let missing = if images.is_some() { "labels-idx1" } else { "images-idx3" };
                return Err(Error::input(format!(
                    "no file `{part}-{missing}-ubyte` in `{}`",
                    folder.display()
                ))
                .hint("images and labels of a split come in two files, plain or `.gz`"));
            }
        }
    }
    match pairs.first().map(|pair| pair.split) {
        None | Some(Split::Train) => Ok(pairs),
        Some(_) => Err(Error::input(format!("no training images in `{}`", folder.display()))
            .hint("`train-images-idx3-ubyte` and `train-labels-idx1-ubyte` are missing")),
    }
}

/// Reads the pairs into memory. A file `classes.txt` names the classes, one a line.
pub(super) fn open(folder: &Path) -> Result<Dataset> {
    let pairs = &find(folder)?;
    if pairs.is_empty() {
        return Err(Error::input(format!("no IDX files in `{}`", folder.display()))
            .hint("`train-images-idx3-ubyte` and its siblings are looked for, plain or `.gz`"));
    }
    let mut splits = [Vec::new(), Vec::new(), Vec::new()];
    let mut labels_of = Vec::new();
    for pair in pairs {
        let ([count, height, width], data) = read::<3>(&pair.images)?;
        let ([labels_count], labels) = read::<1>(&pair.labels)?;
        if count != labels_count {
            return Err(Error::input(format!(
                "`{}` holds {} images, `{}` {} labels",
                pair.images.display(),
                thousands(count as u64),
                pair.labels.display(),
                thousands(labels_count as u64)
            ))
            .hint("the two files do not belong together: fetch both again"));
        }
        labels_of.push((pair, Arc::new(Store::new([height, width, 1], || data)), labels));
    }
    let used: BTreeSet<u8> = labels_of
        .iter()
        .filter(|(pair, ..)| pair.split == Split::Train)
        .flat_map(|(.., l)| l.iter().copied())
        .collect();
    let used: Vec<u8> = used.into_iter().collect();
    for (pair, store, labels) in labels_of {
        let name = pair.split.name();
        for (index, label) in labels.iter().enumerate() {
            let Ok(class) = used.binary_search(label) else {
                return Err(Error::input(format!(
                    "`{}` has the label {label}",
                    pair.labels.display()
                ))
                .cause("no training image has it"));
            };
            splits[pair.split as usize].push(Sample {
                key: format!("{name}#{index}").into(),
                label: (class as u32).into(),
                group: None,
                source: Source::Memory(Arc::clone(&store), index),
            });
        }
    }
    let classes = class_names(folder, &used)?;
    let (name, path) = (dataset_name(folder), Some(folder.to_owned()));
    let splits = splits.map(Arc::new);
    Ok(Dataset { name, path, classes, splits, ..Dataset::default() })
}

fn class_names(folder: &Path, used: &[u8]) -> Result<Vec<String>> {
    let names = class_list(folder)?;
    if names.is_empty() {
        return Ok(used.iter().map(ToString::to_string).collect());
    }
    let name = |&label: &u8| {
        names.get(label as usize).cloned().ok_or_else(|| {
            Error::input(format!("`{}/classes.txt` has {} names", folder.display(), names.len()))
                .cause(format!("the labels go up to {}", used.last().copied().unwrap_or(0)))
        })
    };
    used.iter().map(name).collect()
}

/// The dimensions and bytes of an IDX file of `D` dimensions.
fn read<const D: usize>(path: &Path) -> Result<([usize; D], Vec<u8>)> {
    let file = std::io::BufReader::new(files::open(path)?);
    let mut reader: Box<dyn Read> = if path.extension().is_some_and(|e| e == "gz") {
        Box::new(flate2::read::MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let bad = |cause: String| {
        Error::input(format!("cannot read `{}`", path.display())).cause(cause).hint(
            "fetch the file again; IDX files start with 00 00 08 and the number of dimensions",
        )
    };
    let mut word = || -> Result<u32> {
        let mut word = [0; 4];
        reader.read_exact(&mut word).map_err(|cause| match cause.kind() {
            ErrorKind::UnexpectedEof => bad("the file ends within its header".to_owned()),
            _ => bad(files::describe(&cause)),
        })?;
        Ok(u32::from_be_bytes(word))
    };
    let magic = word()?;
    if magic != 0x0800 + D as u32 {
        return Err(bad(format!("it starts with {magic:#010x}, not {:#010x}", 0x0800 + D)));
    }
    let mut dims = [0; D];
    for dim in &mut dims {
        *dim = word()? as usize;
    }
    let size = dims.iter().try_fold(1u64, |size, &dim| size.checked_mul(dim as u64));
    let size = size.filter(|size| (1..=MOST_BYTES).contains(size) && dims[0] <= MOST_IMAGES);
    let Some(size) = size else {
        return Err(bad(format!("its header claims {dims:?} bytes")));
    };
    let mut data = Vec::new();
    reader.take(size + 1).read_to_end(&mut data).map_err(|cause| bad(files::describe(&cause)))?;
    match (data.len() as u64).cmp(&size) {
        std::cmp::Ordering::Equal => Ok((dims, data)),
        std::cmp::Ordering::Less => Err(bad(format!(
            "it ends after {} of {} bytes",
            thousands(data.len() as u64),
            thousands(size)
        ))),
        std::cmp::Ordering::Greater => {
            Err(bad(format!("it is longer than the {} bytes its header says", thousands(size))))
        }
    }
}
