//! The allocator as a program has it: installed, and used by everything.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::alloc::{GlobalAlloc, Layout};
use std::sync::{Mutex, MutexGuard, PoisonError};

use proptest::prelude::*;
use rayon::prelude::*;
use tinderbox_kernels::alloc::{Caching, Statistics, statistics, trim};

#[global_allocator]
static ALLOCATOR: Caching = Caching;

const MIB: usize = 1 << 20;

/// Tests that look at what is in use go one after the other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(unix, target_pointer_width = "64"))]
#[test]
fn large_blocks_are_counted_kept_and_given_back() {
    let _alone = alone();
    trim();
    let before = statistics();
    let block = vec![1u8; 10 * MIB];
    let start = block.as_ptr().addr();
    assert_eq!(statistics().in_use, before.in_use + 10 * MIB);
    drop(block);
    assert_eq!(statistics().in_use, before.in_use);
    assert!(statistics().cached >= 10 * MIB);
    let again = vec![2u8; 10 * MIB - 5];
    assert_eq!(again.as_ptr().addr(), start, "the block is used again");
    assert_eq!(start % (2 * MIB), 0);
    drop(again);
    trim();
    assert_eq!(statistics().cached, 0);
}

#[test]
fn zeroed_memory_is_zero_when_it_was_used_before() {
    let _alone = alone();
    for _ in 0..3 {
        for len in [1000, 1 << 16, 100_000, 3 * MIB + 1] {
            let mut block = vec![0u8; len];
            assert!(block.iter().all(|&byte| byte == 0));
            block.fill(0xFF);
        }
    }
}

#[test]
fn growing_and_shrinking_keeps_the_contents() {
    let _alone = alone();
    let mut block: Vec<u32> = Vec::new();
    for i in 0..2_000_000 {
        block.push(i);
    }
    assert!(block.iter().copied().eq(0..2_000_000));
    for len in [1_900_000, 1_000_000, 20_000, 10_000, 10] {
        block.truncate(len as usize);
        block.shrink_to_fit();
        assert!(block.iter().copied().eq(0..len));
    }
}

#[cfg(all(unix, target_pointer_width = "64"))]
#[test]
fn a_block_grows_in_place_as_far_as_its_class_goes() {
    let _alone = alone();
    let mut block: Vec<u8> = Vec::with_capacity(9 * MIB - 100);
    let start = block.as_ptr();
    block.reserve_exact(9 * MIB);
    assert_eq!(block.as_ptr(), start);
    block.reserve_exact(9 * MIB + 1);
    assert_ne!(block.as_ptr(), start);
}

#[test]
fn alignments_are_kept() {
    let _alone = alone();
    for align in (0..=22).map(|bits| 1 << bits) {
        for size in [1, 64 << 10, 200_000, 2 * MIB, 5 * MIB] {
            let layout = Layout::from_size_align(size, align).unwrap();
            // SAFETY: the block is used within its size and freed once with its layout.
            unsafe {
                let start = ALLOCATOR.alloc(layout);
                assert!(!start.is_null() && start.addr().is_multiple_of(align));
                start.add(size - 1).write(1);
                let moved = ALLOCATOR.realloc(start, layout, size + 100_000);
                assert!(!moved.is_null() && moved.addr().is_multiple_of(align));
                assert_eq!(moved.add(size - 1).read(), 1);
                ALLOCATOR.dealloc(moved, Layout::from_size_align(size + 100_000, align).unwrap());
            }
        }
    }
}

#[test]
fn many_threads_use_it_at_once() {
    let _alone = alone();
    let sum: usize = (0..2000usize)
        .into_par_iter()
        .map(|i| {
            let block = vec![i as u8; (60 << 10) + i * 100];
            let twice: Vec<u8> = block.iter().map(|byte| byte.wrapping_mul(2)).collect();
            assert!(twice.iter().all(|&byte| byte == (i as u8).wrapping_mul(2)));
            usize::from(twice[0])
        })
        .sum();
    assert_eq!(sum, (0..2000).map(|i| usize::from((i as u8).wrapping_mul(2))).sum());
}

#[test]
fn the_counts_are_all_zero_or_consistent() {
    let _alone = alone();
    let Statistics { in_use, peak, mapped, .. } = statistics();
    assert!(in_use <= peak);
    assert!(mapped > 0 || peak == 0);
}

/// In a process of its own, which may have little address space: what is kept is given back before
/// a request is refused, and a refusal is an error of the request, not the end of the program.
#[cfg(target_os = "linux")]
#[test]
fn what_is_kept_is_given_back_before_a_request_fails() {
    const CHILD: &str = "TINDERBOX_LITTLE_MEMORY";
    if std::env::var_os(CHILD).is_none() {
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "what_is_kept_is_given_back_before_a_request_fails"])
            .args(["--test-threads", "1"])
            .env(CHILD, "1")
            .status()
            .unwrap();
        assert!(status.success());
        return;
    }
    let _alone = alone();
    drop((vec![1u8; 100 * MIB], vec![1u8; 80 * MIB]));
    assert!(statistics().cached >= 180 * MIB);
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = status.split(' ').next().unwrap().parse().unwrap();
    let limit = pages * 4096 + (20 << 20); // less than is asked for, and than the pool may keep
    let limits = libc::rlimit { rlim_cur: limit, rlim_max: limit };
    // SAFETY: the struct is read during the call only.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limits) }, 0);
    let large = vec![1u8; 40 * MIB];
    assert_eq!(statistics().cached, 0, "all was given back");
    assert!(Vec::<u8>::new().try_reserve_exact(500 * MIB).is_err());
    assert!(large.iter().all(|&byte| byte == 1));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if std::env::var_os("TINDERBOX_LONG_TESTS").is_some() { 2000 } else { 24 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn vectors_hold_what_was_put_into_them(
        steps in prop::collection::vec((0usize..16, 1usize..2 * MIB, any::<u8>(), 0..5), 1..60),
    ) {
        let _alone = alone();
        let mut vectors: Vec<Vec<u8>> = vec![Vec::new(); 16];
        let mut shadows: Vec<(usize, u8)> = vec![(0, 0); 16];
        for (which, len, byte, what) in steps {
            let (vector, shadow) = (&mut vectors[which], &mut shadows[which]);
            match what {
                0 => (*vector, *shadow) = (vec![byte; len], (len, byte)),
                1 => (*vector, *shadow) = (vec![0; len], (len, 0)),
                2 => {
                    vector.resize(len, shadow.1);
                    shadow.0 = len;
                }
                3 => vector.shrink_to_fit(),
                _ => *vector = vector.clone(),
            }
            for (vector, &(len, byte)) in vectors.iter().zip(&shadows) {
                prop_assert!(vector.len() == len && vector.iter().all(|&b| b == byte));
            }
        }
    }
}
