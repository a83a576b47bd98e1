//! The gradient of the input.
//!
//! All channels of a pooled element whose maximum is in the same slot add to the same window of the
//! input: a tile of their sum stays in registers. The tile's weights, of up to 64 channels, stay in
//! the first cache meanwhile, for all elements of a group of images.

// Plain counts show which registers a loop over a tile unrolls to.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use super::padded::{crop, is_padded};
use super::tiles::{Sums, Tile, by_tile, tiles};
use super::{DEAD, PooledShape, PooledWindows};
use crate::parallel::{Shared, for_each, part, with_scratch};
use crate::simd::{Isa, Kernel, LANES, Simd};

/// Channels whose weights are used together.
const CHANNELS: usize = 64;
/// Steps of sixteen floats of all channels' weights in a tile: 24 KiB of a first cache of 32 KiB.
const TILE: usize = 384;
/// Multiplications of sixteen floats that make a piece of work: some ten microseconds.
const WORK: usize = 40_000;
/// Floats of input images in a piece of work: 256 KiB of the second cache.
const GROUP: usize = 64 << 10;

/// Writes the gradient `[n, h, w, ci]` of the input.
///
/// `dy` and `slots` are `[n, ph, pw, co]`, `weights` are `[co, ci, kh, kw]`.
///
/// # Panics
/// If the shape is not valid or a length does not fit.
pub fn backward_data(
    isa: Isa,
    shape: &PooledShape,
    dy: &[f32],
    slots: &[u8],
    weights: &[f32],
    dx: &mut [f32],
) {
    shape.check();
    assert_eq!(dy.len(), shape.pooled_len(), "length of dy");
    assert_eq!(slots.len(), dy.len(), "length of slots");
    assert_eq!(weights.len(), shape.conv.weights_len(), "length of weights");
    assert_eq!(dx.len(), shape.conv.input_len(), "length of dx");
    let windows = PooledWindows::new(shape);
    let (n, co, kh) = (shape.conv.n, shape.conv.co, shape.conv.kernel[0]);
    let sums = isa.run(Sums).min(TILE / co.min(CHANNELS)).max(1);
    let tiles = tiles(kh, windows.across, sums);
    let work = shape.image_len() * kh * windows.across;
    let group = (WORK.div_ceil(work)).min(GROUP / windows.image).max(1);
    let items = n.div_ceil(group);
    with_scratch(co * kh * windows.across * LANES, |packed| {
        pack(shape, &tiles, weights, packed);
        let operands = DataOperands { shape, windows: &windows, tiles: &tiles, dy, slots, packed };
        let image = shape.conv.input[0] * shape.conv.input[1] * shape.conv.ci;
        let shared = Shared::new(dx);
        for_each(items, |item| {
            let images = item * group..n.min((item + 1) * group);
            // SAFETY: each item has images of its own.
            let dx = unsafe { shared.part(images.start * image..images.end * image) };
            operands.images(isa, images, dx);
        });
    });
}

/// Blocks of at most 64 channels, nearly equal.
fn block(co: usize, index: usize) -> Range<usize> {
    part(co, co.div_ceil(CHANNELS), index)
}

/// Rearranges the weights: for each block of channels, each tile, each channel of the block, the
/// tile's rows of steps of sixteen floats; zeros after the end of a run.
fn pack(shape: &PooledShape, tiles: &[Tile], weights: &[f32], packed: &mut [f32]) {
    let (ci, co) = (shape.conv.ci, shape.conv.co);
    let [kh, kw] = shape.conv.kernel;
    let channel = packed.len() / co;
    let shared = Shared::new(packed);
    for_each(co.div_ceil(CHANNELS), |index| {
        let channels = block(co, index);
        // SAFETY: the blocks are disjoint.
        let packed = unsafe { shared.part(channels.start * channel..channels.end * channel) };
        let mut next = packed.iter_mut();
        for tile in tiles {
            let (start, len) = (tile.start[1] * LANES, tile.len[1] * LANES);
            for o in channels.clone() {
                let weights = &weights[o * ci * kh * kw..][..ci * kh * kw];
                for p in tile.start[0]..tile.start[0] + tile.len[0] {
                    let (mut q, mut i) = (start / ci, start % ci);
                    for to in next.by_ref().take(len) {
                        *to = if q < kw { weights[(i * kh + p) * kw + q] } else { 0.0 };
                        i += 1;
                        if i == ci {
                            (q, i) = (q + 1, 0);
                        }
                    }
                }
            }
        }
    });
}

/// What all items read. Lengths are those of the shape.
struct DataOperands<'a> {
    shape: &'a PooledShape,
    windows: &'a PooledWindows,
    tiles: &'a [Tile],
    dy: &'a [f32],
    slots: &'a [u8],
    packed: &'a [f32],
}

/// A window to add to: where it starts, the first channel of its pooled element in the group's
/// gradients, and the end of its channels in the list.
#[derive(Clone, Copy)]
#[repr(C)]
struct WindowEntry {
    offset: u32,
    element: u32,
    end: u32,
}

/// Floats of scratch that a window takes.
const WINDOW: usize = 3;

impl DataOperands<'_> {
    /// The gradient of a group of images.
    fn images(&self, isa: Isa, images: Range<usize>, dx: &mut [f32]) {
        let conv = &self.shape.conv;
        let elements = images.len() * self.windows.ph * self.windows.pw;
        let values = elements * conv.co.min(CHANNELS) + LANES;
        let windows = WINDOW * (elements * (self.shape.pool * self.shape.pool).min(conv.co) + 1);
        // Where steps of sixteen floats end with runs, nothing is touched beside the windows.
        let aside = is_padded(conv) || !self.windows.run.is_multiple_of(LANES);
        let copied = if aside {
            (images.len() * self.windows.image + LANES).next_multiple_of(LANES)
        } else {
            0
        };
        with_scratch(values + windows + copied, |scratch| {
            let (copy, lists) = scratch.split_at_mut(copied);
            let (channels, windows) = lists.split_at_mut(values);
            let to = if aside { &mut *copy } else { &mut *dx };
            to.fill(0.0);
            isa.run(Group { operands: self, images: images.clone(), channels, windows, dx: to });
            if aside {
                let len = self.windows.image;
                let image = conv.input[0] * conv.input[1] * conv.ci;
                for index in 0..images.len() {
                    let dx = &mut dx[index * image..][..image];
                    crop(conv, &copy[index * len..][..len], dx);
                }
            }
        });
    }
}

/// A group of images: lists of `windows` and of the `channels` of the block that go to them, both as
/// bits of integers, and padded images of the gradient.
struct Group<'a> {
    operands: &'a DataOperands<'a>,
    images: Range<usize>,
    channels: &'a mut [f32],
    windows: &'a mut [f32],
    dx: &'a mut [f32],
}

impl Kernel for Group<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        let DataOperands { shape, windows, tiles, packed, .. } = self.operands;
        let (co, kh) = (shape.conv.co, shape.conv.kernel[0]);
        let last = windows.across * LANES - windows.run;
        assert_eq!(packed.len(), co * kh * windows.across * LANES);
        assert!(self.dx.len() >= self.images.len() * windows.image + last);
        for index in 0..co.div_ceil(CHANNELS) {
            let channels = block(co, index);
            // SAFETY: this CPU has `S`.
            let count = unsafe { self.list_elements::<S>(&channels) };
            let packed = &packed[channels.start * kh * windows.across * LANES..];
            for tile in *tiles {
                // How many of the last sixteen floats are of the run.
                let ends = tile.start[1] + tile.len[1] == windows.across;
                let mut inside = [1; LANES];
                inside[if ends { LANES - last } else { LANES }..].fill(0);
                // SAFETY: this CPU has `S`. The windows lie in the images of `dx`, with what a step
                // of sixteen reads beyond the last run; the lists name channels of this block,
                // whose weights are in `packed`.
                unsafe {
                    let before = channels.len() * tile.before * LANES;
                    let work = DataTile {
                        windows: self.windows.as_ptr().cast(),
                        count,
                        channels: self.channels.as_ptr().cast(),
                        dy: self.dy().as_ptr(),
                        weights: packed.as_ptr().add(before),
                        dx: self.dx.as_mut_ptr().add(tile.offset(windows.row)),
                        row: windows.row,
                        inside: inside.as_ptr(),
                    };
                    by_tile!(tile, accumulate::<S>(work));
                }
            }
        }
    }
}

/// 0, 1, 2 and so on: the numbers of channels in a block.
static NUMBERS: [u32; CHANNELS + LANES] = numbers();

const fn numbers() -> [u32; CHANNELS + LANES] {
    let mut numbers = [0; CHANNELS + LANES];
    let mut i = 0;
    while i < numbers.len() {
        numbers[i] = i as u32;
        i += 1;
    }
    numbers
}

impl Group<'_> {
    /// Gradients and slots of this group and the images after it.
    #[inline(always)]
    fn dy(&self) -> &[f32] {
        &self.operands.dy[self.images.start * self.operands.windows.elements..]
    }

    /// Lists the windows that any element of a block of channels goes to, and answers how many there
    /// are. Windows that follow each other are of different images as far as possible: so nothing
    /// is read back that was only just written.
    ///
    /// # Safety
    /// The CPU must have `S`.
    #[inline(always)]
    unsafe fn list_elements<S: Simd>(&mut self, channels: &Range<usize>) -> usize {
        let DataOperands { shape, windows, .. } = *self.operands;
        let (ph, pw, co) = (windows.ph, windows.pw, shape.conv.co);
        let (names, image_len) = (shape.pool * shape.pool, windows.elements);
        let (elements, len) = (self.images.len() * ph * pw, channels.len());
        assert!(len <= CHANNELS && channels.end <= co);
        assert!(self.channels.len() >= elements * len + LANES);
        assert!(self.windows.len() >= WINDOW * (elements * names.min(co) + 1));
        let list = self.windows.as_mut_ptr().cast::<WindowEntry>();
        let slots = &self.operands.slots[self.images.start * windows.elements..];
        let (mut count, mut end) = (0, 0);
        for r in 0..ph {
            for c in 0..pw {
                let first = r * windows.down + c * windows.right;
                for slot in 0..names {
                    for n in 0..self.images.len() {
                        let element = n * image_len + (r * pw + c) * co + channels.start;
                        let before = end;
                        let offset = n * windows.image + first;
                        // SAFETY: this CPU has `S`. An element has one slot, so at most as many
                        // channels and windows are listed as the assertions leave room for, and one
                        // step of sixteen.
                        unsafe {
                            let to = self.channels.as_mut_ptr().cast::<f32>();
                            end +=
                                list_channels::<S>(&slots[element..], len, slot as u8, to.add(end));
                            let offset = offset as u32 + *windows.slots.as_ptr().add(slot);
                            let element = element as u32;
                            *list.add(count) = WindowEntry { offset, element, end: end as u32 };
                        }
                        count += usize::from(end > before);
                    }
                }
            }
        }
        count
    }
}

/// Writes the numbers of those of the first `len` elements that have `slot`, and answers how many
/// there are.
///
/// # Safety
/// The CPU must have `S`; there must be `len <= 64` slots, and room for as many numbers and sixteen.
#[inline(always)]
unsafe fn list_channels<S: Simd>(slots: &[u8], len: usize, slot: u8, to: *mut f32) -> usize {
    let (mut count, mut o) = (0, 0);
    while o < len {
        let n = (len - o).min(LANES);
        // SAFETY: the caller's promises; sixteen slots are read only where sixteen are left.
        unsafe {
            let from = slots.as_ptr().add(o);
            let chosen = if o + LANES <= slots.len() {
                S::bytes_equal(from, slot)
            } else {
                let mut bytes = [DEAD; LANES];
                std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), n);
                S::bytes_equal(bytes.as_ptr(), slot)
            };
            // Elements after the `n` come last in what is written, and are not counted.
            S::store_front(to.add(count), chosen, S::load(NUMBERS.as_ptr().add(o).cast()));
            count += (S::bits(chosen) & ((1 << n) - 1)).count_ones() as usize;
        }
        o += LANES;
    }
    count
}

/// All windows, and a tile of them.
#[derive(Clone, Copy)]
struct DataTile {
    windows: *const WindowEntry,
    count: usize,
    channels: *const u32,
    dy: *const f32,
    weights: *const f32,
    dx: *mut f32,
    row: usize,
    inside: *const u8,
}

/// Adds to each window a tile of `R` rows and `C` steps of sixteen floats.
///
/// # Safety
/// The CPU must have `S`; everything that `work` points to must be valid.
#[inline(always)]
unsafe fn accumulate<S: Simd, const R: usize, const C: usize>(work: DataTile) {
    let DataTile { windows, count, channels, dy, weights, dx, row, inside } = work;
    // SAFETY: the caller's promises.
    unsafe {
        let inside = S::bytes_equal(inside, 1);
        let mut entry = 0;
        for index in 0..count {
            let WindowEntry { offset, element, end } = *windows.add(index);
            let dy = dy.add(element as usize);
            // From zero, not from what is there: so the additions do not wait for the last window.
            let mut sums = [[S::splat(0.0); C]; R];
            while entry < end as usize {
                let channel = *channels.add(entry) as usize;
                let dy = S::splat(*dy.add(channel));
                let weights = weights.add(channel * (R * C * LANES));
                for r in 0..R {
                    for c in 0..C {
                        let w = S::load(weights.add((r * C + c) * LANES));
                        sums[r][c] = S::fma(dy, w, sums[r][c]);
                    }
                }
                entry += 1;
            }
            let to = dx.add(offset as usize);
            for r in 0..R {
                // The floats after a run belong to other windows: nothing is added to them, where
                // zero weights times infinity would be NaN. (A choice between old and new floats
                // would become a masked store, which is slow on AMD's with AVX2.)
                sums[r][C - 1] = S::select(inside, sums[r][C - 1], S::splat(-0.0));
                for c in 0..C {
                    let to = to.add(r * row + c * LANES);
                    S::store(to, S::add(S::load(to), sums[r][c]));
                }
            }
        }
    }
}
