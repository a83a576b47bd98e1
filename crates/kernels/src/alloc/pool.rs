//! Lists of free blocks, one a class, in a table of their own.
//!
//! A list has a lock of its own, held for a few instructions. Whoever does not get it in time does
//! without the list: it maps a new block, or unmaps the one it frees. So nothing here waits for a
//! thread that is gone, as after a `fork` in the middle of another thread's call.

use std::ptr;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize};

use super::class::{self, CLASSES, Class};
use super::{Statistics, memory, os};

/// Free blocks that a list has room for; one more is unmapped.
pub(super) const ROOM: usize = 509; // with the other fields, 4096 bytes

/// How often a lock is tried: at first at once, then letting another thread run.
const TRIES: usize = 1000;
const TRIES_AT_ONCE: usize = 40;

/// The least that may be kept beyond the peak: below it, giving back gains nobody anything.
const LEAST_SLACK: usize = 64 << 20;

/// A class is stale when it was not among this many last requests, nor among the last eighth of all:
/// a training that alternates between two kinds of work, as steps and validation, keeps the blocks
/// of both, and sizes that slowly grow leave no trail.
const LEAST_AGE: usize = 64;

/// The free blocks of one class, last in, first out: the last is the one that caches still hold.
#[repr(align(64))]
struct List {
    is_locked: AtomicBool,
    /// How many of `blocks` there are.
    len: AtomicUsize,
    /// When a block was last asked for, in ticks of the pool.
    used: AtomicUsize,
    blocks: [AtomicPtr<u8>; ROOM],
}

/// A list that nobody else may change until this is dropped.
struct Locked<'a>(&'a List);

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.0.is_locked.store(false, Release);
    }
}

impl List {
    const fn new() -> Self {
        Self {
            is_locked: AtomicBool::new(false),
            len: AtomicUsize::new(0),
            used: AtomicUsize::new(0),
            blocks: [const { AtomicPtr::new(ptr::null_mut()) }; ROOM],
        }
    }

    fn lock(&self) -> Option<Locked<'_>> {
        for attempt in 0..TRIES {
            if !self.is_locked.load(Relaxed) && !self.is_locked.swap(true, Acquire) {
                return Some(Locked(self));
            }
            if attempt < TRIES_AT_ONCE {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
        None
    }

    fn pop(&self) -> Option<*mut u8> {
        if self.len.load(Relaxed) == 0 {
            return None;
        }
        let locked = self.lock()?;
        let last = self.len.load(Relaxed).checked_sub(1)?;
        let block = self.blocks.get(last)?.load(Relaxed);
        self.len.store(last, Relaxed);
        drop(locked);
        Some(block)
    }

    /// Whether there was room.
    fn push(&self, block: *mut u8) -> bool {
        let Some(_locked) = self.lock() else { return false };
        let len = self.len.load(Relaxed);
        let Some(place) = self.blocks.get(len) else { return false };
        place.store(block, Relaxed);
        self.len.store(len + 1, Relaxed);
        true
    }
}

/// A block that was asked for.
pub(super) struct Block {
    /// Where it starts; null where there is no memory.
    pub(super) start: *mut u8,
    /// It comes straight from the operating system, so all its bytes are zero.
    pub(super) fresh: bool,
}

/// All lists and what is in them.
pub(super) struct BlockPool {
    lists: [List; CLASSES],
    in_use: AtomicUsize,
    cached: AtomicUsize,
    peak: AtomicUsize,
    mapped: AtomicUsize,
    clock: AtomicUsize,
}

impl BlockPool {
    /// A pool without blocks. All zeros, so that a static one takes up pages only where it is used.
    #[allow(clippy::large_stack_arrays)] // made by the compiler, for a static
    pub(super) const fn new() -> Self {
        Self {
            lists: [const { List::new() }; CLASSES],
            in_use: AtomicUsize::new(0),
            cached: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            mapped: AtomicUsize::new(0),
            clock: AtomicUsize::new(0),
        }
    }

    /// A block of `class` that is the caller's alone until it is given back.
    pub(super) fn take(&self, class: Class) -> Block {
        let list = &self.lists[class.index];
        list.used.store(self.clock.fetch_add(1, Relaxed), Relaxed);
        let in_use = self.in_use.fetch_add(class.size, Relaxed).wrapping_add(class.size);
        self.peak.fetch_max(in_use, Relaxed);
        if let Some(start) = list.pop() {
            self.cached.fetch_sub(class.size, Relaxed);
            return Block { start, fresh: false };
        }
        self.make_room();
        let mut start = os::map(class.size);
        if start.is_null() {
            self.trim();
            start = os::map(class.size);
        }
        if start.is_null() {
            self.in_use.fetch_sub(class.size, Relaxed);
        } else {
            self.mapped.fetch_add(1, Relaxed);
        }
        Block { start, fresh: true }
    }

    /// Takes a block back.
    ///
    /// # Safety
    /// It came from [`BlockPool::take`] of this pool with this class, and nobody uses it any more.
    pub(super) unsafe fn give(&self, start: *mut u8, class: Class) {
        // Counted as kept before it can be taken, so that the count never goes below zero.
        self.cached.fetch_add(class.size, Relaxed);
        self.in_use.fetch_sub(class.size, Relaxed);
        if !self.lists[class.index].push(start) {
            self.cached.fetch_sub(class.size, Relaxed);
            // SAFETY: it was mapped with the size of its class, and the caller gives it up.
            unsafe { os::unmap(start, class.size) };
        }
    }

    /// Unmaps the free blocks of stale classes, and then more until what is in use and what is kept
    /// is within the limit, those first whose class was not asked for the longest. Freeing moves a
    /// block from use to keeping and changes no sum: only who maps a new one has to look.
    fn make_room(&self) {
        let now = self.clock.load(Relaxed);
        let stale = now.saturating_sub(LEAST_AGE.max(now / 8));
        for index in 0..CLASSES {
            while self.lists[index].used.load(Relaxed) < stale && self.drop_one(index) {}
        }
        let limit = limit(self.peak.load(Relaxed));
        while self.in_use.load(Relaxed).saturating_add(self.cached.load(Relaxed)) > limit {
            let oldest = (0..CLASSES)
                .filter(|&index| self.lists[index].len.load(Relaxed) > 0)
                .min_by_key(|&index| self.lists[index].used.load(Relaxed));
            let Some(index) = oldest else { break };
            if !self.drop_one(index) {
                break;
            }
        }
    }

    /// Unmaps a free block, if there is one.
    fn drop_one(&self, index: usize) -> bool {
        let Some(start) = self.lists[index].pop() else { return false };
        let size = class::nth(index).size;
        self.cached.fetch_sub(size, Relaxed);
        // SAFETY: a block of this list was mapped with the size of its class, and who takes it out
        // of the list is the only one that has it.
        unsafe { os::unmap(start, size) };
        true
    }

    /// Unmaps all free blocks.
    pub(super) fn trim(&self) {
        for index in 0..CLASSES {
            while self.drop_one(index) {}
        }
    }

    pub(super) fn statistics(&self) -> Statistics {
        Statistics {
            in_use: self.in_use.load(Relaxed),
            cached: self.cached.load(Relaxed),
            peak: self.peak.load(Relaxed),
            mapped: self.mapped.load(Relaxed),
        }
    }
}

/// What may be in use and kept together, if at most `peak` was in use: half as much again, because
/// blocks of one class do not serve another; but no more than an eighth of the memory there is.
pub(super) fn limit(peak: usize) -> usize {
    peak.saturating_add((peak / 2).max(LEAST_SLACK).min(memory::total() / 8))
}

#[cfg(test)]
impl BlockPool {
    /// The bytes of all blocks in the lists, counted.
    pub(super) fn in_lists(&self) -> usize {
        let bytes = |index: usize| self.lists[index].len.load(Relaxed) * class::nth(index).size;
        (0..CLASSES).map(bytes).sum()
    }

    /// Leaves a list as a thread would that ends while it changes it.
    pub(super) fn lock_for_ever(&self, class: Class) {
        std::mem::forget(self.lists[class.index].lock());
    }
}
