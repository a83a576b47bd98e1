//! How images are varied while training. Every draw is addressed by (seed, epoch, position in the
//! epoch's order, purpose).

use std::cell::RefCell;

use tinderbox_kernels::photo::{
    Image, Part, Scratch, adjust_brightness, adjust_contrast, adjust_saturation, erase,
    horizontal_flip,
};

use super::policy::trivial_augment;
use super::resize::{prepare, resize};
use crate::base::Pixels;
use crate::base::draw::{Draw, Purpose};
use crate::config::{Augment, Preprocessing};

/// The address of one image's draws.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address {
    pub seed: u64,
    pub epoch: u64,
    pub position: u64,
}

impl Address {
    fn draw(self, purpose: Purpose) -> Draw {
        Draw::at(self.seed, self.epoch, self.position, purpose)
    }
}

/// The part of an image that `standard` looks at: at least this share of its area, and an aspect
/// ratio between these (torchvision's `RandomResizedCrop`, whose smallest share is 0.08).
const SMALLEST_AREA: f32 = 0.35;
/// The same for `strong`. At a quarter of the area, images that were decoded at twice the network's
/// size still have every pixel that is shown.
const SMALLEST_STRONG: f32 = 0.25;
const ASPECT: (f32, f32) = (3.0 / 4.0, 4.0 / 3.0);

/// How far brightness, contrast and saturation go from 1.
const JITTER: f32 = 0.2;

/// `strong` erases a patch from this share of the images, of this part of their area and with an
/// aspect ratio between these (torchvision's `RandomErasing`).
const ERASED: f32 = 0.25;
const ERASED_AREA: (f32, f32) = (0.02, 0.33);
const ERASED_ASPECT: (f32, f32) = (0.3, 3.3);

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// An image as the operations take it.
fn view(image: &mut Pixels) -> Image<'_> {
    Image::new([image.height, image.width], image.channels, &mut image.data)
}

/// The image at the network's size, varied.
pub(super) fn augment(pixels: &Pixels, how: Augment, to: &Preprocessing, at: Address) -> Pixels {
    match how {
        Augment::None | Augment::Auto => prepare(pixels, to),
        Augment::Light => {
            let image = shift(&prepare(pixels, to), at.draw(Purpose::Crop));
            // A mirrored letter is another letter; a mirrored photo is a photo.
            if to.channels == 3 { maybe_mirror(image, at.draw(Purpose::Flip)) } else { image }
        }
        Augment::Standard => {
            let image = random_resized_crop(pixels, to, SMALLEST_AREA, at.draw(Purpose::Crop));
            jitter(maybe_mirror(image, at.draw(Purpose::Flip)), at.draw(Purpose::Color))
        }
        Augment::Strong => {
            let image = random_resized_crop(pixels, to, SMALLEST_STRONG, at.draw(Purpose::Crop));
            let mut image = maybe_mirror(image, at.draw(Purpose::Flip));
            SCRATCH.with_borrow_mut(|scratch| {
                trivial_augment(&mut view(&mut image), at.draw(Purpose::Policy), scratch);
            });
            maybe_erase(image, at.draw(Purpose::Erase))
        }
    }
}

/// Moves an image by up to a fourteenth of its sides; the edge is repeated.
fn shift(image: &Pixels, draw: Draw) -> Pixels {
    let offset = |index, side: usize| {
        let most = side / 14;
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

fn maybe_mirror(mut image: Pixels, draw: Draw) -> Pixels {
    if draw.unit(0) < 0.5 {
        horizontal_flip(&mut view(&mut image));
    }
    image
}

/// Ten tries at a patch that fits, as torchvision has them; what is erased is black.
fn maybe_erase(mut image: Pixels, draw: Draw) -> Pixels {
    if draw.unit(0) >= ERASED {
        return image;
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
            erase(&mut view(&mut image), Part { top, left, height: h, width: w }, [0; 3]);
            return image;
        }
    }
    image
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

/// Brightness, contrast and (for colour) saturation.
fn jitter(mut image: Pixels, draw: Draw) -> Pixels {
    let factor = |index| f64::from(draw.between(index, 1.0 - JITTER, 1.0 + JITTER));
    let mut view = view(&mut image);
    adjust_brightness(&mut view, factor(0));
    adjust_contrast(&mut view, factor(1));
    adjust_saturation(&mut view, factor(2));
    image
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn an_augmented_image_is_a_function_of_its_address() {
        let at = Address { seed: 1, epoch: 2, position: 3 };
        for how in [Augment::Light, Augment::Standard, Augment::Strong] {
            let image = augment(&photo(), how, &to(), at);
            assert_eq!([image.height, image.width, image.channels], [16, 16, 3]);
            assert_eq!(image, augment(&photo(), how, &to(), at));
            let others = (0..8).filter(|&position| {
                augment(&photo(), how, &to(), Address { position: 100 + position, ..at }) != image
            });
            assert!(others.count() >= 6, "{how:?}");
        }
    }

    #[test]
    fn a_mirror_turns_rows_around() {
        let row = Pixels::new(3, 1, 1, vec![1, 2, 3]);
        let mut seen = std::collections::BTreeSet::new();
        for position in 0..40 {
            seen.insert(maybe_mirror(row.clone(), Draw::at(0, 0, position, Purpose::Flip)).data);
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [vec![1, 2, 3], vec![3, 2, 1]]);
    }

    #[test]
    fn a_shift_repeats_the_edge() {
        let image = Pixels::new(14, 14, 1, (0..196).map(|i| i as u8).collect());
        for position in 0..20 {
            let moved = shift(&image, Draw::at(0, 0, position, Purpose::Crop));
            let by = i32::from(moved.data[7 * 14 + 7]) - (7 * 14 + 7);
            assert!([-15, -14, -13, -1, 0, 1, 13, 14, 15].contains(&by), "{by}");
        }
    }
}
