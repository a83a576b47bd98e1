//! The model package: weights, architecture, classes, preprocessing and scores in one file.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde::de::DeserializeOwned;
use serde_json::Value;

use tinderbox_base::units::list;
use tinderbox_base::{Error, Result, files, nearest};
use tinderbox_image::Preprocessing;
use tinderbox_nn::io::{self, File, Tensor};
use tinderbox_nn::{Classifier, Network, Spec, check, load_weights, weights};

/// Where the file keeps the hash of the lock.
const LOCK: &str = "dataset_lock";

/// A trained model as a file holds it.
#[derive(Clone, Debug)]
pub struct Package {
    /// The architecture; none for a network that was written by hand.
    pub spec: Option<Spec>,
    /// The names of the classes in the order of the scores.
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
    pub fn new<M: Classifier>(
        model: &M,
        classes: &[String],
        preprocessing: &Preprocessing,
        scores: Value,
    ) -> Result<Self> {
        let tensors = weights(model)?.into_iter().map(|weight| {
            let (name, transposed) = model.weight_name(&weight.name);
            let tensor = Tensor { name, shape: weight.shape, values: weight.values };
            if transposed { transpose(tensor) } else { tensor }
        });
        Ok(Self {
            spec: model.spec().cloned(),
            classes: classes.to_vec(),
            preprocessing: preprocessing.clone(),
            scores,
            lock: None,
            weights: tensors.collect(),
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
        Ok(io::encode(&File { metadata, tensors: self.weights.clone() }))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// If it is missing, damaged, of another version or another program.
    pub fn read(path: &Path) -> Result<Self> {
        Self::decode(&files::read(path)?).map_err(|error| error.in_file(path))
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let File { metadata, tensors } = io::decode(bytes)?;
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
        fill(Network::new(spec, 0, device)?, &self.weights)
    }
}

/// `model` with the weights of a file: every one of its tensors must be there, with its shape.
///
/// # Errors
/// If one is missing, of another shape or not finite.
pub fn fill<M: Classifier>(model: M, weights: &[Tensor]) -> Result<M> {
    let names = model.clone();
    let mut found: HashMap<&str, &Tensor> =
        weights.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    load_weights(model, |path, shape| {
        let (name, transposed) = names.weight_name(path);
        let tensor = found.remove(name.as_str());
        let tensor =
            tensor.ok_or_else(|| Error::input(format!("the weights `{name}` are missing")))?;
        let tensor = if transposed { transpose(tensor.clone()) } else { tensor.clone() };
        if tensor.shape != shape {
            return Err(Error::input(format!(
                "the weights `{name}` are {:?}, not {shape:?}",
                tensor.shape
            )));
        }
        if tensor.values.iter().any(|value| !value.is_finite()) {
            return Err(Error::input(format!(
                "the weights `{name}` hold a number that is not finite"
            )));
        }
        Ok(tensor.values)
    })
}

fn part<T: DeserializeOwned>(metadata: &BTreeMap<String, String>, key: &str) -> Result<T> {
    let text = metadata.get(key).ok_or_else(|| Error::input(format!("it has no `{key}`")))?;
    serde_json::from_str(text)
        .map_err(|cause| Error::input(format!("its `{key}` cannot be read")).cause(cause))
}

/// `[a, b]` as `[b, a]`.
fn transpose(tensor: Tensor) -> Tensor {
    let &[rows, columns] = tensor.shape.as_slice() else { return tensor };
    let values =
        (0..rows * columns).map(|i| tensor.values[i % rows * columns + i / rows]).collect();
    Tensor { name: tensor.name, shape: vec![columns, rows], values }
}

/// The name of the model file in a run's folder.
const MODEL_FILE: &str = "model.safetensors";
/// The name of the file of its settings.
const SETTINGS_FILE: &str = "run.toml";

/// The model file that RUN means: a run's name, its folder, or the file itself.
///
/// # Errors
/// If there is none; the error names the nearest run.
pub fn locate(run: &str, models: &Path) -> Result<PathBuf> {
    let path = Path::new(run);
    for folder in [models.join(run), path.to_owned()] {
        let file = folder.join(MODEL_FILE);
        if !run.is_empty() && file.is_file() {
            return Ok(file);
        }
        if !run.is_empty() && folder.is_dir() {
            return Err(Error::input(format!("no `{MODEL_FILE}` in `{}`", folder.display()))
                .hint("the run has not finished its first epoch; train it again"));
        }
    }
    if path.is_file() {
        return Ok(path.to_owned());
    }
    Err(unknown(run, models, MODEL_FILE))
}

/// The folder that RUN means: a run's name, its folder, or a file in it.
///
/// # Errors
/// If there is none; the error names the nearest run.
pub fn locate_run(run: &str, models: &Path) -> Result<PathBuf> {
    let path = Path::new(run);
    let folders = [models.join(run), path.to_owned()];
    let found = folders.into_iter().find(|folder| !run.is_empty() && folder.is_dir());
    let holder = || path.parent().filter(|_| path.is_file()).map(Path::to_owned);
    found.or_else(holder).ok_or_else(|| unknown(run, models, SETTINGS_FILE))
}

/// The error for a run that is not there; `file` marks the folders that are runs.
fn unknown(run: &str, models: &Path, file: &str) -> Error {
    let names: Vec<String> = files::list(models)
        .unwrap_or_default()
        .iter()
        .filter(|path| path.join(file).is_file())
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    let error = Error::input(format!("no run `{run}` in `{}`, and no such file", models.display()))
        .cause(format!("there are {}", list(&names, 8)));
    match nearest(run, names.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint("`tinderbox runs list` shows what has been trained"),
    }
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
        let package = Package::new(&network, &classes, &preprocessing, scores).unwrap();
        Package { lock: Some("c0ffee".to_owned()), ..package }
    }

    #[test]
    fn a_model_comes_back_as_it_was_written() {
        let package = package();
        let again = Package::decode(&package.encode().unwrap()).unwrap();
        assert_eq!(again.weights, package.weights);
        assert_eq!(again.classes, package.classes);
        let network = again.network(&Device::flex()).unwrap();
        let twice =
            Package::new(&network, &again.classes, &again.preprocessing, again.scores.clone())
                .unwrap();
        let twice = Package { lock: again.lock.clone(), ..twice };
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
