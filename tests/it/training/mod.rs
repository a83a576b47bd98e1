//! `train` and `--resume`.

pub mod accuracy;
pub mod format_one;
pub mod gpu;
pub mod kernels;
pub mod resume;
pub mod same_bits;
#[cfg(unix)]
pub mod signals;
#[cfg(target_os = "linux")]
pub mod soak;
pub mod train;
