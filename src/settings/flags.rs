//! Settings as flags: help, environment variables, completions and values, all from their definitions.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, value_parser};
use tinderbox_base::settings::{Given, Kind, Origin, Setting};
use toml::Value;

/// The flag of a setting.
#[must_use]
pub fn arg(setting: &Setting) -> Arg {
    let arg = Arg::new(setting.name).help(setting.help()).env(setting.variable()).hide_env(true);
    let arg = match setting.kind {
        Kind::Argument => arg,
        _ => arg.long(setting.name),
    };
    match setting.kind {
        Kind::Switch => {
            arg.action(ArgAction::SetTrue).value_parser(clap::builder::FalseyValueParser::new())
        }
        Kind::Argument | Kind::Text | Kind::Checked(_) => arg.value_name(setting.value),
        Kind::Whole { .. } | Kind::OneOf(_) => {
            arg.value_name(setting.value).value_parser(value_parser!(i64).range(0..))
        }
        Kind::Amount { .. } => arg.value_name(setting.value).value_parser(amount),
        Kind::Real { .. } => arg
            .value_name(setting.value)
            .value_parser(value_parser!(f64))
            .allow_negative_numbers(true),
        Kind::Choice(words) => {
            arg.value_name(setting.value).value_parser(words.to_vec()).hide_possible_values(false)
        }
    }
}

/// A whole number, or `auto`.
fn amount(text: &str) -> std::result::Result<Value, String> {
    match text.parse::<u32>() {
        Ok(number) => Ok(i64::from(number).into()),
        Err(_) if text == "auto" => Ok(text.into()),
        Err(_) => Err("neither a whole number nor `auto`".to_owned()),
    }
}

/// The settings that were given by flag or by environment, out of those whose flags were made by
/// [`arg`].
pub fn given<'a>(matches: &ArgMatches, settings: impl IntoIterator<Item = &'a Setting>) -> Given {
    let entry = |setting: &Setting| {
        let origin = match matches.value_source(setting.name) {
            Some(ValueSource::EnvVariable) => Origin::Environment(setting.variable()),
            _ => Origin::Flag,
        };
        Some((setting.name.to_owned(), value(matches, setting)?, origin))
    };
    settings.into_iter().filter_map(entry).collect()
}

fn value(matches: &ArgMatches, setting: &Setting) -> Option<Value> {
    match setting.kind {
        Kind::Switch => matches.get_flag(setting.name).then_some(Value::Boolean(true)),
        Kind::Argument | Kind::Text | Kind::Checked(_) | Kind::Choice(_) => {
            matches.get_one::<String>(setting.name).map(|text| Value::from(text.as_str()))
        }
        Kind::Whole { .. } | Kind::OneOf(_) => {
            matches.get_one::<i64>(setting.name).map(|&number| number.into())
        }
        Kind::Amount { .. } => matches.get_one::<Value>(setting.name).cloned(),
        Kind::Real { .. } => matches.get_one::<f64>(setting.name).map(|&number| number.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::table::RECORD;
    use tinderbox_train::Settings;

    #[test]
    fn every_setting_is_a_flag_and_none_has_the_name_of_a_record() {
        for setting in Settings::all() {
            let flag = arg(setting);
            assert!(flag.get_long() == Some(setting.name) || flag.is_positional());
            assert!(!RECORD.contains(&setting.name), "`run.toml` says something else there");
        }
    }
}
