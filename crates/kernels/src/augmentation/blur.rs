//! Means of neighbours: blurring, and sharpening by going away from them.

use super::{AugmentationScratch, Image, byte, cut, fma, round};

/// Values that are summed in registers while taps pass.
const BLOCK: usize = 32;

/// Blurs by a normal distribution over `kernel_size` pixels each way, with the standard deviation
/// `sigma` in pixels. Beyond a border the image is mirrored, without repeating the pixels at the
/// border. (Where the kernel reaches over more than the image, which torchvision refuses, it is
/// mirrored again.)
///
/// # Panics
/// If `kernel_size` is even or `sigma` is not above 0.
pub fn gaussian_blur(
    image: &mut Image,
    kernel_size: usize,
    sigma: f64,
    scratch: &mut AugmentationScratch,
) {
    assert!(kernel_size % 2 == 1, "the size of a kernel is even");
    assert!(sigma > 0.0, "sigma is not above 0");
    let ([height, width], channels, stride) = (image.size, image.channels, image.stride());
    let reach = kernel_size / 2;
    scratch.copy(image);
    let AugmentationScratch { bytes: source, row, weights, .. } = scratch;
    tabulate(weights, reach, sigma);
    row.clear();
    row.resize(stride + 2 * reach * channels, 0.0);
    let inner = reach * channels;
    for (y, target) in image.data.chunks_exact_mut(stride).enumerate() {
        let rows =
            |distance: isize| &source[mirror(y as isize + distance, height) * stride..][..stride];
        blur_down(weights, rows, &mut row[inner..inner + stride]);
        for x in 1..=reach {
            let (left, right) =
                (mirror(-(x as isize), width), mirror((width - 1 + x) as isize, width));
            for channel in 0..channels {
                row[inner - x * channels + channel] = row[inner + left * channels + channel];
                row[inner + (width - 1 + x) * channels + channel] =
                    row[inner + right * channels + channel];
            }
        }
        blur_along(weights, row, channels, target);
    }
}

/// The middle weight and those to one side of it.
fn tabulate(weights: &mut Vec<f32>, reach: usize, sigma: f64) {
    let weight = |distance: usize| (-0.5 * (distance as f64 / sigma).powi(2)).exp();
    let sum: f64 = (1..=reach).map(weight).sum::<f64>() * 2.0 + 1.0;
    weights.clear();
    weights.extend((0..=reach).map(|distance| (weight(distance) / sum) as f32));
}

/// The pixel that is seen `at` places from the first of `len`.
#[inline(always)]
fn mirror(at: isize, len: usize) -> usize {
    if (0..len as isize).contains(&at) {
        return at as usize;
    }
    let period = 2 * (len - 1).max(1);
    let at = at.rem_euclid(period as isize) as usize;
    at.min(period - at).min(len - 1)
}

/// One row of weighted means of the rows above and below it.
fn blur_down<'a>(weights: &[f32], rows: impl Fn(isize) -> &'a [u8], target: &mut [f32]) {
    for (block, target) in target.chunks_mut(BLOCK).enumerate() {
        let (at, len) = (block * BLOCK, target.len());
        let mut sums = [0.0; BLOCK];
        for (sum, &value) in sums.iter_mut().zip(&rows(0)[at..at + len]) {
            *sum = weights[0] * f32::from(value);
        }
        for (distance, &weight) in (1..).zip(&weights[1..]) {
            let (above, below) = (&rows(-distance)[at..at + len], &rows(distance)[at..at + len]);
            if let (Some(above), Some(below)) =
                (above.first_chunk::<BLOCK>(), below.first_chunk::<BLOCK>())
            {
                for ((sum, &a), &b) in sums.iter_mut().zip(above).zip(below) {
                    *sum += weight * (i32::from(a) + i32::from(b)) as f32;
                }
            } else {
                for ((sum, &a), &b) in sums.iter_mut().zip(above).zip(below) {
                    *sum += weight * (i32::from(a) + i32::from(b)) as f32;
                }
            }
        }
        target.copy_from_slice(&sums[..len]);
    }
}

/// Weighted means along a row, which has `weights.len() - 1` pixels more on either side.
fn blur_along(weights: &[f32], row: &[f32], channels: usize, target: &mut [u8]) {
    let inner = (weights.len() - 1) * channels;
    for (block, target) in target.chunks_mut(BLOCK).enumerate() {
        let (at, len) = (inner + block * BLOCK, target.len());
        let mut sums = [0.0; BLOCK];
        for (sum, &value) in sums.iter_mut().zip(&row[at..at + len]) {
            *sum = weights[0] * value;
        }
        for (tap, &weight) in (1..).zip(&weights[1..]) {
            let (left, right) = (&row[at - tap * channels..], &row[at + tap * channels..]);
            if let (Some(left), Some(right)) =
                (left.first_chunk::<BLOCK>(), right.first_chunk::<BLOCK>())
            {
                for ((sum, &a), &b) in sums.iter_mut().zip(left).zip(right) {
                    *sum += weight * (a + b);
                }
            } else {
                for ((sum, &a), &b) in sums.iter_mut().zip(&left[..len]).zip(&right[..len]) {
                    *sum += weight * (a + b);
                }
            }
        }
        for (target, sum) in target.iter_mut().zip(sums) {
            *target = byte(round(sum));
        }
    }
}

/// Blends with a smoothed image: 0 is smooth, 1 the image as it is, more goes beyond it. Smooth is
/// the mean of a pixel, five times, and its eight neighbours. The pixels at the border stay.
///
/// # Panics
/// If the factor is negative.
pub fn adjust_sharpness(image: &mut Image, factor: f64, scratch: &mut AugmentationScratch) {
    assert!(factor >= 0.0, "a sharpness factor is negative");
    let ([height, width], channels, stride) = (image.size, image.channels, image.stride());
    if height <= 2 || width <= 2 {
        return;
    }
    let away = (1.0 - factor) as f32;
    scratch.copy(image);
    let AugmentationScratch { bytes: source, sums, .. } = scratch;
    sums.clear();
    sums.resize(stride, 0);
    let rows = source.windows(3 * stride).step_by(stride);
    for (target, rows) in image.data.chunks_exact_mut(stride).skip(1).zip(rows) {
        let (above, rest) = rows.split_at(stride);
        let (row, below) = rest.split_at(stride);
        for (((sum, &a), &b), &c) in sums.iter_mut().zip(above).zip(row).zip(below) {
            *sum = u16::from(a) + u16::from(b) + u16::from(c);
        }
        let around = sums.iter().zip(&sums[channels..]).zip(&sums[2 * channels..]);
        for (value, ((a, b), c)) in target[channels..].iter_mut().zip(around) {
            let sum = a + b + c + 4 * u16::from(*value);
            let smooth = f32::from((sum + 6) / 13);
            let exact = f32::from(*value);
            *value = cut(fma(smooth - exact, away, exact));
        }
    }
}
