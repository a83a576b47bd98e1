//! The model package: weights, architecture, classes, preprocessing and scores in one file.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tinderbox_base::{Error, Result, files};
use tinderbox_image::Preprocessing;
use tinderbox_nn::io::{self, File, Tensor};
use tinderbox_nn::{Model, Network, Spec, check, params};

/// Where the file keeps the hash of the lock.
const LOCK: &str = "dataset_lock";

/// What a model's files say beside weights.
#[derive(Clone, Debug)]
pub struct ModelCard {
    /// The names of the classes in the order of the logits.
    pub classes: Vec<String>,
    /// How images become numbers.
    pub preprocessing: Preprocessing,
    /// BLAKE3 of `dataset.lock`: which sample was in which split.
    pub dataset_hash: String,
    /// The settings that change the result, with what the data decided in place of what was open.
    pub settings: toml::Table,
}

/// A trained model as a file holds it.
#[derive(Clone, Debug)]
pub struct Package {
    /// The architecture; none for a network that was written by hand.
    pub spec: Option<Spec>,
    /// The names of the classes in the order of the logits.
    pub classes: Vec<String>,
    /// How images become numbers.
    pub preprocessing: Preprocessing,
    /// Figures of the training: best epoch, validation, test.
    pub scores: Value,
    /// The hash of the `dataset.lock` that it was trained with, where it is known.
    pub lock: Option<String>,
    /// The weights by name, dense ones as `[out, in]`.
    pub weights: Vec<Tensor>,
}

impl Package {
    /// Takes the weights out of a model.
    ///
    /// # Errors
    /// If a device fails to hand them over.
    pub fn new<M: Model>(model: &M, card: &ModelCard, scores: Value) -> Result<Self> {
        Ok(Self {
            spec: model.spec().cloned(),
            classes: card.classes.clone(),
            preprocessing: card.preprocessing.clone(),
            scores,
            lock: (!card.dataset_hash.is_empty()).then(|| card.dataset_hash.clone()),
            weights: params::tensors(model)?,
        })
    }

    /// Everything but the weights, as a file's metadata holds it.
    ///
    /// # Errors
    /// If a part cannot be written as JSON.
    pub fn metadata(&self) -> Result<BTreeMap<String, String>> {
        let Self { spec, classes, preprocessing, scores, lock, weights: _ } = self;
        let json = |value: serde_json::Result<String>| {
            value.map_err(|cause| Error::failed("cannot write the model").cause(cause))
        };
        let mut metadata = BTreeMap::from([
            ("classes".to_owned(), json(serde_json::to_string(classes))?),
            ("preprocessing".to_owned(), json(serde_json::to_string(preprocessing))?),
            ("scores".to_owned(), json(serde_json::to_string(scores))?),
        ]);
        metadata.extend(lock.iter().map(|hash| (LOCK.to_owned(), hash.clone())));
        if let Some(spec) = spec {
            metadata.insert("spec".to_owned(), json(serde_json::to_string(spec))?);
        }
        Ok(metadata)
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// If a part cannot be written as JSON.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let metadata = self.metadata()?;
        Ok(io::encode(&File { metadata, tensors: self.weights.clone(), ..File::default() }))
    }

    /// Writes the file, whole.
    ///
    /// # Errors
    /// If it cannot be written; the file before it is untouched.
    pub fn write(&self, path: &Path) -> Result<()> {
        files::replace(path, &self.encode()?)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// If it is missing, damaged, of another version or another program.
    pub fn read(path: &Path) -> Result<Self> {
        Self::decode(&files::read(path)?).map_err(|error| error.in_file(path))
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let File { metadata, tensors, .. } = io::decode(bytes)?;
        if metadata.contains_key("state") {
            return Err(Error::input("it is a checkpoint, not a model")
                .hint("use the `model.safetensors` beside it"));
        }
        let spec = metadata.contains_key("spec").then(|| part(&metadata, "spec")).transpose()?;
        let package = Self {
            spec,
            classes: part(&metadata, "classes")?,
            preprocessing: part(&metadata, "preprocessing")?,
            scores: part(&metadata, "scores")?,
            lock: metadata.get(LOCK).cloned(),
            weights: tensors,
        };
        package.preprocessing.check()?;
        if let Some(spec) = &package.spec {
            let [channels, height, width] = package.preprocessing.input();
            if spec.input != package.preprocessing.input() {
                let [c, h, w] = spec.input;
                return Err(Error::input(format!(
                    "its network is for {c} channels of {h}x{w}, its preprocessing makes {channels} of {height}x{width}"
                ))
                .hint("the file was put together by hand: train the model again"));
            }
            if spec.classes != package.classes.len() {
                let names = package.classes.len();
                return Err(Error::input(format!(
                    "its network is for {} classes, not {names}",
                    spec.classes
                ))
                .hint("the file was put together by hand: train the model again"));
            }
        }
        Ok(package)
    }

    /// The network with its weights, on a device.
    ///
    /// # Errors
    /// If the weights do not fit the architecture, or it was written by hand.
    pub fn network(&self, device: &Device) -> Result<Network> {
        let Some(spec) = &self.spec else {
            return Err(Error::input("the model was written by hand: its file has weights only")
                .hint("load it with the program that trained it"));
        };
        // A small file must not make a large network.
        let held: u64 = self.weights.iter().map(|weight| weight.values.len() as u64).sum();
        if check(spec)?.parameters() > held {
            return Err(Error::input("weights are missing in the file"));
        }
        params::load(Network::new(spec, 0, device)?, &self.weights)
    }
}

fn part<T: DeserializeOwned>(metadata: &BTreeMap<String, String>, key: &str) -> Result<T> {
    let text = metadata.get(key).ok_or_else(|| Error::input(format!("it has no `{key}`")))?;
    serde_json::from_str(text)
        .map_err(|cause| Error::input(format!("its `{key}` cannot be read")).cause(cause))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinderbox_nn::spec;

    fn package() -> Package {
        let device = Device::flex();
        let network = Network::new(&spec("resnet18", [1, 32, 32], 3).unwrap(), 1, &device).unwrap();
        let preprocessing = Preprocessing {
            channels: 1,
            height: 32,
            width: 32,
            crop: 1.0,
            mean: vec![0.1],
            std: vec![0.3],
        };
        let classes = ["a", "b", "ç"].map(str::to_owned);
        let scores = serde_json::json!({ "best": 1 });
        let card = ModelCard {
            classes: classes.to_vec(),
            preprocessing,
            dataset_hash: "c0ffee".to_owned(),
            settings: toml::Table::new(),
        };
        Package::new(&network, &card, scores).unwrap()
    }

    #[test]
    fn a_model_comes_back_as_it_was_written() {
        let package = package();
        let again = Package::decode(&package.encode().unwrap()).unwrap();
        assert_eq!(again.weights, package.weights);
        assert_eq!(again.classes, package.classes);
        let network = again.network(&Device::flex()).unwrap();
        let twice = Package { weights: params::tensors(&network).unwrap(), ..again };
        assert_eq!(twice.encode().unwrap(), package.encode().unwrap());
    }

    #[test]
    fn the_weights_carry_torchvisions_names_and_shapes() {
        let package = package();
        let shape = |name: &str| {
            package
                .weights
                .iter()
                .find(|tensor| tensor.name == name)
                .map(|tensor| tensor.shape.clone())
        };
        assert_eq!(shape("conv1.weight"), Some(vec![64, 1, 3, 3]));
        assert_eq!(shape("bn1.running_var"), Some(vec![64]));
        assert_eq!(shape("layer2.0.downsample.0.weight"), Some(vec![128, 64, 1, 1]));
        assert_eq!(shape("layer4.1.bn2.bias"), Some(vec![512]));
        assert_eq!(shape("fc.weight"), Some(vec![3, 512]));
        assert_eq!(package.weights.len(), 102);
    }

    #[test]
    fn weights_that_do_not_fit_are_named() {
        let mut other = package();
        other.weights[0].shape = vec![64, 1, 9, 1];
        assert!(other.network(&Device::flex()).unwrap_err().message.contains("conv1.weight"));
        let mut other = package();
        other.weights[3].values[0] = f32::NAN;
        assert!(other.network(&Device::flex()).unwrap_err().message.contains("finite"));
        let mut other = package();
        other.weights.pop();
        assert!(other.network(&Device::flex()).unwrap_err().message.contains("missing"));
    }
}
