//! Work split over the threads of the current pool, with results that do not depend on how many
//! there are.
//!
//! The rule: what an item computes depends on its number only, items write to places of their own,
//! and whoever adds items up does it in the order of their numbers.

mod pool;

use std::cell::RefCell;
use std::marker::PhantomData;
use std::ops::Range;

use pool::Direction;
use rayon::prelude::*;

pub use pool::{ThreadPool, alone};

/// Runs `work(0)` to `work(items - 1)`, in any order, at the same time where threads are free: those
/// of the [`ThreadPool`] that is installed on this thread, else those of rayon's current pool.
pub fn for_each(items: usize, work: impl Fn(usize) + Sync + Send) {
    in_order(items, Direction::Forwards, work);
}

/// The same, where each thread of a [`ThreadPool`] takes its last items first: what it has just
/// read or written is still in its caches.
pub fn for_each_backwards(items: usize, work: impl Fn(usize) + Sync + Send) {
    in_order(items, Direction::Backwards, work);
}

fn in_order(items: usize, direction: Direction, work: impl Fn(usize) + Sync + Send) {
    if items < 2 {
        (0..items).for_each(work);
    } else if !pool::run(items, direction, &work) {
        (0..items).into_par_iter().with_max_len(1).for_each(work);
    }
}

/// The `index`-th of `parts` nearly equal parts of `0..len`.
#[must_use]
pub fn part(len: usize, parts: usize, index: usize) -> Range<usize> {
    len * index / parts..len * (index + 1) / parts
}

/// A slice that several items write to, each to elements of its own.
pub struct Shared<'a, T> {
    start: *mut T,
    len: usize,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: only `Shared::part` gives access, and its caller promises that no element is in two parts
// at a time; so this is no more than sending disjoint `&mut [T]` to other threads.
unsafe impl<T: Send> Sync for Shared<'_, T> {}
// SAFETY: as for `Sync`.
unsafe impl<T: Send> Send for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    /// Shares `slice`.
    pub fn new(slice: &'a mut [T]) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), slice: PhantomData }
    }

    /// Where the slice starts, for items whose elements lie between those of others.
    #[must_use]
    pub fn start(&self) -> *mut T {
        self.start
    }

    /// Elements of the slice.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // nobody asks
    pub fn len(&self) -> usize {
        self.len
    }

    /// The elements of `range`.
    ///
    /// # Panics
    /// If `range` does not lie in the slice.
    ///
    /// # Safety
    /// No other part in use at the same time may have an element in common with it.
    #[must_use]
    #[allow(clippy::mut_from_ref)] // the safety contract is what makes it exclusive
    pub unsafe fn part(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: inside the slice, which is borrowed exclusively for 'a; the caller keeps parts
        // disjoint.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}

/// Sixteen floats on a cache line of their own.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct CacheLine([f32; 16]);

/// Floats that start at a cache line.
#[derive(Debug, Default)]
pub(crate) struct Lines(Vec<CacheLine>);

impl Lines {
    /// Room for `len` floats.
    pub(crate) fn new(len: usize) -> Self {
        Self(vec![CacheLine([0.0; 16]); len.div_ceil(16)])
    }

    /// The first `len`.
    pub(crate) fn floats(&self, len: usize) -> &[f32] {
        assert!(len <= self.0.len() * 16, "{len} floats in {} lines", self.0.len());
        // SAFETY: a line is sixteen floats without anything between, and there are enough.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), len) }
    }

    /// The first `len`.
    pub(crate) fn floats_mut(&mut self, len: usize) -> &mut [f32] {
        assert!(len <= self.0.len() * 16, "{len} floats in {} lines", self.0.len());
        // SAFETY: as for `floats`, and borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), len) }
    }
}

thread_local! {
    static BUFFERS: RefCell<Vec<Lines>> = const { RefCell::new(Vec::new()) };
}

/// Runs `work` with a buffer of `len` floats, 64-byte aligned, whose contents are whatever its last
/// user left. Buffers are kept by their thread and used again.
pub fn with_scratch<T>(len: usize, work: impl FnOnce(&mut [f32]) -> T) -> T {
    let mut buffer = BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_default();
    if buffer.0.len() * 16 < len {
        drop(buffer); // nothing of the old contents is copied
        buffer = Lines::new(len);
    }
    let result = work(buffer.floats_mut(len));
    BUFFERS.with_borrow_mut(|buffers| buffers.push(buffer));
    result
}
