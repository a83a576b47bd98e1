//! Where the value of a setting came from.

use serde::{Deserialize, Serialize};
use toml::Value;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Nobody set it: it is the program's.
    Default,
    /// Nobody set it: the data set decided it.
    Data,
    /// A configuration file, with its path.
    File(String),
    /// An environment variable, with its name.
    Environment(String),
    /// A flag or an argument.
    Flag,
}

impl Origin {
    /// Reads what [`Display`](std::fmt::Display) wrote.
    #[must_use]
    pub fn read(text: &str) -> Self {
        match text.split_once(' ') {
            Some(("file", path)) => Self::File(path.to_owned()),
            Some(("environment", name)) => Self::Environment(name.to_owned()),
            _ if text == "flag" => Self::Flag,
            _ if text == "data" => Self::Data,
            _ => Self::Default,
        }
    }

    /// Whether a person set the value.
    #[must_use]
    pub fn is_chosen(&self) -> bool {
        !matches!(self, Self::Default | Self::Data)
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Data => f.write_str("data"),
            Self::File(path) => write!(f, "file {path}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag => f.write_str("flag"),
        }
    }
}

/// Values with where they came from.
pub type Given = Vec<(String, Value, Origin)>;
