//! A data set with all its splits.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use tinderbox_base::units::{list, plural};
use tinderbox_base::{Error, Folders, Result, files};
use tinderbox_data::{
    DataSpec, Dataset, Sample, add_missing_splits, apply_stored_groups, lock, open,
};

use crate::locate::locate_run;

/// A resume reads so many of the files that are not older than its lock before it begins: a few were
/// edited, many were copied. Whatever differs in the others is noticed when they are decoded.
const MOST_READ: usize = 1000;

/// A data set whose splits are complete, and what there is to say about that: those of the lock in
/// the file `own`, else those of the run that `--lock` names, else those that the data have, and
/// for what they have not, new ones.
///
/// # Errors
/// If it cannot be used.
pub fn open_split(
    spec: &DataSpec,
    seed: u64,
    folders: &Folders,
    own: Option<&Path>,
) -> Result<(Dataset, Vec<String>)> {
    let mut dataset = open(&spec.dataset, folders, &spec.reading())?;
    if let Some(path) = own {
        let text = files::read_text(path)?;
        let since = files::modified(path).unwrap_or_default();
        let read = AtomicUsize::new(0);
        let is_suspect = |sample: &Sample| {
            let Some(file) = sample.file() else { return true }; // in memory
            files::modified(&file).is_none_or(|time| time >= since)
                && read.fetch_add(1, Ordering::Relaxed) < MOST_READ
        };
        let changes = lock::apply(&mut dataset, &text, is_suspect)?;
        if let Some(changed) = images(&changes.changed, "other than then") {
            return Err(Error::input("the data are not those that the run was trained on")
                .cause(changed)
                .hint("restore the files, or start a new run"));
        }
        dataset.known = lock::contents(&text);
        return Ok((dataset, images(&changes.added, ADDED).into_iter().collect()));
    }
    if let Some(run) = &spec.lock {
        let path = locate_run(run, &folders.models)?.join("dataset.lock");
        let changes = lock::apply(&mut dataset, &files::read_text(&path)?, |_| true)?;
        let changed = images(&changes.changed, "other than when the split was made");
        let added = images(&changes.added, ADDED);
        return Ok((dataset, changed.into_iter().chain(added).collect()));
    }
    let _ = apply_stored_groups(folders, &mut dataset);
    add_missing_splits(&mut dataset, spec.val_fraction, seed);
    let mut said = dataset.notes();
    let torn = dataset.torn_groups();
    if !torn.is_empty() {
        let names: Vec<&str> = torn.iter().map(|(group, _)| group.as_str()).collect();
        said.push(format!(
            "{} in two splits, so that scores are too good: {}; `tinderbox datasets check` shows them",
            plural(torn.len(), "group is", "groups are"),
            list(&names, 3)
        ));
    }
    Ok((dataset, said))
}

/// What images of the data are that a split does not know.
const ADDED: &str = "not in that split and left out";

/// That some images are `what`; nothing where there are none.
fn images(names: &[String], what: &str) -> Option<String> {
    let count = plural(names.len(), "image is", "images are");
    (!names.is_empty()).then(|| format!("{count} {what}: {}", list(names, 3)))
}
