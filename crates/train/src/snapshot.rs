//! A training at rest: all that going on needs, and its form as a file.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, TensorData};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Plan;
use crate::state::State;
use crate::{Moments, Optimizer};
use crate::{Package, fill};
use tinderbox_base::{Error, Result};
use tinderbox_nn::Classifier;
use tinderbox_nn::io::{File, Tensor};

/// One moment of a training. A copy shares the tensors with the training that goes on, which copies
/// those that it changes.
#[derive(Clone, Debug)]
pub struct Point<M> {
    /// The model, without autodiff.
    pub model: M,
    /// The update rule with what it remembers.
    pub optimizer: Optimizer,
    /// Counters and history.
    pub state: State,
}

/// A moment, and the earlier ones that going on may need.
#[derive(Clone, Debug)]
pub struct Snapshot<M> {
    /// Where the training is.
    pub now: Point<M>,
    /// The best epoch's model.
    pub best: Option<M>,
    /// Where it goes back to when it diverges, with `--on-nan rollback`.
    pub good: Option<Point<M>>,
}

/// The names of what a checkpoint holds beside a model's metadata.
const STATE: &str = "state";
const SETTINGS: &str = "settings";
const DATASET: &str = "dataset";
/// Before the names of the point to go back to.
const GOOD: &str = "good.";
const BEST: &str = "best.";

impl<M: Classifier> Snapshot<M> {
    /// The checkpoint's content.
    ///
    /// # Errors
    /// If the device fails to hand the tensors over.
    pub fn file(&self, plan: &Plan) -> Result<File> {
        let mut file = File::default();
        let scores = self.now.state.scores();
        let package = Package::new(&self.now.model, &plan.classes, &plan.preprocessing, scores)?;
        file.metadata = package.metadata()?;
        file.metadata.insert(SETTINGS.to_owned(), text(&plan.results()?)?);
        file.metadata.insert(DATASET.to_owned(), plan.dataset_hash.clone());
        add_point(&mut file, "", package.weights, &self.now)?;
        if let Some(best) = &self.best {
            file.tensors.extend(named(BEST, stored(best, plan)?));
        }
        if let Some(good) = &self.good {
            add_point(&mut file, GOOD, stored(&good.model, plan)?, good)?;
        }
        Ok(file)
    }
}

fn stored<M: Classifier>(model: &M, plan: &Plan) -> Result<Vec<Tensor>> {
    let nothing = serde_json::Value::Null;
    Ok(Package::new(model, &plan.classes, &plan.preprocessing, nothing)?.weights)
}

fn named(prefix: &str, tensors: Vec<Tensor>) -> impl Iterator<Item = Tensor> {
    tensors
        .into_iter()
        .map(move |tensor| Tensor { name: format!("{prefix}{}", tensor.name), ..tensor })
}

fn text(value: &impl Serialize) -> Result<String> {
    toml::to_string(value)
        .map_err(|cause| Error::failed("cannot write the checkpoint").cause(cause))
}

fn add_point<M>(
    file: &mut File,
    prefix: &str,
    weights: Vec<Tensor>,
    point: &Point<M>,
) -> Result<()> {
    let (steps, moments) = point.optimizer.state();
    file.metadata.insert(format!("{prefix}{STATE}"), text(&point.state)?);
    file.metadata.insert(format!("{prefix}optimizer.steps"), steps.to_string());
    file.tensors.extend(named(&format!("{prefix}model."), weights));
    for (index, moments) in moments.iter().enumerate() {
        let Some(Moments { first, second }) = moments else { continue };
        let parts = [("first", Some(first)), ("second", second.as_ref())];
        for (name, tensor) in parts.into_iter().filter_map(|(name, part)| Some((name, part?))) {
            file.tensors.push(flat(format!("{prefix}optimizer.{index}.{name}"), tensor)?);
        }
    }
    Ok(())
}

fn flat(name: String, tensor: &burn::tensor::Tensor<1>) -> Result<Tensor> {
    let data = tensor.clone().try_into_data().ok().and_then(|data| data.try_into_vec::<f32>().ok());
    let values =
        data.ok_or_else(|| Error::failed("the device failed to hand over the optimiser's state"))?;
    Ok(Tensor { name, shape: vec![values.len()], values })
}

/// A checkpoint as a file holds it: read and undamaged, but not yet a training.
#[derive(Clone, Debug)]
pub struct Saved {
    file: File,
    /// Counters and history.
    pub state: State,
    /// The settings that change the result, with which it was trained so far.
    pub settings: toml::Table,
    /// BLAKE3 of the `dataset.lock` it was trained on.
    pub dataset_hash: String,
}

impl Saved {
    /// What a checkpoint's file says.
    ///
    /// # Errors
    /// If it is no checkpoint. The error does not name the file: the caller adds it.
    pub fn new(file: File) -> Result<Self> {
        if !file.metadata.contains_key(STATE) {
            return Err(Error::input("it is a model, not a checkpoint")
                .hint("use the `checkpoint.safetensors` beside it"));
        }
        Ok(Self {
            state: read(&file, STATE)?,
            settings: read(&file, SETTINGS)?,
            dataset_hash: metadata(&file, DATASET)?.to_owned(),
            file,
        })
    }

    /// Fits the counters to a plan with another batch: the epoch in progress goes on where it was, to
    /// the batch, of which some images may come twice.
    ///
    /// # Errors
    /// If the state to go back to cannot be read.
    pub fn rebatch(&mut self, plan: &Plan) -> Result<()> {
        self.state.rebatch(plan);
        let key = format!("{GOOD}{STATE}");
        if self.file.metadata.contains_key(&key) {
            let mut state: State = read(&self.file, &key)?;
            state.rebatch(plan);
            self.file.metadata.insert(key, text(&state)?);
        }
        Ok(())
    }

    /// The training, on the device of `model`, which has the same architecture.
    ///
    /// # Errors
    /// If something is missing, of another shape, not finite, or contradicts itself.
    pub fn restore<M: Classifier>(
        &self,
        model: &M,
        plan: &Plan,
        device: &Device,
    ) -> Result<Snapshot<M>> {
        let filled = |prefix: &str| -> Result<M> { fill(model.clone(), &self.tensors(prefix)) };
        let point = |prefix: &str, state: State| -> Result<Point<M>> {
            state.check(plan)?;
            let model = filled(&format!("{prefix}model."))?;
            let optimizer = self.optimizer(prefix, &model, plan, device)?;
            Ok(Point { model, optimizer, state })
        };
        let now = point("", self.state.clone())?;
        let best = (now.state.best_epoch > 0).then(|| filled(BEST)).transpose()?;
        let has_good = self.file.metadata.contains_key(&format!("{GOOD}{STATE}"));
        let good = has_good.then(|| point(GOOD, read(&self.file, &format!("{GOOD}{STATE}"))?));
        Ok(Snapshot { now, best, good: good.transpose()? })
    }

    /// The tensors whose names begin with `prefix`, without it.
    fn tensors(&self, prefix: &str) -> Vec<Tensor> {
        let named = self.file.tensors.iter().filter_map(|tensor| {
            let name = tensor.name.strip_prefix(prefix)?.to_owned();
            Some(Tensor { name, ..tensor.clone() })
        });
        named.collect()
    }

    fn optimizer<M: Module>(
        &self,
        prefix: &str,
        model: &M,
        plan: &Plan,
        device: &Device,
    ) -> Result<Optimizer> {
        let steps = metadata(&self.file, &format!("{prefix}optimizer.steps"))?;
        let steps =
            steps.parse().map_err(|_| Error::input(format!("`{steps}` is no number of steps")))?;
        let mut sizes = Sizes(Vec::new());
        model.visit(&mut sizes);
        let tensors = self.tensors(&format!("{prefix}optimizer."));
        let moment = |index: usize, name: &str| -> Result<Option<burn::tensor::Tensor<1>>> {
            let name = format!("{index}.{name}");
            let Some(found) = tensors.iter().find(|tensor| tensor.name == name) else {
                return Ok(None);
            };
            let fits = found.shape == [sizes.0[index]];
            if !fits || found.values.iter().any(|value| !value.is_finite()) {
                return Err(Error::input(format!("the optimiser's state `{name}` does not fit")));
            }
            let data = TensorData::new(found.values.clone(), [found.values.len()]);
            Ok(Some(burn::tensor::Tensor::from_data(data, device)))
        };
        let moments = (0..sizes.0.len()).map(|index| {
            let Some(first) = moment(index, "first")? else { return Ok(None) };
            let second = moment(index, "second")?;
            Ok(Some(Moments { first, second }))
        });
        let optimizer = Optimizer::restore(&plan.settings, steps, moments.collect::<Result<_>>()?);
        let (_, moments) = optimizer.state();
        if moments
            .iter()
            .flatten()
            .any(|moments| moments.second.is_some() != optimizer.has_second())
        {
            return Err(Error::input("the optimiser's state is another rule's"));
        }
        Ok(optimizer)
    }
}

fn metadata<'a>(file: &'a File, key: &str) -> Result<&'a str> {
    let text = file.metadata.get(key).map(String::as_str);
    text.ok_or_else(|| Error::input(format!("it has no `{key}`")))
}

fn read<T: DeserializeOwned>(file: &File, key: &str) -> Result<T> {
    toml::from_str(metadata(file, key)?)
        .map_err(|cause| Error::input(format!("its `{key}` cannot be read")).cause(cause.message()))
}

/// How many numbers each tensor of a module has.
struct Sizes(Vec<usize>);

impl ModuleVisitor for Sizes {
    fn visit_float<const D: usize>(&mut self, param: &Param<burn::tensor::Tensor<D>>) {
        self.0.push(param.lazy_shape().dims::<D>().iter().product());
    }
}
