//! Parameters by name: one view for the optimiser, clipping, checkpoints, weight files and freezing.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use tinderbox_base::{Error, Result};

use crate::io;
use crate::model::{Group, Model};
use crate::values::values;

/// One tensor of a network: a parameter, or a running statistic of a norm.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamInfo {
    /// Its name in a file.
    pub name: String,
    /// Its shape in the module.
    pub shape: Vec<usize>,
    /// Whether a file has it transposed.
    pub transposed: bool,
    /// The part of the network that it belongs to.
    pub group: Group,
    /// Whether it is a running statistic, which no gradient changes.
    pub is_statistic: bool,
    /// Whether the optimiser changes it. A norm whose parameters are not trained uses its running
    /// statistics in training too.
    pub trained: bool,
    /// What the learning rate is multiplied by.
    pub rate_factor: f64,
    /// What the weight decay is multiplied by: 1 for matrices and kernels, 0 for biases and norms.
    pub decay_factor: f64,
}

/// The tensors of a network in the order of its fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Params(Vec<ParamInfo>);

impl Params {
    /// Those of `model`, all trained.
    #[must_use]
    pub fn of<M: Model>(model: &M) -> Self {
        let mut all = Vec::new();
        visit(model, |path, shape, _| {
            let (name, transposed) = model.stored_name(path);
            let is_statistic = path.ends_with(".running_mean") || path.ends_with(".running_var");
            all.push(ParamInfo {
                group: model.group(&name),
                name,
                transposed,
                is_statistic,
                trained: !is_statistic,
                rate_factor: 1.0,
                decay_factor: if shape.len() > 1 { 1.0 } else { 0.0 },
                shape,
            });
        });
        Self(all)
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[ParamInfo] {
        &self.0
    }

    /// All of them, to be changed.
    pub fn all_mut(&mut self) -> &mut [ParamInfo] {
        &mut self.0
    }

    /// Trains no parameter that `frozen` says, and answers how many numbers that are.
    pub fn freeze(&mut self, frozen: impl Fn(&ParamInfo) -> bool) -> usize {
        let mut count = 0;
        for info in self.0.iter_mut().filter(|info| !info.is_statistic) {
            if frozen(info) {
                info.trained = false;
                count += info.shape.iter().product::<usize>();
            }
        }
        count
    }

    /// `model` with gradients for its trained parameters only.
    #[must_use]
    pub fn apply<M: Model>(&self, model: M) -> M {
        if self.0.iter().all(|info| info.trained || info.is_statistic) {
            return model;
        }
        model.map(&mut Freezer { params: self, index: 0 })
    }
}

struct Freezer<'a> {
    params: &'a Params,
    index: usize,
}

impl ModuleMapper for Freezer<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let info = &self.params.0[self.index];
        self.index += 1;
        if info.is_statistic { param } else { param.set_require_grad(info.trained) }
    }
}

/// What is read of one tensor: its path, its shape, and the tensor.
fn visit<M: Module>(module: &M, see: impl FnMut(&str, Vec<usize>, &dyn Fn() -> Result<Vec<f32>>)) {
    module.visit(&mut Visitor { path: Vec::new(), see });
}

struct Visitor<F> {
    path: Vec<String>,
    see: F,
}

impl<F: FnMut(&str, Vec<usize>, &dyn Fn() -> Result<Vec<f32>>)> ModuleVisitor for Visitor<F> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let shape = param.lazy_shape().dims::<D>().to_vec();
        (self.see)(&self.path.join("."), shape, &|| values(param.val()));
    }
}

/// Every tensor of `model` as a file has it, in the order of its fields.
///
/// # Errors
/// If a device fails to hand them over.
pub fn tensors<M: Model>(model: &M) -> Result<Vec<io::Tensor>> {
    let mut all = Ok(Vec::new());
    visit(model, |path, shape, read| {
        let Ok(tensors) = &mut all else { return };
        let (name, transposed) = model.stored_name(path);
        match read() {
            Ok(values) => {
                let tensor = io::Tensor { name, shape, values };
                tensors.push(if transposed { tensor.transposed() } else { tensor });
            }
            Err(error) => {
                let message = format!("cannot read the weights `{name}`");
                all = Err(Error { message, ..error });
            }
        }
    });
    all
}

/// `model` with the weights of a file: every one of its tensors must be there, with its shape.
///
/// # Errors
/// If one is missing, of another shape or not finite.
pub fn load<M: Model>(model: M, tensors: &[io::Tensor]) -> Result<M> {
    let names = model.clone();
    let found = tensors.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    let mut loader = Loader { path: Vec::new(), names: &names, found, error: None };
    let model = model.map(&mut loader);
    loader.error.map_or(Ok(model), Err)
}

struct Loader<'a, M> {
    path: Vec<String>,
    names: &'a M,
    found: HashMap<&'a str, &'a io::Tensor>,
    error: Option<Error>,
}

impl<M: Model> Loader<'_, M> {
    /// The values for the tensor at the current path, which has this shape.
    fn find(&mut self, shape: &[usize]) -> Result<Vec<f32>> {
        let (name, transposed) = self.names.stored_name(&self.path.join("."));
        let tensor = self.found.remove(name.as_str());
        let tensor =
            tensor.ok_or_else(|| Error::input(format!("the weights `{name}` are missing")))?;
        let tensor = if transposed { tensor.clone().transposed() } else { tensor.clone() };
        if tensor.shape != shape {
            let found = tensor.shape;
            return Err(Error::input(format!("the weights `{name}` are {found:?}, not {shape:?}")));
        }
        if tensor.values.iter().any(|value| !value.is_finite()) {
            let message = format!("the weights `{name}` hold a number that is not finite");
            return Err(Error::input(message));
        }
        Ok(tensor.values)
    }
}

impl<M: Model> ModuleMapper for Loader<'_, M> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.error.is_some() {
            return param;
        }
        let shape = param.lazy_shape().dims::<D>();
        match self.find(&shape) {
            Ok(values) => param.map(|old| {
                let device = old.device();
                let new = Tensor::from_data(
                    TensorData::new(values, shape),
                    &device.clone().without_autodiff(),
                );
                let new = if device.is_autodiff() { Tensor::from_inner(new) } else { new };
                new.set_require_grad(old.is_require_grad())
            }),
            Err(error) => {
                self.error = Some(error);
                param
            }
        }
    }
}
