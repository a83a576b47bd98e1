//! The fused block as an operation of burn: one node of the graph for a whole block.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Backend, Dispatch, Flex, backend_extension};
use burn::module::Param;
use burn::tensor::Tensor;

use super::backward::{Wanted, backward};
use super::forward::{BlockSpec, Keep, Outcome, Saved, forward};
use super::inputs::{BlockInputs, Norm};
use super::layer::LayerSpec;
use super::tensor::contiguous;
use crate::forward_context::ForwardContext;
use crate::ops::parts::{Activation, Layer, Tail, update_statistics};

/// The extension: a block, and the mean and the unbiased variance where its norm took them from the
/// batch.
#[backend_extension(Flex, Autodiff)]
pub trait BlockOps: Backend {
    /// Computes a block.
    fn fused_block(
        #[extension_type] inputs: BlockInputs<Self>,
        spec: BlockSpec,
    ) -> (FloatTensor<Self>, Option<FloatTensor<Self>>, Option<FloatTensor<Self>>);
}

impl BlockOps for Flex {
    fn fused_block(
        inputs: BlockInputs<Self>,
        spec: BlockSpec,
    ) -> (FloatTensor<Self>, Option<FloatTensor<Self>>, Option<FloatTensor<Self>>) {
        let Outcome { y, mean, variance, saved: _ } = forward(inputs, &spec, Keep::Nothing);
        (y, mean, variance)
    }
}

impl<C: CheckpointStrategy> BlockOps for Autodiff<Flex, C> {
    fn fused_block(
        inputs: BlockInputs<Self>,
        spec: BlockSpec,
    ) -> (FloatTensor<Self>, Option<FloatTensor<Self>>, Option<FloatTensor<Self>>) {
        let found = spec.known.find(inputs.x.id());
        let constant = <Self as AutodiffBackend>::from_inner;
        let none = constant(contiguous(Vec::new(), [0]));
        let nodes = inputs.learned().map(|tensor| tensor.unwrap_or(&none).node());
        let inputs = inputs.map(FloatTensor::<Self>::into_primitive);
        let prepared = BlockBackward.prepare::<C>(nodes).compute_bound().stateful();
        let (y, mean, variance) = match prepared {
            OpsKind::Tracked(prepared) => {
                let keep = Keep::Needed(found);
                let Outcome { y, mean, variance, saved } = forward(inputs, &spec, keep);
                let normalised = saved.as_ref().and_then(Saved::gives).cloned();
                let y = prepared.finish(saved, y);
                if let Some(normalised) = normalised {
                    spec.known.note(y.id(), &normalised);
                }
                (y, mean, variance)
            }
            OpsKind::UnTracked(prepared) => {
                let Outcome { y, mean, variance, saved: _ } = forward(inputs, &spec, Keep::Nothing);
                (prepared.finish(y), mean, variance)
            }
        };
        (y, mean.map(constant), variance.map(constant))
    }
}

#[derive(Debug)]
struct BlockBackward;

impl Backward<Flex, 6> for BlockBackward {
    type State = Option<Saved>;

    fn backward(self, ops: Ops<Self::State, 6>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node);
        let [x, weight, bias, gamma, beta, add] = ops.parents.each_ref().map(Option::is_some);
        let wanted = Wanted { x, weight, bias, norm: gamma || beta, add };
        let Some(saved) = ops.state else { return };
        let found = backward(saved, dy, wanted);
        for (parent, gradient) in ops.parents.iter().zip(found) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                grads.register::<Flex>(parent.id, gradient);
            }
        }
    }
}

/// Computes a block with the kernels.
pub(in crate::ops) fn block(
    layer: Layer<'_>,
    x: Tensor<4>,
    tail: Tail<'_>,
    context: &ForwardContext,
) -> Tensor<4> {
    let has_graph = x.device().is_autodiff();
    // A constant block leaves the graph: it runs the form of inference and costs no gradient.
    let leaves = has_graph && tail.constant;
    let x = if leaves { x.inner() } else { x };
    let device = x.device();
    let here = |tensor: Tensor<1>| tensor.to_device(&device).into_dispatch();
    let value = |parameter: &Param<Tensor<1>>| enter(parameter.val(), leaves).into_dispatch();
    let [_, _, h, w] = x.dims();
    let (weight, bias) = match layer {
        Layer::Conv(conv) => (enter(conv.weight.val(), leaves).into_dispatch(), &conv.bias),
        Layer::Linear(linear) => (enter(linear.weight.val(), leaves).into_dispatch(), &linear.bias),
    };
    let inputs = BlockInputs {
        x: x.into_dispatch(),
        weight,
        bias: bias.as_ref().map(value).into(),
        norm: match tail.norm {
            None => Norm::Absent,
            Some(norm) if tail.uses_batch(context) => {
                Norm::Batch { gamma: value(&norm.gamma), beta: value(&norm.beta) }
            }
            Some(norm) => Norm::Running {
                gamma: value(&norm.gamma),
                beta: value(&norm.beta),
                mean: here(norm.running_mean.value_sync()),
                variance: here(norm.running_var.value_sync()),
            },
        },
        add: tail.add.map(|add| enter(add, leaves).into_dispatch()).into(),
    };
    let spec = BlockSpec {
        layer: LayerSpec::new(layer, [h, w]),
        epsilon: tail.norm.map_or(0.0, |norm| norm.epsilon),
        activation: match tail.activation {
            Some(Activation::Relu) => tinderbox_kernels::conv::Activation::Relu,
            Some(Activation::Relu6) => tinderbox_kernels::conv::Activation::Relu6,
            None => tinderbox_kernels::conv::Activation::None,
        },
        pool: tail.pool,
        prepared: tail.prepared.cloned(),
        options: context.kernels.options(),
        known: context.known.clone(),
    };
    let (y, mean, variance) = <Dispatch as BlockOps>::fused_block(inputs, spec);
    let y = Tensor::<4>::from_dispatch(y);
    if let (Some(norm), Some(mean), Some(variance)) = (tail.norm, mean, variance) {
        update_statistics(norm, Tensor::from_dispatch(mean), Tensor::from_dispatch(variance));
    }
    if leaves { Tensor::from_inner(y) } else { y }
}

/// A tensor as a block takes it: without autodiff where the block `leaves` the graph.
fn enter<const D: usize>(tensor: Tensor<D>, leaves: bool) -> Tensor<D> {
    if leaves && tensor.device().is_autodiff() { tensor.inner() } else { tensor }
}
