//! The mask that defines the result, an element at a time.

use super::{DropoutShape, Mask, Order};
use crate::draw::philox;

/// What every element is multiplied by, in the shape's order in memory.
#[must_use]
pub fn factors(mask: &Mask, shape: &DropoutShape) -> Vec<f32> {
    let DropoutShape { samples, channels, pixels, order } = *shape;
    let factor = |sample: usize, channel: usize, pixel: usize| {
        let element = channel * pixels + pixel;
        let position = mask.first_sample.wrapping_add(sample as u32);
        let counter = [(element / 4) as u32, position, mask.address[0], mask.address[1]];
        let word = philox(counter, mask.key)[element % 4];
        if word < mask.threshold { 0.0 } else { mask.keep }
    };
    let mut factors = Vec::with_capacity(samples * channels * pixels);
    for sample in 0..samples {
        for i in 0..channels * pixels {
            factors.push(match order {
                Order::ChannelsFirst => factor(sample, i / pixels, i % pixels),
                Order::ChannelsLast => factor(sample, i % channels, i / channels),
            });
        }
    }
    factors
}
