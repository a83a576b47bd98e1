//! Memory: how much there is, and what the allocator keeps for the next step.

/// Gives what is kept back to the operating system. For where a loop is over: what comes next asks
/// for other sizes, or for little. Does nothing where the program did not install the allocator.
pub fn give_back() {
    tinderbox_kernels::alloc::trim();
}

/// Bytes of memory of this machine, or that its container allows; none where it is not known.
#[must_use]
pub fn total() -> Option<u64> {
    tinderbox_kernels::alloc::memory()
}
