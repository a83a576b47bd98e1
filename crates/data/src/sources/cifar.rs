//! The binary version of CIFAR-10 and CIFAR-100: records of one or two label bytes and 3,072 bytes
//! of pixels, first all red, then all green, then all blue (Krizhevsky, 2009).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tinderbox_base::units::thousands;
use tinderbox_base::{Error, Result, files};

use super::{Builder, class_name, name_numbers};
use crate::dataset::{Dataset, Sample, Source, Split, Store};

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;
/// Fifty times the images of the real files.
const MOST_BYTES: u64 = 50 * 50_000 * (2 + 3 * PLANE as u64);

/// The files of one split, and where their labels and class names are.
struct Layout {
    folder: PathBuf,
    train: &'static [&'static str],
    test: &'static str,
    /// Bytes before the pixels; the last of them is the label.
    labels: usize,
    names: &'static str,
}

const CIFAR_10: (&[&str], &str, usize, &str) = (
    &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ],
    "test_batch.bin",
    1,
    "batches.meta.txt",
);
const CIFAR_100: (&[&str], &str, usize, &str) =
    (&["train.bin"], "test.bin", 2, "fine_label_names.txt");

/// The folder that holds the files: this one, or the one that the archives unpack to.
pub(super) fn find(path: &Path) -> Option<PathBuf> {
    layout(path).map(|layout| layout.folder)
}

fn layout(path: &Path) -> Option<Layout> {
    for below in ["", "cifar-10-batches-bin", "cifar-100-binary"] {
        let folder = if below.is_empty() { path.to_owned() } else { path.join(below) };
        for (train, test, labels, names) in [CIFAR_10, CIFAR_100] {
            if folder.join(train[0]).is_file() && folder.join(names).is_file() {
                return Some(Layout { folder, train, test, labels, names });
            }
        }
    }
    None
}

/// Reads all into memory; of CIFAR-100 the fine labels.
pub(super) fn open(path: &Path) -> Result<Dataset> {
    let Some(layout) = layout(path) else {
        return Err(Error::input(format!("no CIFAR files in `{}`", path.display()))
            .hint("`data_batch_1.bin` and `batches.meta.txt`, or `train.bin` and `fine_label_names.txt`, are looked for"));
    };
    let names_file = layout.folder.join(layout.names);
    let names = files::read_text(&names_file)?;
    let names: Vec<String> =
        names.lines().map(class_name).filter(|name| !name.is_empty()).collect();
    let mut builder = Builder::default();
    // The order of the labels is that of the names: numbers first, names at the end.
    let train = layout.train.iter().map(|name| (Split::Train, *name));
    for (split, name) in train.chain([(Split::Test, layout.test)]) {
        let file = layout.folder.join(name);
        if split == Split::Test && !file.is_file() {
            continue;
        }
        let (labels, store) = read(&file, layout.labels, names.len())?;
        let store = Arc::new(store);
        for (index, label) in labels.into_iter().enumerate() {
            let sample = Sample {
                key: format!("{name}#{index}").into(),
                label: builder.class(&label.to_string()).into(),
                group: None,
                source: Source::Memory(Arc::clone(&store), index),
            };
            builder.push(Some(split), sample);
        }
    }
    let mut dataset = builder.finish(path)?;
    name_numbers(&mut dataset.classes, &names);
    Ok(dataset)
}

/// The labels and the images of one file.
fn read(path: &Path, labels: usize, classes: usize) -> Result<(Vec<u8>, Store)> {
    let bytes = files::read_at_most(path, MOST_BYTES)
        .map_err(|error| error.hint("all parts of the data set are needed: fetch it again"))?;
    let record = labels + 3 * PLANE;
    let bad = |cause: String| {
        Error::input(format!("cannot read `{}`", path.display()))
            .cause(cause)
            .hint("fetch it again")
    };
    if bytes.is_empty() || bytes.len() % record != 0 {
        return Err(bad(format!(
            "its {} bytes are no whole number of records of {}",
            thousands(bytes.len() as u64),
            thousands(record as u64)
        )));
    }
    let mut answer = Vec::with_capacity(bytes.len() / record);
    let mut data = Vec::with_capacity(bytes.len() / record * 3 * PLANE);
    for (index, record) in bytes.chunks_exact(record).enumerate() {
        let (label, pixels) = (record[labels - 1], &record[labels..]);
        if usize::from(label) >= classes {
            return Err(bad(format!(
                "image {index} has the label {label}, there are {classes} names"
            )));
        }
        answer.push(label);
        for pixel in 0..PLANE {
            data.extend([pixels[pixel], pixels[PLANE + pixel], pixels[2 * PLANE + pixel]]);
        }
    }
    Ok((answer, Store::new([SIDE, SIDE, 3], || data)))
}
