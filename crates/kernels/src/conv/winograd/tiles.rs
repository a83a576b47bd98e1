//! From images to frequencies: which pixels a tile has, and the loops over channels.

// Loops over several arrays of registers at once: indices say it, iterators would hide it.
#![allow(clippy::needless_range_loop)]

use std::mem::MaybeUninit;
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
    /// Floats of `n` images.
    pub(super) fn len(&self, n: usize) -> usize {
        n * self.size[0] * self.size[1] * self.channels
    }

    /// Where the pixels of a square start that has `SIDE` rows and columns from `top` and `left` on:
    /// row by row, [`OUTSIDE`] where there is none.
    #[inline(always)]
    pub(super) fn square<const SIDE: usize, const PIXELS: usize>(
        &self,
        (image, top, left): (usize, isize, isize),
    ) -> [usize; PIXELS] {
        let [rows, columns] = self.size;
        let mut across = [OUTSIDE; SIDE];
        for c in 0..SIDE {
            // A negative number becomes a huge one.
            let column = (left + c as isize).cast_unsigned();
            across[c] = if column < columns { column * self.channels } else { OUTSIDE };
        }
        let mut places = [OUTSIDE; PIXELS];
        for r in 0..SIDE {
            let row = (top + r as isize).cast_unsigned();
            let start = (image * rows).wrapping_add(row).wrapping_mul(columns * self.channels);
            for c in 0..SIDE {
                let inside = row < rows && across[c] != OUTSIDE;
                let place = start.wrapping_add(across[c]);
                places[r * SIDE + c] = if inside { place } else { OUTSIDE };
            }
        }
        places
    }
}

/// No place in an image.
pub(super) const OUTSIDE: usize = usize::MAX;

/// The 4 x 4 tiles that cover output images, row by row, image by image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiles {
    pub(super) n: usize,
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
        assert!(self.range.end <= self.tiles.count());
        assert!(self.pixels.len() == self.images.len(self.tiles.n));
        for tile in self.range.clone() {
            let row = self.first + tile - self.range.start;
            // SAFETY: the pixels are those of all tiles, and the zeros as many as the channels;
            // `row` is a row of the matrices, which this thread has to itself.
            unsafe {
                match self.of {
                    Of::Input => self.input::<S>(tile, row),
                    Of::Gradient => self.gradient::<S>(tile, row),
                }
            }
        }
    }
}

impl Read<'_> {
    /// Where the pixels of a tile's window are, row by row.
    #[inline(always)]
    fn window<const SIDE: usize, const PIXELS: usize>(&self, tile: usize) -> [*const f32; PIXELS] {
        let (image, top, left) = self.tiles.at(tile);
        let corner = (image, top - self.before[0], left - self.before[1]);
        let places = self.images.square::<SIDE, PIXELS>(corner);
        let mut pointers = [self.zeros.as_ptr(); PIXELS];
        for i in 0..PIXELS {
            let pixel = self.pixels.as_ptr().wrapping_add(places[i]);
            pointers[i] = if places[i] == OUTSIDE { pointers[i] } else { pixel };
        }
        pointers
    }

    /// # Safety
    /// The CPU must have `S`; the tile must be one of the images', and the row one of the matrices'
    /// that nobody else uses.
    #[inline(always)]
    unsafe fn input<S: Simd>(&self, tile: usize, row: usize) {
        let pointers = self.window::<WINDOW, { WINDOW * WINDOW }>(tile);
        let mut done = 0;
        while done < self.images.channels {
            // SAFETY: each pointer has as many floats as there are channels.
            unsafe {
                let into = self.into.row(done / LANES, row);
                let d = self.load::<S, { WINDOW * WINDOW }>(&pointers, done);
                let v = transform::input::<S>(&d);
                for i in 0..FREQUENCIES {
                    S::store(into.add(i * self.into.layout.stride), v[i]);
                }
            }
            done += LANES;
        }
    }

    /// # Safety
    /// As for `input`.
    #[inline(always)]
    unsafe fn gradient<S: Simd>(&self, tile: usize, row: usize) {
        let pointers = self.window::<SIDE, { SIDE * SIDE }>(tile);
        let mut done = 0;
        while done < self.images.channels {
            // SAFETY: each pointer has as many floats as there are channels.
            unsafe {
                let d = self.load::<S, { SIDE * SIDE }>(&pointers, done);
                let v = transform::gradient::<S>(&d);
                let into = self.into.row(done / LANES, row);
                for i in 0..FREQUENCIES {
                    S::store(into.add(i * self.into.layout.stride), v[i]);
                }
            }
            done += LANES;
        }
    }

    /// Sixteen channels of each pixel, or those that are left after the first `done`.
    ///
    /// # Safety
    /// The CPU must have `S`, and each pointer as many floats as there are channels.
    #[inline(always)]
    unsafe fn load<S: Simd, const PIXELS: usize>(
        &self,
        pointers: &[*const f32; PIXELS],
        done: usize,
    ) -> [S::V; PIXELS] {
        let left = self.images.channels - done;
        // Not an array of zeros: the `dist` profile would clear that by a call, for every tile and
        // every sixteen channels.
        let mut registers = MaybeUninit::<[S::V; PIXELS]>::uninit();
        let d = registers.as_mut_ptr().cast::<S::V>();
        // SAFETY: as the caller promises; each of the registers is written.
        unsafe {
            if left >= LANES {
                for i in 0..PIXELS {
                    d.add(i).write(S::load(pointers[i].add(done)));
                }
            } else {
                for i in 0..PIXELS {
                    d.add(i).write(S::load_first(pointers[i].add(done), left));
                }
            }
            registers.assume_init()
        }
    }
}
