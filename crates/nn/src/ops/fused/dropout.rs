//! Dropout whose backward pass makes the mask again from its address.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use tinderbox_kernels::dropout::{self as kernel, DropoutShape, Mask, Order};
use tinderbox_kernels::{Isa, buffer};

use super::tensor::{contiguous, dims, from_channels_last, in_order, is_channels_last};

/// `x`, `[N, ...]`, times the mask of that address; The table must have the operation for it.
pub fn dropout<const D: usize>(x: Tensor<D>, mask: Mask) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as DropoutOp>::masked(x.into_dispatch(), mask))
}

/// Dropout as an operation of a backend.
#[backend_extension(Flex, Autodiff)]
trait DropoutOp: Backend {
    fn masked(x: FloatTensor<Self>, mask: Mask) -> FloatTensor<Self>;
}

impl DropoutOp for Flex {
    fn masked(x: FlexTensor, mask: Mask) -> FlexTensor {
        apply(&x, &mask)
    }
}

impl<C: CheckpointStrategy> DropoutOp for Autodiff<Flex, C> {
    fn masked(x: FloatTensor<Self>, mask: Mask) -> FloatTensor<Self> {
        let node = x.node();
        let y = apply(&x.into_primitive(), &mask);
        match MaskAgain.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(mask, y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }
}

#[derive(Debug)]
struct MaskAgain;

impl Backward<Flex, 1> for MaskAgain {
    type State = Mask;

    fn backward(self, ops: Ops<Mask, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<Flex>(&ops.node);
        let [parent] = ops.parents;
        if let Some(parent) = parent {
            gradients.register::<Flex>(parent.id, apply(&dy, &ops.state));
        }
    }
}

/// `x` times its mask, in the layout of `x` where that is contiguous or channels last.
fn apply(x: &FlexTensor, mask: &Mask) -> FlexTensor {
    let shape = x.layout().shape().clone();
    let mut y = buffer::arbitrary(shape.num_elements());
    if is_channels_last(x) {
        let [samples, channels, height, width] = dims(x);
        let pixels = height * width;
        let sizes = DropoutShape { samples, channels, pixels, order: Order::ChannelsLast };
        kernel::dropout(Isa::best(), mask, &sizes, x.storage(), &mut y);
        return from_channels_last(y, [samples, channels, height, width]);
    }
    let samples = shape.first().copied().unwrap_or(0);
    let pixels = y.len().checked_div(samples).unwrap_or(0);
    let sizes = DropoutShape { samples, channels: 1, pixels, order: Order::ChannelsFirst };
    kernel::dropout(Isa::best(), mask, &sizes, in_order(x).storage(), &mut y);
    contiguous(y, shape)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution};

    use super::*;

    const MASK: Mask =
        Mask { key: [1, 2], address: [3, 4], first_sample: 5, threshold: 1 << 30, keep: 1.25 };

    fn data<const D: usize>(x: Tensor<D>) -> Vec<f32> {
        x.into_data().try_into_vec().unwrap()
    }

    /// `x` with the channels of a pixel side by side in memory.
    fn to_channels_last(x: Tensor<4>) -> Tensor<4> {
        let x = x.permute([0, 2, 3, 1]).try_into_primitive::<Flex>().unwrap().to_contiguous();
        Tensor::from_primitive::<Flex>(x).permute([0, 3, 1, 2])
    }

    #[test]
    fn the_layout_in_memory_changes_no_element() {
        for shape in [[3, 5, 4, 7], [2, 33, 3, 3], [2, 16, 1, 1], [1, 1, 5, 5], [0, 3, 2, 2]] {
            let x = Tensor::<4>::random(shape, Distribution::Default, &Device::flex());
            let expected = data(dropout(x.clone(), MASK));
            let last = to_channels_last(x.clone());
            let primitive = last.clone().try_into_primitive::<Flex>().unwrap();
            assert!(primitive.is_contiguous() || is_channels_last(&primitive));
            assert_eq!(data(dropout(last, MASK)), expected, "{shape:?}: channels last");
            let turned = x.clone().swap_dims(2, 3);
            let turned = data(dropout(turned, MASK));
            assert_eq!(turned, data(dropout(x.swap_dims(2, 3) + 0.0, MASK)), "{shape:?}: turned");
        }
    }

    #[test]
    fn the_gradient_loses_what_the_output_lost() {
        let device = Device::flex().autodiff();
        let x = Tensor::<4>::ones([2, 5, 3, 4], &device).require_grad();
        let y = dropout(x.clone() * 1.0, MASK);
        let gradients = (y.clone() * 3.0).sum().backward();
        let expected: Vec<f32> = data(y.inner()).iter().map(|y| y * 3.0).collect();
        assert!(expected.contains(&0.0));
        assert_eq!(data(x.grad(&gradients).unwrap()), expected);
    }
}
