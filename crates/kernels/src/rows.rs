//! Matrices `[rows, channels]` in chunks of rows: what the memory-bound kernels share.

use std::ops::Range;

use crate::parallel;
use crate::simd::{Kernel, LANES, Simd};

/// Floats of a chunk, about: it stays in the second-level cache for a second look, and is worth a
/// task of its own.
const CHUNK: usize = 32 * 1024;

/// Rows of a chunk: few enough for sums in single precision, many enough that the sums of all
/// chunks are small next to the data.
const ROWS: Range<usize> = 16..1024;

/// Sums over rows.
pub(crate) trait AddRows {
    /// Adds `COUNT` rows (4 or 1) from `row` on.
    ///
    /// # Safety
    /// The CPU must have `S`, and the rows must exist.
    unsafe fn add<S: Simd, const COUNT: usize>(&mut self, row: usize);
}

/// Adds all rows, four at a time while there are four: the sums are loaded and stored once for them.
///
/// # Safety
/// The CPU must have `S`, and there must be so many rows.
#[inline(always)]
pub(crate) unsafe fn add_rows<S: Simd>(sums: &mut impl AddRows, rows: usize) {
    let mut row = 0;
    // SAFETY: the caller's.
    unsafe {
        while row + 4 <= rows {
            sums.add::<S, 4>(row);
            row += 4;
        }
        while row < rows {
            sums.add::<S, 1>(row);
            row += 1;
        }
    }
}

/// A matrix `[rows, channels]` and its partition into chunks, which depends on nothing else.
#[derive(Clone, Copy)]
pub(crate) struct Rows {
    /// Rows of the matrix.
    pub count: usize,
    /// Channels.
    pub channels: usize,
    per_chunk: usize,
}

impl Rows {
    /// The matrix of `len` floats.
    ///
    /// # Panics
    /// If there is no channel or the last row is not whole.
    pub fn new(len: usize, channels: usize) -> Self {
        assert!(channels > 0, "no channels");
        assert!(len.is_multiple_of(channels), "{len} floats are not rows of {channels}");
        let per_chunk = (CHUNK / channels).clamp(ROWS.start, ROWS.end);
        Self { count: len / channels, channels, per_chunk }
    }

    /// How many chunks there are.
    pub fn chunks(&self) -> usize {
        self.count.div_ceil(self.per_chunk)
    }

    /// Rows of a chunk.
    pub fn rows_of(&self, chunk: usize) -> usize {
        self.per_chunk.min(self.count - chunk * self.per_chunk)
    }

    /// The floats of a chunk.
    pub fn chunk(&self, chunk: usize) -> Range<usize> {
        let start = chunk * self.per_chunk * self.channels;
        start..start + self.rows_of(chunk) * self.channels
    }

    /// Runs `work` on all chunks, the last first: what the pass before has just read or written is
    /// still in the cache.
    pub fn for_each_backwards(&self, work: impl Fn(usize) + Sync + Send) {
        parallel::for_each_backwards(self.chunks(), work);
    }
}

/// Runs `work` on the parts of `0..len`, for work that knows no channels.
pub(crate) fn for_each_part(len: usize, work: impl Fn(Range<usize>) + Sync + Send) {
    parallel::for_each(len.div_ceil(CHUNK), |i| work(i * CHUNK..len.min((i + 1) * CHUNK)));
}

/// `channels` rounded up to whole vectors.
pub(crate) fn padded(channels: usize) -> usize {
    channels.next_multiple_of(LANES)
}

/// Sixteen floats, or the first `n` of them.
///
/// # Safety
/// As [`Simd::load`] where `ALL`, else as [`Simd::load_first`].
#[inline(always)]
pub(crate) unsafe fn load<S: Simd, const ALL: bool>(p: *const f32, n: usize) -> S::V {
    // SAFETY: the caller's.
    unsafe { if ALL { S::load(p) } else { S::load_first(p, n) } }
}

/// Writes sixteen floats, or the first `n` of them.
///
/// # Safety
/// As [`Simd::store`] where `ALL`, else as [`Simd::store_first`].
#[inline(always)]
pub(crate) unsafe fn store<S: Simd, const ALL: bool>(p: *mut f32, v: S::V, n: usize) {
    // SAFETY: the caller's.
    unsafe { if ALL { S::store(p, v) } else { S::store_first(p, v, n) } }
}

/// Adds the rows of `x` up: `sums` becomes one float per channel, then zeros up to whole vectors.
/// Four rows are added first, then the four to what is there.
pub(crate) struct Sum<'a> {
    /// `[rows, channels]`
    pub x: &'a [f32],
    /// Channels.
    pub channels: usize,
    /// `[padded(channels)]`
    pub sums: &'a mut [f32],
}

impl AddRows for Sum<'_> {
    #[inline(always)]
    unsafe fn add<S: Simd, const COUNT: usize>(&mut self, row: usize) {
        // SAFETY: the caller's; each block ends within its row.
        unsafe {
            let (x, sums) = (self.x.as_ptr().add(row * self.channels), self.sums.as_mut_ptr());
            let mut c = 0;
            while c + LANES <= self.channels {
                add_block::<S, COUNT, true>(x.add(c), self.channels, sums.add(c), LANES);
                c += LANES;
            }
            if c < self.channels {
                let n = self.channels - c;
                add_block::<S, COUNT, false>(x.add(c), self.channels, sums.add(c), n);
            }
        }
    }
}

/// Adds `COUNT` rows of `n` channels, `stride` floats apart, to sixteen sums.
#[inline(always)]
unsafe fn add_block<S: Simd, const COUNT: usize, const ALL: bool>(
    x: *const f32,
    stride: usize,
    sums: *mut f32,
    n: usize,
) {
    const { assert!(COUNT == 1 || COUNT == 4, "rows are added one or four at a time") };
    // SAFETY: the caller has `n` floats at each of the rows, and sixteen sums.
    unsafe {
        let mut v = load::<S, ALL>(x, n);
        if COUNT == 4 {
            v = S::add(v, load::<S, ALL>(x.add(stride), n));
            let third = load::<S, ALL>(x.add(2 * stride), n);
            v = S::add(v, S::add(third, load::<S, ALL>(x.add(3 * stride), n)));
        }
        S::store(sums, S::add(S::load(sums), v));
    }
}

impl Kernel for Sum<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        assert!(self.channels > 0 && self.sums.len() == padded(self.channels));
        self.sums.fill(0.0);
        let rows = self.x.len() / self.channels;
        // SAFETY: rows below `rows` lie in `x`.
        unsafe { add_rows::<S>(&mut self, rows) };
    }
}
