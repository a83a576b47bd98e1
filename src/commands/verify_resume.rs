//! `tinderbox verify-resume`

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::json;
use tinderbox_base::env::sleep;
use tinderbox_base::process::itself;
use tinderbox_base::settings::{Given, Interval};
use tinderbox_base::units::thousands;
use tinderbox_base::{Error, Result, files, hash};
use tinderbox_data::Lock;
use tinderbox_nn::io::{File, decode};
use tinderbox_train::{RunDirectory, Settings};
use toml::Table;

use super::data::open_split;
use super::train::Request;
use super::trial::machine;
use super::{Invocation, choose, output};
use crate::settings::{Resolved, resolve, write};

/// Steps in a whole training, at the least, for each step between two checkpoints: enough that it
/// can be killed before it ends.
const ROOM: usize = 100;

/// Trains twice, once killed and resumed, and compares every bit.
///
/// # Errors
/// If a training fails, or the results differ.
pub fn run(invocation: &Invocation, request: Request, steps: usize) -> Result<()> {
    if request.resume.is_some() || request.given.iter().any(|(key, ..)| key == "name") {
        return Err(Error::usage(
            "`verify-resume` trains runs of its own: give no `--resume` and no `--name`",
        )
        .hint("give a data set and settings, as to `train`"));
    }
    let mut resolved = resolve(request.config.as_deref(), request.given)?;
    let (chosen, _) = choose(&resolved.settings.run.device, resolved.settings.run.kernels)?;
    let (dataset, _) = open_split(&resolved.settings, &invocation.folders, None)?;
    let (recipe, _) = tinderbox_train::resolve(
        &resolved.settings,
        resolved.is_chosen("batch"),
        &dataset,
        &Lock::of(&dataset),
        &machine(&chosen),
        &invocation.folders.models,
    )?;
    let (model, steps_per_epoch) = (recipe.model, recipe.learning.schedule.steps_per_epoch);
    let Settings { train, run, .. } = &mut resolved.settings;
    train.epochs = train.epochs.max((ROOM * steps).div_ceil(steps_per_epoch));
    run.checkpoint_every = Interval::Steps(steps);
    (run.stop_after, run.overwrite) = (None, false);
    files::make_folder(&invocation.folders.models)?;
    let folder = tempfile::Builder::new().prefix(".verify-").tempdir_in(&invocation.folders.models);
    let folder =
        folder.map_err(|cause| files::error("write into", &invocation.folders.models, &cause))?;
    let lab = Lab::new(invocation, folder.path(), &resolved)?;

    let killed_at = lab.kill("killed")?;
    let last = (killed_at + steps).to_string();
    lab.finish(&["--resume", "killed", "--stop-after", &last])?;
    lab.finish(&["--config", &lab.config, "--name", "whole", "--stop-after", &last])?;
    let difference = lab.difference()?;
    if invocation.json {
        output::print_json(&json!({
            "model": model, "device": chosen.id.to_string(), "killed_after": killed_at,
            "steps": killed_at + steps, "same": difference.is_none(), "difference": difference,
        }))?;
    }
    let how = format!(
        "`{model}`, {} steps, killed after a checkpoint at step {}",
        thousands((killed_at + steps) as u64),
        thousands(killed_at as u64)
    );
    match difference {
        Some(difference) => Err(Error::failed(format!("FAIL: {how}: {difference}")).hint(
            "a training on this machine cannot be repeated to the last bit; `--device cpu` can",
        )),
        None if invocation.json => Ok(()),
        None => output::print(&format!(
            "PASS: {how}: resumed and uninterrupted, every tensor is the same\n{}",
            lab.hashes()?
        )),
    }
}

/// Folders in which trainings run as processes of their own.
struct Lab<'a> {
    invocation: &'a Invocation,
    folder: &'a Path,
    config: String,
}

impl<'a> Lab<'a> {
    fn new(invocation: &'a Invocation, folder: &'a Path, resolved: &Resolved) -> Result<Self> {
        let config = folder.join("settings.toml");
        files::replace(&config, write(resolved, &Given::new(), &Table::new())?.as_bytes())?;
        Ok(Self { invocation, folder, config: config.display().to_string() })
    }

    fn run(&self, name: &str) -> RunDirectory {
        RunDirectory::new(self.folder.join("models").join(name))
    }

    /// `tinderbox train` with these arguments.
    fn start(&self, args: &[&str]) -> Result<Child> {
        let mut command = itself()?;
        command
            .arg("train")
            .args(args)
            .arg("--datasets")
            .arg(&self.invocation.folders.datasets)
            .arg("--models")
            .arg(self.folder.join("models"))
            .arg("--images")
            .arg(self.folder.join("images"))
            .arg("--quiet")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command.spawn().map_err(|cause| {
            Error::environment("cannot start a training of its own").cause(files::describe(&cause))
        })
    }

    /// Runs a training to its end.
    fn finish(&self, args: &[&str]) -> Result<()> {
        let output = self.start(args)?.wait_with_output();
        let output = output.map_err(|cause| Error::failed("lost a training").cause(cause))?;
        if output.status.success() { Ok(()) } else { Err(failed(&output.stderr)) }
    }

    /// Kills a training after its first checkpoint; answers the step of its newest.
    fn kill(&self, name: &str) -> Result<usize> {
        let mut child = self.start(&["--config", &self.config, "--name", name])?;
        let run = self.run(name);
        while !run.checkpoint_file().exists() {
            if let Ok(Some(status)) = child.try_wait() {
                let output = child.wait_with_output().map(|output| output.stderr);
                return Err(if status.success() {
                    Error::failed("the training ended before it could be killed")
                        .hint("give more `--epochs`, or fewer `--steps`")
                } else {
                    failed(&output.unwrap_or_default())
                });
            }
            sleep(Duration::from_millis(1));
        }
        let _ = child.kill();
        let _ = child.wait();
        Ok(run.read()?.state.step)
    }

    fn files(&self) -> [[PathBuf; 2]; 2] {
        let [killed, whole] = ["killed", "whole"].map(|name| self.run(name));
        [
            [killed.checkpoint_file(), whole.checkpoint_file()],
            [killed.model_file(), whole.model_file()],
        ]
    }

    /// What differs first between the two runs.
    fn difference(&self) -> Result<Option<String>> {
        for pair in self.files() {
            if pair.iter().all(|path| !path.exists()) {
                continue; // no epoch was complete: there is no best model
            }
            let [a, b] = [files::read(&pair[0])?, files::read(&pair[1])?];
            if a != b {
                return Ok(Some(first_difference(&decode(&a)?, &decode(&b)?)));
            }
        }
        Ok(None)
    }

    fn hashes(&self) -> Result<String> {
        let mut lines = String::new();
        for [path, _] in self.files().iter().filter(|pair| pair[0].exists()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            lines += &format!("  {}  {name}\n", hash(&files::read(path)?));
        }
        Ok(lines)
    }
}

/// A training's own error, in one.
fn failed(stderr: &[u8]) -> Error {
    let text = String::from_utf8_lossy(stderr);
    let line =
        |start: &str| text.lines().find_map(|line| line.strip_prefix(start)).map(str::to_owned);
    let error = Error::failed(line("error: ").unwrap_or_else(|| "the training failed".to_owned()));
    let error = Error { cause: line("cause: "), ..error };
    error.hint(
        line("hint: ").unwrap_or_else(|| "run the same settings with `tinderbox train`".to_owned()),
    )
}

fn first_difference(resumed: &File, whole: &File) -> String {
    for (a, b) in resumed.tensors.iter().zip(&whole.tensors) {
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        if a.name != b.name || a.shape != b.shape {
            return format!("`{}` {:?} in place of `{}` {:?}", a.name, a.shape, b.name, b.shape);
        }
        if let Some(at) = bits(&a.values).iter().zip(bits(&b.values)).position(|(a, b)| *a != b) {
            return format!(
                "`{}` differs first at element {at}: {:e} resumed, {:e} uninterrupted",
                a.name, a.values[at], b.values[at]
            );
        }
    }
    let key = whole.metadata.iter().find(|(key, text)| resumed.metadata.get(*key) != Some(*text));
    key.map_or_else(
        || "the files have other tensors".to_owned(),
        |(key, _)| format!("`{key}` differs"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinderbox_nn::io::Tensor;

    #[test]
    fn the_first_difference_is_named_to_the_bit() {
        let tensor = |name: &str, values: &[f32]| Tensor {
            name: name.to_owned(),
            shape: vec![values.len()],
            values: values.to_vec(),
        };
        let file = |values: &[f32], step: &str| File {
            metadata: [("state".to_owned(), step.to_owned())].into(),
            tensors: vec![tensor("a", &[1.0]), tensor("b", values)],
            ..File::default()
        };
        let whole = file(&[0.0, 0.5], "7");
        let next = f32::from_bits(0.5f32.to_bits() + 1);
        let differs = |resumed: &File| first_difference(resumed, &whole);
        assert!(differs(&file(&[0.0, next], "7")).contains("`b` differs first at element 1"));
        assert!(differs(&file(&[-0.0, 0.5], "7")).contains("element 0"), "a zero has a sign");
        assert!(differs(&file(&[0.0], "7")).contains("`b` [1] in place of `b` [2]"));
        assert_eq!(differs(&file(&[0.0, 0.5], "8")), "`state` differs");
    }
}
