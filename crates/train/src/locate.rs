//! What a name of a run means: its name, its folder, or a file in it.

use std::path::{Path, PathBuf};

use tinderbox_base::units::list;
use tinderbox_base::{Error, Result, files, nearest};

/// The name of the model file in a run's folder.
const MODEL_FILE: &str = "model.safetensors";
/// The name of the file of its settings.
const SETTINGS_FILE: &str = "run.toml";

/// The model file that RUN means: a run's name, its folder, or the file itself.
///
/// # Errors
/// If there is none; the error names the nearest run.
pub fn locate(run: &str, models: &Path) -> Result<PathBuf> {
    let path = Path::new(run);
    for folder in [models.join(run), path.to_owned()] {
        let file = folder.join(MODEL_FILE);
        if !run.is_empty() && file.is_file() {
            return Ok(file);
        }
        if !run.is_empty() && folder.is_dir() {
            return Err(Error::input(format!("no `{MODEL_FILE}` in `{}`", folder.display()))
                .hint("the run has not finished its first epoch; train it again"));
        }
    }
    if path.is_file() {
        return Ok(path.to_owned());
    }
    Err(unknown(run, models, MODEL_FILE))
}

/// The folder that RUN means: a run's name, its folder, or a file in it.
///
/// # Errors
/// If there is none; the error names the nearest run.
pub fn locate_run(run: &str, models: &Path) -> Result<PathBuf> {
    let path = Path::new(run);
    let folders = [models.join(run), path.to_owned()];
    let found = folders.into_iter().find(|folder| !run.is_empty() && folder.is_dir());
    let holder = || path.parent().filter(|_| path.is_file()).map(Path::to_owned);
    found.or_else(holder).ok_or_else(|| unknown(run, models, SETTINGS_FILE))
}

/// The error for a run that is not there; `file` marks the folders that are runs.
fn unknown(run: &str, models: &Path, file: &str) -> Error {
    let names: Vec<String> = files::list(models)
        .unwrap_or_default()
        .iter()
        .filter(|path| path.join(file).is_file())
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    let error = Error::input(format!("no run `{run}` in `{}`, and no such file", models.display()))
        .cause(format!("there are {}", list(&names, 8)));
    match nearest(run, names.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint("`tinderbox runs list` shows what has been trained"),
    }
}
