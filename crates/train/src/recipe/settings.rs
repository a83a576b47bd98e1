//! All settings of a training: those of the data, the task, the learning and the run.

use tinderbox_base::Result;
use tinderbox_base::settings::{Setting, Spec, unknown};
use tinderbox_data::DataSpec;
use toml::Table;

use super::{RunSpec, TaskSpec, TrainSpec};

/// The settings of a training. In a file and on the command line they are one flat list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// What is learned from.
    pub data: DataSpec,
    /// What counts as a good answer.
    pub task: TaskSpec,
    /// How the network learns.
    pub train: TrainSpec,
    /// Where and how it runs.
    pub run: RunSpec,
}

impl Settings {
    /// The definitions of all settings, in the order of the help: by heading, then by spec.
    pub fn all() -> impl Iterator<Item = &'static Setting> {
        let specs =
            [TrainSpec::SETTINGS, TaskSpec::SETTINGS, RunSpec::SETTINGS, DataSpec::SETTINGS];
        let mut all: Vec<&Setting> = specs.into_iter().flatten().collect();
        all.sort_by_key(|setting| setting.heading);
        all.into_iter()
    }

    /// The definition of the setting `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Setting> {
        Self::all().find(|setting| setting.name == name)
    }

    /// Reads a flat table, as in a configuration file. What is absent has its default. No range is
    /// checked.
    ///
    /// # Errors
    /// If a key is unknown, or a value has the wrong type.
    pub fn from_table(mut table: Table) -> Result<Self> {
        let settings = Self {
            data: DataSpec::take(&mut table)?,
            task: TaskSpec::take(&mut table)?,
            train: TrainSpec::take(&mut table)?,
            run: RunSpec::take(&mut table)?,
        };
        match table.keys().next() {
            None => Ok(settings),
            Some(key) => Err(unknown(key, Self::all())),
        }
    }

    /// The values as a flat table. What is left open is absent.
    ///
    /// # Errors
    /// If a value cannot be written as TOML.
    pub fn to_table(&self) -> Result<Table> {
        let Self { data, task, train, run } = self;
        let tables = [data.to_table()?, task.to_table()?, train.to_table()?, run.to_table()?];
        Ok(tables.into_iter().flatten().collect())
    }

    /// Checks that every value makes sense by itself.
    ///
    /// # Errors
    /// The first value that does not, with its flag and range.
    pub fn check(&self) -> Result<()> {
        let Self { data, task, train, run } = self;
        train.check()?;
        task.check()?;
        data.check()?;
        run.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinderbox_base::settings::{Heading, Kind};
    use toml::Value;

    fn of(name: &str, value: impl Into<Value>) -> Result<Settings> {
        Settings::from_table(Table::from_iter([(name.to_owned(), value.into())]))
    }

    #[test]
    fn the_defaults_are_good_and_their_table_gives_them_again() {
        let settings = Settings::default();
        settings.check().unwrap();
        assert_eq!(Settings::from_table(settings.to_table().unwrap()).unwrap(), settings);
    }

    #[test]
    fn every_setting_has_one_name_and_help_goes_by_headings() {
        let mut names: Vec<&str> = Settings::all().map(|setting| setting.name).collect();
        assert_eq!(names[..3], ["model", "size", "channels"]);
        assert_eq!(names[names.len() - 2..], ["threads", "loader-threads"]);
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(Settings::all().is_sorted_by_key(|setting| setting.heading));
        assert_eq!(Settings::named("seed").unwrap().heading, Heading::Run);
    }

    #[test]
    fn help_is_one_sentence_without_its_full_stop() {
        for setting in Settings::all() {
            let (name, help) = (setting.name, setting.help);
            assert!(!help.is_empty() && !help.ends_with('.') && !help.contains("  "), "{name}");
            assert!(!help.contains("default"), "{name}: the default is added by itself");
            assert!(setting.value.is_empty() == matches!(setting.kind, Kind::Switch), "{name}");
        }
    }

    #[test]
    fn every_word_of_a_choice_is_a_value() {
        for setting in Settings::all() {
            let Kind::Choice(words) = setting.kind else { continue };
            for &word in words {
                let table = of(setting.name, word).unwrap().to_table().unwrap();
                assert_eq!(table[setting.name].as_str(), Some(word), "{}", setting.name);
            }
        }
    }

    #[test]
    fn an_unknown_key_or_a_value_of_another_type_is_named() {
        let error = of("epoch", 3).unwrap_err();
        assert_eq!(error.message, "unknown key `epoch`");
        assert_eq!(error.hint.unwrap(), "did you mean `epochs`?");
        let mut table = Settings::default().to_table().unwrap();
        table.insert("max-bad".to_owned(), "many".into());
        let error = Settings::from_table(table).unwrap_err();
        assert_eq!(error.message, "bad value for `max-bad`");
    }

    #[test]
    fn a_value_out_of_range_is_named_with_its_range() {
        for (name, value, shown, range) in [
            ("epochs", Value::Integer(0), "--epochs 0", "1 to 1000000"),
            ("batch", Value::Integer(0), "--batch 0", "1 to 65536"),
            ("channels", Value::Integer(2), "--channels 2", "1 or 3"),
            ("lr", Value::Float(f64::NAN), "--lr NaN", "0.000000000001 to 1000"),
            ("momentum", Value::Integer(1), "--momentum 1", "0 to 0.9999"),
            ("val-fraction", Value::Float(0.0), "--val-fraction 0", "above 0 to 0.9"),
            ("name", "../x".into(), "`../x`", "letters"),
            ("columns", "x".into(), "--columns", "path=file"),
        ] {
            let error = of(name, value).unwrap().check().unwrap_err();
            assert!(error.message.contains(shown), "{error:?}");
            assert!(error.hint.unwrap().contains(range), "{name}");
        }
    }
}
