//! The loss.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};

use crate::ops::fused;

/// How labels become targets.
#[derive(Clone, Debug)]
pub struct Targets {
    /// The share of a label that is spread over all classes.
    pub smoothing: f64,
    /// How much a sample of each class counts.
    pub class_weights: Vec<f32>,
}

impl Targets {
    /// The weight of each class in each sample's loss, `[N, classes]`: smoothed, times the class's
    /// weight, and all together 1.
    #[must_use]
    pub fn tensor(&self, labels: &[u32], device: &Device) -> Tensor<2> {
        let classes = self.class_weights.len();
        let total: f64 = labels.iter().map(|&l| f64::from(self.class_weights[l as usize])).sum();
        let mut values = vec![0.0f32; labels.len() * classes];
        for (row, &label) in values.chunks_exact_mut(classes).zip(labels) {
            let weight =
                f64::from(self.class_weights[label as usize]) / total.max(f64::MIN_POSITIVE);
            row.fill((weight * self.smoothing / classes as f64) as f32);
            row[label as usize] =
                (weight * (1.0 - self.smoothing + self.smoothing / classes as f64)) as f32;
        }
        Tensor::from_data(TensorData::new(values, [labels.len(), classes]), device)
    }
}

/// Softmax cross entropy of `scores`, `[N, classes]`, with soft targets of the same shape whose sum
/// is 1: the mean over the batch, in nats. The targets are given numbers: they have no gradient.
#[must_use]
pub fn cross_entropy(scores: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    if fused::computes(&scores) && fused::computes(&targets) {
        return fused::cross_entropy(scores, targets);
    }
    (log_softmax(scores, 1) * targets).sum().neg()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(smoothing: f64, class_weights: [f32; 3]) -> f32 {
        let device = Device::flex();
        let scores = Tensor::<2>::from_data([[1.0, 2.0, 3.0], [0.5, -1.0, 0.0]], &device);
        let targets =
            Targets { smoothing, class_weights: class_weights.to_vec() }.tensor(&[2, 1], &device);
        cross_entropy(scores, targets).into_scalar()
    }

    /// PyTorch 2.12: `F.cross_entropy(x, torch.tensor([2, 1]), weight=w)`; for smoothing
    /// `label_smoothing=0.3`, computed by hand from the definition.
    #[test]
    fn the_loss_is_the_known_one() {
        let nll = [0.407_606, 2.104_131];
        assert!((f64::from(loss(0.0, [1.0; 3])) - f64::midpoint(nll[0], nll[1])).abs() < 1e-5);
        let weighted = (3.0 * nll[0] + 2.0 * nll[1]) / 5.0;
        assert!((f64::from(loss(0.0, [1.0, 2.0, 3.0])) - weighted).abs() < 1e-5);
        let mean =
            [(2.407_606 + 1.407_606 + 0.407_606) / 3.0, (0.604_131 + 2.104_131 + 1.104_131) / 3.0];
        let smoothed: f64 = (0..2).map(|i| 0.7 * nll[i] + 0.3 * mean[i]).sum::<f64>() / 2.0;
        assert!((f64::from(loss(0.3, [1.0; 3])) - smoothed).abs() < 1e-5);
    }
}
