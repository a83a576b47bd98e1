//! Memory that the allocator keeps for the next step.

/// Gives what is kept back to the operating system. For where a loop is over: what comes next asks
/// for other sizes, or for little. Does nothing where the program did not install the allocator.
pub fn give_back() {
    tinderbox_kernels::alloc::trim();
}
