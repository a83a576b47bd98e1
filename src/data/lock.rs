//! `dataset.lock`: which sample was in which split.

use super::catalogue::{Dataset, Sample, Source, Split};
use crate::base::files;

/// The text of the lock: a header, then a line a sample with split, class, size in bytes and path,
/// between tabs. The path comes last and may hold anything but a line break.
#[must_use]
pub fn lock(dataset: &Dataset) -> String {
    let mut text = String::from("# tinderbox dataset.lock 1\n# split\tclass\tbytes\tpath\n");
    for split in Split::ALL {
        for sample in dataset.split(split) {
            let bytes = bytes_of(sample);
            let class = dataset.classes[sample.label as usize].replace('\t', " ");
            let key = sample.key.replace(['\n', '\r'], " ");
            text.push_str(&format!("{}\t{class}\t{bytes}\t{key}\n", split.name()));
        }
    }
    text
}

/// Bytes of a sample's file, or of its pixels; 0 where the file is gone.
pub(super) fn bytes_of(sample: &Sample) -> u64 {
    match &sample.source {
        Source::Below(_) | Source::File(_) => {
            sample.path().and_then(|path| files::size(&path).ok()).unwrap_or(0)
        }
        Source::Part(_, _, len) => *len,
        Source::Memory(store, _) => (store.height * store.width * store.channels) as u64,
    }
}
