//! Whether our own kernels compute on the CPU, or burn's operators: `--kernels`.

use std::sync::atomic::{AtomicBool, Ordering};

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
