//! Data sets by name: which there are, and what a name means.

use std::path::{Path, PathBuf};

use tinderbox_base::units::list;
use tinderbox_base::{Error, Folders, Result, files, nearest};

use crate::dataset::Dataset;
use crate::reading::Reading;
use crate::{embedded, groups, sources};

/// Opens the data set that `name` means: in the datasets folder, inside the program, or a path.
///
/// # Errors
/// If there is none, or it cannot be used.
pub fn open(name: &str, folders: &Folders, how: &Reading) -> Result<Dataset> {
    let mut dataset = match find(name, folders) {
        Some(Place::Files(path)) => sources::open(&path, how)?,
        Some(Place::Program) => embedded::open(),
        None => return Err(missing(name, folders)),
    };
    check(&dataset)?;
    groups::find(&mut dataset, how)?;
    Ok(dataset)
}

/// What a data set's name can mean.
enum Place {
    Files(PathBuf),
    Program,
}

fn find(name: &str, folders: &Folders) -> Option<Place> {
    let inside = folders.datasets.join(name);
    if !name.is_empty() && inside.exists() {
        return Some(Place::Files(inside));
    }
    if name == embedded::EMBEDDED {
        return Some(Place::Program);
    }
    let path = Path::new(name);
    path.exists().then(|| Place::Files(path.to_owned()))
}

/// Whether the name means something that is there, usable or not.
#[must_use]
pub fn is_there(name: &str, folders: &Folders) -> bool {
    find(name, folders).is_some()
}

fn missing(name: &str, folders: &Folders) -> Error {
    let place = folders.datasets.display();
    let mut names = available(folders).unwrap_or_default();
    names.push(embedded::EMBEDDED.to_owned());
    let cause = if folders.datasets.is_dir() {
        format!("there are {}", list(&names, 12))
    } else {
        format!("there is no folder `{place}`; inside the program is `{}`", embedded::EMBEDDED)
    };
    let error =
        Error::input(format!("no data set `{name}` in `{place}`, and no such path")).cause(cause);
    match nearest(name, names.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(
            "`--datasets DIR` or `TINDERBOX_DATASETS` names another folder; `tinderbox datasets list` shows what is there",
        ),
    }
}

/// The names of the data sets in the datasets folder: folders, tables and archives.
///
/// # Errors
/// If there is no such folder.
pub fn available(folders: &Folders) -> Result<Vec<String>> {
    let paths = files::list(&folders.datasets)?;
    let found = paths.iter().filter(|path| path.is_dir() || sources::is_file_of_data(path));
    Ok(found.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
}

fn check(dataset: &Dataset) -> Result<()> {
    let place = dataset.path.as_deref().unwrap_or(Path::new(&dataset.name)).display();
    if dataset.classes.len() < 2 {
        let table = dataset.path.as_deref().and_then(sources::table_in);
        let hint = match table {
            Some(table) => format!(
                "to read `{}`, say which columns it has: `--columns path=NAME,label=NAME`",
                table.display()
            ),
            None => "a classifier needs two classes or more: one folder each".to_owned(),
        };
        return Err(Error::input(format!("the data set `{place}` has only one class"))
            .cause(format!("found {}", list(&dataset.classes, 1)))
            .hint(hint));
    }
    Ok(())
}
