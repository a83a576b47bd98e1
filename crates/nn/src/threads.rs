//! How many threads compute.

use tinderbox_base::{Error, Result};
use tinderbox_kernels::parallel::ThreadPool;

use crate::memory;

/// Runs `work` with `threads` compute threads: a pool for our kernels, and one for burn's operators,
/// whose threads sleep while nobody calls them.
///
/// # Errors
/// If the operating system does not grant the threads.
pub fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> Result<T> {
    let refused = |cause: &dyn std::fmt::Display| {
        Error::environment(format!("cannot start {threads} compute threads"))
            .cause(cause)
            .hint("try a smaller `--threads`")
    };
    let _ = memory::total(); // the allocator learns of its limits before it is needed
    let kernels = ThreadPool::new(threads).map_err(|cause| refused(&cause))?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|i| format!("compute-{i}"))
        .stack_size(16 << 20) // a step of a deep network recurses through its graph
        .build()
        .map_err(|cause| refused(&cause))?;
    Ok(pool.install(|| kernels.install(work)))
}
