//! The gradient of the weights.
//!
//! For each output channel, a tile of its gradient stays in registers while all elements of the
//! channel that have a gradient add their window of the input, times that gradient. The images of a
//! band (some small images, or some rows of a large one) stay in the first cache meanwhile.

// Plain counts show which registers a loop over a tile unrolls to.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use super::padded::{is_padded, pad};
use super::tiles::{Sums, Tile, by_tile, tiles};
use super::{PooledShape, PooledWindows, masked};
use crate::conv::direct::add_parts;
use crate::parallel::{Shared, for_each, part, with_scratch};
use crate::simd::{Isa, Kernel, LANES, Simd};

/// Floats of input images that are worked on at a time: about what the first cache holds.
const BAND: usize = 8 << 10;
/// Independent pieces of work to aim at.
const ITEMS: usize = 16;
/// Floats that all partial gradients may have together, 64 MiB.
const PARTIAL: usize = 16 << 20;
/// Channels of a piece of work.
const CHANNELS: usize = 64;

/// Writes the gradient `[co, ci, kh, kw]` of the weights.
///
/// `x` is the input `[n, h, w, ci]`; `dy` and `slots` are `[n, ph, pw, co]`.
///
/// # Panics
/// If the shape is not valid or a length does not fit.
pub fn backward_weights(
    isa: Isa,
    shape: &PooledShape,
    x: &[f32],
    dy: &[f32],
    slots: &[u8],
    dw: &mut [f32],
) {
    shape.check();
    assert_eq!(x.len(), shape.conv.input_len(), "length of x");
    assert_eq!(dy.len(), shape.pooled_len(), "length of dy");
    assert_eq!(slots.len(), dy.len(), "length of slots");
    assert_eq!(dw.len(), shape.conv.weights_len(), "length of dw");
    if shape.conv.n == 0 {
        dw.fill(0.0);
        return;
    }
    if masked::wins(shape) {
        return masked::backward_weights(isa, shape, x, dy, slots, dw);
    }
    let windows = PooledWindows::new(shape);
    let (n, co) = (shape.conv.n, shape.conv.co);
    // Floats of one channel's gradient, as `[kh, across * 16]`.
    let channel = shape.conv.kernel[0] * windows.across * LANES;
    let tiles = tiles(shape.conv.kernel[0], windows.across, isa.run(Sums));
    let blocks = co.div_ceil(CHANNELS);
    let most = (PARTIAL / (co * channel)).max(1);
    let chunks = ITEMS.div_ceil(blocks).min(n).min(most);
    with_scratch(chunks * co * channel, |partial| {
        let shared = Shared::new(partial);
        for_each(chunks * blocks, |item| {
            let (chunk, channels) = (item / blocks, part(co, blocks, item % blocks));
            let place = chunk * co + channels.start..chunk * co + channels.end;
            // SAFETY: the items' channels of their chunks are disjoint.
            let dw = unsafe { shared.part(place.start * channel..place.end * channel) };
            let images = part(n, chunks, chunk);
            let operands =
                WeightsOperands { shape, windows: &windows, tiles: &tiles, x, dy, slots };
            operands.chunk(isa, images, channels, dw);
        });
        add_parts(partial, co * channel);
        unpack(shape, windows.across * LANES, &partial[..co * channel], dw);
    });
}

/// Writes `[co, ci, kh, kw]` from `[co, kh, wide]`.
fn unpack(shape: &PooledShape, wide: usize, sums: &[f32], dw: &mut [f32]) {
    let ci = shape.conv.ci;
    let [kh, kw] = shape.conv.kernel;
    for (sums, dw) in sums.chunks_exact(kh * wide).zip(dw.chunks_exact_mut(ci * kh * kw)) {
        for (i, dw) in dw.chunks_exact_mut(kh * kw).enumerate() {
            for (p, dw) in dw.chunks_exact_mut(kw).enumerate() {
                for (q, dw) in dw.iter_mut().enumerate() {
                    *dw = sums[p * wide + q * ci + i];
                }
            }
        }
    }
}

/// What all items read. Lengths are those of the shape.
struct WeightsOperands<'a> {
    shape: &'a PooledShape,
    windows: &'a PooledWindows,
    tiles: &'a [Tile],
    x: &'a [f32],
    dy: &'a [f32],
    slots: &'a [u8],
}

/// An element with a gradient: where its window starts, and the gradient.
#[derive(Clone, Copy)]
#[repr(C)]
struct Entry {
    offset: u32,
    dy: f32,
}

impl WeightsOperands<'_> {
    /// The gradient of some channels over some images.
    fn chunk(&self, isa: Isa, images: Range<usize>, channels: Range<usize>, dw: &mut [f32]) {
        let mut fresh = true;
        let (ph, pw, image) = (self.windows.ph, self.windows.pw, self.windows.image);
        let together = (BAND / image).clamp(1, images.len());
        let rows = if image <= BAND { ph } else { (BAND / self.windows.down).clamp(1, ph) };
        let copied = (together * image + LANES).next_multiple_of(LANES);
        let entries = (together * rows * pw).next_multiple_of(LANES);
        with_scratch(copied + 3 * entries, |scratch| {
            let (copy, lists) = scratch.split_at_mut(copied);
            let (starts, list) = lists.split_at_mut(entries);
            for first in images.clone().step_by(together) {
                let images = first..images.end.min(first + together);
                let x = self.input(&images, copy);
                for row in (0..ph).step_by(rows) {
                    let rows = row..ph.min(row + rows);
                    let count = images.len() * rows.len() * pw;
                    self.list_windows(images.len(), &rows, &mut starts[..count]);
                    let first =
                        images.start * self.windows.elements + row * pw * self.shape.conv.co;
                    let (starts, channels) = (&starts[..count], channels.clone());
                    isa.run(WeightsBand {
                        operands: self,
                        x,
                        first,
                        starts,
                        channels,
                        list,
                        dw,
                        fresh,
                    });
                    fresh = false;
                }
            }
        });
    }

    /// Lists where the windows of the pooled elements of a band start, as bits of integers.
    fn list_windows(&self, images: usize, rows: &Range<usize>, starts: &mut [f32]) {
        let PooledWindows { image, down, right, pw, .. } = *self.windows;
        let elements = (0..images).flat_map(|n| rows.clone().map(move |r| n * image + r * down));
        for (start, row) in elements.zip(starts.chunks_exact_mut(pw)) {
            for (c, to) in row.iter_mut().enumerate() {
                *to = f32::from_bits((start + c * right) as u32);
            }
        }
    }

    /// Padded images, and at least as many floats after them as steps of sixteen read beyond a run.
    /// They are copied to `copy` only where the input itself will not do.
    fn input<'a>(&'a self, images: &Range<usize>, copy: &'a mut [f32]) -> &'a [f32] {
        let conv = &self.shape.conv;
        let image = conv.input[0] * conv.ci * conv.input[1];
        let beyond = self.windows.across * LANES - self.windows.run;
        if !is_padded(conv) && images.end * image + beyond <= self.x.len() {
            let x = &self.x[images.start * image..];
            // A step that lies across two cache lines costs twice as much as one that does not.
            if !conv.ci.is_multiple_of(LANES) || x.as_ptr().addr().is_multiple_of(64) {
                return x;
            }
        }
        for (index, n) in images.clone().enumerate() {
            let copy = &mut copy[index * self.windows.image..][..self.windows.image];
            pad(conv, &self.x[n * image..][..image], copy);
        }
        copy
    }
}

/// A part of a chunk: whole images, or rows of one. Its pooled elements follow each other, from
/// `first` on; the window of each starts at one of `starts`, in `x`.
struct WeightsBand<'a> {
    operands: &'a WeightsOperands<'a>,
    x: &'a [f32],
    first: usize,
    starts: &'a [f32],
    channels: Range<usize>,
    list: &'a mut [f32],
    dw: &'a mut [f32],
    /// Whether this is the first band, so `dw` holds nothing yet.
    fresh: bool,
}

impl Kernel for WeightsBand<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let windows = self.operands.windows;
        let kh = self.operands.shape.conv.kernel[0];
        let wide = windows.across * LANES;
        assert!(self.list.len() >= 2 * self.starts.len());
        assert_eq!(self.dw.len(), self.channels.len() * kh * wide);
        let last = self.starts.iter().map(|start| start.to_bits()).max().unwrap_or(0) as usize;
        let pool = windows.slots.iter().max().map_or(0, |&slot| slot as usize);
        assert!(self.x.len() >= last + pool + (kh - 1) * windows.row + wide);
        let list = self.list.as_mut_ptr().cast::<Entry>();
        let channels = self.channels.clone();
        for (index, o) in channels.enumerate() {
            // SAFETY: this CPU has `S`; the list has room for all elements of the band. A window
            // lies in the images of `x`, with what a step of sixteen reads beyond its last run; a
            // tile lies in the gradient of its channel.
            unsafe {
                let count = self.list_elements(o, list);
                let dw = self.dw.as_mut_ptr().add(index * kh * wide);
                for tile in self.operands.tiles {
                    let x = self.x.as_ptr().add(tile.offset(windows.row));
                    let dw = dw.add(tile.offset(wide));
                    let (row, fresh) = (windows.row, self.fresh);
                    let work = WeightsTile { list, count, x, row, dw, wide, fresh };
                    by_tile!(tile, accumulate::<S>(work));
                }
            }
        }
    }
}

impl WeightsBand<'_> {
    /// Lists the elements of channel `o` that have a gradient, and answers how many there are.
    ///
    /// # Safety
    /// `list` must have room for all elements of the band.
    #[inline(always)]
    unsafe fn list_elements(&self, o: usize, list: *mut Entry) -> usize {
        let WeightsOperands { shape, windows, dy, slots, .. } = *self.operands;
        let (co, names) = (shape.conv.co, shape.pool * shape.pool);
        let elements = self.starts.len();
        let first = self.first + o;
        assert!(first + (elements - 1) * co < dy.len().min(slots.len()));
        let mut count = 0;
        // SAFETY: asserted for the last element. An entry is written for every element, and kept if it
        // has a gradient: no branch to guess.
        unsafe {
            let (mut dy, mut slot) = (dy.as_ptr().add(first), slots.as_ptr().add(first));
            for index in 0..elements {
                let name = usize::from(*slot);
                let offset = self.starts.as_ptr().add(index).cast::<u32>().read();
                let offset = offset + *windows.slots.as_ptr().add(name);
                *list.add(count) = Entry { offset, dy: *dy };
                count += usize::from(name < names);
                // Past the end after the last element, where nothing is read.
                (dy, slot) = (dy.wrapping_add(co), slot.wrapping_add(co));
            }
        }
        count
    }
}

/// A tile of the gradient and the entries to add, with distances of rows.
#[derive(Clone, Copy)]
struct WeightsTile {
    list: *const Entry,
    count: usize,
    x: *const f32,
    row: usize,
    dw: *mut f32,
    wide: usize,
    fresh: bool,
}

/// Adds all entries to a tile of `R` rows and `C` steps of sixteen floats.
///
/// # Safety
/// The CPU must have `S`; the entries, their tiles of `x` and the tile of `dw` must be valid.
#[inline(always)]
unsafe fn accumulate<S: Simd, const R: usize, const C: usize>(work: WeightsTile) {
    let WeightsTile { list, count, x, row, dw, wide, fresh } = work;
    // SAFETY: the caller's promises.
    unsafe {
        let mut sums = [[S::splat(0.0); C]; R];
        if !fresh {
            for r in 0..R {
                for c in 0..C {
                    sums[r][c] = S::load(dw.add(r * wide + c * LANES));
                }
            }
        }
        for index in 0..count {
            let Entry { offset, dy } = *list.add(index);
            let x = x.add(offset as usize);
            let dy = S::splat(dy);
            for r in 0..R {
                for c in 0..C {
                    sums[r][c] = S::fma(dy, S::load(x.add(r * row + c * LANES)), sums[r][c]);
                }
            }
        }
        for r in 0..R {
            for c in 0..C {
                S::store(dw.add(r * wide + c * LANES), sums[r][c]);
            }
        }
    }
}
