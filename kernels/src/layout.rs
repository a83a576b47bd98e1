//! From channels first, `[N, C, pixels]`, to channels last, `[N, pixels, C]`, and back.

use crate::parallel::{Shared, for_each};

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
}
