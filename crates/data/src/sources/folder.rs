//! One folder per class, under `train/`, `val/`, `test/` or as a single tree.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tinderbox_base::units::list;
use tinderbox_base::{Error, Result, files};
use tinderbox_image::IMAGE_EXTENSIONS;

use super::{class_name, dataset_name, in_file};
use crate::dataset::{Dataset, LeftOut, Split};

const VAL_NAMES: [&str; 3] = ["val", "valid", "validation"];
/// Images of cameras and browsers that no decoder here reads.
const OTHER_EXTENSIONS: &[&str] = &[
    "heic", "heif", "avif", "jxl", "jp2", "dng", "cr2", "cr3", "nef", "arw", "raf", "orf", "rw2",
    "psd", "svg",
];

/// Reads the names of classes and files below `root`. No image is opened.
///
/// # Errors
/// If there are no classes, or the files of one are no images, or a split has a class that training has not.
pub fn open(root: &Path) -> Result<Dataset> {
    let found =
        |names: &[&str]| names.iter().map(|name| root.join(name)).find(|path| path.is_dir());
    let train = found(&["train", "training"]);
    let roots = match &train {
        Some(train) => [Some(train.clone()), found(&VAL_NAMES), found(&["test", "testing"])],
        None => [Some(root.to_owned()), None, None],
    };
    let mut left_out = LeftOut::new();
    let mut rest = files::list(root)?;
    rest.retain(|path| path.is_dir() && !roots.iter().flatten().any(|root| root == path));
    check_names(&rest, train.is_some())?;
    if train.is_some() && !rest.is_empty() {
        let names = rest.iter().map(|path| path.to_string_lossy().into_owned());
        left_out.insert("beside the folders of splits", names.collect());
    }
    let base: Arc<Path> = root.into();
    let mut splits = [Vec::new(), Vec::new(), Vec::new()];
    let mut empty = Vec::new();
    let mut classes: Vec<String> = Vec::new();
    for (split, folder) in Split::ALL.into_iter().zip(&roots) {
        let Some(folder) = folder else { continue };
        let mut found = class_folders(folder, &mut left_out)?;
        found.retain(|name, paths| {
            let is_empty = paths.is_empty();
            if is_empty && split == Split::Train {
                empty.push(name.clone());
            }
            !is_empty
        });
        if split == Split::Train {
            classes = found.keys().cloned().collect();
        }
        for (name, paths) in found {
            let Ok(label) = classes.binary_search(&name) else {
                return Err(Error::input(format!(
                    "the class `{name}` is in `{}`",
                    folder.display()
                ))
                .cause(format!("training has no such class: it has {}", list(&classes, 8))));
            };
            for path in paths {
                splits[split as usize].push(in_file(&base, path, label as u32));
            }
        }
    }
    let single_tree = train.is_none();
    let (name, path) = (dataset_name(root), Some(root.to_owned()));
    let splits = splits.map(Arc::new);
    for name in left_out.values_mut().flatten() {
        if let Ok(below) = Path::new(&*name).strip_prefix(root) {
            *name = below.to_string_lossy().into_owned();
        }
    }
    let rest = Dataset::default();
    Ok(Dataset { name, path, classes, single_tree, empty, left_out, splits, ..rest })
}

/// Splits whose names are wrong must not be learned as classes, nor left out.
fn check_names(folders: &[PathBuf], has_train: bool) -> Result<()> {
    let split_names = ["train", "training", "test", "testing"];
    let odd = folders.iter().find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        split_names.contains(&name.as_str()) || VAL_NAMES.contains(&name.as_str())
    });
    let Some(odd) = odd else { return Ok(()) };
    let cause = if has_train {
        "its name is written otherwise, or another folder is that split"
    } else {
        "there is no folder `train` beside it"
    };
    Err(Error::input(format!("`{}` looks like a split", odd.display()))
        .cause(cause)
        .hint("name the folders `train`, `val` and `test`, in small letters"))
}

/// The images of each class folder, by class name, sorted; none of a folder that holds no file.
fn class_folders(folder: &Path, left_out: &mut LeftOut) -> Result<BTreeMap<String, Vec<PathBuf>>> {
    let entries = files::list(folder)?;
    let mut classes: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for path in entries.iter().filter(|path| path.is_dir()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let images = images_or_not(path, left_out)?;
        if images.is_empty() && holds_files(path) {
            return Err(Error::input(format!(
                "no images in the class folder `{}`",
                path.display()
            ))
            .cause(format!("looked for {}", list(IMAGE_EXTENSIONS, 99)))
            .hint("add images to it or remove the folder"));
        }
        classes.entry(class_name(&name)).or_default().extend(images);
    }
    if classes.values().all(Vec::is_empty) {
        let here: Vec<String> =
            entries.iter().filter_map(|p| Some(p.file_name()?.to_str()?.to_owned())).collect();
        return Err(Error::input(format!("no class folders in `{}`", folder.display()))
            .cause(format!("it holds {}", list(&here, 6)))
            .hint("put the images of each class into a folder of the class's name, or IDX files into this one"));
    }
    Ok(classes)
}

/// Whether a folder has a visible file in it or below.
fn holds_files(folder: &Path) -> bool {
    let mut below = walkdir::WalkDir::new(folder)
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !files::is_hidden(entry.path()))
        .filter_map(std::result::Result::ok);
    below.any(|entry| !entry.file_type().is_dir())
}

/// Images in a folder and below, sorted; hidden files are left out, symbolic links are followed
/// but never in circles.
///
/// # Errors
/// If a folder cannot be listed.
pub fn images_below(folder: &Path) -> Result<Vec<PathBuf>> {
    images_or_not(folder, &mut LeftOut::new())
}

/// The same, and what looks like an image and is none that can be read.
fn images_or_not(folder: &Path, left_out: &mut LeftOut) -> Result<Vec<PathBuf>> {
    let mut leave_out = |what, path: &Path| {
        left_out.entry(what).or_default().push(path.to_string_lossy().into_owned());
    };
    let walk = walkdir::WalkDir::new(folder)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !files::is_hidden(entry.path()));
    let mut images = Vec::new();
    for entry in walk {
        match entry {
            Ok(entry) if entry.file_type().is_file() && is_image(entry.path()) => {
                images.push(entry.into_path());
            }
            Ok(entry) if is_of(entry.path(), OTHER_EXTENSIONS) => {
                leave_out("of a kind that is not read", entry.path());
            }
            Ok(_) => {}
            // A link in a circle or to nothing is no image; a folder that cannot be read is lost data.
            Err(cause) if cause.loop_ancestor().is_some() => {}
            Err(cause) => {
                let path = cause.path().unwrap_or(folder).to_owned();
                match cause.into_io_error() {
                    Some(io) if io.kind() == std::io::ErrorKind::NotFound => {
                        leave_out("links to nothing", &path);
                    }
                    Some(io) => return Err(files::error("list", &path, &io)),
                    None => {}
                }
            }
        }
    }
    Ok(images)
}

fn is_image(path: &Path) -> bool {
    is_of(path, IMAGE_EXTENSIONS)
}

fn is_of(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    extensions.contains(&extension.as_str())
}
