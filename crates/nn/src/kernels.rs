//! Whether our own kernels compute on the CPU, or burn's operators: `--kernels`.

use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

static ENABLED: AtomicBool = AtomicBool::new(true);

/// Says whether ours may take Winograd's form from now on, in the whole process.
pub fn allow_winograd(allowed: bool) {
    tinderbox_kernels::conv::winograd::allow(allowed);
}

/// Says which of the two compute from now on, in the whole process. It is set once, where the device
/// is chosen: results differ in their last bits.
pub fn set(on: bool) {
    ENABLED.store(on, Ordering::Relaxed);
}

/// Whether our own kernels compute.
#[must_use]
pub fn enabled() -> bool {
    ENABLED.load(Ordering::Relaxed)
}

/// Which operations compute on the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kernels {
    /// Our own.
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

    /// Whether ours compute.
    #[must_use]
    pub fn is_on(self) -> bool {
        self != Self::Off
    }

    /// Whether Winograd's form may compute a convolution.
    #[must_use]
    pub fn allows_winograd(self) -> bool {
        self == Self::On
    }
}
