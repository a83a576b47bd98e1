//! Dropout by address: which elements are dropped is a pure function of where they stand, so no
//! mask is stored and the backward pass drops the same ones again.

mod kernel;
mod philox;
pub mod reference;
#[cfg(test)]
mod tests;

use std::ops::Range;

use kernel::{Flat, Interleaved};

use crate::Isa;
use crate::parallel::{Shared, for_each};

/// Elements in a piece of work, about. It splits by the shape alone, never by the threads.
const PIECE: usize = 16 * 1024;

/// The address of a mask. Element `e` of sample `n` has word `e % 4` of
/// `philox([e / 4, first_sample + n, address[0], address[1]], key)`, and is dropped where that word
/// is below `threshold`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mask {
    /// The generator's key.
    pub key: [u32; 2],
    /// Words 2 and 3 of the generator's counter.
    pub address: [u32; 2],
    /// Word 1 of the counter for the first sample; it wraps.
    pub first_sample: u32,
    /// The fraction that is dropped, times 2^32.
    pub threshold: u32,
    /// What an element that stays is multiplied by; a dropped one is multiplied by 0.
    pub keep: f32,
}

/// What is masked: `samples` of `channels` of `pixels`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropoutShape {
    /// Samples.
    pub samples: usize,
    /// Channels of a sample.
    pub channels: usize,
    /// Pixels of a channel.
    pub pixels: usize,
    /// How the elements lie in memory. Element `e` is `channel * pixels + pixel` either way.
    pub order: Order,
}

/// How the elements of a sample lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `[C, H, W]`: in the order of their numbers.
    ChannelsFirst,
    /// `[H, W, C]`: the channels of a pixel side by side.
    ChannelsLast,
}

impl DropoutShape {
    fn elements(&self) -> usize {
        self.channels * self.pixels
    }

    /// With one channel or one pixel, both orders are the same.
    fn is_flat(&self) -> bool {
        self.order == Order::ChannelsFirst || self.channels == 1 || self.pixels == 1
    }
}

/// Writes `x` times its mask to `y`: the forward pass. The backward pass is the same for gradients.
///
/// # Panics
/// If a length is not that of the shape, or a sample has more than 2^32 elements.
pub fn dropout(isa: Isa, mask: &Mask, shape: &DropoutShape, x: &[f32], y: &mut [f32]) {
    let elements = shape.elements();
    assert!(elements as u64 <= 1 << 32, "too many elements in a sample: {shape:?}");
    assert!(x.len() == shape.samples * elements && y.len() == x.len(), "lengths: {shape:?}");
    // A unit is what cannot be split: four elements, or four pixels of all channels.
    let (units, size) = if shape.is_flat() {
        (elements.div_ceil(4), 4)
    } else {
        (shape.pixels.div_ceil(4), 4 * shape.channels)
    };
    let splits = (units * size).div_ceil(PIECE).max(1);
    let together = (PIECE / (units * size).max(1)).max(1);
    let groups = shape.samples.div_ceil(together);
    let y = Shared::new(y);
    for_each(groups * splits, |item| {
        let (group, split) = (item / splits, item % splits);
        for sample in group * together..shape.samples.min((group + 1) * together) {
            let units = crate::parallel::part(units, splits, split);
            let range = memory(shape, &units);
            let range = sample * elements + range.start..sample * elements + range.end;
            // SAFETY: every item has samples, or units of a sample, of its own.
            let y = unsafe { y.part(range.clone()) };
            let words = philox::Address {
                key: mask.key,
                high: [
                    mask.first_sample.wrapping_add(sample as u32),
                    mask.address[0],
                    mask.address[1],
                ],
            };
            let (x, first) = (&x[range], units.start);
            if shape.is_flat() {
                isa.run(Flat { mask, words, first: first as u32, x, y });
            } else {
                isa.run(Interleaved { mask, words, shape, first, x, y });
            }
        }
    });
}

/// Where the elements of some units of a sample lie.
fn memory(shape: &DropoutShape, units: &Range<usize>) -> Range<usize> {
    if shape.is_flat() {
        let end = shape.elements();
        end.min(4 * units.start)..end.min(4 * units.end)
    } else {
        let place = |unit: usize| shape.pixels.min(4 * unit) * shape.channels;
        place(units.start)..place(units.end)
    }
}
