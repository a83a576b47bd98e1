//! How many threads compute.

use crate::base::{Error, Result};

/// Runs `work` on a pool of `threads` compute threads; every parallel operation inside uses it.
///
/// # Errors
/// If the operating system does not grant the threads.
pub fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> Result<T> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|i| format!("compute-{i}"))
        .stack_size(16 << 20) // a step of a deep network recurses through its graph
        .build()
        .map_err(|cause| {
            Error::environment(format!("cannot start {threads} compute threads"))
                .cause(cause)
                .hint("try a smaller `--threads`")
        })?;
    Ok(pool.install(work))
}
