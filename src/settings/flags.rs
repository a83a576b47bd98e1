//! One list of the settings, from which flags, help, environment variables and the check of a
//! configuration file are made.

use tinderbox_data::Format;
use tinderbox_nn::Kernels;

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A whole number, not negative.
    Whole,
    /// A whole number, or `auto`.
    Amount,
    /// A number.
    Real,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Present or not.
    Switch,
}

/// One setting as a flag of `train`.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// The flag without dashes; also the key in a configuration file.
    pub name: &'static str,
    /// What its value looks like.
    pub kind: Kind,
    /// How help calls the value.
    pub value: &'static str,
    /// One line of help.
    pub help: &'static str,
    /// The heading under which help lists it.
    pub heading: &'static str,
}

impl Flag {
    /// The environment variable that sets it: `TINDERBOX_LOADER_THREADS`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("TINDERBOX_{}", self.name.replace('-', "_").to_uppercase())
    }
}

const fn flag(
    heading: &'static str,
    name: &'static str,
    kind: Kind,
    value: &'static str,
    help: &'static str,
) -> Flag {
    Flag { name, kind, value, help, heading }
}

use Kind::{Choice, Real, Switch, Text, Whole};

const DATA: &str = "Data";
const MODEL: &str = "Model";
const LEARN: &str = "Learning";
const RUN: &str = "Run";

/// Every setting but the data set, which is an argument, in the order of the help.
pub const FLAGS: &[Flag] = &[
    flag(
        MODEL,
        "model",
        Text,
        "NAME",
        "Network [default: cnn for images up to 96 pixels, else mobilenet_v2]",
    ),
    flag(
        MODEL,
        "size",
        Whole,
        "PIXELS",
        "Height and width [default: the images' own up to 96, else 128]",
    ),
    flag(MODEL, "channels", Whole, "1|3", "Grey or colour [default: what the images are]"),
    flag(LEARN, "epochs", Whole, "N", "Passes over the training images [default: 15]"),
    flag(LEARN, "batch", Kind::Amount, "N|auto", "Images in a step; auto: what fits [default: 64]"),
    flag(
        LEARN,
        "micro-batch",
        Kind::Amount,
        "N|auto",
        "Images computed at once, their gradients added up to the batch's [default: the batch, on a GPU auto]",
    ),
    flag(LEARN, "lr", Real, "RATE", "Highest learning rate [default: 0.003, for sgd 0.05]"),
    flag(
        LEARN,
        "optimizer",
        Choice(&["adamw", "adam", "sgd"]),
        "RULE",
        "Update rule [default: adamw]",
    ),
    flag(
        LEARN,
        "schedule",
        Choice(&["cosine", "step", "constant"]),
        "FORM",
        "Learning rate after the warm-up [default: cosine]",
    ),
    flag(
        LEARN,
        "warmup",
        Real,
        "EPOCHS",
        "Epochs in which the learning rate rises, at most a third of all [default: 1]",
    ),
    flag(LEARN, "momentum", Real, "M", "Momentum of sgd [default: 0.9]"),
    flag(
        LEARN,
        "weight-decay",
        Real,
        "W",
        "Decay of weights, not of biases and norms [default: 0.01]",
    ),
    flag(
        LEARN,
        "label-smoothing",
        Real,
        "S",
        "Share of a label spread over all classes [default: 0]",
    ),
    flag(LEARN, "clip", Real, "NORM", "Longest gradient, 0 for any [default: 0]"),
    flag(
        LEARN,
        "class-weights",
        Choice(&["auto", "none", "balanced", "sampled"]),
        "HOW",
        "Rare classes count more in the loss (balanced) or are shown more often (sampled) [default: auto]",
    ),
    flag(
        LEARN,
        "patience",
        Whole,
        "EPOCHS",
        "Stop after so many epochs without a better validation, 0 for never [default: 0]",
    ),
    flag(
        LEARN,
        "on-nan",
        Choice(&["stop", "rollback"]),
        "WHAT",
        "When the loss explodes: stop, or go back an epoch with half the learning rate [default: stop]",
    ),
    flag(
        DATA,
        "data-format",
        Choice(Format::NAMES),
        "FORM",
        "Form of the data set [default: what is there tells]",
    ),
    flag(
        DATA,
        "columns",
        Text,
        "ROLE=NAME,...",
        "Columns of a table: path, label, split, group [default: by their usual names]",
    ),
    flag(
        DATA,
        "group",
        Text,
        "PATTERN",
        "What stays in one split: a pattern in the path, as `(patient[0-9]+)`, or a column",
    ),
    flag(DATA, "lock", Text, "RUN", "Train on exactly the split of another run"),
    flag(
        DATA,
        "augment",
        Choice(&["auto", "none", "light", "standard", "strong"]),
        "HOW",
        "How images are varied [default: auto]",
    ),
    flag(
        DATA,
        "augmentation",
        Text,
        "PART=VALUE,...",
        "Single parts of that changed, as `mixup=0.2,policy=rand`; the README lists them",
    ),
    flag(
        DATA,
        "cache",
        Choice(&["auto", "ram", "disk", "none"]),
        "WHERE",
        "Where decoded images are kept; auto: in memory, where they fit [default: auto]",
    ),
    flag(
        DATA,
        "val-fraction",
        Real,
        "SHARE",
        "Share of the training images that validates where there is no such split [default: 0.1]",
    ),
    flag(
        DATA,
        "max-bad",
        Real,
        "SHARE",
        "Share of the images that may fail to decode [default: 0.05]",
    ),
    flag(RUN, "seed", Whole, "N", "Seed of every random draw [default: 0]"),
    flag(RUN, "name", Text, "NAME", "Name of the run [default: <dataset>-<model>-NNN]"),
    flag(RUN, "overwrite", Switch, "", "Replace a run of the same name"),
    flag(
        RUN,
        "stop-after",
        Whole,
        "STEP",
        "Save and stop after this step, to go on another time [default: the last]",
    ),
    flag(
        RUN,
        "checkpoint-every",
        Text,
        "STEPS|TIME",
        "Steps or time (30s, 5m) between checkpoints; auto: each epoch and 5m [default: auto]",
    ),
    flag(RUN, "device", Text, "DEVICE", "auto, cpu, gpu, gpu:N or ndarray [default: auto]"),
    flag(
        RUN,
        "kernels",
        Choice(&Kernels::NAMES),
        "WHICH",
        "Our own CPU kernels; to compare when something looks wrong, `direct` leaves out Winograd's convolutions and `off` runs burn's operators [default: on]",
    ),
    flag(
        RUN,
        "audit-every",
        Whole,
        "STEPS",
        "On another device than the CPU, compare every so many steps with it; 0 for the first only [default: 0]",
    ),
    flag(RUN, "threads", Whole, "N", "Compute threads [default: the cores]"),
    flag(
        RUN,
        "loader-threads",
        Whole,
        "N",
        "Loader threads [default: twice the compute threads; 1 for data in memory]",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::table::RECORD;
    use tinderbox_train::Settings;

    #[test]
    fn every_setting_has_a_flag_and_every_flag_a_setting() {
        let all = Settings {
            data_format: Some(Format::Csv),
            columns: Some(String::new()),
            group: Some(String::new()),
            lock: Some(String::new()),
            augmentation: toml::from_str("x = 1").unwrap(),
            model: Some(String::new()),
            size: Some(1),
            micro_batch: Some(tinderbox_base::settings::Amount::AUTO),
            stop_after: Some(1),
            channels: Some(1),
            lr: Some(1.0),
            threads: Some(1),
            loader_threads: Some(1),
            name: Some(String::new()),
            ..Settings::default()
        };
        let table = toml::Table::try_from(all).unwrap();
        let mut keys: Vec<&str> =
            table.keys().map(String::as_str).filter(|k| *k != "dataset").collect();
        let mut flags: Vec<&str> = FLAGS.iter().map(|flag| flag.name).collect();
        keys.sort_unstable();
        flags.sort_unstable();
        assert_eq!(keys, flags);
        assert!(
            !keys.iter().any(|key| RECORD.contains(key)),
            "`run.toml` says something else there"
        );
    }

    #[test]
    fn the_defaults_in_the_help_are_the_defaults() {
        let table = toml::Table::try_from(Settings::default()).unwrap();
        for flag in FLAGS {
            let Some(value) = table.get(flag.name).filter(|_| flag.kind != Kind::Switch) else {
                continue;
            };
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let value = value.trim_end_matches(".0");
            assert!(flag.help.ends_with(&format!("[default: {value}]")), "{}: {value}", flag.name);
        }
    }
}
