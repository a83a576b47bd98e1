//! Which operations compute on the CPU: `--kernels`.

use serde::{Deserialize, Serialize};
use tinderbox_kernels::Options;

/// Which operations compute on the CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kernels {
    /// Our own.
    #[default]
    On,
    /// Our own, without those that gain speed at the cost of some last bits: convolutions are direct.
    Direct,
    /// burn's, to compare with.
    Off,
}

impl Kernels {
    /// The names of all.
    pub const NAMES: [&'static str; 3] = ["on", "direct", "off"];

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "on" => Some(Self::On),
            "direct" => Some(Self::Direct),
            "off" => Some(Self::Off),
            _ => None,
        }
    }

    /// What our kernels may use.
    pub(crate) fn options(self) -> Options {
        Options { winograd: self == Self::On, ..Options::best() }
    }
}
