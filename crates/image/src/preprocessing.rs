//! How an image becomes numbers: the same in train, evaluate and predict, and kept in the model.

use serde::{Deserialize, Serialize};
use tinderbox_base::{Error, Result};

/// From a decoded picture to the network's input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// 1: grey, by the weights of ITU-R 601 as PIL's mode `L`; 3: red, green, blue.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// The part of the picture that is looked at, around its centre: the largest box of the
    /// input's aspect ratio, its sides scaled by this.
    pub crop: f64,
    /// Subtracted from a channel's value in `[0, 1]`.
    pub mean: Vec<f32>,
    /// Divided by after that.
    pub std: Vec<f32>,
}

impl Preprocessing {
    /// `[C, H, W]` of the network's input.
    #[must_use]
    pub fn input(&self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }

    /// Checks values that came from a file.
    ///
    /// # Errors
    /// If one of them cannot be.
    pub fn check(&self) -> Result<()> {
        let sides = 1..=4096;
        let good = matches!(self.channels, 1 | 3)
            && sides.contains(&self.height)
            && sides.contains(&self.width)
            && self.crop > 0.0
            && self.crop <= 1.0
            && self.mean.len() == self.channels
            && self.std.len() == self.channels
            && self.mean.iter().all(|m| m.is_finite())
            && self.std.iter().all(|s| s.is_finite() && *s > 0.0);
        if good {
            return Ok(());
        }
        Err(Error::input("the preprocessing in the model file makes no sense"))
    }
}
