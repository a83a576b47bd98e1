//! The flags of `train`, made from the list of settings.

use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};
use toml::Value;

use crate::commands::train::Request;
use crate::settings::flags::{FLAGS, Flag, Kind};
use tinderbox_base::settings::{Given, Origin};

/// What was given to `train`, by flag or by environment.
#[derive(Debug, Clone)]
pub struct TrainArgs(Request);

impl From<TrainArgs> for Request {
    fn from(args: TrainArgs) -> Self {
        args.0
    }
}

impl Args for TrainArgs {
    fn augment_args(command: Command) -> Command {
        let command = command
            .arg(
                Arg::new("dataset")
                    .value_name("DATASET")
                    .env("TINDERBOX_DATASET")
                    .hide_env(true)
                    .help("A data set's name or a path [default: fashion-mnist-mini, inside the program]"),
            )
            .arg(
                Arg::new("config")
                    .long("config")
                    .value_name("FILE")
                    .value_parser(value_parser!(PathBuf))
                    .env("TINDERBOX_CONFIG")
                    .hide_env(true)
                    .help("Settings in TOML; a run's `run.toml` is such a file"),
            )
            .arg(
                Arg::new("resume")
                    .long("resume")
                    .value_name("RUN")
                    .env("TINDERBOX_RESUME")
                    .hide_env(true)
                    .conflicts_with("config")
                    .help("Go on with a run from its last checkpoint; `latest` is the newest run"),
            )
            .after_help(
                "Every flag has an environment variable: --loader-threads is \
                 TINDERBOX_LOADER_THREADS. A flag wins over the environment, and that over --config.",
            );
        FLAGS.iter().fold(command, |command, flag| command.arg(arg(flag)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn arg(flag: &Flag) -> Arg {
    let arg = Arg::new(flag.name)
        .long(flag.name)
        .help(flag.help)
        .help_heading(flag.heading)
        .env(flag.variable())
        .hide_env(true);
    match flag.kind {
        Kind::Switch => {
            arg.action(ArgAction::SetTrue).value_parser(clap::builder::FalseyValueParser::new())
        }
        Kind::Text => arg.value_name(flag.value),
        Kind::Whole => arg.value_name(flag.value).value_parser(value_parser!(i64).range(0..)),
        Kind::Amount => arg.value_name(flag.value).value_parser(amount),
        Kind::Real => {
            arg.value_name(flag.value).value_parser(value_parser!(f64)).allow_negative_numbers(true)
        }
        Kind::Choice(words) => {
            arg.value_name(flag.value).value_parser(words.to_vec()).hide_possible_values(false)
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

impl FromArgMatches for TrainArgs {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, clap::Error> {
        let mut given = Given::new();
        let dataset = matches.get_one::<String>("dataset").map(|name| Value::from(name.as_str()));
        given.extend(dataset.map(|value| entry(matches, "dataset", "TINDERBOX_DATASET", value)));
        for flag in FLAGS {
            let value = match flag.kind {
                Kind::Switch => matches.get_flag(flag.name).then_some(Value::Boolean(true)),
                Kind::Text | Kind::Choice(_) => {
                    matches.get_one::<String>(flag.name).map(|text| Value::from(text.as_str()))
                }
                Kind::Whole => matches.get_one::<i64>(flag.name).map(|&number| number.into()),
                Kind::Amount => matches.get_one::<Value>(flag.name).cloned(),
                Kind::Real => matches.get_one::<f64>(flag.name).map(|&number| number.into()),
            };
            given.extend(value.map(|value| entry(matches, flag.name, &flag.variable(), value)));
        }
        Ok(Self(Request {
            config: matches.get_one::<PathBuf>("config").cloned(),
            resume: matches.get_one::<String>("resume").cloned(),
            given,
        }))
    }

    fn update_from_arg_matches(
        &mut self,
        matches: &ArgMatches,
    ) -> std::result::Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn entry(
    matches: &ArgMatches,
    name: &str,
    variable: &str,
    value: Value,
) -> (String, Value, Origin) {
    let origin = match matches.value_source(name) {
        Some(ValueSource::EnvVariable) => Origin::Environment(variable.to_owned()),
        _ => Origin::Flag,
    };
    (name.to_owned(), value, origin)
}
