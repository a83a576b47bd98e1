//! From frequencies back to images, or to what a pool leaves of them.

// Loops over several arrays of registers at once: indices say it, iterators would hide it.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use super::layout::{FREQUENCIES, Matrices};
use super::tiles::{Images, OUTSIDE, SIDE, Tiles};
use super::transform;
use crate::conv::Activation;
use crate::conv::pooled::Results;
use crate::conv::pooled::pool::{Place, activate, largest_of_four, put};
use crate::parallel::Shared;
use crate::simd::{Kernel, LANES, Simd};

/// Transforms rows of matrices back to the output tiles of a range.
pub(super) struct Write<'a, T> {
    pub(super) from: Matrices<'a>,
    /// The row of the range's first tile.
    pub(super) first: usize,
    pub(super) range: Range<usize>,
    pub(super) tiles: Tiles,
    /// Added to each channel; whole panels.
    pub(super) bias: &'a [f32],
    pub(super) target: T,
}

/// Where the outputs of tiles go.
pub(super) trait Target {
    /// Where those of one tile go.
    type Places;

    /// Checks that there is room for all tiles, and answers the channels.
    ///
    /// # Panics
    /// If there is not.
    fn check(&self, tiles: &Tiles) -> usize;

    /// The places of the tile at a row and column of an image.
    fn places(&mut self, at: (usize, isize, isize)) -> Self::Places;

    /// Writes the outputs `y` of a tile, sixteen channels after the first `done`, or what is left.
    ///
    /// # Safety
    /// The CPU must have `S`, `check` must have passed, and nobody else may use the places.
    unsafe fn put<S: Simd>(&self, places: &Self::Places, done: usize, y: [S::V; SIDE * SIDE]);
}

impl<T: Target> Kernel for Write<'_, T> {
    type Output = ();

    /// # Safety
    /// No other thread may write to the rows or the tiles of the range.
    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        let channels = self.target.check(&self.tiles);
        let panels = self.from.layout.panels();
        assert!(panels * LANES >= channels && self.bias.len() >= panels * LANES);
        assert!(self.first + self.range.len() <= self.from.layout.rows);
        assert!(self.range.end <= self.tiles.count());
        for tile in self.range.clone() {
            let row = self.first + tile - self.range.start;
            let places = self.target.places(self.tiles.at(tile));
            let mut done = 0;
            while done < channels {
                // SAFETY: tiles have no place in common, and the caller keeps threads apart; `from`
                // is a row of the matrices, and the bias has whole panels.
                unsafe {
                    let from = self.from.row(done / LANES, row);
                    let bias = self.bias.as_ptr().add(done);
                    let y = outputs::<S>(from, self.from.layout.stride, bias);
                    self.target.put::<S>(&places, done, y);
                }
                done += LANES;
            }
        }
    }
}

/// The 4 x 4 outputs of a tile in sixteen channels.
///
/// # Safety
/// The CPU must have `S`; `from` must have sixteen floats at each of 36 steps of `stride`, `bias` as
/// many.
#[inline(always)]
unsafe fn outputs<S: Simd>(
    from: *const f32,
    stride: usize,
    bias: *const f32,
) -> [S::V; SIDE * SIDE] {
    // SAFETY: as the caller promises.
    unsafe {
        let mut m = [S::splat(0.0); FREQUENCIES];
        for i in 0..FREQUENCIES {
            m[i] = S::load(from.add(i * stride));
        }
        let bias = S::load(bias);
        let mut y = transform::output::<S>(&m);
        for i in 0..SIDE * SIDE {
            y[i] = S::add(y[i], bias);
        }
        y
    }
}

/// All outputs, between bounds.
pub(super) struct Whole<'a> {
    pub(super) images: Images,
    pub(super) pixels: &'a Shared<'a, f32>,
    /// The smallest and the largest output.
    pub(super) bounds: (f32, f32),
    /// Takes what a tile has outside of the image: as many floats as there are channels.
    pub(super) outside: &'a mut [f32],
}

impl Target for Whole<'_> {
    /// The pixels, row by row.
    type Places = [*mut f32; SIDE * SIDE];

    #[inline(always)]
    fn check(&self, tiles: &Tiles) -> usize {
        assert!(self.outside.len() >= self.images.channels);
        assert!(self.pixels.len() == self.images.len(tiles.n));
        self.images.channels
    }

    #[inline(always)]
    fn places(&mut self, at: (usize, isize, isize)) -> Self::Places {
        let places = self.images.square::<SIDE, { SIDE * SIDE }>(at);
        let mut pointers = [self.outside.as_mut_ptr(); SIDE * SIDE];
        for i in 0..SIDE * SIDE {
            let pixel = self.pixels.start().wrapping_add(places[i]);
            pointers[i] = if places[i] == OUTSIDE { pointers[i] } else { pixel };
        }
        pointers
    }

    #[inline(always)]
    unsafe fn put<S: Simd>(&self, places: &Self::Places, done: usize, y: [S::V; SIDE * SIDE]) {
        let left = self.images.channels - done;
        // SAFETY: each pointer has as many floats as there are channels.
        unsafe {
            let (low, high) = (S::splat(self.bounds.0), S::splat(self.bounds.1));
            for i in 0..SIDE * SIDE {
                let y = S::min(high, S::max(low, y[i]));
                if left >= LANES {
                    S::store(places[i].add(done), y);
                } else {
                    S::store_first(places[i].add(done), y, left);
                }
            }
        }
    }
}

/// The largest output of each 2 x 2.
pub(super) struct Pooled<'a> {
    /// The images after the pool.
    pub(super) images: Images,
    pub(super) results: &'a Results<'a>,
    pub(super) activation: Activation,
}

/// Rows and columns of pools in a tile.
const POOLS: usize = SIDE / 2;

impl Target for Pooled<'_> {
    /// The pools, row by row; [`OUTSIDE`] for those that are none.
    type Places = [usize; POOLS * POOLS];

    #[inline(always)]
    fn check(&self, tiles: &Tiles) -> usize {
        let Results { y, slots } = self.results;
        let pooled = self.images.len(tiles.n);
        assert!(y.len() == pooled);
        assert!(slots.as_ref().is_none_or(|slots| slots.len() == pooled));
        self.images.channels
    }

    #[inline(always)]
    fn places(&mut self, (image, top, left): (usize, isize, isize)) -> Self::Places {
        self.images.square::<POOLS, { POOLS * POOLS }>((image, top / 2, left / 2))
    }

    #[inline(always)]
    unsafe fn put<S: Simd>(&self, places: &Self::Places, done: usize, y: [S::V; SIDE * SIDE]) {
        let n = (self.images.channels - done).min(LANES);
        for r in 0..POOLS {
            for c in 0..POOLS {
                if places[r * POOLS + c] == OUTSIDE {
                    continue;
                }
                let place = places[r * POOLS + c] + done;
                let i = 2 * (r * SIDE + c);
                // SAFETY: the place has as many elements as there are channels.
                unsafe {
                    let four = [y[i], y[i + 1], y[i + SIDE], y[i + SIDE + 1]];
                    let (best, slot) = largest_of_four::<S>(four);
                    let (best, slot) = activate::<S>(self.activation, best, slot);
                    let slots = self.results.slots.as_ref();
                    let slots = slots.map(|slots| slots.start().add(place));
                    let slots = slots.unwrap_or(std::ptr::null_mut());
                    let y = self.results.y.start().add(place);
                    put::<S>(Place { y, slots }, best, slot, n);
                }
            }
        }
    }
}
