//! Settings of `train` that other commands take too: the same flags, help and environment variables.

use clap::{ArgMatches, Args, Command, FromArgMatches};
use tinderbox_base::settings::{Setting, Spec};
use tinderbox_data::DataSpec;
use tinderbox_train::RunSpec;
use toml::Table;

use crate::settings::flags::{arg, given};

/// Which settings of a spec are flags of a command.
pub(super) trait Shared {
    /// The spec that has them.
    type Spec: Spec;
    /// Their names.
    const NAMES: &'static [&'static str];

    /// Their definitions.
    fn settings() -> impl Iterator<Item = &'static Setting> {
        Self::Spec::SETTINGS.iter().filter(|setting| Self::NAMES.contains(&setting.name))
    }
}

/// How a data set's files are read.
#[derive(Clone, Debug)]
pub(super) struct ReadingFlags;

impl Shared for ReadingFlags {
    type Spec = DataSpec;
    const NAMES: &'static [&'static str] = &["data-format", "columns", "group"];
}

/// How a data set's files are read, and how many may be unreadable.
#[derive(Clone, Debug)]
pub(super) struct CheckFlags;

impl Shared for CheckFlags {
    type Spec = DataSpec;
    const NAMES: &'static [&'static str] = &["data-format", "columns", "group", "max-bad"];
}

/// What computes: device, kernels, threads.
#[derive(Clone, Debug)]
pub(super) struct ComputeFlags;

impl Shared for ComputeFlags {
    type Spec = RunSpec;
    const NAMES: &'static [&'static str] = &["device", "kernels", "threads"];
}

/// A spec with the values of some flags, for `#[command(flatten)]`. Ranges are checked by the command.
#[derive(Clone, Debug)]
pub(super) struct SharedArgs<S: Shared>(pub(super) S::Spec);

impl<S: Shared> Args for SharedArgs<S> {
    fn augment_args(command: Command) -> Command {
        S::settings().fold(command, |command, setting| command.arg(arg(setting)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<S: Shared> FromArgMatches for SharedArgs<S> {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, clap::Error> {
        let values = given(matches, S::settings()).into_iter().map(|(key, value, _)| (key, value));
        let spec = S::Spec::from_table(values.collect::<Table>());
        let bad =
            |error| clap::Error::raw(clap::error::ErrorKind::InvalidValue, format!("{error}\n"));
        spec.map(Self).map_err(bad)
    }

    fn update_from_arg_matches(
        &mut self,
        matches: &ArgMatches,
    ) -> std::result::Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_are_there<S: Shared>() {
        assert_eq!(S::settings().count(), S::NAMES.len(), "{:?}", S::NAMES);
    }

    #[test]
    fn every_shared_flag_is_a_setting() {
        all_are_there::<ReadingFlags>();
        all_are_there::<CheckFlags>();
        all_are_there::<ComputeFlags>();
    }
}
