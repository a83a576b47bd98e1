//! Size classes: eight a power of two, from 64 KiB to 1 TiB.

/// The smallest class; what is smaller is left to the system's allocator, which keeps it anyway.
pub(super) const SMALLEST: usize = 1 << SMALLEST_BITS;
const SMALLEST_BITS: u32 = 16;
const LARGEST_BITS: u32 = 40;

/// What every block is aligned to: the smallest page there is.
pub(super) const ALIGNMENT: usize = 4096;

/// Classes in a power of two, as bits.
const STEP_BITS: u32 = 3;

/// How many classes there are.
pub(super) const CLASSES: usize = ((LARGEST_BITS - SMALLEST_BITS) << STEP_BITS) as usize + 1;

/// One of the classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class {
    /// Its place among all classes, the smallest first.
    pub(super) index: usize,
    /// The bytes of its blocks.
    pub(super) size: usize,
}

/// The class that a request of `size` bytes with this alignment gets its block from; none where
/// the system's allocator has to serve it.
pub(super) fn of(size: usize, alignment: usize) -> Option<Class> {
    if !(SMALLEST..=1 << LARGEST_BITS).contains(&size) || alignment > ALIGNMENT {
        return None;
    }
    // A class is (9 to 16) * 2^shift bytes. `size - 1`, so that a power of two is its own class.
    let shift = (size - 1).ilog2() - STEP_BITS;
    let eighths = ((size - 1) >> shift) + 1;
    let smaller_octaves = (shift + STEP_BITS + 1 - SMALLEST_BITS) as usize;
    Some(Class { index: (smaller_octaves << STEP_BITS) + eighths - 16, size: eighths << shift })
}

/// The class with this number.
pub(super) fn nth(index: usize) -> Class {
    let (octave, step) = ((index + 7) >> STEP_BITS, (index + 7) % (1 << STEP_BITS));
    Class { index, size: (step + 9) << (SMALLEST_BITS as usize - 4 + octave) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_count_up_without_a_gap_and_hold_their_requests() {
        let mut size = SMALLEST;
        for index in 0..CLASSES {
            let class = of(size, 1).unwrap();
            assert_eq!(class, Class { index, size }, "its own size is the largest of a class");
            assert_eq!(of(size - 100, 1).map(|c| c.index), (index > 0).then_some(index));
            assert_eq!(class, nth(index));
            assert_eq!(class.size % ALIGNMENT, 0);
            let next = of(size + 1, 1);
            let Some(next) = next else {
                assert_eq!(index, CLASSES - 1);
                continue;
            };
            assert_eq!(next.index, index + 1);
            assert!(next.size * 8 <= size * 9, "at most an eighth is wasted");
            size = next.size;
        }
    }

    #[test]
    fn what_is_small_huge_or_oddly_aligned_is_left_to_the_system() {
        assert_eq!(of(SMALLEST - 1, 64), None);
        assert_eq!(of((1 << 40) + 1, 64), None);
        assert_eq!(of(usize::MAX, 1), None);
        assert_eq!(of(0, 1), None);
        assert_eq!(of(1 << 20, 8192), None);
        assert!(of(1 << 20, 4096).is_some());
    }
}
