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
pub(super) struct Write<'a> {
    pub(super) from: Matrices<'a>,
    /// The row of the range's first tile.
    pub(super) first: usize,
    pub(super) range: Range<usize>,
    pub(super) tiles: Tiles,
    pub(super) images: Images,
    pub(super) pixels: &'a Shared<'a, f32>,
    /// Added to each channel; whole panels.
    pub(super) bias: &'a [f32],
    /// The smallest and the largest output.
    pub(super) bounds: (f32, f32),
    /// Takes what a tile has outside of the image: as many floats as there are channels.
    pub(super) outside: &'a mut [f32],
}

impl Kernel for Write<'_> {
    type Output = ();

    /// # Safety
    /// No other thread may write to the rows or the tiles of the range.
    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        let channels = self.images.channels;
        let panels = self.from.layout.panels();
        assert!(self.outside.len() >= channels && panels * LANES >= channels);
        assert!(self.bias.len() >= panels * LANES);
        assert!(self.first + self.range.len() <= self.from.layout.rows);
        assert!(self.range.end <= self.tiles.count());
        assert!(self.pixels.len() == self.images.len(self.tiles.n));
        for tile in self.range.clone() {
            let row = self.first + tile - self.range.start;
            // SAFETY: tiles have no pixel in common, and the caller keeps threads apart; each
            // pointer has `channels` floats; `from` is a row of the matrices.
            unsafe {
                let pointers = self.tile(tile);
                let mut done = 0;
                while done < channels {
                    let from = self.from.row(done / LANES, row);
                    if channels - done >= LANES {
                        self.panel::<S, true>(&pointers, done, from);
                    } else {
                        self.panel::<S, false>(&pointers, done, from);
                    }
                    done += LANES;
                }
            }
        }
    }
}

impl Write<'_> {
    /// The pixels of a tile, row by row.
    #[inline(always)]
    fn tile(&mut self, tile: usize) -> [*mut f32; SIDE * SIDE] {
        let places = self.images.square::<SIDE, { SIDE * SIDE }>(self.tiles.at(tile));
        let mut pointers = [self.outside.as_mut_ptr(); SIDE * SIDE];
        for i in 0..SIDE * SIDE {
            let pixel = self.pixels.start().wrapping_add(places[i]);
            pointers[i] = if places[i] == OUTSIDE { pointers[i] } else { pixel };
        }
        pointers
    }

    /// # Safety
    /// The pointers must have 16 floats after the first `done`, or what is left of the channels
    /// where not `FULL`; `from` must be a row of the matrices, and the bias have 16 floats.
    #[inline(always)]
    unsafe fn panel<S: Simd, const FULL: bool>(
        &self,
        pointers: &[*mut f32; SIDE * SIDE],
        done: usize,
        from: *const f32,
    ) {
        // SAFETY: as the caller promises.
        unsafe {
            let (low, high) = (S::splat(self.bounds.0), S::splat(self.bounds.1));
            let y = outputs::<S>(from, self.from.layout.stride, self.bias.as_ptr().add(done));
            for i in 0..SIDE * SIDE {
                let y = S::min(high, S::max(low, y[i]));
                if FULL {
                    S::store(pointers[i].add(done), y);
                } else {
                    S::store_first(pointers[i].add(done), y, self.images.channels - done);
                }
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

/// Transforms rows of matrices back to tiles of a range, and writes the largest of each 2 x 2.
pub(super) struct WritePooled<'a> {
    pub(super) from: Matrices<'a>,
    /// The row of the range's first tile.
    pub(super) first: usize,
    pub(super) range: Range<usize>,
    pub(super) tiles: Tiles,
    /// The images after the pool.
    pub(super) images: Images,
    pub(super) results: &'a Results<'a>,
    /// Added to each channel; whole panels.
    pub(super) bias: &'a [f32],
    pub(super) activation: Activation,
}

impl Kernel for WritePooled<'_> {
    type Output = ();

    /// # Safety
    /// No other thread may write to the rows or the tiles of the range.
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let channels = self.images.channels;
        let panels = self.from.layout.panels();
        assert!(panels * LANES >= channels && self.bias.len() >= panels * LANES);
        assert!(self.first + self.range.len() <= self.from.layout.rows);
        let Results { y, slots } = self.results;
        let pooled = self.images.len(self.tiles.n);
        assert!(self.range.end <= self.tiles.count() && y.len() == pooled);
        assert!(slots.as_ref().is_none_or(|slots| slots.len() == pooled));
        for tile in self.range.clone() {
            let row = self.first + tile - self.range.start;
            // SAFETY: tiles have no pool in common, and the caller keeps threads apart; each place
            // has `channels` elements; `from` is a row of the matrices.
            unsafe {
                let places = self.places(tile);
                let mut done = 0;
                while done < channels {
                    self.panel::<S>(&places, done, self.from.row(done / LANES, row));
                    done += LANES;
                }
            }
        }
    }
}

/// Rows and columns of pools in a tile.
const POOLS: usize = SIDE / 2;

impl WritePooled<'_> {
    /// Where the pools of a tile go, row by row; [`OUTSIDE`] for those that are none.
    #[inline(always)]
    fn places(&self, tile: usize) -> [usize; POOLS * POOLS] {
        let (image, top, left) = self.tiles.at(tile);
        self.images.square::<POOLS, { POOLS * POOLS }>((image, top / 2, left / 2))
    }

    /// # Safety
    /// The places must have 16 elements after the first `done`, or what is left of the channels;
    /// `from` must be a row of the matrices, and the bias have 16 floats.
    #[inline(always)]
    unsafe fn panel<S: Simd>(
        &self,
        places: &[usize; POOLS * POOLS],
        done: usize,
        from: *const f32,
    ) {
        // SAFETY: as the caller promises.
        unsafe {
            let y = outputs::<S>(from, self.from.layout.stride, self.bias.as_ptr().add(done));
            for r in 0..POOLS {
                for c in 0..POOLS {
                    if places[r * POOLS + c] == OUTSIDE {
                        continue;
                    }
                    let place = places[r * POOLS + c] + done;
                    let i = 2 * (r * SIDE + c);
                    let (best, slot) =
                        largest_of_four::<S>([y[i], y[i + 1], y[i + SIDE], y[i + SIDE + 1]]);
                    let (y, slot) = activate::<S>(self.activation, best, slot);
                    let Results { y: to, slots } = self.results;
                    let slots = slots.as_ref().map(|slots| slots.start().add(place));
                    let slots = slots.unwrap_or(std::ptr::null_mut());
                    let place = Place { y: to.start().add(place), slots };
                    put::<S>(place, y, slot, (self.images.channels - done).min(LANES));
                }
            }
        }
    }
}
