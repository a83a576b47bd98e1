//! Policies of augmentation: which operations, how strong. All three are torchvision's.

use tinderbox_base::draw::Draw;
use tinderbox_kernels::augmentation::{AugmentationScratch, Image};

use super::operation::Operation::{
    self, AutoContrast, Brightness, Color, Contrast, Equalize, Identity, Posterize, Rotate,
    Sharpness, ShearX, ShearY, Solarize, TranslateX, TranslateY,
};
use super::operation::{Level, Most, operate};
use super::pairs::{self, Pairs};
use crate::Policy;

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

/// The strongest step of `TrivialAugment` and `RandAugment`, and that of `AutoAugment`.
const LAST: usize = 30;
const LAST_OF_PAIRS: usize = 9;
/// The step of `RandAugment`, and how many operations it takes.
const RAND_STEP: usize = 9;
const RAND_OPERATIONS: u32 = 2;

/// Does to an image what a policy draws.
pub(super) fn apply(
    policy: Policy,
    image: &mut Image<'_>,
    draw: Draw,
    scratch: &mut AugmentationScratch,
) {
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
                    apply(policy, &mut image, draw, &mut AugmentationScratch::default());
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
