//! Mean and standard deviation of the data, for normalisation.

use rayon::prelude::*;
use tinderbox_base::Result;
use tinderbox_base::draw::{Purpose, permutation};
use tinderbox_image::{DecodeSize, Preprocessing, prepare};

use crate::quarantine::Samples;

/// How many images are looked at, at the most.
const LOOKED_AT: usize = 4096;

/// Mean and standard deviation of each channel over a seeded choice of at most 4,096 samples, as
/// the network sees them without augmentation, for values in `[0, 1]`. The sums are whole numbers,
/// so that they do not depend on the order.
///
/// # Errors
/// If a class has no sample that decodes.
pub fn statistics(
    samples: &Samples,
    to: &Preprocessing,
    seed: u64,
) -> Result<(Vec<f32>, Vec<f32>)> {
    let order = permutation(seed, 0, samples.len(), Purpose::Statistics);
    let channels = to.channels;
    let sums = order[..order.len().min(LOOKED_AT)]
        .par_iter()
        .map(|&index| {
            let (pixels, _) = samples.load(index, DecodeSize::input(to), &mut Vec::new())?;
            let pixels = prepare(&pixels, to);
            let mut sums = vec![[0u64; 3]; channels];
            for (i, &value) in pixels.data.iter().enumerate() {
                let value = u64::from(value);
                let sum = &mut sums[i % channels];
                *sum = [sum[0] + 1, sum[1] + value, sum[2] + value * value];
            }
            Ok(sums)
        })
        .try_reduce(
            || vec![[0u64; 3]; channels],
            |a, b| Ok(a.iter().zip(&b).map(|(a, b)| [0, 1, 2].map(|i| a[i] + b[i])).collect()),
        )?;
    Ok(sums.iter().map(|&sum| mean_and_std(sum)).unzip())
}

fn mean_and_std([count, sum, squares]: [u64; 3]) -> (f32, f32) {
    let n = (count as f64).max(1.0);
    let mean = sum as f64 / n;
    let variance = (squares as f64 / n - mean * mean).max(0.0);
    let std = variance.sqrt() / 255.0;
    // Images of one colour have no spread; dividing by 1 leaves them as they are.
    ((mean / 255.0) as f32, if std < 1e-4 { 1.0 } else { std as f32 })
}
