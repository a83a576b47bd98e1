//! The operations of policies, each at a level of strength.

use tinderbox_kernels::augmentation::{
    Affine, AugmentationScratch, Image, Interpolation, Sampling, adjust_brightness,
    adjust_contrast, adjust_saturation, adjust_sharpness, affine, autocontrast, equalize, invert,
    posterize, rotate, solarize,
};

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
    pub(super) fn between(self, from: f32, to: f32) -> f64 {
        let Self { step, last } = self;
        let width = (to - from) / last as f32;
        f64::from(if step < last.div_ceil(2) {
            from + width * step as f32
        } else {
            to - width * (last - step) as f32
        })
    }
}

/// One operation at a `level`; those that have two ways go the one of `sign`.
pub(super) fn operate(
    operation: Operation,
    level: Level,
    sign: f64,
    most: &Most,
    image: &mut Image<'_>,
    scratch: &mut AugmentationScratch,
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
