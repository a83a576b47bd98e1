//! Layers of settings: a file under the environment under the flags, each value with its origin.

use std::collections::BTreeMap;
use std::path::Path;

use tinderbox_base as base;
use tinderbox_base::settings::{Given, Origin, unknown};
use tinderbox_base::{Error, Result, files};
use tinderbox_train::Settings;
use toml::{Table, Value};

/// Settings, complete and checked, and where each came from.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The settings.
    pub settings: Settings,
    /// The origin of every setting that a person chose.
    pub origins: BTreeMap<String, Origin>,
}

impl Resolved {
    /// Whether a person chose the value of a setting.
    #[must_use]
    pub fn is_chosen(&self, name: &str) -> bool {
        self.origins.contains_key(name)
    }
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
        if origin.is_chosen() {
            origins.insert(key.clone(), origin);
        } else {
            origins.remove(&key);
        }
        table.insert(key, value);
    }
    let settings = Settings::from_table(table).map_err(|error| match file {
        Some(path) => {
            Error { message: format!("{} in `{}`", error.message, path.display()), ..error }
        }
        None => error,
    })?;
    settings.check()?;
    Ok(Resolved { settings, origins })
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
    let mut keys = table.keys().filter(|key| !RECORD.contains(&key.as_str()));
    if let Some(key) = keys.find(|key| Settings::named(key).is_none()) {
        let error = unknown(key, Settings::all());
        return Err(Error { hint: error.hint, ..usage(error.message) });
    }
    Ok(table)
}

/// What a file sets. What a run did not set stays open; and a run that replaced another is no order
/// to do it again.
fn open(mut table: Table) -> Table {
    let origins = match table.get("origin") {
        Some(Value::Table(origins)) => origins.clone(),
        _ => Table::new(),
    };
    let is_record = table.contains_key("record");
    let standard = Settings::default().to_table().unwrap_or_default();
    let is_open = |key: &str, value: &Value| {
        let origin = origins.get(key).and_then(Value::as_str).map(Origin::read);
        origin.is_some_and(|origin| !origin.is_chosen()) && standard.get(key) == Some(value)
    };
    table.retain(|key, value| {
        let is_order = is_record && key == "overwrite";
        !(RECORD.contains(&key) || is_open(key, value) || is_order)
    });
    table
}

/// The text of `run.toml`: the settings, where each came from, and a record of how the run was done,
/// in which the values are that took effect for what was left open.
///
/// # Errors
/// If a value cannot be written as TOML.
pub fn write(resolved: &Resolved, effective: &Given, record: &Table) -> Result<String> {
    let mut origins: BTreeMap<&str, &Origin> =
        Settings::all().map(|setting| (setting.name, &Origin::Default)).collect();
    origins.extend(effective.iter().map(|(key, _, origin)| (key.as_str(), origin)));
    origins.extend(resolved.origins.iter().map(|(key, origin)| (key.as_str(), origin)));
    let origins =
        origins.into_iter().map(|(key, origin)| (key.to_owned(), origin.to_string().into()));
    let values = effective.iter().map(|(key, value, _)| (key.clone(), value.clone()));
    let mut record = record.clone();
    record.insert("effective".to_owned(), values.collect::<Table>().into());
    let mut table = resolved.settings.to_table()?;
    table.insert("format".to_owned(), FORMAT.into());
    table.insert("origin".to_owned(), origins.collect::<Table>().into());
    table.insert("record".to_owned(), record.into());
    toml::to_string(&table).map_err(|cause| Error::failed("cannot write the settings").cause(cause))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinderbox_base::settings::Amount;
    use tinderbox_train::TrainSpec;

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
        let TrainSpec { epochs, batch, lr, .. } = resolved.settings.train;
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
        let mut settings = Settings::default();
        (settings.train.lr, settings.run.name) = (Some(0.01), Some("x".to_owned()));
        let origins = ["lr", "name"].map(|key| (key.to_owned(), Origin::Flag));
        let resolved = Resolved { settings: settings.clone(), origins: origins.into() };
        let text = write(&resolved, &Given::new(), &Table::new()).unwrap();
        let again = resolve(Some(file(&text).path()), Vec::new()).unwrap();
        assert_eq!(again.settings, settings);
    }

    #[test]
    fn what_nobody_chose_is_recorded_with_its_origin_and_stays_open_in_a_configuration() {
        let origins = [("epochs".to_owned(), Origin::Flag)];
        let resolved = Resolved { settings: Settings::default(), origins: origins.into() };
        let effective = vec![
            ("batch".to_owned(), Value::Integer(36), Origin::Data),
            ("lr".to_owned(), Value::Float(0.003), Origin::Default),
            ("epochs".to_owned(), Value::Integer(15), Origin::Data),
        ];
        let text = write(&resolved, &effective, &Table::new()).unwrap();
        let table: Table = text.parse().unwrap();
        assert_eq!(table["record"]["effective"]["batch"].as_integer(), Some(36));
        let origin = |name: &str| table["origin"][name].as_str().unwrap();
        assert_eq!(["batch", "lr", "epochs"].map(origin), ["data", "default", "flag"]);
        assert!(Settings::all().all(|setting| !origin(setting.name).is_empty()));
        let again = resolve(Some(file(&text).path()), Vec::new()).unwrap();
        assert_eq!(again.origins.keys().collect::<Vec<_>>(), ["epochs"]);
        let (again, _) = resolve_run(file(&text).path(), Vec::new()).unwrap();
        assert_eq!(again.origins, resolved.origins);
    }
}
