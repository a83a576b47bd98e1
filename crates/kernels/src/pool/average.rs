//! Averages, of each window and of whole images.

use super::PoolShape;
use super::shape::product;
use super::view::{Band, Seers, for_each_rows};
use crate::Isa;
use crate::parallel::{Shared, for_each, with_scratch};
use crate::rows::{Sum, load, padded};
use crate::simd::{Kernel, LANES, Simd};

/// The average of each window, padding counted as zeros: `x` `[n, h, w, channels]`, `y`
/// `[n, oh, ow, channels]`. (PyTorch's `count_include_pad`, which is its default.)
///
/// # Panics
/// If the shape or a length does not fit.
pub fn average_forward(isa: Isa, shape: &PoolShape, x: &[f32], y: &mut [f32]) {
    shape.check();
    assert_eq!(x.len(), shape.input_len(), "input");
    assert_eq!(y.len(), shape.output_len(), "output");
    for_each_rows(shape.output()[1] * shape.channels, y, |first, y| {
        isa.run(AverageForward { shape, x, first, y });
    });
}

/// The gradient `dx` `[n, h, w, channels]` of the input, for the gradient `dy`
/// `[n, oh, ow, channels]` of the output. Every float of `dx` is written once.
///
/// # Panics
/// If the shape or a length does not fit.
pub fn average_backward(isa: Isa, shape: &PoolShape, dy: &[f32], dx: &mut [f32]) {
    shape.check();
    assert_eq!(dy.len(), shape.output_len(), "gradient of the output");
    assert_eq!(dx.len(), shape.input_len(), "gradient of the input");
    for_each_rows(shape.input[1] * shape.channels, dx, |first, dx| {
        isa.run(AverageBackward { shape, dy, first, dx });
    });
}

/// A rectangle of pixels to add up.
struct Patch {
    /// The first pixel of it.
    first: usize,
    /// Pixels from row to row.
    step: usize,
    size: [usize; 2],
}

/// Adds the pixels of `patch`, row by row, and multiplies by `factor`.
///
/// # Safety
/// The patch must lie in the pixels of `channels` floats at `from`, and there must be a pixel `to`.
#[inline(always)]
unsafe fn add_up<S: Simd>(
    patch: &Patch,
    from: *const f32,
    to: *mut f32,
    channels: usize,
    factor: f32,
) {
    let mut c = 0;
    // SAFETY: each block ends within its pixel.
    unsafe {
        while c + LANES <= channels {
            let sum = block::<S, true>(patch, from.add(c), channels, LANES);
            S::store(to.add(c), S::mul(sum, S::splat(factor)));
            c += LANES;
        }
        if c < channels {
            let n = channels - c;
            let sum = block::<S, false>(patch, from.add(c), channels, n);
            S::store_first(to.add(c), S::mul(sum, S::splat(factor)), n);
        }
    }
}

#[inline(always)]
unsafe fn block<S: Simd, const ALL: bool>(
    patch: &Patch,
    from: *const f32,
    channels: usize,
    n: usize,
) -> S::V {
    // SAFETY: the caller's patch has `n` channels, sixteen where `ALL`.
    unsafe {
        let mut sum = S::splat(0.0);
        let mut r = 0;
        while r < patch.size[0] {
            let row = from.add((patch.first + r * patch.step) * channels);
            let mut q = 0;
            while q < patch.size[1] {
                sum = S::add(sum, load::<S, ALL>(row.add(q * channels), n));
                q += 1;
            }
            r += 1;
        }
        sum
    }
}

/// Output rows from `first` on, counted over all images.
struct AverageForward<'a> {
    shape: &'a PoolShape,
    x: &'a [f32],
    first: usize,
    y: &'a mut [f32],
}

impl Kernel for AverageForward<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { shape, x, first, y } = self;
        let (channels, ow) = (shape.channels, shape.output()[1]);
        let factor = 1.0 / (shape.kernel * shape.kernel) as f32;
        let mut row = 0;
        while row * ow * channels < y.len() {
            let band = Band::new(shape, first + row);
            let mut column = 0;
            while column < ow {
                let view = band.view(column);
                let patch = Patch { first: view.first, step: shape.input[1], size: view.size };
                // SAFETY: the view lies in the images, and rows of `y` are whole.
                unsafe {
                    let y = y.as_mut_ptr().add((row * ow + column) * channels);
                    add_up::<S>(&patch, x.as_ptr(), y, channels, factor);
                }
                column += 1;
            }
            row += 1;
        }
    }
}

/// Input rows from `first` on, counted over all images.
struct AverageBackward<'a> {
    shape: &'a PoolShape,
    dy: &'a [f32],
    first: usize,
    dx: &'a mut [f32],
}

impl Kernel for AverageBackward<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { shape, dy, first, dx } = self;
        let (channels, w) = (shape.channels, shape.input[1]);
        let step = shape.output()[1];
        let factor = 1.0 / (shape.kernel * shape.kernel) as f32;
        let mut row = 0;
        while row * w * channels < dx.len() {
            let mut seers = Seers::new(shape, first + row);
            let mut column = 0;
            while column < w {
                let windows = seers.of_next();
                let patch = Patch { first: windows.first, step, size: windows.size };
                // SAFETY: the windows exist, and rows of `dx` are whole.
                unsafe {
                    let dx = dx.as_mut_ptr().add((row * w + column) * channels);
                    add_up::<S>(&patch, dy.as_ptr(), dx, channels, factor);
                }
                column += 1;
            }
            row += 1;
        }
    }
}

/// Pixels of an image that are added up before they meet the others.
const RUN: usize = 256;

/// The average of each image: `x` `[n, pixels, channels]`, `y` `[n, channels]`.
///
/// # Panics
/// If there are no pixels or channels, or a length does not fit.
pub fn global_average_forward(
    isa: Isa,
    n: usize,
    pixels: usize,
    channels: usize,
    x: &[f32],
    y: &mut [f32],
) {
    check_global([n, pixels, channels], x, y);
    let y = Shared::new(y);
    for_each(n, |image| {
        // SAFETY: images have no float in common.
        let y = unsafe { y.part(image * channels..(image + 1) * channels) };
        let x = &x[image * pixels * channels..(image + 1) * pixels * channels];
        with_scratch(padded(channels), |sums| {
            y.fill(0.0);
            for x in x.chunks(RUN * channels) {
                isa.run(Sum { x, channels, sums });
                y.iter_mut().zip(&*sums).for_each(|(y, sum)| *y += sum);
            }
            for y in y.iter_mut() {
                *y /= pixels as f32;
            }
        });
    });
}

/// The gradient `dx` `[n, pixels, channels]` of the input of [`global_average_forward`], for the
/// gradient `dy` `[n, channels]` of its output.
///
/// # Panics
/// If there are no pixels or channels, or a length does not fit.
pub fn global_average_backward(
    isa: Isa,
    n: usize,
    pixels: usize,
    channels: usize,
    dy: &[f32],
    dx: &mut [f32],
) {
    check_global([n, pixels, channels], dx, dy);
    for_each_rows(channels, dx, |first, dx| {
        isa.run(SpreadAverage { dy, channels, pixels, first, dx });
    });
}

/// Checks the lengths of images and of their averages.
fn check_global([n, pixels, channels]: [usize; 3], images: &[f32], averages: &[f32]) {
    assert!(pixels > 0 && channels > 0, "no pixels or channels");
    assert_eq!(images.len(), product([n, pixels, channels, 1]), "images");
    assert_eq!(averages.len(), product([n, channels, 1, 1]), "averages");
}

/// Pixels from `first` on, counted over all images.
struct SpreadAverage<'a> {
    dy: &'a [f32],
    channels: usize,
    pixels: usize,
    first: usize,
    dx: &'a mut [f32],
}

impl Kernel for SpreadAverage<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { dy, channels, pixels, first, dx } = self;
        let factor = 1.0 / pixels as f32;
        let (mut image, mut pixel) = (first / pixels, first % pixels);
        let mut at = 0;
        while at < dx.len() {
            let patch = Patch { first: image, step: 0, size: [1, 1] };
            // SAFETY: the image exists, and pixels of `dx` are whole.
            unsafe {
                add_up::<S>(&patch, dy.as_ptr(), dx.as_mut_ptr().add(at), channels, factor);
            }
            at += channels;
            pixel += 1;
            if pixel == pixels {
                (image, pixel) = (image + 1, 0);
            }
        }
    }
}
