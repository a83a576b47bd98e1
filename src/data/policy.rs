//! Policies of augmentation: which operations, how strong.

use tinderbox_kernels::photo::{
    Affine, Image, Interpolation, Sampling, Scratch, adjust_brightness, adjust_contrast,
    adjust_saturation, adjust_sharpness, affine, autocontrast, equalize, posterize, rotate,
    solarize,
};

use crate::base::draw::Draw;

/// Levels of strength, from none to the most.
const LEVELS: usize = 31;

/// One operation, evenly chosen, at an evenly chosen strength: `TrivialAugment` with the wide
/// strengths of Mueller and Hutter (2021), as torchvision's `TrivialAugmentWide`.
pub(super) fn trivial_augment(image: &mut Image<'_>, draw: Draw, scratch: &mut Scratch) {
    let level = draw.below(1, LEVELS) as f64 / (LEVELS - 1) as f64;
    let sign = if draw.unit(2) < 0.5 { 1.0 } else { -1.0 };
    let near = Sampling { interpolation: Interpolation::Nearest, fill: None };
    let mut warp = |by: Affine| affine(image, &by, near, scratch);
    let signed = |most: f64| sign * most * level;
    match draw.below(0, 14) {
        0 => {}
        1 => warp(Affine::shear_x(signed(0.99))),
        2 => warp(Affine::shear_y(signed(0.99))),
        3 => warp(Affine::translate_x(signed(32.0).trunc())),
        4 => warp(Affine::translate_y(signed(32.0).trunc())),
        5 => rotate(image, signed(135.0), near, scratch),
        6 => adjust_brightness(image, 1.0 + signed(0.99)),
        7 => adjust_saturation(image, 1.0 + signed(0.99)),
        8 => adjust_contrast(image, 1.0 + signed(0.99)),
        9 => adjust_sharpness(image, 1.0 + signed(0.99), scratch),
        10 => posterize(image, 8 - (6.0 * level).round_ties_even() as u32),
        11 => solarize(image, (255.0 * (1.0 - level)).ceil() as u8),
        12 => autocontrast(image),
        _ => equalize(image),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::draw::Purpose;

    #[test]
    fn every_operation_runs_on_every_size_and_most_change_the_image() {
        let mut changed = 0;
        for position in 0..400 {
            let (height, width) = (1 + position as usize % 20, 1 + position as usize % 13);
            for channels in [1, 3] {
                let before: Vec<u8> =
                    (0..height * width * channels).map(|i| (i * i * 31 % 251) as u8).collect();
                let mut data = before.clone();
                let mut image = Image::new([height, width], channels, &mut data);
                let draw = Draw::at(1, 0, position, Purpose::Policy);
                trivial_augment(&mut image, draw, &mut Scratch::default());
                changed += usize::from(data != before);
            }
        }
        assert!(changed > 400, "{changed}");
    }
}
