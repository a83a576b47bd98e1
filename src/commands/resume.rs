//! A run that goes on: found, read, and compared with what is asked for now.

use std::path::{Path, PathBuf};

use tinderbox_base::settings::{Effect, Given, Origin, Setting};
use tinderbox_base::{Error, Folders, Result, files};
use tinderbox_train::{Recipe, RunDirectory, Saved, Settings, learning, locate_run};
use toml::{Table, Value};

use crate::settings::{Resolved, resolve_run};

/// A run that goes on.
pub struct Resumed {
    /// Its folder, held.
    pub folder: RunDirectory,
    /// What its `run.toml` records of how it was done.
    pub record: Table,
    /// Its checkpoint; none where it was killed before the first.
    pub saved: Option<Saved>,
}

/// How a run goes on.
pub struct Change {
    /// The settings that are other than before: `epochs 3 -> 5`.
    pub changes: Vec<String>,
    /// Whether the result is that of an uninterrupted run with the settings of now.
    pub is_exact: bool,
}

/// The run `name`, and its settings under those `given` now.
///
/// # Errors
/// If there is no such run, another process trains it, or a file of it cannot be used.
pub fn open(name: &str, given: Given, folders: &Folders) -> Result<(Resolved, Resumed)> {
    let path = if name == "latest" && !folders.models.join(name).exists() {
        latest(&folders.models)?
    } else {
        locate_run(name, &folders.models)?
    };
    let given = given.into_iter().filter_map(|value| keep(value, &path).transpose());
    let given = given.collect::<Result<Given>>()?;
    let folder = RunDirectory::new(path).hold()?;
    let settings = folder.path().join("run.toml");
    if !settings.exists() {
        return Err(Error::input(format!("no `run.toml` in `{}`", folder.path().display()))
            .cause("the run was ended before it began")
            .hint("start it again: `tinderbox train --name NAME --overwrite`"));
    }
    let (resolved, record) = resolve_run(&settings, given)?;
    let has_saved = folder.checkpoint_file().exists();
    let saved = has_saved.then(|| folder.read()).transpose()?;
    Ok((resolved, Resumed { folder, record, saved }))
}

/// A value for a run that goes on in the folder `path`, which keeps its name and its files.
fn keep(value: (String, Value, Origin), path: &Path) -> Result<Option<(String, Value, Origin)>> {
    let (key, wanted, origin) = &value;
    let name = path.file_name().and_then(|name| name.to_str());
    match key.as_str() {
        "overwrite" if *origin != Origin::Flag => Ok(None),
        "name" if wanted.as_str() == name => Ok(None),
        "overwrite" | "name" => {
            Err(Error::usage(format!("`--{key}` cannot be given with `--resume`"))
                .hint("a run that goes on keeps its name and its files"))
        }
        _ => Ok(Some(value)),
    }
}

/// The run whose checkpoint is the newest; where none has one, whose settings are.
fn latest(models: &Path) -> Result<PathBuf> {
    let runs = files::list(models).unwrap_or_default();
    let newest = |file: &str| {
        let times = runs.iter().filter_map(|run| Some((files::modified(&run.join(file))?, run)));
        times.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, run)| run.clone())
    };
    newest("checkpoint.safetensors").or_else(|| newest("run.toml")).ok_or_else(|| {
        Error::input(format!("no run in `{}`", models.display()))
            .hint("`tinderbox train` starts one; `--models DIR` says where runs are")
    })
}

impl Resumed {
    /// Compares the checkpoint with the recipe of now for this many training images, and fits its
    /// counters to another batch.
    ///
    /// # Errors
    /// If the data are others, or a setting cannot change.
    pub fn compare(&mut self, recipe: &Recipe, images: usize, device: &Table) -> Result<Change> {
        let mut change = Change { changes: Vec::new(), is_exact: true };
        let Some(saved) = &mut self.saved else { return Ok(change) };
        let Recipe { card, learning: new, .. } = recipe;
        if saved.dataset_hash != card.dataset_hash {
            return Err(Error::input("the data are not those that the run was trained on")
                .cause(format!(
                    "files were added, removed or changed, or are split otherwise: compare with `{}`",
                    self.folder.path().join("dataset.lock").display()
                ))
                .hint("restore the data, or start a new run: images must not move between training and validation"));
        }
        let (before, now) = (&saved.settings, &card.settings);
        let differs = |key: &str| before.get(key) != now.get(key);
        let is_fixed = |setting: &&Setting| setting.effect == Effect::Fixed;
        let mut fixed = Settings::all().filter(is_fixed).map(|setting| setting.name);
        if let Some(key) = fixed.find(|key| differs(key)) {
            let [old, new] = [before, now].map(|table| show(table.get(key)));
            return Err(Error::usage(format!(
                "`{key}` cannot change from {old} to {new} on `--resume`"
            ))
            .hint("start a new run: the weights of the old one do not fit"));
        }
        let settings = Settings::from_table(before.clone()).map_err(|cause| {
            self.folder.unusable(Error::input("its `settings` cannot be read").cause(cause))
        })?;
        for key in now.keys().filter(|key| differs(key)) {
            let [old, new] = [before, now].map(|table| show(table.get(key)));
            change.changes.push(format!("{key} {old} -> {new}"));
            // Whether other rates matter is seen below, by the rates themselves.
            let effect = Settings::named(key).map(|setting| setting.effect);
            change.is_exact &= matches!(effect, Some(Effect::Rate | Effect::Later));
        }
        let old_batch = settings.train.batch.number().unwrap_or(new.batch);
        let old = learning(&settings, [old_batch, new.micro_batch], images).schedule;
        saved.state.check(&old).map_err(|error| self.folder.unusable(error))?;
        let is_same = |step| old.rate(step).to_bits() == new.schedule.rate(step).to_bits();
        change.is_exact &= (0..saved.state.step).all(is_same);
        for key in ["device", "device-description"] {
            if let (Some(old), Some(new)) = (self.record.get(key), device.get(key))
                && old != new
            {
                change.changes.push(format!("{key} {} -> {}", show(Some(old)), show(Some(new))));
                change.is_exact = false;
            }
        }
        change.is_exact |= saved.state.step == 0;
        if old_batch != new.batch {
            saved.rebatch(new)?;
        }
        Ok(change)
    }
}

impl Change {
    /// The lines for people: what changed, and what that means.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.changes.is_empty() {
            lines.push(format!("changed: {}", self.changes.join(", ")));
        }
        if !self.is_exact {
            lines.push("warning: not exact: a run that had this from its start would end with other weights".to_owned());
        }
        lines
    }
}

fn show(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}
