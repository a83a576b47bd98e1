//! How images are varied while training. Every draw is addressed by (seed, epoch, position in the
//! epoch's order, purpose).

mod mix;
mod operation;
mod pairs;
mod policy;
#[cfg(test)]
mod torchvision;

use std::cell::RefCell;

use tinderbox_kernels::augmentation::{
    Affine, AugmentationScratch, Image, Interpolation, Rectangle, Sampling, adjust_brightness,
    adjust_contrast, adjust_hue, adjust_saturation, affine, erase, gaussian_blur, gaussian_noise,
    horizontal_flip, rgb_to_grayscale, vertical_flip,
};

pub use mix::mix;

use crate::resize::resize;
use crate::{Augmentation, Pixels, Preprocessing, prepare};
use tinderbox_base::draw::{Draw, Purpose, shuffle};

/// The address of one image's draws.
#[derive(Clone, Copy, Debug)]
pub struct Address {
    /// The seed of the run.
    pub seed: u64,
    /// The epoch, counted from 0.
    pub epoch: u64,
    /// The place of the image in the epoch's order.
    pub position: u64,
}

impl Address {
    /// The draws of this image for a purpose.
    #[must_use]
    pub fn draw(self, purpose: Purpose) -> Draw {
        Draw::at(self.seed, self.epoch, self.position, purpose)
    }
}

/// The aspect ratios of a random crop (torchvision's `RandomResizedCrop`).
const ASPECT: (f32, f32) = (3.0 / 4.0, 4.0 / 3.0);

/// What is erased has this part of the image's area and an aspect ratio between these (torchvision's
/// `RandomErasing`).
const ERASED_AREA: (f32, f32) = (0.02, 0.33);
const ERASED_ASPECT: (f32, f32) = (0.3, 3.3);

/// A blur's standard deviation in pixels, and the part of the image's side that it looks at (`SimCLR`:
/// Chen and others, 2020).
const BLUR: (f32, f32) = (0.1, 2.0);
const BLUR_KERNEL: usize = 10;

thread_local! {
    static SCRATCH: RefCell<AugmentationScratch> = RefCell::default();
}

/// An image as the operations take it.
fn view(image: &mut Pixels) -> Image<'_> {
    Image::new([image.height, image.width], image.channels, &mut image.data)
}

/// The image at the network's size, varied.
#[must_use]
pub fn augment(pixels: &Pixels, how: &Augmentation, to: &Preprocessing, at: Address) -> Pixels {
    let mut image = if how.crop < 1.0 {
        random_resized_crop(pixels, to, how.crop as f32, at.draw(Purpose::Crop))
    } else {
        prepare(pixels, to)
    };
    if !how.varies_images() {
        return image;
    }
    if how.shift > 0.0 {
        image = shift(&image, how.shift, at.draw(Purpose::Shift));
    }
    SCRATCH.with_borrow_mut(|scratch| vary(&mut view(&mut image), how, at, scratch));
    if how.erase > 0.0 {
        maybe_erase(&mut image, how.erase as f32, at.draw(Purpose::Erase));
    }
    image
}

/// What changes an image where it lies.
fn vary(image: &mut Image<'_>, how: &Augmentation, at: Address, scratch: &mut AugmentationScratch) {
    let chance = |purpose, index, share: f64| at.draw(purpose).unit(index) < share as f32;
    if chance(Purpose::Flip, 0, how.flip) {
        horizontal_flip(image);
    }
    if chance(Purpose::Flip, 1, how.flip_vertical) {
        vertical_flip(image);
    }
    if how.rotate > 0.0 || how.scale > 0.0 || how.shear > 0.0 {
        turn(image, how, at.draw(Purpose::Affine), scratch);
    }
    policy::apply(how.policy, image, at.draw(Purpose::Policy), scratch);
    jitter(image, how, at.draw(Purpose::Color));
    if chance(Purpose::Gray, 0, how.gray) {
        rgb_to_grayscale(image);
    }
    if chance(Purpose::Blur, 0, how.blur) {
        let side = image.size().into_iter().min().unwrap_or(1);
        let sigma = at.draw(Purpose::Blur).between(1, BLUR.0, BLUR.1);
        gaussian_blur(image, (side / BLUR_KERNEL) | 1, f64::from(sigma), scratch);
    }
    if how.noise > 0.0 {
        let draw = at.draw(Purpose::Noise);
        let draws: Vec<f32> = (0..image.data().len() as u32).map(|i| draw.normal(i)).collect();
        gaussian_noise(image, &draws, 0.0, how.noise);
    }
}

/// Rotation, scale and shear at once (torchvision's `RandomAffine`); what was outside is black.
fn turn(image: &mut Image<'_>, how: &Augmentation, draw: Draw, scratch: &mut AugmentationScratch) {
    let within = |index, most: f64| f64::from(draw.between(index, -1.0, 1.0)) * most;
    let map = Affine {
        angle: within(0, how.rotate),
        scale: 1.0 + within(1, how.scale),
        shear: [within(2, how.shear), 0.0],
        ..Affine::IDENTITY
    };
    let sampling = Sampling { interpolation: Interpolation::Bilinear, fill: None };
    affine(image, &map, sampling, scratch);
}

/// Brightness, contrast, saturation and hue in a random order (torchvision's `ColorJitter`).
fn jitter(image: &mut Image<'_>, how: &Augmentation, draw: Draw) {
    let by = |index, most: f64| f64::from(draw.between(index, -1.0, 1.0)) * most;
    for which in shuffle(draw, vec![0, 1, 2, 3]) {
        match which {
            0 if how.brightness > 0.0 => adjust_brightness(image, 1.0 + by(4, how.brightness)),
            1 if how.contrast > 0.0 => adjust_contrast(image, 1.0 + by(5, how.contrast)),
            2 if how.saturation > 0.0 => adjust_saturation(image, 1.0 + by(6, how.saturation)),
            3 if how.hue > 0.0 => adjust_hue(image, by(7, how.hue)),
            _ => {}
        }
    }
}

/// Moves an image by up to a part of its sides; the edge is repeated.
fn shift(image: &Pixels, part: f64, draw: Draw) -> Pixels {
    let offset = |index, side: usize| {
        let most = (side as f64 * part).round() as usize;
        draw.below(index, 2 * most + 1) as isize - most as isize
    };
    let (right, down) = (offset(0, image.width), offset(1, image.height));
    let source =
        |at: usize, by: isize, side: usize| (at as isize - by).clamp(0, side as isize - 1) as usize;
    let mut data = Vec::with_capacity(image.data.len());
    for row in 0..image.height {
        let from = source(row, down, image.height) * image.width;
        for column in 0..image.width {
            let pixel = (from + source(column, right, image.width)) * image.channels;
            data.extend_from_slice(&image.data[pixel..pixel + image.channels]);
        }
    }
    Pixels::new(image.width, image.height, image.channels, data)
}

/// Ten tries at a patch that fits, as torchvision has them; what is erased is black.
fn maybe_erase(image: &mut Pixels, share: f32, draw: Draw) {
    if draw.unit(0) >= share {
        return;
    }
    let (width, height) = (image.width, image.height);
    for attempt in 0..10 {
        let first = attempt * 4 + 1;
        let area = (width * height) as f32 * draw.between(first, ERASED_AREA.0, ERASED_AREA.1);
        let aspect = draw.between(first + 1, ERASED_ASPECT.0.ln(), ERASED_ASPECT.1.ln()).exp();
        let (h, w) = ((area * aspect).sqrt().round(), (area / aspect).sqrt().round());
        let (h, w) = (h as usize, w as usize);
        if h < height && w < width && h > 0 && w > 0 {
            let top = draw.below(first + 2, height - h + 1);
            let left = draw.below(first + 3, width - w + 1);
            erase(&mut view(image), Rectangle { top, left, height: h, width: w }, [0; 3]);
            return;
        }
    }
}

/// A random box, resized: ten tries at an area and an aspect ratio, else the central part.
fn random_resized_crop(pixels: &Pixels, to: &Preprocessing, smallest: f32, draw: Draw) -> Pixels {
    let (width, height) = (pixels.width as f32, pixels.height as f32);
    for attempt in 0..10 {
        let area = width * height * draw.between(attempt * 4, smallest, 1.0);
        let aspect = draw.between(attempt * 4 + 1, ASPECT.0.ln(), ASPECT.1.ln()).exp();
        let (w, h) = ((area * aspect).sqrt().round(), (area / aspect).sqrt().round());
        if (1.0..=width).contains(&w) && (1.0..=height).contains(&h) {
            let left = draw.below(attempt * 4 + 2, (width - w) as usize + 1);
            let top = draw.below(attempt * 4 + 3, (height - h) as usize + 1);
            return resize(
                pixels,
                [left as f64, top as f64, f64::from(w), f64::from(h)],
                [to.height, to.width],
            );
        }
    }
    prepare(pixels, to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Augment;

    fn photo() -> Pixels {
        Pixels::new(40, 30, 3, (0..3600).map(|i| (i * 7 % 251) as u8).collect())
    }

    fn to() -> Preprocessing {
        Preprocessing {
            channels: 3,
            height: 16,
            width: 16,
            crop: 1.0,
            mean: vec![0.0; 3],
            std: vec![1.0; 3],
        }
    }

    fn all() -> Vec<Augmentation> {
        let mut all = [Augment::Light, Augment::Standard, Augment::Strong]
            .map(|preset| Augmentation::preset(preset, true))
            .to_vec();
        for changes in [
            "flip-vertical=0.5,rotate=20,scale=0.2,shear=10",
            "hue=0.3,gray=0.5,blur=0.5",
            "noise=0.1",
            "policy=rand",
            "policy=auto-cifar10,erase=1",
        ] {
            let changes = toml::Value::from(changes).try_into().unwrap();
            all.push(Augmentation::NONE.with(&changes).unwrap());
        }
        all
    }

    #[test]
    fn an_augmented_image_is_a_function_of_its_address() {
        let at = Address { seed: 1, epoch: 2, position: 3 };
        for how in all() {
            let image = augment(&photo(), &how, &to(), at);
            assert_eq!([image.height, image.width, image.channels], [16, 16, 3]);
            assert_eq!(image, augment(&photo(), &how, &to(), at));
            let others = (0..8).filter(|&position| {
                augment(&photo(), &how, &to(), Address { position: 100 + position, ..at }) != image
            });
            assert!(others.count() >= 6, "{how:?}");
        }
    }

    #[test]
    fn no_augmentation_leaves_the_image_as_it_is_evaluated() {
        let at = Address { seed: 1, epoch: 2, position: 3 };
        assert_eq!(augment(&photo(), &Augmentation::NONE, &to(), at), prepare(&photo(), &to()));
    }

    #[test]
    fn a_part_that_is_off_changes_no_other() {
        let at = Address { seed: 1, epoch: 2, position: 3 };
        let mirrored = Augmentation { flip: 1.0, ..Augmentation::NONE };
        let mut expected = prepare(&photo(), &to());
        horizontal_flip(&mut view(&mut expected));
        assert_eq!(augment(&photo(), &mirrored, &to(), at), expected);
    }

    #[test]
    fn grey_images_and_single_pixels_can_be_varied() {
        let small = Preprocessing { channels: 1, height: 1, width: 1, ..to() };
        for (how, position) in all().iter().zip(0..) {
            let at = Address { seed: 1, epoch: 0, position };
            let pixel = Pixels::new(1, 1, 1, vec![100]);
            assert_eq!(augment(&pixel, how, &small, at).data.len(), 1);
        }
    }

    #[test]
    fn a_shift_repeats_the_edge() {
        let image = Pixels::new(14, 14, 1, (0..196).map(|i| i as u8).collect());
        for position in 0..20 {
            let moved = shift(&image, 0.07, Draw::at(0, 0, position, Purpose::Shift));
            let by = i32::from(moved.data[7 * 14 + 7]) - (7 * 14 + 7);
            assert!([-15, -14, -13, -1, 0, 1, 13, 14, 15].contains(&by), "{by}");
        }
    }
}
