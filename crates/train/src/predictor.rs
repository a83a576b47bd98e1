//! Images to ranked classes.

use tinderbox_base::Result;
use tinderbox_image::{DecodeSize, Pixels, prepare, to_input};
use tinderbox_nn::{Context, Model, Network, params};

use crate::package::Package;
use crate::predictions::logits;
use crate::task::probabilities;

/// One class and its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked {
    /// The number of the class.
    pub class: usize,
    /// Its probability.
    pub probability: f64,
}

/// A trained model, ready to predict.
#[derive(Debug)]
pub struct Predictor<M = Network> {
    model: M,
    package: Package,
    context: Context,
}

impl Predictor {
    /// Puts a model of the zoo on a device.
    ///
    /// # Errors
    /// If the weights do not fit the architecture, or the network was written by hand.
    pub fn new(package: Package, context: &Context) -> Result<Self> {
        let model = package.network(context.device())?;
        Ok(Self { model, package, context: context.clone() })
    }
}

impl<M: Model> Predictor<M> {
    /// Puts the weights of a file into a network that was written by hand, which lies on the
    /// context's device.
    ///
    /// # Errors
    /// If the weights do not fit it.
    pub fn with(model: M, package: Package, context: &Context) -> Result<Self> {
        let model = params::load(model, &package.weights)?;
        Ok(Self { model, package, context: context.clone() })
    }

    /// The names of the classes.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.package.classes
    }

    /// How much of a picture must be decoded.
    #[must_use]
    pub fn decode_size(&self) -> DecodeSize {
        DecodeSize::input(&self.package.preprocessing)
    }

    /// A picture as the network sees it.
    #[must_use]
    pub fn prepare(&self, picture: &Pixels) -> Pixels {
        prepare(picture, &self.package.preprocessing)
    }

    /// For each prepared picture all classes, the most probable first, of equals the first.
    ///
    /// # Errors
    /// If the device fails.
    pub fn rank(&self, pictures: &[&Pixels]) -> Result<Vec<Vec<Ranked>>> {
        let how = &self.package.preprocessing;
        let images: Vec<f32> = pictures.iter().flat_map(|picture| to_input(picture, how)).collect();
        let rows = logits(&self.model, images, how.input(), &self.context)?;
        Ok(rows.iter().map(|row| ranked(probabilities(row))).collect())
    }
}

fn ranked(probabilities: Vec<f64>) -> Vec<Ranked> {
    let mut ranked: Vec<Ranked> = probabilities
        .into_iter()
        .enumerate()
        .map(|(class, probability)| Ranked { class, probability })
        .collect();
    ranked.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    ranked
}
