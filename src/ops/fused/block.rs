//! The fused block as an operation of burn: one node of the graph for a whole block.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, AutodiffBackend, Backend, Dispatch, ExtensionType, Flex, backend_extension,
};
use burn::tensor::{DispatchTensor, Tensor};

use super::again;
use super::backward::{Wanted, backward};
use super::forward::{BlockSpec, Keep, NormSpec, Outcome, Saved, forward};
use super::layer::LayerSpec;
use crate::ops::block::{Activation, Layer, Tail, update_statistics};

/// The tensors of a block. What a block does not have is an empty tensor.
#[derive(Clone, Debug, ExtensionType)]
pub struct BlockInputs<B: Backend> {
    /// `[N, C, H, W]`.
    pub x: FloatTensor<B>,
    /// `[Co, Ci / groups, Kh, Kw]`, or `[inputs, outputs]` of a dense layer.
    pub weight: FloatTensor<B>,
    /// `[Co]`, as all that follow but one.
    pub bias: FloatTensor<B>,
    /// The norm's factor.
    pub gamma: FloatTensor<B>,
    /// The norm's summand.
    pub beta: FloatTensor<B>,
    /// What is added before the activation, of the layer's output shape.
    pub add: FloatTensor<B>,
    /// The running mean, where the norm does not use the batch's.
    pub mean: FloatTensor<B>,
    /// The running variance, likewise.
    pub variance: FloatTensor<B>,
}

/// The extension: a block, and the mean and the unbiased variance that its norm took from the batch
/// (empty otherwise).
#[backend_extension(Flex, Autodiff)]
pub trait BlockOps: Backend {
    /// Computes a block.
    fn fused_block(
        #[extension_type] inputs: BlockInputs<Self>,
        spec: BlockSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

impl BlockOps for Flex {
    fn fused_block(
        inputs: BlockInputs<Self>,
        spec: BlockSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let Outcome { y, mean, variance, saved: _ } = forward(inputs, &spec, Keep::Nothing);
        (y, mean, variance)
    }
}

impl<C: CheckpointStrategy> BlockOps for Autodiff<Flex, C> {
    fn fused_block(
        inputs: BlockInputs<Self>,
        spec: BlockSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let BlockInputs { x, weight, bias, gamma, beta, add, mean, variance } = inputs;
        let known = again::find(x.id());
        let nodes = [x.node(), weight.node(), bias.node(), gamma.node(), beta.node(), add.node()];
        let inputs = BlockInputs {
            x: x.into_primitive(),
            weight: weight.into_primitive(),
            bias: bias.into_primitive(),
            gamma: gamma.into_primitive(),
            beta: beta.into_primitive(),
            add: add.into_primitive(),
            mean: mean.into_primitive(),
            variance: variance.into_primitive(),
        };
        let prepared = BlockBackward.prepare::<C>(nodes).compute_bound().stateful();
        let (y, mean, variance) = match prepared {
            OpsKind::Tracked(prepared) => {
                let keep = Keep::Needed(known);
                let Outcome { y, mean, variance, saved } = forward(inputs, &spec, keep);
                let normalised = saved.as_ref().and_then(Saved::gives).cloned();
                let y = prepared.finish(saved, y);
                if let Some(normalised) = normalised {
                    again::note(y.id(), &normalised);
                }
                (y, mean, variance)
            }
            OpsKind::UnTracked(prepared) => {
                let Outcome { y, mean, variance, saved: _ } = forward(inputs, &spec, Keep::Nothing);
                (prepared.finish(y), mean, variance)
            }
        };
        let constant = <Self as AutodiffBackend>::from_inner;
        (y, constant(mean), constant(variance))
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
pub(in crate::ops) fn block(layer: Layer<'_>, x: Tensor<4>, tail: Tail<'_>) -> Tensor<4> {
    let device = x.device();
    let none = Tensor::<1>::empty([0], &device).into_dispatch();
    let or_none = |tensor: Option<DispatchTensor>| tensor.unwrap_or_else(|| none.clone());
    let here = |tensor: Tensor<1>| tensor.to_device(&device).into_dispatch();
    let [_, _, h, w] = x.dims();
    let (weight, bias) = match layer {
        Layer::Conv(conv) => (conv.weight.val().into_dispatch(), &conv.bias),
        Layer::Linear(linear) => (linear.weight.val().into_dispatch(), &linear.bias),
    };
    let statistics = tail.norm.filter(|_| !tail.training);
    let inputs = BlockInputs {
        x: x.into_dispatch(),
        weight,
        bias: or_none(bias.as_ref().map(|bias| bias.val().into_dispatch())),
        gamma: or_none(tail.norm.map(|norm| norm.gamma.val().into_dispatch())),
        beta: or_none(tail.norm.map(|norm| norm.beta.val().into_dispatch())),
        add: or_none(tail.add.map(Tensor::into_dispatch)),
        mean: or_none(statistics.map(|norm| here(norm.running_mean.value_sync()))),
        variance: or_none(statistics.map(|norm| here(norm.running_var.value_sync()))),
    };
    let spec = BlockSpec {
        layer: LayerSpec::new(layer, [h, w]),
        norm: tail.norm.map(|norm| NormSpec { epsilon: norm.epsilon, training: tail.training }),
        activation: match tail.activation {
            Some(Activation::Relu) => tinderbox_kernels::conv::Activation::Relu,
            Some(Activation::Relu6) => tinderbox_kernels::conv::Activation::Relu6,
            None => tinderbox_kernels::conv::Activation::None,
        },
        pool: tail.pool,
        prepared: tail.prepared.cloned(),
    };
    let (y, mean, variance) = <Dispatch as BlockOps>::fused_block(inputs, spec);
    let y = Tensor::<4>::from_dispatch(y);
    if let Some(norm) = tail.norm.filter(|_| tail.training) {
        update_statistics(norm, Tensor::from_dispatch(mean), Tensor::from_dispatch(variance));
    }
    y
}
