//! The three folders as they are found: what is there, who owns it, what it holds.

use std::path::{Path, PathBuf};

use tinderbox_base::{Folders, env, files};
use tinderbox_image::IMAGE_EXTENSIONS;

use super::mounts::{Mount, Mounts};

/// What a folder is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Datasets,
    Models,
    Images,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Datasets, Self::Models, Self::Images];

    pub fn name(self) -> &'static str {
        match self {
            Self::Datasets => "datasets",
            Self::Models => "models",
            Self::Images => "images",
        }
    }

    pub fn folder(self, folders: &Folders) -> &Path {
        match self {
            Self::Datasets => &folders.datasets,
            Self::Models => &folders.models,
            Self::Images => &folders.images,
        }
    }
}

/// What this process is and sees.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Whether this is a container image of ours.
    pub image: bool,
    /// Its mounts.
    pub mounts: Mounts,
    /// Its user and group, where the operating system has numbers for them.
    pub user: Option<[u32; 2]>,
    /// Whether its root is another user outside.
    pub mapped: bool,
}

impl Surroundings {
    pub fn look() -> Self {
        Self {
            image: env::var("TINDERBOX_IMAGE").is_some(),
            mounts: Mounts::read(),
            user: files::owner("/proc/self".as_ref()),
            mapped: files::read_text("/proc/self/uid_map".as_ref()).is_ok_and(|map| {
                let mut numbers = map.split_whitespace();
                numbers.next() == Some("0") && numbers.next() != Some("0")
            }),
        }
    }
}

/// What a folder holds, as far as its shape tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    Nothing,
    /// Runs: trained models.
    Runs,
    /// Pictures of runs.
    Pictures,
    /// The parts of one data set: `train`, classes, IDX files.
    OneDataset,
    /// Data sets, where there should be none.
    Datasets,
    /// Only a folder with the role's own name.
    Nested,
    /// Folders of these names.
    Folders(Vec<String>),
}

/// Entries of a folder that are looked at; large folders must not make it slow.
pub const LOOKED_AT: usize = 200;

/// What a folder looks like.
///
/// # Errors
/// If it cannot be listed.
pub fn content(folder: &Path, role: Role) -> tinderbox_base::Result<Content> {
    let entries = files::some(folder, LOOKED_AT)?;
    let mut folders: Vec<&PathBuf> = entries.iter().filter(|path| path.is_dir()).collect();
    folders.sort();
    let names: Vec<String> = folders.iter().map(|path| file_name(path)).collect();
    if names == [role.name()] {
        return Ok(Content::Nested);
    }
    let inside: Vec<Vec<PathBuf>> =
        folders.iter().map(|folder| files::some(folder, LOOKED_AT).unwrap_or_default()).collect();
    let any = |wanted: &dyn Fn(&[PathBuf]) -> bool| inside.iter().any(|paths| wanted(paths));
    let runs = any(&|paths| has(paths, &["run.toml", "model.safetensors"]));
    let pictures = any(&|paths| has(paths, &["curves.png", "batch.png"]));
    // Both may go to one folder.
    Ok(if runs && !(pictures && role == Role::Images) {
        Content::Runs
    } else if pictures {
        Content::Pictures
    } else if is_dataset(&entries) {
        Content::OneDataset
    } else if folders.is_empty() {
        Content::Nothing
    } else if role == Role::Datasets && folders.len() > 1 && inside.iter().all(|i| is_class(i)) {
        Content::OneDataset
    } else if role != Role::Datasets && any(&is_dataset) {
        Content::Datasets
    } else {
        Content::Folders(names)
    })
}

/// Whether these are the parts of a data set beyond doubt.
fn is_dataset(entries: &[PathBuf]) -> bool {
    entries.iter().any(|path| {
        let name = file_name(path);
        name.contains("-idx3-ubyte") || (["train", "training"].contains(&&*name) && path.is_dir())
    })
}

/// Images, and nothing below.
fn is_class(entries: &[PathBuf]) -> bool {
    entries.iter().any(|path| is_image(path)) && !entries.iter().any(|path| path.is_dir())
}

fn has(entries: &[PathBuf], names: &[&str]) -> bool {
    entries.iter().any(|path| names.contains(&&*file_name(path)))
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    IMAGE_EXTENSIONS.contains(&&*extension) && path.is_file()
}

/// The last part of a path, for people.
pub fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The path itself where it is there, else the nearest folder above that is.
pub fn nearest_existing(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    whole.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/")).to_owned()
}

/// The mount that a folder lies on, by its real path.
pub fn mount_of<'a>(path: &Path, around: &'a Surroundings) -> Option<&'a Mount> {
    let real = std::path::absolute(path).ok()?;
    around.mounts.of(&real.canonicalize().unwrap_or(real))
}
