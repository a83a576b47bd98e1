//! Dropout by address: no random state, the same elements on every device.

use burn::tensor::{Tensor, TensorData};
use tinderbox_base::draw::{Draw, Purpose};
use tinderbox_kernels::dropout::Mask;

use super::fused;
use super::registry::Operation;
use crate::forward_context::ForwardContext;

impl ForwardContext {
    /// Sets the fraction `rate` of the elements of `x`, `[N, ...]`, to zero and scales the rest by
    /// `1 / (1 - rate)`. The draw of an element is addressed by (seed, step, `layer`, sample,
    /// element). Without effect unless training.
    #[must_use]
    pub fn dropout<const D: usize>(&self, x: Tensor<D>, rate: f64, layer: u16) -> Tensor<D> {
        if !self.training || rate <= 0.0 {
            return x;
        }
        if self.kernels.fuse(Operation::Dropout, &x) {
            return fused::dropout(x, self.address(rate, layer));
        }
        let shape = x.dims();
        let samples = shape[0];
        let elements = shape[1..].iter().product();
        let mask = TensorData::new(self.mask(samples, elements, rate, layer), shape);
        let options = (&x.device().without_autodiff(), x.dtype());
        let mask = Tensor::<D>::from_data(mask, options);
        let mask = if x.device().is_autodiff() { Tensor::from_inner(mask) } else { mask };
        x * mask
    }

    /// The address of the whole mask, for the kernels.
    fn address(&self, rate: f64, layer: u16) -> Mask {
        let first = self.first_sample as u64;
        let draw = Draw::at(self.seed, self.step, first, Purpose::Dropout).layer(layer);
        let (key, [first_sample, step, rest]) = draw.address();
        let address = [step, rest];
        let keep = (1.0 / (1.0 - rate)) as f32;
        let threshold = (rate * 4_294_967_296.0) as u32;
        Mask { key, address, first_sample, threshold, keep }
    }

    /// 0 or `1 / (1 - rate)` for each element of each sample.
    fn mask(&self, samples: usize, elements: usize, rate: f64, layer: u16) -> Vec<f32> {
        let Mask { keep, threshold, .. } = self.address(rate, layer);
        let mut mask = Vec::with_capacity(samples * elements);
        for sample in 0..samples {
            let position = (self.first_sample + sample) as u64;
            let draw = Draw::at(self.seed, self.step, position, Purpose::Dropout).layer(layer);
            for start in (0..elements).step_by(4) {
                let words = draw.block(start as u32 / 4);
                let kept = words.map(|word| if word < threshold { 0.0 } else { keep });
                mask.extend_from_slice(&kept[..(elements - start).min(4)]);
            }
        }
        mask
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::context::Context;

    fn pass(step: usize, first_sample: usize) -> ForwardContext {
        ForwardContext::training(&Context::cpu(), 5, step).part(first_sample)
    }

    #[test]
    fn dropout_drops_the_stated_fraction_and_keeps_the_mean() {
        let mask = pass(0, 0).mask(64, 1001, 0.3, 2);
        let dropped = mask.iter().filter(|&&m| m == 0.0).count() as f64 / mask.len() as f64;
        let mean = mask.iter().sum::<f32>() / mask.len() as f32;
        assert!((dropped - 0.3).abs() < 0.01, "{dropped}");
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
    }

    #[test]
    fn the_kernel_drops_the_elements_of_the_mask() {
        for (layer, shape) in [(0, [3, 5, 3, 3]), (7, [2, 20, 1, 1]), (65_535, [1, 3, 4, 4])] {
            let x = Tensor::<4>::ones(shape, &Device::flex());
            let pass = pass(9, usize::MAX);
            assert!(pass.kernels.fuse(Operation::Dropout, &x));
            let y: Vec<f32> = pass.dropout(x, 0.4, layer).into_data().try_into_vec().unwrap();
            let elements = shape[1..].iter().product();
            let pass = pass.part(u32::MAX as usize);
            assert_eq!(y, pass.mask(shape[0], elements, 0.4, layer));
        }
    }

    #[test]
    fn a_batch_computed_in_two_parts_drops_the_same_elements() {
        let whole = pass(3, 0).mask(6, 10, 0.5, 1);
        let parts = [pass(3, 0).mask(4, 10, 0.5, 1), pass(3, 4).mask(2, 10, 0.5, 1)].concat();
        assert_eq!(whole, parts);
        assert_ne!(whole, pass(4, 0).mask(6, 10, 0.5, 1));
        assert_ne!(whole, pass(3, 0).mask(6, 10, 0.5, 2));
    }
}
