//! The two directories of a run: new ones, or those of a run that goes on.

use std::path::{Path, PathBuf};

use tinderbox_base::{Error, Folders, Result, files};
use tinderbox_train::RunDirectory;

use super::pictures;
use crate::settings::Resolved;

/// Where a run's files lie. Its folder in `models` is held by this process.
pub struct RunDirectories {
    pub name: String,
    pub models: RunDirectory,
    pub images: PathBuf,
}

impl RunDirectories {
    /// The folders of the run in `models`, which is there and held; that in `images` is made.
    pub fn of(models: RunDirectory, folders: &Folders) -> Result<Self> {
        let name = models.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let images = folders.images.join(&name);
        files::make_folder(&images)?;
        files::remove_torn(&images)?;
        Ok(Self { name, models, images })
    }
}

/// Makes the run's two folders, which must be new unless they may be overwritten.
pub fn create(
    folders: &Folders,
    resolved: &Resolved,
    dataset: &str,
    model: &str,
) -> Result<RunDirectories> {
    for folder in [&folders.models, &folders.images] {
        files::make_folder(folder)?;
    }
    let settings = &resolved.settings.run;
    let name = match &settings.name {
        Some(name) => {
            let taken = |folder: &Path| {
                Error::usage(format!("there is a run `{name}` in `{}`", folder.display())).hint(
                    format!("go on with it by `--resume {name}`, choose another `--name`, or replace it with `--overwrite`"),
                )
            };
            let pictures = files::list(&folders.images.join(name)).unwrap_or_default();
            let is_new = !folders.models.join(name).exists();
            if is_new && !settings.overwrite && !pictures.is_empty() {
                return Err(taken(&folders.images));
            }
            if !files::claim_folder(&folders.models.join(name))? && !settings.overwrite {
                return Err(taken(&folders.models));
            }
            name.clone()
        }
        None => next_name(folders, &format!("{}-{model}", folder_safe(dataset)))?,
    };
    let places =
        RunDirectories::of(RunDirectory::new(folders.models.join(&name)).hold()?, folders)?;
    if settings.overwrite {
        for file in [places.models.model_file(), places.models.checkpoint_file()] {
            files::remove(&file)?;
        }
        for picture in pictures::FILES {
            files::remove(&places.images.join(picture))?;
        }
    }
    Ok(places)
}

/// The first free number after the highest one in use.
fn next_name(folders: &Folders, stem: &str) -> Result<String> {
    let numbers = [&folders.models, &folders.images].into_iter().flat_map(|folder| {
        files::list(folder).unwrap_or_default().into_iter().filter_map(|path| {
            path.file_name()?.to_str()?.strip_prefix(stem)?.strip_prefix('-')?.parse::<u32>().ok()
        })
    });
    let mut number = numbers.max().unwrap_or(0);
    loop {
        number += 1;
        let name = format!("{stem}-{number:03}");
        if files::claim_folder(&folders.models.join(&name))? {
            return Ok(name);
        }
    }
}

/// A data set's name as part of a folder's.
fn folder_safe(name: &str) -> String {
    let safe: String = name
        .chars()
        .take(80)
        .map(|c| if c.is_alphanumeric() || "._-".contains(c) { c } else { '-' })
        .collect();
    safe.trim_start_matches('.').to_owned()
}
