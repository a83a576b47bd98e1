//! Layers of settings: a file under the environment under the flags, each value with its origin.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::flags::FLAGS;
use tinderbox_base as base;
use tinderbox_base::settings::{Given, Origin};
use tinderbox_base::{Error, Result, files};
use tinderbox_train::Settings;

/// Settings, complete and checked, and where each came from.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The settings.
    pub settings: Settings,
    /// The origin of every setting that is not a default.
    pub origins: BTreeMap<String, Origin>,
}

/// The version of the configuration file that this program writes and reads.
const FORMAT: i64 = 1;

/// What a file says beside settings: `run.toml` is itself a configuration file.
pub(super) const RECORD: &[&str] = &["format", "origin", "record"];

/// Settings from a configuration file, where there is one, and from `given`: values of the
/// environment and of flags with their origin.
///
/// # Errors
/// If the file cannot be read or holds an unknown key, or a value is of the wrong type or range.
pub fn resolve(file: Option<&Path>, given: Given) -> Result<Resolved> {
    let mut layers = Given::new();
    if let Some(path) = file {
        let origin = Origin::File(path.display().to_string());
        let settings = open(read(path)?);
        layers.extend(settings.into_iter().map(|(key, value)| (key, value, origin.clone())));
    }
    layers.extend(given);
    layer(file, layers)
}

/// The settings of a run, from its `run.toml`, under those `given` now, and the run's record.
///
/// # Errors
/// As [`resolve`].
pub fn resolve_run(file: &Path, given: Given) -> Result<(Resolved, Table)> {
    let mut table = read(file)?;
    let [origins, record] = ["origin", "record"].map(|key| match table.remove(key) {
        Some(Value::Table(table)) => table,
        _ => Table::new(),
    });
    // Orders for the process that they were given to, not for the one that goes on.
    for key in ["format", "overwrite", "stop-after"] {
        table.remove(key);
    }
    let origin = |key: &String| {
        origins.get(key).and_then(Value::as_str).map_or(Origin::Default, Origin::read)
    };
    let mut layers: Given =
        table.into_iter().map(|(key, value)| (key.clone(), value, origin(&key))).collect();
    layers.extend(given);
    Ok((layer(Some(file), layers)?, record))
}

/// Lays values over each other, the last one on top.
fn layer(file: Option<&Path>, layers: Given) -> Result<Resolved> {
    let mut table = Table::new();
    let mut origins = BTreeMap::new();
    for (key, value, origin) in layers {
        match origin {
            Origin::Default => origins.remove(&key),
            origin => origins.insert(key.clone(), origin),
        };
        table.insert(key, value);
    }
    let settings =
        Settings::deserialize(table.clone()).map_err(|cause| bad_value(file, table, &cause))?;
    settings.check()?;
    Ok(Resolved { settings, origins })
}

/// Names the key whose value is of the wrong type: the one that fails by itself.
fn bad_value(file: Option<&Path>, table: Table, cause: &toml::de::Error) -> Error {
    let fails = |key: &str, value: Value| {
        Settings::deserialize(Table::from_iter([(key.to_owned(), value)])).is_err()
    };
    let key = table.into_iter().find(|(key, value)| fails(key, value.clone())).map(|(key, _)| key);
    let mut message = format!("bad value for `{}`", key.unwrap_or_default());
    if let Some(path) = file {
        message += &format!(" in `{}`", path.display());
    }
    Error::usage(message).cause(cause.message()).hint("`tinderbox train --help` lists the settings")
}

/// What a file of this program's format says; every key of it is known.
fn read(path: &Path) -> Result<Table> {
    let usage = |cause: String| {
        Error::usage(format!("bad configuration `{}`", path.display())).cause(cause)
    };
    let text = files::read_text(path).map_err(|error| error.blame(base::Fault::Usage))?;
    let table: Table = text.parse().map_err(|cause: toml::de::Error| {
        let line = cause
            .span()
            .map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
        usage(format!("line {line}: {}", cause.message()))
            .hint("it is TOML: `epochs = 20`; a run's `run.toml` is an example")
    })?;
    match table.get("format") {
        None | Some(Value::Integer(FORMAT)) => {}
        Some(other) => {
            return Err(usage(format!("format = {other}, this program reads format = {FORMAT}"))
                .hint("use the version of tinderbox that wrote it, or a newer one"));
        }
    }
    for key in table.keys().filter(|key| !RECORD.contains(&key.as_str())) {
        let known = || FLAGS.iter().map(|flag| flag.name).chain(["dataset"]);
        if !known().any(|name| name == key) {
            let error = usage(format!("unknown key `{key}`"));
            return Err(match base::nearest(key, known()) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint("`tinderbox train --help` lists the settings"),
            });
        }
    }
    Ok(table)
}

/// What a file sets. What a run did not set stays open; and a run that replaced another is no order
/// to do it again.
fn open(mut table: Table) -> Table {
    let defaults = match table.get("origin") {
        Some(Value::Table(origins)) => origins.clone(),
        _ => Table::new(),
    };
    let is_record = table.contains_key("record");
    let standard = Table::try_from(Settings::default()).unwrap_or_default();
    let is_default = |key: &str, value: &Value| {
        defaults.get(key).and_then(Value::as_str) == Some("default")
            && standard.get(key) == Some(value)
    };
    table.retain(|key, value| {
        let is_order = is_record && key == "overwrite";
        !(RECORD.contains(&key) || is_default(key, value) || is_order)
    });
    table
}

/// The text of `run.toml`: every setting, where it came from, and a record of how the run was done.
///
/// # Errors
/// If a value cannot be written as TOML.
pub fn write(resolved: &Resolved, record: &Table) -> Result<String> {
    let failed = |cause: toml::ser::Error| Error::failed("cannot write the settings").cause(cause);
    let mut table = Table::new();
    table.insert("format".to_owned(), FORMAT.into());
    let settings = Table::try_from(&resolved.settings).map_err(failed)?;
    let origins = settings.keys().map(|key| {
        let origin = resolved.origins.get(key).unwrap_or(&Origin::Default);
        (key.clone(), Value::from(origin.to_string()))
    });
    let origins: Table = origins.collect();
    table.extend(settings);
    table.insert("origin".to_owned(), origins.into());
    table.insert("record".to_owned(), record.clone().into());
    toml::to_string(&table).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinderbox_base::settings::Amount;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        files::replace(file.path(), text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn a_flag_wins_over_the_environment_and_that_over_a_file() {
        let file = file("epochs = 3\nbatch = 5\nlr = 0.1\n");
        let given = vec![
            (
                "batch".to_owned(),
                Value::Integer(6),
                Origin::Environment("TINDERBOX_BATCH".to_owned()),
            ),
            ("lr".to_owned(), Value::Float(0.2), Origin::Flag),
        ];
        let resolved = resolve(Some(file.path()), given).unwrap();
        let Settings { epochs, batch, lr, .. } = resolved.settings;
        assert_eq!((epochs, batch, lr), (3, Amount::Of(6), Some(0.2)));
        assert!(matches!(resolved.origins["epochs"], Origin::File(_)));
        assert_eq!(resolved.origins["lr"], Origin::Flag);
        assert!(!resolved.origins.contains_key("seed"));
    }

    #[test]
    fn an_unknown_key_is_an_error_with_the_nearest_name() {
        let file = file("epoch = 3\n");
        let error = resolve(Some(file.path()), Vec::new()).unwrap_err();
        assert_eq!(error.fault, base::Fault::Usage);
        assert_eq!(error.hint.unwrap(), "did you mean `epochs`?");
    }

    #[test]
    fn broken_files_and_other_formats_are_named() {
        for text in ["epochs = = 3", "format = 2", "epochs = \"many\"", "epochs = 0"] {
            let file = file(text);
            let error = resolve(Some(file.path()), Vec::new()).unwrap_err();
            assert_eq!(error.fault, base::Fault::Usage, "{text}: {error:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_again_as_the_same_settings() {
        let settings =
            Settings { lr: Some(0.01), name: Some("x".to_owned()), ..Settings::default() };
        let origins = ["lr", "name"].map(|key| (key.to_owned(), Origin::Flag));
        let resolved = Resolved { settings: settings.clone(), origins: origins.into() };
        let text = write(&resolved, &Table::new()).unwrap();
        let again = resolve(Some(file(&text).path()), Vec::new()).unwrap();
        assert_eq!(again.settings, settings);
    }
}
