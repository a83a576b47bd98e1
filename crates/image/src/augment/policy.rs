//! Policies of augmentation: which operations, how strong. All three are torchvision's.

use tinderbox_kernels::photo::{
    Affine, Image, Interpolation, Sampling, Scratch, adjust_brightness, adjust_contrast,
    adjust_saturation, adjust_sharpness, affine, autocontrast, equalize, invert, posterize, rotate,
    solarize,
};

use super::pairs;
use super::pairs::Pairs;
use crate::Policy;
use tinderbox_base::draw::Draw;

/// What can be done to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Identity,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Rotate,
    Brightness,
    Color,
    Contrast,
    Sharpness,
    Posterize,
    Solarize,
    AutoContrast,
    Equalize,
    Invert,
}

use Operation::{
    AutoContrast, Brightness, Color, Contrast, Equalize, Identity, Invert, Posterize, Rotate,
    Sharpness, ShearX, ShearY, Solarize, TranslateX, TranslateY,
};

/// What `TrivialAugment` and `RandAugment` choose from.
pub(super) const CHOICE: [Operation; 14] = [
    Identity,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Rotate,
    Brightness,
    Color,
    Contrast,
    Sharpness,
    Posterize,
    Solarize,
    AutoContrast,
    Equalize,
];

/// The strongest of each operation.
pub(super) struct Most {
    /// Pixels a pixel.
    shear: f64,
    /// Pixels right and down.
    translate: [f64; 2],
    /// Degrees.
    rotate: f64,
    /// From a factor of 1.
    color: f64,
    /// Bits that are lost.
    posterize: f32,
}

impl Most {
    /// Of `TrivialAugmentWide`.
    pub(super) const WIDE: Self =
        Self { shear: 0.99, translate: [32.0; 2], rotate: 135.0, color: 0.99, posterize: 6.0 };

    /// Of `AutoAugment` and `RandAugment` for an image of `size`, rows and columns.
    pub(super) fn usual([height, width]: [usize; 2]) -> Self {
        let translate = [width, height].map(|side| 150.0 / 331.0 * side as f64);
        Self { shear: 0.3, translate, rotate: 30.0, color: 0.9, posterize: 4.0 }
    }
}

/// One of the steps from no strength to the most.
#[derive(Clone, Copy)]
pub(super) struct Level {
    /// From 0 on.
    pub(super) step: usize,
    /// The strongest step.
    pub(super) last: usize,
}

impl Level {
    /// The number that lies so far on the way `from` one `to` another, rounded as `torch.linspace` does
    /// it: in 32 bits, from the nearer end.
    fn between(self, from: f32, to: f32) -> f64 {
        let Self { step, last } = self;
        let width = (to - from) / last as f32;
        f64::from(if step < last.div_ceil(2) {
            from + width * step as f32
        } else {
            to - width * (last - step) as f32
        })
    }
}

/// The strongest step of `TrivialAugment` and `RandAugment`, and that of `AutoAugment`.
const LAST: usize = 30;
const LAST_OF_PAIRS: usize = 9;
/// The step of `RandAugment`, and how many operations it takes.
const RAND_STEP: usize = 9;
const RAND_OPERATIONS: u32 = 2;

/// Does to an image what a policy draws.
pub(super) fn apply(policy: Policy, image: &mut Image<'_>, draw: Draw, scratch: &mut Scratch) {
    let sign = |index| if draw.unit(index) < 0.5 { 1.0 } else { -1.0 };
    let most = Most::usual(image.size());
    match policy {
        Policy::None => {}
        Policy::Trivial => {
            let level = Level { step: draw.below(1, LAST + 1), last: LAST };
            operate(
                CHOICE[draw.below(0, CHOICE.len())],
                level,
                sign(2),
                &Most::WIDE,
                image,
                scratch,
            );
        }
        Policy::Rand => {
            let level = Level { step: RAND_STEP, last: LAST };
            for first in (0..RAND_OPERATIONS).map(|number| 2 * number) {
                let operation = CHOICE[draw.below(first, CHOICE.len())];
                operate(operation, level, sign(first + 1), &most, image, scratch);
            }
        }
        Policy::AutoImagenet | Policy::AutoCifar10 | Policy::AutoSvhn => {
            let pairs: &Pairs = match policy {
                Policy::AutoCifar10 => &pairs::CIFAR10,
                Policy::AutoSvhn => &pairs::SVHN,
                _ => &pairs::IMAGENET,
            };
            let pair = pairs[draw.below(0, pairs.len())];
            for ((operation, share, level), first) in pair.into_iter().zip([1, 3]) {
                if draw.unit(first) < share {
                    let level = Level { step: level.into(), last: LAST_OF_PAIRS };
                    operate(operation, level, sign(first + 1), &most, image, scratch);
                }
            }
        }
    }
}

/// One operation at a `level`; those that have two ways go the one of `sign`.
pub(super) fn operate(
    operation: Operation,
    level: Level,
    sign: f64,
    most: &Most,
    image: &mut Image<'_>,
    scratch: &mut Scratch,
) {
    let near = Sampling { interpolation: Interpolation::Nearest, fill: None };
    let by = |most: f64| sign * level.between(0.0, most as f32);
    let factor = 1.0 + by(most.color);
    match operation {
        Identity => {}
        ShearX => affine(image, &Affine::shear_x(by(most.shear)), near, scratch),
        ShearY => affine(image, &Affine::shear_y(by(most.shear)), near, scratch),
        TranslateX => affine(image, &Affine::translate_x(by(most.translate[0])), near, scratch),
        TranslateY => affine(image, &Affine::translate_y(by(most.translate[1])), near, scratch),
        Rotate => rotate(image, by(most.rotate), near, scratch),
        Brightness => adjust_brightness(image, factor),
        Color => adjust_saturation(image, factor),
        Contrast => adjust_contrast(image, factor),
        Sharpness => adjust_sharpness(image, factor, scratch),
        Posterize => {
            let lost = level.between(0.0, most.posterize).round_ties_even();
            posterize(image, 8 - lost as u32);
        }
        Solarize => solarize(image, (255.0 * level.between(1.0, 0.0)).ceil() as u8),
        AutoContrast => autocontrast(image),
        Equalize => equalize(image),
        Invert => invert(image),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinderbox_base::draw::Purpose;

    const ALL: [Policy; 5] = [
        Policy::Trivial,
        Policy::Rand,
        Policy::AutoImagenet,
        Policy::AutoCifar10,
        Policy::AutoSvhn,
    ];

    #[test]
    fn every_policy_runs_on_every_size_and_changes_most_images() {
        for policy in ALL {
            let mut changed = 0;
            for position in 0..400 {
                let (height, width) = (1 + position as usize % 20, 1 + position as usize % 13);
                for channels in [1, 3] {
                    let before: Vec<u8> =
                        (0..height * width * channels).map(|i| (i * i * 31 % 251) as u8).collect();
                    let mut data = before.clone();
                    let mut image = Image::new([height, width], channels, &mut data);
                    let draw = Draw::at(1, 0, position, Purpose::Policy);
                    apply(policy, &mut image, draw, &mut Scratch::default());
                    changed += usize::from(data != before);
                }
            }
            assert!(changed > 400, "{policy:?}: {changed}");
        }
    }

    #[test]
    fn pairs_have_strengths_and_probabilities_in_range() {
        for pairs in [&pairs::IMAGENET, &pairs::CIFAR10, &pairs::SVHN] {
            assert!(pairs.iter().flatten().all(|(_, p, m)| (0.0..=1.0).contains(p) && *m <= 9));
        }
    }
}
