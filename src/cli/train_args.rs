//! The flags of `train`: every setting, a file of settings, and a run to resume.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};
use tinderbox_train::Settings;

use crate::commands::train::Request;
use crate::settings::flags::{arg, given};

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
                Arg::new("config")
                    .long("config")
                    .value_name("FILE")
                    .value_parser(value_parser!(PathBuf))
                    .env("TINDERBOX_CONFIG")
                    .hide_env(true)
                    .help("File of settings in TOML, such as the `run.toml` of a run"),
            )
            .arg(
                Arg::new("resume")
                    .long("resume")
                    .value_name("RUN")
                    .env("TINDERBOX_RESUME")
                    .hide_env(true)
                    .conflicts_with("config")
                    .help("Resume a run from its last checkpoint; `latest` is the newest run"),
            )
            .after_help(
                "Every flag has an environment variable: --loader-threads is \
                 TINDERBOX_LOADER_THREADS. A flag overrides the environment, and the environment \
                 overrides --config.",
            );
        Settings::all().fold(command, |command, setting| {
            let flag = arg(setting);
            command.arg(if flag.is_positional() {
                flag
            } else {
                flag.help_heading(setting.heading.title())
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for TrainArgs {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, clap::Error> {
        Ok(Self(Request {
            config: matches.get_one::<PathBuf>("config").cloned(),
            resume: matches.get_one::<String>("resume").cloned(),
            given: given(matches, Settings::all()),
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
