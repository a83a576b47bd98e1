//! A run's folder: the best model and the last complete state.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::state::State;
use crate::base::{Error, Result, files};
use crate::config::Plan;
use crate::format::{File, Package, Tensor, encode};
use crate::model::Classifier;
use crate::optim::{Moments, Optimizer};

/// The folder of a run in `models`.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// A run in a folder that is there.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The best model's file.
    #[must_use]
    pub fn model_file(&self) -> PathBuf {
        self.path.join("model.safetensors")
    }

    /// The last complete state's file.
    #[must_use]
    pub fn checkpoint_file(&self) -> PathBuf {
        self.path.join("checkpoint.safetensors")
    }

    /// Writes the best model.
    ///
    /// # Errors
    /// If it cannot be written; the file before it is untouched.
    pub fn save_model<M: Classifier>(&self, model: &M, plan: &Plan, scores: Value) -> Result<()> {
        let package = Package::new(model, &plan.classes, &plan.preprocessing, scores)?;
        files::replace(&self.model_file(), &package.encode()?)
    }

    /// Writes the last complete state; `best` are the scores of the best epoch.
    ///
    /// # Errors
    /// If it cannot be written; the file before it is untouched.
    pub fn save_checkpoint<M: Classifier>(
        &self,
        (model, optimizer, state): (&M, &Optimizer, &State),
        plan: &Plan,
        best: &Value,
    ) -> Result<()> {
        let package = Package::new(model, &plan.classes, &plan.preprocessing, best.clone())?;
        let mut metadata = package.metadata()?;
        let state = serde_json::to_string(state)
            .map_err(|cause| Error::failed("cannot write the checkpoint").cause(cause))?;
        metadata.insert("state".to_owned(), state);
        let (steps, moments) = optimizer.state();
        metadata.insert("optimizer.steps".to_owned(), steps.to_string());
        let model = package.weights.into_iter();
        let mut tensors: Vec<Tensor> = model
            .map(|tensor| Tensor { name: format!("model.{}", tensor.name), ..tensor })
            .collect();
        for (index, moments) in moments.iter().enumerate() {
            let Some(Moments { first, second }) = moments else { continue };
            tensors.push(flat(format!("optimizer.{index}.first"), first)?);
            if let Some(second) = second {
                tensors.push(flat(format!("optimizer.{index}.second"), second)?);
            }
        }
        files::replace(&self.checkpoint_file(), &encode(&File { metadata, tensors }))
    }
}

fn flat(name: String, tensor: &burn::tensor::Tensor<1>) -> Result<Tensor> {
    let data = tensor.clone().try_into_data().ok().and_then(|data| data.try_into_vec::<f32>().ok());
    let values =
        data.ok_or_else(|| Error::failed("the device failed to hand over the optimiser's state"))?;
    Ok(Tensor { name, shape: vec![values.len()], values })
}
