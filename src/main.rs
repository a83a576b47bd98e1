//! The program: everything it does is in the library.

use std::process::ExitCode;

use tinderbox_kernels::alloc::Caching;

/// Keeps the large blocks of a training step for the next step.
#[global_allocator]
static ALLOCATOR: Caching = Caching;

fn main() -> ExitCode {
    let code = tinderbox::cli::main();
    eprintln!("{:?}", tinderbox_kernels::alloc::statistics());
    code
}
