//! From images to frequencies: which pixels a tile has, and the loops over channels.

// Loops over several arrays of registers at once: indices say it, iterators would hide it.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use super::layout::{FREQUENCIES, Matrices};
use super::transform;
use crate::simd::{Kernel, LANES, Simd};

/// Rows and columns of an output tile.
pub(super) const SIDE: usize = 4;
/// Rows and columns of the input that an output tile sees.
const WINDOW: usize = 6;

/// The sizes of `[n, rows, columns, channels]`, where `n` is known elsewhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Images {
    pub(super) size: [usize; 2],
    pub(super) channels: usize,
}

impl Images {
    /// Where the channels of a pixel start, if it lies in the image.
    #[inline(always)]
    pub(super) fn pixel(&self, image: usize, row: isize, column: isize) -> Option<usize> {
        let [rows, columns] = self.size;
        // A negative number becomes a huge one.
        let (row, column) = (row.cast_unsigned(), column.cast_unsigned());
        let inside = row < rows && column < columns;
        inside.then(|| ((image * rows + row) * columns + column) * self.channels)
    }
}

/// The 4 x 4 tiles that cover output images, row by row, image by image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiles {
    n: usize,
    grid: [usize; 2],
}

impl Tiles {
    pub(super) fn over(n: usize, size: [usize; 2]) -> Self {
        Self { n, grid: size.map(|x| x.div_ceil(SIDE)) }
    }

    pub(super) fn count(&self) -> usize {
        self.n * self.grid[0] * self.grid[1]
    }

    /// The image of a tile, and its first row and column.
    #[inline(always)]
    pub(super) fn at(&self, tile: usize) -> (usize, isize, isize) {
        let [rows, columns] = self.grid;
        let (line, column) = (tile / columns, tile % columns);
        (line / rows, (line % rows * SIDE) as isize, (column * SIDE) as isize)
    }
}

/// Which transform [`Read`] applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// 6 x 6 windows of an input.
    Input,
    /// 4 x 4 tiles of an output's gradient.
    Gradient,
}

/// Transforms the windows of a range of tiles into rows of matrices.
pub(super) struct Read<'a> {
    pub(super) of: Of,
    pub(super) pixels: &'a [f32],
    pub(super) images: Images,
    pub(super) tiles: Tiles,
    /// Rows and columns from the start of a window to that of its tile.
    pub(super) before: [isize; 2],
    /// What stands outside of the images: as many zeros as there are channels.
    pub(super) zeros: &'a [f32],
    pub(super) range: Range<usize>,
    /// The row of the range's first tile.
    pub(super) first: usize,
    pub(super) into: Matrices<'a>,
}

impl Kernel for Read<'_> {
    type Output = ();

    /// # Safety
    /// No other thread may use the rows of the range.
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let channels = self.images.channels;
        assert!(self.zeros.len() >= channels && self.into.layout.panels() * LANES >= channels);
        assert!(self.first + self.range.len() <= self.into.layout.rows);
        for tile in self.range.clone() {
            let row = self.first + tile - self.range.start;
            let pointers = self.window(tile);
            let mut done = 0;
            while done < channels {
                let into = self.into.row(done / LANES, row);
                // SAFETY: each pointer has `channels` floats; `into` is a row of the matrices, which
                // this thread has to itself.
                unsafe {
                    match (self.of, (channels - done).min(LANES)) {
                        (Of::Input, LANES) => self.input::<S, true>(&pointers, done, into),
                        (Of::Input, _) => self.input::<S, false>(&pointers, done, into),
                        (Of::Gradient, LANES) => self.gradient::<S, true>(&pointers, done, into),
                        (Of::Gradient, _) => self.gradient::<S, false>(&pointers, done, into),
                    }
                }
                done += LANES;
            }
        }
    }
}

impl Read<'_> {
    /// The pixels of a tile's window, row by row.
    #[inline(always)]
    fn window(&self, tile: usize) -> [*const f32; FREQUENCIES] {
        let side = if self.of == Of::Input { WINDOW } else { SIDE };
        let (image, top, left) = self.tiles.at(tile);
        let mut pointers = [self.zeros.as_ptr(); FREQUENCIES];
        for r in 0..side {
            for c in 0..side {
                let row = top - self.before[0] + r as isize;
                let column = left - self.before[1] + c as isize;
                if let Some(start) = self.images.pixel(image, row, column) {
                    let pixel = &self.pixels[start..start + self.images.channels];
                    pointers[r * side + c] = pixel.as_ptr();
                }
            }
        }
        pointers
    }

    /// # Safety
    /// The pointers must have 16 floats after the first `done`, or what is left of the channels
    /// where not `FULL`; `into` must be a row of the matrices.
    #[inline(always)]
    unsafe fn input<S: Simd, const FULL: bool>(
        &self,
        pointers: &[*const f32; FREQUENCIES],
        done: usize,
        into: *mut f32,
    ) {
        // SAFETY: as the caller promises.
        unsafe {
            let mut d = [S::splat(0.0); WINDOW * WINDOW];
            for i in 0..WINDOW * WINDOW {
                d[i] = load::<S, FULL>(pointers[i].add(done), self.images.channels - done);
            }
            let v = transform::input::<S>(&d);
            for i in 0..FREQUENCIES {
                S::store(into.add(i * self.into.layout.stride), v[i]);
            }
        }
    }

    /// # Safety
    /// As for `input`.
    #[inline(always)]
    unsafe fn gradient<S: Simd, const FULL: bool>(
        &self,
        pointers: &[*const f32; FREQUENCIES],
        done: usize,
        into: *mut f32,
    ) {
        // SAFETY: as the caller promises.
        unsafe {
            let mut d = [S::splat(0.0); SIDE * SIDE];
            for i in 0..SIDE * SIDE {
                d[i] = load::<S, FULL>(pointers[i].add(done), self.images.channels - done);
            }
            let v = transform::gradient::<S>(&d);
            for i in 0..FREQUENCIES {
                S::store(into.add(i * self.into.layout.stride), v[i]);
            }
        }
    }
}

/// # Safety
/// `p` must have 16 floats, or `n` where not `FULL`.
#[inline(always)]
unsafe fn load<S: Simd, const FULL: bool>(p: *const f32, n: usize) -> S::V {
    // SAFETY: as the caller promises.
    unsafe { if FULL { S::load(p) } else { S::load_first(p, n) } }
}
