//! Whether our own CPU kernels compute, or burn's operators.

use std::sync::atomic::{AtomicBool, Ordering};

static ENABLED: AtomicBool = AtomicBool::new(true);

/// Turns the kernels on or off for the whole process.
pub fn set(on: bool) {
    ENABLED.store(on, Ordering::Relaxed);
}

/// Whether the kernels are on.
#[must_use]
pub fn enabled() -> bool {
    ENABLED.load(Ordering::Relaxed)
}
