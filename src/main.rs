//! The program: everything it does is in the library.

use std::process::ExitCode;

use tinderbox_kernels::alloc::Caching;

/// Keeps the large blocks of one training step for the next.
#[global_allocator]
static ALLOCATOR: Caching = Caching;

fn main() -> ExitCode {
    tinderbox::cli::main()
}
