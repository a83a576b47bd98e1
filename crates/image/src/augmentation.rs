//! How images are varied while training: what a preset does, and single parts of it changed.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use tinderbox_base::{Error, Result, nearest};
use toml::{Table, Value};

/// How images are varied while training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Augment {
    /// `standard` for photos, `light` for small colour images, `none` for small grey ones.
    Auto,
    /// Not at all.
    None,
    /// A small shift, and a mirror image half of the time where the images are in colour.
    Light,
    /// A random part of the image at a random scale, a mirror image, changed colours.
    Standard,
    /// A smaller part, a mirror image, one operation of `TrivialAugment`, and a patch erased from a
    /// quarter of the images: for long trainings on photos.
    Strong,
}

/// Which operations a policy chooses from, and how strong they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// No operation.
    None,
    /// `TrivialAugment`: one operation at any strength (Mueller and Hutter, 2021).
    Trivial,
    /// `RandAugment`: two operations at a strength of 9 of 30 (Cubuk and others, 2020).
    Rand,
    /// `AutoAugment`: one of 25 pairs that were searched for on `ImageNet` (Cubuk and others, 2019).
    AutoImagenet,
    /// The same for CIFAR-10.
    AutoCifar10,
    /// The same for SVHN, house numbers.
    AutoSvhn,
}

/// How images are varied, in the order in which it is done. Shares of images are from 0 to 1; a value
/// that changes nothing turns its part off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Augmentation {
    /// How often a sample is shown in a row, varied anew; an epoch has so many fewer others.
    pub repeats: usize,
    /// The smallest part of an image's area that a random crop shows; 1 for no crop.
    pub crop: f64,
    /// The farthest shift, as a part of the sides.
    pub shift: f64,
    /// The share of images that are mirrored.
    pub flip: f64,
    /// The share of images that are turned upside down.
    pub flip_vertical: f64,
    /// The largest rotation, in degrees.
    pub rotate: f64,
    /// The largest change of scale: 0.1 is from 0.9 to 1.1.
    pub scale: f64,
    /// The largest shear, in degrees.
    pub shear: f64,
    /// Operations by a policy.
    pub policy: Policy,
    /// The largest change of brightness, as a part of it.
    pub brightness: f64,
    /// The largest change of contrast, as a part of it.
    pub contrast: f64,
    /// The largest change of saturation, as a part of it.
    pub saturation: f64,
    /// The largest change of hue, as a part of the colour circle.
    pub hue: f64,
    /// The share of images that lose their colours.
    pub gray: f64,
    /// The share of images that are blurred.
    pub blur: f64,
    /// The standard deviation of added noise, as a part of the range of values.
    pub noise: f64,
    /// The share of images of which a patch is erased.
    pub erase: f64,
    /// How evenly two images are laid over each other (`MixUp`: both parameters of a beta
    /// distribution); 0 for not at all.
    pub mixup: f64,
    /// The same for a patch of another image (`CutMix`). Where both are above 0, a batch has one or
    /// the other.
    pub cutmix: f64,
}

/// What each number may be.
const RANGES: [(&str, f64, f64); 18] = [
    ("repeats", 1.0, 64.0),
    ("crop", 0.01, 1.0),
    ("shift", 0.0, 0.9),
    ("flip", 0.0, 1.0),
    ("flip-vertical", 0.0, 1.0),
    ("rotate", 0.0, 180.0),
    ("scale", 0.0, 0.9),
    ("shear", 0.0, 60.0),
    ("brightness", 0.0, 1.0),
    ("contrast", 0.0, 1.0),
    ("saturation", 0.0, 1.0),
    ("hue", 0.0, 0.5),
    ("gray", 0.0, 1.0),
    ("blur", 0.0, 1.0),
    ("noise", 0.0, 1.0),
    ("erase", 0.0, 1.0),
    ("mixup", 0.0, 100.0),
    ("cutmix", 0.0, 100.0),
];

impl Augmentation {
    /// No variation.
    pub const NONE: Self = Self {
        repeats: 1,
        crop: 1.0,
        shift: 0.0,
        flip: 0.0,
        flip_vertical: 0.0,
        rotate: 0.0,
        scale: 0.0,
        shear: 0.0,
        policy: Policy::None,
        brightness: 0.0,
        contrast: 0.0,
        saturation: 0.0,
        hue: 0.0,
        gray: 0.0,
        blur: 0.0,
        noise: 0.0,
        erase: 0.0,
        mixup: 0.0,
        cutmix: 0.0,
    };

    /// What a preset does to images in colour or in grey; `auto` is none of them.
    #[must_use]
    pub fn preset(preset: Augment, color: bool) -> Self {
        let none = Self::NONE;
        match preset {
            Augment::None | Augment::Auto => none,
            // A mirrored letter is another letter; a mirrored photo is a photo.
            Augment::Light => Self { shift: 0.07, flip: if color { 0.5 } else { 0.0 }, ..none },
            Augment::Standard => Self {
                crop: 0.35,
                flip: 0.5,
                brightness: 0.2,
                contrast: 0.2,
                saturation: 0.2,
                ..none
            },
            // At a quarter of the area, images that were decoded at twice the network's size still have
            // every pixel that is shown.
            Augment::Strong => {
                Self { crop: 0.25, flip: 0.5, policy: Policy::Trivial, erase: 0.25, ..none }
            }
        }
    }

    /// This with single parts changed.
    ///
    /// # Errors
    /// If there is no such part, or a value is out of its range.
    pub fn with(self, changes: &Changes) -> Result<Self> {
        let bad = |cause: String| Error::usage("bad value for `augmentation`").cause(cause);
        let mut table = Table::try_from(self).map_err(|cause| bad(cause.to_string()))?;
        for (key, value) in &changes.0 {
            if !table.contains_key(key) {
                let near = nearest(key, table.keys().map(String::as_str));
                let names: Vec<&str> = table.keys().map(String::as_str).collect();
                return Err(bad(format!("there is no part `{key}`")).hint(match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the parts are {}", names.join(", ")),
                }));
            }
            let range = RANGES.iter().find(|(name, ..)| name == key);
            if let Some((_, low, high)) = range {
                let number = value.as_float().or(value.as_integer().map(|v| v as f64));
                if !number.is_some_and(|v| (*low..=*high).contains(&v)) {
                    return Err(bad(format!("`{key}` is {value}"))
                        .hint(format!("it must be {low} to {high}")));
                }
            }
            table.insert(key.clone(), value.clone());
        }
        Self::deserialize(table).map_err(|cause| {
            bad(cause.message().to_owned())
                .hint("policies: none, trivial, rand, auto-imagenet, auto-cifar10, auto-svhn")
        })
    }

    /// Whether an image alone is varied.
    #[must_use]
    pub fn varies_images(&self) -> bool {
        let Self { repeats, mixup, cutmix, .. } = *self;
        *self != Self { repeats, mixup, cutmix, ..Self::NONE }
    }
}

/// Parts of an augmentation to change: a table, or on one line `mixup=0.2,policy=rand`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Changes(Table);

impl Changes {
    /// Whether there is nothing to change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn parse(text: &str) -> std::result::Result<Self, String> {
        let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| format!("`{pair}` is not like `mixup=0.2,policy=rand`"))?;
            let value = value.trim();
            let number = value.parse::<i64>().map(Value::Integer);
            let number = number.or_else(|_| value.parse::<f64>().map(Value::Float));
            Ok((key.trim().to_owned(), number.unwrap_or_else(|_| value.into())))
        });
        pairs.collect::<std::result::Result<Table, String>>().map(Self)
    }
}

impl<'de> Deserialize<'de> for Changes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        match Value::deserialize(from)? {
            Value::Table(table) => Ok(Self(table)),
            Value::String(text) => Self::parse(&text).map_err(D::Error::custom),
            other => Err(D::Error::custom(format!("{other} is no table"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_range_that_holds_its_presets() {
        for preset in [Augment::None, Augment::Light, Augment::Standard, Augment::Strong] {
            let table = Table::try_from(Augmentation::preset(preset, true)).unwrap();
            assert_eq!(table.len(), RANGES.len() + 1, "and the policy");
            let changes = Changes(table);
            let same = Augmentation::NONE.with(&changes).unwrap();
            assert_eq!(same, Augmentation::preset(preset, true));
        }
    }

    #[test]
    fn one_line_changes_parts_and_what_is_wrong_is_named() {
        let with = |text| Augmentation::NONE.with(&Changes::parse(text).unwrap());
        let changed = with(" mixup=0.2, policy=auto-svhn,repeats=3").unwrap();
        let Augmentation { mixup, policy, repeats, .. } = changed;
        assert_eq!((mixup, policy, repeats), (0.2, Policy::AutoSvhn, 3));
        assert_eq!(with("").unwrap(), Augmentation::NONE);
        for (text, said) in [
            ("mixupp=1", "mixupp"),
            ("flip=2", "flip"),
            ("flip=x", "flip"),
            ("policy=best", "best"),
            ("repeats=1.5", "1.5"),
            ("noise=nan", "noise"),
        ] {
            let error = with(text).unwrap_err();
            assert!(format!("{error:?}").contains(said), "{error:?}");
            assert!(error.hint.is_some());
        }
        assert!(Changes::parse("flip").is_err());
    }
}
