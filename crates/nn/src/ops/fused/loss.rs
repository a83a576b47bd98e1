//! Softmax cross entropy whose gradient is made together with the loss.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use tinderbox_kernels::Isa;
use tinderbox_kernels::loss as kernel;

use super::tensor::{contiguous, in_order};

/// `-sum(targets * log_softmax(scores))` over `[N, classes]`; no gradient goes to the targets.
/// The table must have the operation for both.
pub fn cross_entropy(scores: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let (scores, targets) = (scores.into_dispatch(), targets.into_dispatch());
    Tensor::from_dispatch(<Dispatch as LossOp>::loss(scores, targets))
}

/// The loss as an operation of a backend.
#[backend_extension(Flex, Autodiff)]
trait LossOp: Backend {
    fn loss(scores: FloatTensor<Self>, targets: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl LossOp for Flex {
    fn loss(scores: FlexTensor, targets: FlexTensor) -> FlexTensor {
        loss_and_gradient(&scores, &targets).0
    }
}

impl<C: CheckpointStrategy> LossOp for Autodiff<Flex, C> {
    fn loss(scores: FloatTensor<Self>, targets: FloatTensor<Self>) -> FloatTensor<Self> {
        let node = scores.node();
        let (loss, gradient) =
            loss_and_gradient(&scores.into_primitive(), &targets.into_primitive());
        match Scaled.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(gradient, loss),
            OpsKind::UnTracked(prepared) => prepared.finish(loss),
        }
    }
}

/// The gradient of the scores waits for that of the loss, a scalar.
#[derive(Debug)]
struct Scaled;

impl Backward<Flex, 1> for Scaled {
    type State = FlexTensor;

    fn backward(self, ops: Ops<FlexTensor, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let by = gradients.consume::<Flex>(&ops.node);
        let by = in_order(&by).storage::<f32>().first().copied().unwrap_or(1.0);
        let [parent] = ops.parents;
        let Some(parent) = parent else { return };
        let mut gradient = ops.state;
        if by.to_bits() != 1.0f32.to_bits() {
            gradient.storage_mut::<f32>().iter_mut().for_each(|value| *value *= by);
        }
        gradients.register::<Flex>(parent.id, gradient);
    }
}

/// The loss, `[1]`, and the gradient of the scores, `[N, classes]`.
fn loss_and_gradient(scores: &FlexTensor, targets: &FlexTensor) -> (FlexTensor, FlexTensor) {
    let shape = scores.layout().shape().clone();
    let classes = shape.last().copied().unwrap_or(1).max(1);
    let mut gradient = vec![0.0; shape.num_elements()];
    let (scores, targets) = (in_order(scores), in_order(targets));
    let (scores, targets) = (scores.storage(), targets.storage());
    let loss = kernel::cross_entropy(Isa::best(), classes, scores, targets, &mut gradient);
    (contiguous(vec![loss as f32], [1]), contiguous(gradient, shape))
}

#[cfg(test)]
mod tests {
    use burn::tensor::activation::log_softmax;
    use burn::tensor::{Device, Distribution};

    use super::*;

    #[test]
    fn loss_and_gradient_are_those_of_burns_operators() {
        let device = Device::flex().autodiff();
        let random = |scale| Distribution::Normal(0.5, scale);
        for shape in [[1, 1], [7, 10], [33, 37]] {
            let scores = Tensor::<2>::random(shape, random(3.0), &device).require_grad();
            let targets = Tensor::<2>::random(shape, random(0.1), &device);
            let ours = cross_entropy(scores.clone(), targets.clone());
            let burns = (log_softmax(scores.clone(), 1) * targets).sum().neg();
            let gradients = [(ours.clone() * 0.5).backward(), (burns.clone() * 0.5).backward()];
            let [a, b] = [ours, burns].map(|loss| loss.into_scalar::<f32>());
            assert!((a - b).abs() <= 1e-5 * b.abs(), "{shape:?}: {a} and {b}");
            let [a, b] = gradients.map(|gradients| scores.grad(&gradients).unwrap());
            let error = (a - b).abs().max().into_scalar::<f32>();
            assert!(error < 1e-5, "{shape:?}: gradients differ by {error}");
        }
    }
}
