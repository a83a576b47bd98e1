//! Weights by name, out of any burn module and into it.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

use tinderbox_base::{Error, Result};

/// One tensor of a module: trained, or a running statistic.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// The path of the field in the module, joined by dots.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values, the last dimension running fastest.
    pub values: Vec<f32>,
}

/// Every tensor of `module` in the order of its fields.
///
/// # Errors
/// If a device fails to hand them over.
pub fn weights<M: Module>(module: &M) -> Result<Vec<Weight>> {
    let mut collector = Collector { path: Vec::new(), weights: Ok(Vec::new()) };
    module.visit(&mut collector);
    collector.weights
}

/// `module` with every tensor replaced by what `find` answers for its path and shape.
///
/// # Errors
/// The first error that `find` returns.
pub fn load_weights<M: Module>(
    module: M,
    find: impl FnMut(&str, &[usize]) -> Result<Vec<f32>>,
) -> Result<M> {
    let mut loader = Loader { path: Vec::new(), find, error: None };
    let module = module.map(&mut loader);
    loader.error.map_or(Ok(module), Err)
}

struct Collector {
    path: Vec<String>,
    weights: Result<Vec<Weight>>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Ok(weights) = &mut self.weights else { return };
        let tensor = param.val();
        let shape = tensor.dims().to_vec();
        let values = tensor.try_into_data().ok().and_then(|data| data.try_into_vec::<f32>().ok());
        if let Some(values) = values {
            weights.push(Weight { name: self.path.join("."), shape, values });
        } else {
            let message = format!("cannot read the weights `{}`", self.path.join("."));
            self.weights = Err(Error::failed(message).cause("the device failed"));
        }
    }
}

struct Loader<F> {
    path: Vec<String>,
    find: F,
    error: Option<Error>,
}

impl<F: FnMut(&str, &[usize]) -> Result<Vec<f32>>> ModuleMapper for Loader<F> {
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
        match (self.find)(&self.path.join("."), &shape) {
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
