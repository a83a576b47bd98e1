//! The definition of one setting: its name, what it can be, what help says, what it affects.

use serde::Serialize;
use toml::Value;

use super::ensure;
use crate::{Error, Result, nearest};

/// One setting, defined beside the field of a spec that holds its value; see
/// [`settings!`](crate::settings!).
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its key in a configuration file, and its flag without the dashes: `label-smoothing`.
    pub name: &'static str,
    /// What its value can be.
    pub kind: Kind,
    /// How help calls the value: `N`, `RATE`. Empty for a switch.
    pub value: &'static str,
    /// One sentence for help, without a full stop and without the default.
    pub help: &'static str,
    /// What help shows as the default if the default is no value by itself: it depends on the data
    /// or on another setting. Empty if the value is shown.
    pub open: &'static str,
    /// Where help lists it.
    pub heading: Heading,
    /// Whether it changes the result, and whether a resume may change it.
    pub effect: Effect,
    /// The default; none where it is left open.
    pub default: fn() -> Option<Value>,
}

/// What the value of a setting can be. Bounds are inclusive.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A text that is given without a flag. There is one: the data set.
    Argument,
    /// Any text. What it means is checked where it is used.
    Text,
    /// A text that this function accepts.
    Checked(fn(&str) -> Result<()>),
    /// A whole number.
    Whole {
        /// The smallest.
        least: usize,
        /// The largest.
        most: usize,
    },
    /// One of these whole numbers.
    OneOf(&'static [usize]),
    /// A number of images from 1 to `most`, or `auto`.
    Amount {
        /// The largest.
        most: usize,
    },
    /// A number. [`ABOVE_ZERO`] as the smallest leaves out zero.
    Real {
        /// The smallest.
        least: f64,
        /// The largest.
        most: f64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Present or not.
    Switch,
}

/// The smallest value of a number that must be above zero.
pub const ABOVE_ZERO: f64 = f64::MIN_POSITIVE;

/// A heading of the help, in the order in which help shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heading {
    /// The network and its input.
    Model,
    /// How its weights are learned.
    Learning,
    /// What it learns from.
    Data,
    /// Where and how the program computes, and what it leaves.
    Run,
}

impl Heading {
    /// Its text.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Model => "Model",
            Self::Learning => "Learning",
            Self::Data => "Data",
            Self::Run => "Run",
        }
    }
}

/// What a setting affects. A checkpoint records every setting that is not `NoResult`, and a resume
/// compares these with the settings of now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It does not change the trained weights, so a resume may change it without a word.
    NoResult,
    /// It decides the shape of the weights or of the optimizer's state: a resume cannot change it.
    Fixed,
    /// It changes the result through the learning rates alone: a resume that changes it is exact if
    /// the rates of all steps so far stay the same.
    Rate,
    /// It decides only what happens after the steps so far: a resume that changes it is exact.
    Later,
    /// It changes the result: a resume may change it, and the program says that it is not exact.
    Result,
}

impl Setting {
    /// The environment variable that sets it: `TINDERBOX_LOADER_THREADS`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("TINDERBOX_{}", self.name.replace('-', "_").to_uppercase())
    }

    /// The help with the default: `Passes over the training images [default: 15]`.
    #[must_use]
    pub fn help(&self) -> String {
        let default = match (self.kind, self.open, (self.default)()) {
            (Kind::Switch, ..) => None,
            (_, "", default) => default.as_ref().and_then(text),
            (_, open, _) => Some(open.to_owned()),
        };
        match default {
            Some(default) => format!("{} [default: {default}]", self.help),
            None => self.help.to_owned(),
        }
    }

    /// Checks that a value of the right type is in range.
    ///
    /// # Errors
    /// If it is not; the error names the flag and the range.
    pub fn check(&self, value: &Value) -> Result<()> {
        let integer = value.as_integer();
        let whole = integer.and_then(|number| usize::try_from(number).ok());
        let number = value.as_float().or(integer.map(|number| number as f64));
        let within = |least, most| {
            let good = integer.is_none() || whole.is_some_and(|n| (least..=most).contains(&n));
            ensure(good, self.name, &integer.unwrap_or(0), &format!("{least} to {most}"))
        };
        match self.kind {
            Kind::Whole { least, most } => within(least, most),
            Kind::Amount { most } => within(1, most),
            Kind::OneOf(numbers) => {
                let good = integer.is_none() || whole.is_some_and(|n| numbers.contains(&n));
                let all: Vec<String> = numbers.iter().map(ToString::to_string).collect();
                ensure(good, self.name, &integer.unwrap_or(0), &all.join(" or "))
            }
            Kind::Real { least, most } => {
                let number = number.unwrap_or(least);
                let from =
                    if least == ABOVE_ZERO { "above 0".to_owned() } else { least.to_string() };
                let good = (least..=most).contains(&number);
                ensure(good, self.name, &number, &format!("{from} to {most}"))
            }
            Kind::Checked(check) => value.as_str().map_or(Ok(()), check),
            Kind::Argument | Kind::Text | Kind::Choice(_) | Kind::Switch => Ok(()),
        }
    }
}

/// A value as people type it; none for a table.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Float(number) => Some(number.to_string()), // 1, not 1.0
        Value::Table(_) | Value::Array(_) => None,
        value => Some(value.to_string()),
    }
}

/// A value in TOML; none for `None`.
pub fn value(value: &impl Serialize) -> Option<Value> {
    Value::try_from(value).ok()
}

/// The error of a key that is no setting, with the nearest name.
#[must_use]
pub fn unknown<'a>(key: &str, all: impl IntoIterator<Item = &'a Setting>) -> Error {
    let error = Error::usage(format!("unknown key `{key}`"));
    match nearest(key, all.into_iter().map(|setting| setting.name)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint("`tinderbox train --help` lists the settings"),
    }
}
