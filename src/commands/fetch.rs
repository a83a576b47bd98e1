//! `tinderbox datasets fetch`

use std::path::PathBuf;

use serde_json::json;
use tinderbox_base::units::{bytes, plural, thousands};
use tinderbox_base::{Error, Folders, Result, files};
use tinderbox_data::{Dataset, Reading, Split, is_there, open};
use tinderbox_fetch as fetch;
use tinderbox_fetch::{Fetched, News, Set, Source};

use super::Invocation;
use super::output::{Rows, print, print_json};
use crate::terminal::Transfer;

/// What to fetch, and from where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data set; all are listed where it is not given.
    pub name: Option<String>,
    /// A file or folder with what was downloaded by other means.
    pub from: Option<PathBuf>,
    /// A server that is tried first.
    pub mirror: Option<String>,
    /// A table of data sets in place of the program's.
    pub manifest: Option<PathBuf>,
}

/// Fetches a data set, or lists what can be fetched.
///
/// # Errors
/// If it is there already, cannot be had, or cannot be written.
pub fn run(invocation: &Invocation, options: &Options) -> Result<()> {
    match &options.name {
        Some(name) => fetch_one(invocation, options, name),
        None => list(invocation, options),
    }
}

fn list(invocation: &Invocation, options: &Options) -> Result<()> {
    let sets = fetch::sets(options.manifest.as_deref())?;
    let is_here = |set: &Set| invocation.folders.datasets.join(&set.name).exists();
    if invocation.json {
        let objects: Vec<_> = sets
            .iter()
            .map(|set| {
                json!({
                    "name": set.name, "about": set.about, "images": set.images,
                    "classes": set.classes, "bytes": set.bytes(), "licence": set.licence,
                    "source": set.source, "files": set.files, "present": is_here(set),
                })
            })
            .collect();
        return print_json(&json!({ "sets": objects }));
    }
    let header = &["NAME", ">IMAGES", ">CLASSES", ">DOWNLOAD", "WHAT", "LICENCE"];
    let mut rows = Rows::new(header);
    let show = |n: u64| if n == 0 { "-".to_owned() } else { thousands(n) };
    for set in &sets {
        let name = if is_here(set) { format!("{} *", set.name) } else { set.name.clone() };
        let (about, licence) = (set.about.clone(), set.licence.clone());
        rows.row([name, show(set.images), show(set.classes), bytes(set.bytes()), about, licence]);
    }
    let mark = if sets.iter().any(is_here) { "* is in the datasets folder\n" } else { "" };
    print(&format!("{}{mark}", rows.text()))
}

fn fetch_one(invocation: &Invocation, options: &Options, name: &str) -> Result<()> {
    let set = fetch::find(name, options.manifest.as_deref())?;
    let source = Source { place: options.from.clone(), mirror: options.mirror.clone() };
    let mut transfer = Transfer::new(invocation.verbosity);
    let fetched =
        fetch::fetch(&set, &invocation.folders.datasets, &source, &mut |news| match news {
            News::Begin(what, total) => transfer.begin(what, total),
            News::At(done) => transfer.at(done),
            News::Say(line) => transfer.say(line),
        });
    transfer.finish();
    let fetched = fetched?;
    let dataset = match read(invocation, &fetched) {
        Ok(dataset) => dataset,
        Err(error) => {
            fetched.discard();
            return Err(unreadable(&set, &error));
        }
    };
    let folder = fetched.settle()?;
    let counts = Split::ALL.map(|split| dataset.split(split).len());
    if invocation.json {
        return print_json(&json!({
            "name": set.name, "path": folder, "classes": dataset.classes, "bytes": set.bytes(),
            "train": counts[0], "val": counts[1], "test": counts[2],
            "licence": set.licence, "source": set.source,
        }));
    }
    let images = Split::ALL.into_iter().zip(counts).filter(|(_, count)| *count > 0);
    let images: Vec<String> = images
        .map(|(split, count)| format!("{} {}", thousands(count as u64), split.name()))
        .collect();
    let classes = plural(dataset.classes.len(), "class", "classes");
    let terms = if set.licence.is_empty() { String::new() } else { format!("; {}", set.licence) };
    transfer.say(&format!("`tinderbox train {}` trains on it", set.name));
    print(&format!("{}: {} images in {classes}{terms}\n", folder.display(), images.join(", ")))
}

/// Reads what was fetched as training would.
fn read(invocation: &Invocation, fetched: &Fetched) -> Result<Dataset> {
    let folder = std::path::absolute(fetched.folder());
    let folder = folder.map_err(|cause| files::error("read", &fetched.folder(), &cause))?;
    open(&folder.to_string_lossy(), &invocation.folders, &Reading::default())
}

/// What was fetched is what its hash says, and still no data set.
fn unreadable(set: &Set, error: &Error) -> Error {
    Error::input(format!("what was fetched for `{}` is no data set", set.name))
        .cause(error)
        .hint("in a manifest, `inside`, `keep`, `names` and `lists` say what becomes of the files")
}

/// The error of a data set that is not there, with the way to get it where it is a well-known one.
#[must_use]
pub fn with_way(error: Error, name: &str, folders: &Folders) -> Error {
    if is_there(name, folders) || !fetch::is_known(name) {
        return error;
    }
    error.hint(format!("`tinderbox datasets fetch {name}` gets it"))
}
