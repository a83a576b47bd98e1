//! From channels first, `[N, C, pixels]`, to channels last, `[N, pixels, C]`, and back; and from an image's bytes
//! to planes of floats.

use crate::Isa;
use crate::parallel::{Shared, for_each};
use crate::simd::{Kernel, Simd};

/// Rows and columns of the squares in which matrices are transposed: both sides of one stay in the
/// first-level cache.
const TILE: usize = 32;

/// `to[n][pixel][channel] = from[n][channel][pixel]`.
///
/// # Panics
/// If a slice has not `n * channels * pixels` floats.
pub fn to_channels_last(n: usize, channels: usize, pixels: usize, from: &[f32], to: &mut [f32]) {
    transpose_all(n, [channels, pixels], from, to);
}

/// `to[n][channel][pixel] = from[n][pixel][channel]`.
///
/// # Panics
/// If a slice has not `n * channels * pixels` floats.
pub fn to_channels_first(n: usize, channels: usize, pixels: usize, from: &[f32], to: &mut [f32]) {
    transpose_all(n, [pixels, channels], from, to);
}

fn transpose_all(n: usize, [rows, columns]: [usize; 2], from: &[f32], to: &mut [f32]) {
    let len = rows * columns;
    assert!(from.len() == n * len && to.len() == n * len, "lengths of the images");
    let to = Shared::new(to);
    for_each(n, |image| {
        let range = image * len..(image + 1) * len;
        // SAFETY: each image is one item's.
        let to = unsafe { to.part(range.clone()) };
        transpose([rows, columns], &from[range], to);
    });
}

fn transpose([rows, columns]: [usize; 2], from: &[f32], to: &mut [f32]) {
    if rows == 1 || columns == 1 {
        to.copy_from_slice(from);
        return;
    }
    for top in (0..rows).step_by(TILE) {
        for left in (0..columns).step_by(TILE) {
            let right = (left + TILE).min(columns);
            for row in top..(top + TILE).min(rows) {
                let from = &from[row * columns + left..row * columns + right];
                for (to, from) in to[left * rows + row..].iter_mut().step_by(rows).zip(from) {
                    *to = *from;
                }
            }
        }
    }
}

/// The bytes of an image `[pixels, C]` as a network's input `[C, pixels]`: `byte * scale - offset`, with
/// a `[scale, offset]` for each channel.
///
/// # Panics
/// If there are other than 1 or 3 channels, or a slice has not `channels * pixels` values.
pub fn to_input(isa: Isa, channels: &[[f32; 2]], from: &[u8], to: &mut [f32]) {
    assert!(from.len() == to.len() && from.len().is_multiple_of(channels.len()), "lengths");
    isa.run(ToInput { channels, from, to });
}

struct ToInput<'a> {
    channels: &'a [[f32; 2]],
    from: &'a [u8],
    to: &'a mut [f32],
}

impl Kernel for ToInput<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { channels, from, to } = self;
        match *channels {
            [channel] => {
                for (value, &byte) in to.iter_mut().zip(from) {
                    *value = normal(byte, channel);
                }
            }
            [r, g, b] => {
                let pixels = from.as_chunks::<3>().0;
                let (reds, rest) = to.split_at_mut(pixels.len());
                let (greens, blues) = rest.split_at_mut(pixels.len());
                let planes = reds.iter_mut().zip(greens).zip(blues);
                for (&[x, y, z], ((red, green), blue)) in pixels.iter().zip(planes) {
                    (*red, *green, *blue) = (normal(x, r), normal(y, g), normal(z, b));
                }
            }
            _ => panic!("one channel or three"),
        }
    }
}

#[inline(always)]
fn normal(byte: u8, [scale, offset]: [f32; 2]) -> f32 {
    f32::from(byte) * scale - offset
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Trial;

    #[test]
    fn there_and_back_again_is_where_it_was() {
        for (n, channels, pixels) in [(0, 3, 5), (2, 1, 7), (3, 37, 70), (1, 5, 1)] {
            let from: Vec<f32> = (0..n * channels * pixels).map(|i| i as f32).collect();
            for trial in Trial::all() {
                let from = trial.copy(&from);
                let (mut last, mut first) = (trial.output(from.len()), trial.output(from.len()));
                to_channels_last(n, channels, pixels, &from, &mut last);
                if from.len() > 1 && pixels > 1 && channels > 1 {
                    assert_eq!(last[1].to_bits(), (pixels as f32).to_bits());
                }
                to_channels_first(n, channels, pixels, &last, &mut first);
                assert_eq!(*from, *first);
            }
        }
    }

    #[test]
    fn an_image_becomes_planes_of_floats() {
        for (channels, pixels) in [(1, 100), (3, 1), (3, 131)] {
            let from: Vec<u8> = (0..channels * pixels).map(|i| (i * 37 % 256) as u8).collect();
            let how: Vec<[f32; 2]> = (1..=channels).map(|c| [0.3 / c as f32, c as f32]).collect();
            for trial in Trial::all() {
                let from = trial.copy(&from);
                let mut to = trial.output(from.len());
                to_input(trial.isa, &how, &from, &mut to);
                for (i, value) in to.iter().enumerate() {
                    let [scale, offset] = how[i / pixels];
                    let byte = f32::from(from[i % pixels * channels + i / pixels]);
                    assert_eq!(value.to_bits(), (byte * scale - offset).to_bits());
                }
            }
        }
    }
}
