//! Blocks from the operating system.

use std::ptr;

/// A huge page of x86 and of most others.
pub(super) const HUGE: usize = 2 << 20;

/// A new block of zeros, aligned to a page, from [`HUGE`] bytes on to [`HUGE`]; null where the
/// operating system has none.
pub(super) fn map(size: usize) -> *mut u8 {
    let start = map_anywhere(size);
    if size < HUGE || start.is_null() {
        return start;
    }
    let start = if start.addr().is_multiple_of(HUGE) {
        start // newer kernels do this by themselves
    } else {
        // SAFETY: mapped above, and nobody knows of it.
        unsafe { unmap(start, size) };
        map_aligned(size)
    };
    #[cfg(target_os = "linux")]
    if !start.is_null() {
        // Fewer faults and fewer misses of the TLB. It is advice: that it fails changes nothing.
        // SAFETY: the range is one mapping of ours.
        unsafe { libc::madvise(start.cast(), size, libc::MADV_HUGEPAGE) };
    }
    start
}

fn map_anywhere(size: usize) -> *mut u8 {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let kind = libc::MAP_PRIVATE | libc::MAP_ANON;
    // SAFETY: a new private mapping at an address that the kernel picks touches nothing else.
    let start = unsafe { libc::mmap(ptr::null_mut(), size, access, kind, -1, 0) };
    if start == libc::MAP_FAILED { ptr::null_mut() } else { start.cast() }
}

/// Maps more than is needed and cuts off what lies outside the aligned block.
fn map_aligned(size: usize) -> *mut u8 {
    let whole = map_anywhere(size + HUGE);
    if whole.is_null() {
        return whole;
    }
    let before = whole.addr().wrapping_neg() % HUGE;
    // SAFETY: `before` is below `HUGE`, so the block and both cuts lie in the mapping, which nobody
    // knows of; addresses and sizes are multiples of a page.
    unsafe {
        let start = whole.add(before);
        if before > 0 {
            unmap(whole, before);
        }
        unmap(start.add(size), HUGE - before);
        start
    }
}

/// Gives a block back.
///
/// # Safety
/// It came from [`map`] with this size and nobody uses it any more.
pub(super) unsafe fn unmap(start: *mut u8, size: usize) {
    // It fails only where the kernel has no room for the two parts that it leaves of a larger
    // mapping; the block is lost then, and nothing else is wrong.
    // SAFETY: the caller gives the block up.
    unsafe { libc::munmap(start.cast(), size) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_aligned_zero_and_writable_to_the_last_byte() {
        for size in [1 << 16, 9 << 13, HUGE - 4096, HUGE, HUGE + (256 << 10), 9 * HUGE] {
            for block in [map(size), if size < HUGE { map(size) } else { map_aligned(size) }] {
                assert!(!block.is_null());
                assert_eq!(block.addr() % if size < HUGE { 4096 } else { HUGE }, 0);
                // SAFETY: mapped with this size, used by this test only.
                unsafe {
                    let bytes = std::slice::from_raw_parts_mut(block, size);
                    assert!(bytes.iter().all(|&byte| byte == 0));
                    bytes.fill(7);
                    unmap(block, size);
                }
            }
        }
        assert!(map(1 << 60).is_null());
    }
}
