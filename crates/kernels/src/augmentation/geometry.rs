//! Mirroring, and everything that moves pixels by an affine map.

use super::sample::{BorderedImage, Interpolation, Sampling};
use super::{AugmentationScratch, Image, Pixels, fma};

/// Swaps left and right.
pub fn horizontal_flip(image: &mut Image) {
    let (channels, stride) = (image.channels, image.stride());
    for row in image.data.chunks_exact_mut(stride) {
        Pixels::new(row, channels).reverse();
    }
}

/// Swaps top and bottom.
pub fn vertical_flip(image: &mut Image) {
    let stride = image.stride();
    let mut rows = image.data.chunks_exact_mut(stride);
    while let (Some(upper), Some(lower)) = (rows.next(), rows.next_back()) {
        upper.swap_with_slice(lower);
    }
}

/// An affine map of the plane: shear, then scale, then rotation, all about a center, then
/// translation. Coordinates are `[x, y]` in pixels, right and down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    /// Degrees, clockwise.
    pub angle: f64,
    /// Where the center goes.
    pub translate: [f64; 2],
    /// How much larger things become.
    pub scale: f64,
    /// Degrees by which columns lean to the left, and rows upwards.
    pub shear: [f64; 2],
    /// What stays in its place but for the translation, from the upper left corner of the image; by
    /// default the middle of the image.
    pub center: Option<[f64; 2]>,
}

impl Affine {
    /// Nothing moves.
    pub const IDENTITY: Self =
        Self { angle: 0.0, translate: [0.0; 2], scale: 1.0, shear: [0.0; 2], center: None };

    /// `ShearX` of `AutoAugment` and its kin: each row moves left by `magnitude` times its height below
    /// the upper edge.
    #[must_use]
    pub fn shear_x(magnitude: f64) -> Self {
        let shear = [magnitude.atan().to_degrees(), 0.0];
        Self { shear, center: Some([0.0; 2]), ..Self::IDENTITY }
    }

    /// `ShearY`: each column moves up by `magnitude` times its distance from the left edge.
    #[must_use]
    pub fn shear_y(magnitude: f64) -> Self {
        let shear = [0.0, magnitude.atan().to_degrees()];
        Self { shear, center: Some([0.0; 2]), ..Self::IDENTITY }
    }

    /// `TranslateX`: right by so many pixels, cut to a whole number.
    #[must_use]
    pub fn translate_x(pixels: f64) -> Self {
        Self { translate: [pixels.trunc(), 0.0], ..Self::IDENTITY }
    }

    /// `TranslateY`: down by so many pixels, cut to a whole number.
    #[must_use]
    pub fn translate_y(pixels: f64) -> Self {
        Self { translate: [0.0, pixels.trunc()], ..Self::IDENTITY }
    }

    /// Where the pixels of an image of `size` (rows, columns) come from: `[a, b, c, d, e, f]`, so that
    /// the result at `(x, y)` is the image at `(a x + b y + c, d x + e y + f)`, from the middle of the
    /// image.
    #[must_use]
    pub fn inverse(&self, size: [usize; 2]) -> [f64; 6] {
        let [height, width] = size.map(|side| side as f64);
        let [cx, cy] = self.center.map_or([0.0; 2], |[x, y]| [x - width * 0.5, y - height * 0.5]);
        let [along, down] = [cx + self.translate[0], cy + self.translate[1]];
        let rotation = self.angle.to_radians();
        let [shear_x, shear_y] = self.shear.map(f64::to_radians);
        let turned = rotation - shear_y;
        // The map is a matrix of determinant 1, times the scale: its inverse needs no division.
        let a = turned.cos() / shear_y.cos();
        let b = -(a * shear_x.tan() + rotation.sin());
        let c = turned.sin() / shear_y.cos();
        let d = rotation.cos() - c * shear_x.tan();
        let [a, b, c, d] = [d, -b, -c, a].map(|x| x / self.scale);
        [a, b, cx - a * along - b * down, c, d, cy - c * along - d * down]
    }
}

/// Maps the image.
///
/// # Panics
/// If the scale is not above 0.
pub fn affine(
    image: &mut Image,
    map: &Affine,
    sampling: Sampling,
    scratch: &mut AugmentationScratch,
) {
    assert!(map.scale > 0.0, "the scale is not above 0");
    let inverse = map.inverse(image.size);
    warp(image, inverse, sampling, scratch);
}

/// Turns the image about its middle by `angle` degrees, counterclockwise (as torchvision, whose
/// `affine` turns the other way). The image keeps its size; corners that leave it are lost.
pub fn rotate(
    image: &mut Image,
    angle: f64,
    sampling: Sampling,
    scratch: &mut AugmentationScratch,
) {
    let angle = angle.rem_euclid(360.0);
    let square = image.size[0] == image.size[1];
    // A tiny negative angle is rounded up to the full turn.
    let quarters = (angle % 90.0 == 0.0).then(|| (angle / 90.0) as u8 % 4);
    match quarters {
        Some(0) => {} // nothing moves
        Some(2) => image.pixels().reverse(),
        Some(quarters) if square => quarter(image, quarters == 1, scratch),
        Some(_) | None => {
            let inverse = Affine { angle: -angle, ..Affine::IDENTITY }.inverse(image.size);
            warp(image, inverse, sampling, scratch);
        }
    }
}

/// Turns a square image by a right angle.
fn quarter(image: &mut Image, counterclockwise: bool, scratch: &mut AugmentationScratch) {
    let (side, channels) = (image.size[0], image.channels);
    let source = scratch.copy(image);
    for (y, row) in image.data.chunks_exact_mut(side * channels).enumerate() {
        for (x, pixel) in row.chunks_exact_mut(channels).enumerate() {
            let (row, column) =
                if counterclockwise { (x, side - 1 - y) } else { (side - 1 - x, y) };
            let from = &source[(row * side + column) * channels..][..channels];
            pixel.iter_mut().zip(from).for_each(|(pixel, &from)| *pixel = from);
        }
    }
}

/// Reads the image where `inverse` says, as [`Affine::inverse`] gives it.
///
/// Coordinates are 32-bit floats. They take the way of `_affine_grid` and `grid_sample` in
/// torchvision and PyTorch, through units in which the image reaches from -1 to 1.
pub fn warp(
    image: &mut Image,
    inverse: [f64; 6],
    sampling: Sampling,
    scratch: &mut AugmentationScratch,
) {
    let [height, width] = image.size.map(|side| side as f32);
    let [a, b, c, d, e, f] = inverse.map(|x| x as f32);
    let [a, b, c] = [a, b, c].map(|x| x / (width * 0.5));
    let [d, e, f] = [d, e, f].map(|x| x / (height * 0.5));
    let (channels, stride) = (image.channels, image.stride());
    let fill = sampling.fill.unwrap_or_default();
    let nearest = sampling.interpolation == Interpolation::Nearest;
    let border = if nearest { fill } else { [0; 3] };
    let mixed = sampling.fill.map(|[r, g, b]| [r, g, b, 0].map(f32::from));
    let source = BorderedImage::new(image, border, &mut scratch.pixels);
    let [mut across, mut down] = [[0.0; BLOCK]; 2];
    let mut colors = [[0; 4]; BLOCK];
    for (row, target) in image.data.chunks_exact_mut(stride).enumerate() {
        let y = row as f32 - (height - 1.0) * 0.5;
        let (from_x, from_y) = (b * y, e * y);
        for (block, target) in target.chunks_mut(BLOCK * channels).enumerate() {
            let first = (block * BLOCK) as f32 - (width - 1.0) * 0.5;
            for (i, (across, down)) in across.iter_mut().zip(&mut down).enumerate() {
                let x = first + i as f32;
                *across = fma(a * x + from_x + c + 1.0, width * 0.5, -0.5);
                *down = fma(d * x + from_y + f + 1.0, height * 0.5, -0.5);
            }
            for ((color, &y), &x) in colors.iter_mut().zip(&down).zip(&across) {
                *color =
                    if nearest { source.nearest(y, x) } else { source.around(y, x).color(mixed) };
            }
            match Pixels::new(target, channels) {
                Pixels::Gray(pixels) => {
                    pixels.iter_mut().zip(&colors).for_each(|(pixel, color)| *pixel = color[0]);
                }
                Pixels::Color(pixels) => {
                    let pairs = pixels.iter_mut().zip(&colors);
                    pairs.for_each(|(pixel, &[r, g, b, _])| *pixel = [r, g, b]);
                }
            }
        }
    }
}

/// Pixels whose places are computed together.
const BLOCK: usize = 32;
