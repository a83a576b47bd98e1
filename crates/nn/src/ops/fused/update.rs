//! Update rules that change a parameter and what is remembered of it in place.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use tinderbox_kernels::Isa;
use tinderbox_kernels::optimizer::{self as kernel, Adam, Sgd};

use super::tensor::{contiguous, formed, in_order};

/// The parameter after a step of Adam along `gradient`, and the running means of the gradient and
/// of its square, flat. Memory that nobody else holds is used again; `step.fresh` is set where there
/// are no means yet. The table must have the operation for all tensors.
#[must_use]
pub fn adam<const D: usize>(
    mut step: Adam,
    param: Tensor<D>,
    gradient: Tensor<D>,
    means: Option<[Tensor<1>; 2]>,
) -> (Tensor<D>, [Tensor<1>; 2]) {
    step.fresh = means.is_none();
    let (mut param, gradient) = (ordered(param), ordered(gradient));
    let gradient = gradient.storage();
    let len = gradient.len();
    let [mut first, mut second] = match means {
        Some(means) => means.map(ordered),
        None => [zeros(len), zeros(len)],
    };
    let remembered = [first.storage_mut(), second.storage_mut()];
    kernel::adam(Isa::best(), &step, param.storage_mut(), gradient, remembered);
    (wrap(param), [wrap(first), wrap(second)])
}

/// The parameter after a step of gradient descent along `gradient`, and its velocity, flat. Memory
/// that nobody else holds is used again; `step.fresh` is set where there is no velocity yet.
/// The table must have the operation for all tensors.
#[must_use]
pub fn sgd<const D: usize>(
    mut step: Sgd,
    param: Tensor<D>,
    gradient: Tensor<D>,
    velocity: Option<Tensor<1>>,
) -> (Tensor<D>, Tensor<1>) {
    step.fresh = velocity.is_none();
    let (mut param, gradient) = (ordered(param), ordered(gradient));
    let gradient = gradient.storage();
    let mut velocity = velocity.map_or_else(|| zeros(gradient.len()), ordered);
    kernel::sgd(Isa::best(), &step, param.storage_mut(), gradient, velocity.storage_mut());
    (wrap(param), wrap(velocity))
}

/// The sum of the squares of all elements; The table must have the operation for `x`.
#[must_use]
pub fn sum_of_squares<const D: usize>(x: Tensor<D>) -> f64 {
    kernel::sum_of_squares(Isa::best(), ordered(x).storage())
}

/// The tensor as the CPU's backend holds it, its elements in order.
fn ordered<const D: usize>(x: Tensor<D>) -> FlexTensor {
    let Ok(x) = x.try_into_primitive::<Flex>() else {
        unreachable!("`computes` says that the tensor lies on the CPU")
    };
    formed(x, in_order)
}

fn wrap<const D: usize>(x: FlexTensor) -> Tensor<D> {
    Tensor::from_primitive::<Flex>(x)
}

fn zeros(len: usize) -> FlexTensor {
    contiguous(vec![0.0; len], [len])
}
