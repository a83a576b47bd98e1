//! A training at rest: all that going on needs, and its form as a file.

use std::collections::HashMap;

use burn::tensor::{Device, TensorData};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tinderbox_base::{Error, Result};
use tinderbox_nn::io::{File, Format, Tensor};
use tinderbox_nn::{Model, ParamInfo, params, values};

use crate::learning::Learning;
use crate::optimizer::{Moments, Optimizer};
use crate::package::{ModelCard, Package};
use crate::schedule::Schedule;
use crate::state::State;

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
/// The name of the score that decides which epoch is the best.
const DECIDES: &str = "decides";
/// Before the names of the point to go back to.
const GOOD: &str = "good.";
const BEST: &str = "best.";

impl<M: Model> Snapshot<M> {
    /// The checkpoint's content; `decides` is the name of the score that decides.
    ///
    /// # Errors
    /// If the device fails to hand the tensors over.
    pub fn file(&self, card: &ModelCard, decides: &str) -> Result<File> {
        let mut file = File { format: Format::V2, ..File::default() };
        let package = Package::new(&self.now.model, card, self.now.state.scores())?;
        file.metadata = Package { lock: None, ..package }.metadata()?;
        file.metadata.insert(DECIDES.to_owned(), decides.to_owned());
        file.metadata.insert(SETTINGS.to_owned(), text(&card.settings)?);
        file.metadata.insert(DATASET.to_owned(), card.dataset_hash.clone());
        add_point(&mut file, "", &self.now)?;
        if let Some(best) = &self.best {
            file.tensors.extend(named(BEST, params::tensors(best)?));
        }
        if let Some(good) = &self.good {
            add_point(&mut file, GOOD, good)?;
        }
        Ok(file)
    }
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

fn add_point<M: Model>(file: &mut File, prefix: &str, point: &Point<M>) -> Result<()> {
    let (steps, moments) = point.optimizer.state();
    file.metadata.insert(format!("{prefix}{STATE}"), text(&point.state)?);
    file.metadata.insert(format!("{prefix}optimizer.steps"), steps.to_string());
    file.tensors.extend(named(&format!("{prefix}model."), params::tensors(&point.model)?));
    for (info, moments) in point.optimizer.params().all().iter().zip(moments) {
        let Some(Moments { first, second }) = moments else { continue };
        let parts = [("first", Some(first)), ("second", second.as_ref())];
        for (part, tensor) in parts.into_iter().filter_map(|(part, tensor)| Some((part, tensor?))) {
            let name = format!("{prefix}optimizer.{}.{part}", info.name);
            let values = values(tensor.clone())?;
            file.tensors.push(Tensor { name, shape: vec![values.len()], values });
        }
    }
    Ok(())
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

    /// Fits the counters to another batch: the epoch in progress goes on where it was, to
    /// the batch, of which some images may come twice.
    ///
    /// # Errors
    /// If the state to go back to cannot be read.
    pub fn rebatch(&mut self, learning: &Learning) -> Result<()> {
        self.state.rebatch(learning);
        let key = format!("{GOOD}{STATE}");
        if self.file.metadata.contains_key(&key) {
            let mut state: State = read(&self.file, &key)?;
            state.rebatch(learning);
            self.file.metadata.insert(key, text(&state)?);
        }
        Ok(())
    }

    /// The training, on the device of `model`, which has the same architecture. `optimizer` has its
    /// rule and remembers nothing.
    ///
    /// # Errors
    /// If something is missing, of another shape, not finite, or contradicts itself.
    pub fn restore<M: Model>(
        &self,
        model: &M,
        optimizer: Optimizer,
        schedule: &Schedule,
        device: &Device,
    ) -> Result<Snapshot<M>> {
        // A `clone` would share its running statistics with the other models of the file.
        let filled =
            |prefix: &str| -> Result<M> { params::load(model.valid(), &self.tensors(prefix)) };
        let point = |prefix: &str, state: State| -> Result<Point<M>> {
            state.check(schedule)?;
            let model = filled(&format!("{prefix}model."))?;
            let optimizer = self.optimizer(prefix, optimizer.clone(), device)?;
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

    /// The optimiser with what it remembered.
    fn optimizer(&self, prefix: &str, fresh: Optimizer, device: &Device) -> Result<Optimizer> {
        let steps = metadata(&self.file, &format!("{prefix}optimizer.steps"))?;
        let steps =
            steps.parse().map_err(|_| Error::input(format!("`{steps}` is no number of steps")))?;
        let prefix = format!("{prefix}optimizer.");
        let saved = self.file.tensors.iter();
        let saved = saved.filter_map(|tensor| Some((tensor.name.strip_prefix(&prefix)?, tensor)));
        let saved: HashMap<&str, &Tensor> = saved.collect();
        // Version 1 numbers the moments in the order of the network's fields.
        let by_name = self.file.format == Format::V2;
        let moments = fresh.params().all().iter().enumerate().map(|(index, info)| {
            let key = if by_name { info.name.clone() } else { index.to_string() };
            let part = |part: &str| {
                let tensor = saved.get(format!("{key}.{part}").as_str());
                tensor.map(|tensor| moment(tensor, info, device)).transpose()
            };
            let (Some(first), second) = (part("first")?, part("second")?) else { return Ok(None) };
            if second.is_some() != fresh.has_second() {
                return Err(Error::input("the optimiser's state is another rule's"));
            }
            Ok(Some(Moments { first, second }))
        });
        let moments = moments.collect::<Result<_>>()?;
        Ok(fresh.restored(steps, moments))
    }
}

/// What was remembered of a parameter, checked against it.
fn moment(saved: &Tensor, info: &ParamInfo, device: &Device) -> Result<burn::tensor::Tensor<1>> {
    let fits = saved.shape == [info.shape.iter().product::<usize>()];
    if !fits || saved.values.iter().any(|value| !value.is_finite()) {
        let message = format!("the optimiser's state of `{}` does not fit", info.name);
        return Err(Error::input(message));
    }
    let data = TensorData::new(saved.values.clone(), [saved.values.len()]);
    Ok(burn::tensor::Tensor::from_data(data, device))
}

fn metadata<'a>(file: &'a File, key: &str) -> Result<&'a str> {
    let text = file.metadata.get(key).map(String::as_str);
    text.ok_or_else(|| Error::input(format!("it has no `{key}`")))
}

fn read<T: DeserializeOwned>(file: &File, key: &str) -> Result<T> {
    toml::from_str(metadata(file, key)?)
        .map_err(|cause| Error::input(format!("its `{key}` cannot be read")).cause(cause.message()))
}
