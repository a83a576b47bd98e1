//! A number of images, or as many as fit.

use serde::{Deserialize, Serialize};

/// Images in a step, or in a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Amount {
    /// So many.
    Of(usize),
    /// `auto`: as many as fit into memory.
    Auto(Auto),
}

/// The word `auto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auto {
    /// `auto`.
    Auto,
}

impl Amount {
    /// As many as fit.
    pub const AUTO: Self = Self::Auto(Auto::Auto);

    /// The number; none where it is left open.
    #[must_use]
    pub fn number(self) -> Option<usize> {
        match self {
            Self::Of(number) => Some(number),
            Self::Auto(_) => None,
        }
    }
}
