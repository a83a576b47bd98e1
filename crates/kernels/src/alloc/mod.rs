//! Large blocks of memory that are used again instead of being given back to the operating system.
//!
//! A training step asks for hundreds of blocks of many megabytes, frees them, and asks for the same
//! ones in the next step. The system's allocator maps and unmaps each, so that every step pays for
//! millions of page faults and for the zeroing of every page. [`Caching`] keeps them: a block goes
//! to the list of its size class when it is freed, and the next request of that class gets it.
//!
//! What holds:
//! * Requests below 64 KiB, or aligned to more than a page, go to the system's allocator.
//! * A class is at most one eighth larger than a request of it (`class`).
//! * Blocks of 2 MiB and more lie on 2 MiB boundaries and ask for huge pages (`os`).
//! * Blocks in use and kept blocks together are never more than what was in use at the peak and a
//!   half of it, and blocks of a class that was not asked for in a long time go when a new block is
//!   mapped (`pool`). [`trim`] gives back all that are kept.
//! * All book-keeping is in a table of its own: blocks have no header, and a free block is not
//!   touched, so that writing past the end of a block cannot break the lists.
//!
//! A program installs it, a library never does:
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: tinderbox_kernels::alloc::Caching = tinderbox_kernels::alloc::Caching;
//! # let x = vec![1.0f32; 100_000];
//! # assert!(tinderbox_kernels::alloc::statistics().in_use >= 400_000);
//! ```

#[cfg(all(unix, target_pointer_width = "64"))]
mod class;
#[cfg(all(unix, target_pointer_width = "64"))]
mod memory;
#[cfg(all(unix, target_pointer_width = "64"))]
mod os;
#[cfg(all(unix, target_pointer_width = "64"))]
mod pool;
#[cfg(all(test, unix, target_pointer_width = "64"))]
mod tests;

#[cfg(all(unix, target_pointer_width = "64"))]
static POOL: pool::BlockPool = pool::BlockPool::new();

/// An allocator that keeps large blocks. Every value of it uses the same lists. Where there is no
/// `mmap`, or addresses have 32 bits, it is the system's allocator.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caching;

/// What [`Caching`] holds, in bytes of whole size classes. All zero where it is not installed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Large blocks that somebody uses.
    pub in_use: usize,
    /// Large blocks that are kept for the next request.
    pub cached: usize,
    /// The most that was ever in use.
    pub peak: usize,
    /// How many blocks the operating system was asked for (a count, not bytes).
    pub mapped: usize,
}

/// What [`Caching`] holds now.
#[must_use]
pub fn statistics() -> Statistics {
    #[cfg(all(unix, target_pointer_width = "64"))]
    return POOL.statistics();
    #[cfg(not(all(unix, target_pointer_width = "64")))]
    Statistics::default()
}

/// Tells of a limit of memory in bytes that cannot be found here: what is kept follows it.
pub fn limit_memory(bytes: u64) {
    #[cfg(all(unix, target_pointer_width = "64"))]
    memory::limit(usize::try_from(bytes).unwrap_or(usize::MAX));
    let _ = bytes;
}

/// Bytes of memory of this machine, or that its container allows; none where it is not known.
#[must_use]
pub fn memory() -> Option<u64> {
    #[cfg(all(unix, target_pointer_width = "64"))]
    return Some(memory::total()).filter(|&total| total < usize::MAX).map(|total| total as u64);
    #[cfg(not(all(unix, target_pointer_width = "64")))]
    None
}

/// Gives all blocks that nobody uses back to the operating system.
pub fn trim() {
    #[cfg(all(unix, target_pointer_width = "64"))]
    POOL.trim();
}

#[cfg(all(unix, target_pointer_width = "64"))]
mod installed {
    use std::alloc::{GlobalAlloc, Layout, System};

    use super::{Caching, POOL, class};

    /// The class that the pool serves `layout` from. A function of the layout alone, so that a
    /// block is freed where it came from.
    fn class_of(layout: Layout) -> Option<class::Class> {
        class::of(layout.size(), layout.align())
    }

    // SAFETY: a request either goes to `System` as it is, or gets a block of the pool that is at
    // least as large, aligned to a page, and given to nobody else until it is freed. Which of the
    // two is decided by the layout, which the caller repeats when it frees. Nothing here unwinds.
    unsafe impl GlobalAlloc for Caching {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            match class_of(layout) {
                Some(class) => POOL.take(class).start,
                // SAFETY: the caller's promise on `layout` is passed on.
                None => unsafe { System.alloc(layout) },
            }
        }

        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            let Some(class) = class_of(layout) else {
                // SAFETY: the caller's promise on `layout` is passed on.
                return unsafe { System.alloc_zeroed(layout) };
            };
            let block = POOL.take(class);
            if !block.start.is_null() && !block.fresh {
                // SAFETY: the block is ours and holds `layout.size()` bytes.
                unsafe { block.start.write_bytes(0, layout.size()) };
            }
            block.start
        }

        unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
            match class_of(layout) {
                // SAFETY: the layout is the one of the request, so the block is of this class; the
                // caller gives it up.
                Some(class) => unsafe { POOL.give(start, class) },
                // SAFETY: by its layout this block came from `System`.
                None => unsafe { System.dealloc(start, layout) },
            }
        }

        unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            // SAFETY: the caller promises that `size`, rounded up to the alignment, fits an `isize`.
            let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
            match (class_of(layout), class_of(wanted)) {
                // SAFETY: neither the old nor the new size is the pool's business.
                (None, None) => unsafe { System.realloc(start, layout, size) },
                (Some(old), Some(new)) if old == new => start,
                // SAFETY: the new block is another one and holds `size` bytes; the old one holds
                // `layout.size()`, and is given up only when the new one is there.
                _ => unsafe {
                    let moved = self.alloc(wanted);
                    if !moved.is_null() {
                        moved.copy_from_nonoverlapping(start, layout.size().min(size));
                        self.dealloc(start, layout);
                    }
                    moved
                },
            }
        }
    }
}

#[cfg(not(all(unix, target_pointer_width = "64")))]
mod installed {
    use std::alloc::{GlobalAlloc, Layout, System};

    use super::Caching;

    // SAFETY: everything goes to `System` as it is.
    unsafe impl GlobalAlloc for Caching {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: the caller's promises are passed on, here and below.
            unsafe { System.alloc(layout) }
        }

        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            // SAFETY: as above.
            unsafe { System.alloc_zeroed(layout) }
        }

        unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
            // SAFETY: as above.
            unsafe { System.dealloc(start, layout) }
        }

        unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            // SAFETY: as above.
            unsafe { System.realloc(start, layout, size) }
        }
    }
}
