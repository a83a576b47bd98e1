//! Tests of the pool, each with a pool of its own.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{slice, thread};

use proptest::prelude::*;

use super::Statistics;
use super::class::{self, Class};
use super::pool::{Block, BlockPool, ROOM, limit};
use crate::draw::philox;
use crate::testing::cases;

const MIB: usize = 1 << 20;

fn class_of(size: usize) -> Class {
    class::of(size, 64).expect("a class")
}

/// A block whose bytes were all set to `mark`.
struct Marked {
    start: *mut u8,
    class: Class,
    mark: u8,
}

// SAFETY: it is the only one that knows its block.
unsafe impl Send for Marked {}

impl Marked {
    fn take(pool: &BlockPool, size: usize, mark: u8) -> Self {
        let class = class_of(size);
        let Block { start, fresh } = pool.take(class);
        assert!(!start.is_null() && start.addr().is_multiple_of(4096));
        assert!(class.size < 2 * MIB || start.addr().is_multiple_of(2 * MIB));
        // SAFETY: the pool gave us the whole block.
        let bytes = unsafe { slice::from_raw_parts_mut(start, class.size) };
        assert!(!fresh || bytes.iter().all(|&byte| byte == 0), "a fresh block is zero");
        bytes.fill(mark);
        Self { start, class, mark }
    }

    /// Checks that nobody else wrote to the block, and gives it back.
    fn give(self, pool: &BlockPool) {
        // SAFETY: the block is ours until it is given back, once, with its class.
        unsafe {
            let bytes = slice::from_raw_parts(self.start, self.class.size);
            assert!(bytes.iter().all(|&byte| byte == self.mark), "two users of one block");
            pool.give(self.start, self.class);
        }
    }
}

#[test]
fn the_block_freed_last_is_used_first() {
    static POOL: BlockPool = BlockPool::new();
    let size = 100_000;
    let [a, b] = [1, 2].map(|mark| Marked::take(&POOL, size, mark));
    let starts = [a.start, b.start];
    a.give(&POOL);
    b.give(&POOL);
    let other = Marked::take(&POOL, 2 * size, 3);
    assert!(!starts.contains(&other.start), "another class has other blocks");
    other.give(&POOL);
    let [c, d] = [4, 5].map(|mark| Marked::take(&POOL, size - 1000, mark));
    assert_eq!([d.start, c.start], starts);
    let statistics = POOL.statistics();
    assert_eq!(statistics.mapped, 3);
    assert_eq!(statistics.in_use, 2 * class_of(size).size);
    assert_eq!(statistics.cached, class_of(2 * size).size);
    c.give(&POOL);
    d.give(&POOL);
    POOL.trim();
    assert_eq!((POOL.statistics().in_use, POOL.statistics().cached), (0, 0));
}

#[test]
fn sizes_that_vary_do_not_pile_up() {
    static POOL: BlockPool = BlockPool::new();
    for round in 0..3 {
        for size in (1..40).map(|n| n * 3 * MIB + round) {
            let blocks = [1, 2].map(|_| POOL.take(class_of(size)).start);
            let statistics = POOL.statistics();
            assert!(statistics.in_use + statistics.cached <= limit(statistics.peak));
            for start in blocks {
                // SAFETY: taken above with this class, given once.
                unsafe { POOL.give(start, class_of(size)) };
            }
        }
    }
    let Statistics { in_use, cached, peak, .. } = POOL.statistics();
    assert_eq!(in_use, 0);
    assert!(cached <= limit(peak) && cached > 0);
    POOL.trim();
    assert_eq!(POOL.statistics().cached, 0);
}

/// Whether the block was a new one.
fn use_once(pool: &BlockPool, size: usize) -> bool {
    let class = class_of(size);
    let block = pool.take(class);
    // SAFETY: taken with this class, given once.
    unsafe { pool.give(block.start, class) };
    block.fresh
}

#[test]
fn the_class_asked_for_least_recently_goes_first() {
    static POOL: BlockPool = BlockPool::new();
    let sizes = [100 * MIB, 80 * MIB, 64 * MIB];
    let use_once = |size| use_once(&POOL, size);
    assert_eq!(sizes.map(use_once), [true; 3], "the third makes the first go");
    assert_eq!([sizes[1], sizes[2], sizes[0]].map(use_once), [false, false, true]);
    POOL.trim();
}

#[test]
fn a_size_that_slowly_grows_leaves_no_trail() {
    static POOL: BlockPool = BlockPool::new();
    let most = 1 << 20;
    for size in (most / 8..=most).step_by(16) {
        use_once(&POOL, size);
    }
    let kept = POOL.statistics().cached;
    assert!(kept <= 4 * class_of(most).size, "{kept} bytes for a block of {most}");
    POOL.trim();
}

#[test]
fn a_list_holds_what_it_has_room_for() {
    static POOL: BlockPool = BlockPool::new();
    let class = class_of(1 << 16);
    let blocks: Vec<_> = (0..ROOM + 50).map(|_| POOL.take(class).start).collect();
    for start in blocks {
        // SAFETY: taken with this class, given once.
        unsafe { POOL.give(start, class) };
    }
    let statistics = POOL.statistics();
    assert_eq!((statistics.in_use, statistics.cached), (0, ROOM * class.size));
    POOL.trim();
}

#[test]
fn no_memory_is_null_and_leaves_no_trace() {
    static POOL: BlockPool = BlockPool::new();
    let kept = Marked::take(&POOL, MIB, 1);
    kept.give(&POOL);
    let block = POOL.take(class_of(1 << 40)); // more than an overcommitting kernel grants, or not
    if block.start.is_null() {
        assert_eq!((POOL.statistics().in_use, POOL.statistics().cached), (0, 0), "tried a trim");
    } else {
        // SAFETY: taken with this class, given once.
        unsafe { POOL.give(block.start, class_of(1 << 40)) };
    }
    POOL.trim();
}

#[test]
fn a_list_locked_by_a_thread_that_is_gone_stops_nobody() {
    static POOL: BlockPool = BlockPool::new();
    Marked::take(&POOL, MIB, 1).give(&POOL);
    POOL.lock_for_ever(class_of(MIB));
    let block = Marked::take(&POOL, MIB, 2);
    assert_eq!(POOL.statistics().mapped, 2, "it does without the list");
    block.give(&POOL);
    POOL.trim();
    assert_eq!(POOL.statistics().in_use, 0);
}

#[test]
fn threads_never_share_a_block() {
    static POOL: BlockPool = BlockPool::new();
    static PASSED_ON: Mutex<Vec<Marked>> = Mutex::new(Vec::new());
    static MARK: AtomicUsize = AtomicUsize::new(1);
    thread::scope(|scope| {
        for thread in 0..7 {
            scope.spawn(move || {
                let mut own: Vec<Marked> = Vec::new();
                for step in 0..400 {
                    let [what, size, which, _] = philox([step, thread, 0, 0], [7, 7]);
                    let size = (1 << 16)
                        + size as usize % (if step % 50 == 0 { 5 * MIB } else { MIB / 4 });
                    match what % 8 {
                        0..4 => {
                            let mark = MARK.fetch_add(1, Ordering::Relaxed) as u8;
                            own.push(Marked::take(&POOL, size, mark));
                        }
                        4..6 if !own.is_empty() => {
                            own.swap_remove(which as usize % own.len()).give(&POOL);
                        }
                        6 => PASSED_ON.lock().unwrap().extend(own.pop()),
                        7 if step % 97 == 0 => POOL.trim(),
                        _ => {
                            let other = PASSED_ON.lock().unwrap().pop();
                            if let Some(block) = other {
                                block.give(&POOL);
                            }
                        }
                    }
                }
                for block in own {
                    block.give(&POOL);
                }
            });
        }
    });
    PASSED_ON.lock().unwrap().drain(..).for_each(|block| block.give(&POOL));
    assert_eq!(POOL.statistics().in_use, 0);
    assert_eq!(POOL.statistics().cached, POOL.in_lists(), "the count is what the lists hold");
    POOL.trim();
    assert_eq!(POOL.statistics().cached, 0);
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_order_of_taking_and_giving_keeps_the_books(
        steps in prop::collection::vec((0usize..4 * MIB, any::<prop::sample::Index>(), 0..5), 1..80),
    ) {
        let pool = Box::new(BlockPool::new());
        let mut own: Vec<Marked> = Vec::new();
        for (number, (size, which, what)) in steps.into_iter().enumerate() {
            match what {
                0..3 => own.push(Marked::take(&pool, (1 << 16) + (size >> (2 * what)), number as u8)),
                3 if own.is_empty() => {} // nothing to give back
                3 => own.swap_remove(which.index(own.len())).give(&pool),
                _ if number % 10 == 0 => pool.trim(),
                _ => {} // trims are rarer than the rest
            }
            let Statistics { in_use, cached, peak, .. } = pool.statistics();
            prop_assert_eq!(in_use, own.iter().map(|block| block.class.size).sum::<usize>());
            prop_assert_eq!(cached, pool.in_lists());
            prop_assert!(in_use <= peak && in_use + cached <= limit(peak));
        }
        for block in own {
 block.give(&pool);
}
        pool.trim();
        prop_assert_eq!(pool.statistics().cached, 0);
    }
}
