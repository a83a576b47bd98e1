//! The loss.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};

use tinderbox_nn::ops;

/// How labels become targets.
#[derive(Clone, Debug)]
pub struct Targets {
    /// The share of a label that is spread over all classes.
    pub smoothing: f64,
    /// How much a sample of each class counts.
    pub class_weights: Vec<f32>,
}

impl Targets {
    /// The weight of each class in each sample's loss, `[N, classes]`: that of its label, and where
    /// less than the whole of an image is its `own`, for the rest that of the label before it (for
    /// the first the last); smoothed, times the classes' weights, and all together 1.
    #[must_use]
    pub fn tensor(&self, labels: &[u32], own: f32, device: &Device) -> Tensor<2> {
        let classes = self.class_weights.len();
        let weight = |label: u32| f64::from(self.class_weights[label as usize]);
        // Each label is one image's own and the rest of another: the shares add up to 1.
        let total: f64 = labels.iter().map(|&label| weight(label)).sum();
        let scale = 1.0 / total.max(f64::MIN_POSITIVE);
        let mut values = vec![0.0f32; labels.len() * classes];
        let before = labels.iter().cycle().skip(labels.len().saturating_sub(1));
        for ((row, &label), &other) in values.chunks_exact_mut(classes).zip(labels).zip(before) {
            let own = f64::from(own);
            let shares = [(label, own), (other, 1.0 - own)]
                .map(|(label, share)| (label as usize, share * weight(label) * scale));
            let sum: f64 = shares.iter().map(|(_, share)| share).sum();
            row.fill((sum * self.smoothing / classes as f64) as f32);
            for (label, share) in shares {
                row[label] += (share * (1.0 - self.smoothing)) as f32;
            }
        }
        Tensor::from_data(TensorData::new(values, [labels.len(), classes]), device)
    }
}

/// Softmax cross entropy of `scores`, `[N, classes]`, with soft targets of the same shape whose sum
/// is 1: the mean over the batch, in nats. The targets are given numbers: they have no gradient.
#[must_use]
pub fn cross_entropy(scores: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    if ops::computes(&scores) && ops::computes(&targets) {
        return ops::cross_entropy(scores, targets);
    }
    (log_softmax(scores, 1) * targets).sum().neg()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(smoothing: f64, class_weights: [f32; 3], own: f32) -> f32 {
        let device = Device::flex();
        let scores = Tensor::<2>::from_data([[1.0, 2.0, 3.0], [0.5, -1.0, 0.0]], &device);
        let targets = Targets { smoothing, class_weights: class_weights.to_vec() };
        let targets = targets.tensor(&[2, 1], own, &device);
        cross_entropy(scores, targets).into_scalar()
    }

    /// PyTorch 2.12: `F.cross_entropy(x, torch.tensor([2, 1]), weight=w)`; for smoothing
    /// `label_smoothing=0.3`, computed by hand from the definition.
    #[test]
    fn the_loss_is_the_known_one() {
        let nll = [0.407_606, 2.104_131];
        assert!((f64::from(loss(0.0, [1.0; 3], 1.0)) - f64::midpoint(nll[0], nll[1])).abs() < 1e-5);
        let weighted = (3.0 * nll[0] + 2.0 * nll[1]) / 5.0;
        assert!((f64::from(loss(0.0, [1.0, 2.0, 3.0], 1.0)) - weighted).abs() < 1e-5);
        let mean =
            [(2.407_606 + 1.407_606 + 0.407_606) / 3.0, (0.604_131 + 2.104_131 + 1.104_131) / 3.0];
        let smoothed: f64 = (0..2).map(|i| 0.7 * nll[i] + 0.3 * mean[i]).sum::<f64>() / 2.0;
        assert!((f64::from(loss(0.3, [1.0; 3], 1.0)) - smoothed).abs() < 1e-5);
        // Mixed: each image has the labels of both.
        let swapped = [1.407_606, 1.104_131];
        let mixed: f64 = (0..2).map(|i| 0.7 * nll[i] + 0.3 * swapped[i]).sum::<f64>() / 2.0;
        assert!((f64::from(loss(0.0, [1.0; 3], 0.7)) - mixed).abs() < 1e-5);
    }

    #[test]
    fn mixed_targets_are_weighted_by_class_and_add_up_to_one() {
        let targets = Targets { smoothing: 0.1, class_weights: vec![1.0, 2.0, 5.0] };
        let rows = targets.tensor(&[0, 1, 2], 0.75, &Device::flex()).into_data();
        let rows: Vec<f32> = rows.iter::<f32>().collect();
        assert!((rows.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        // The first image is 3/4 of class 0 and 1/4 of class 2, in eighths of the weights' sum.
        let [own, other] = [0.75 * 1.0 / 8.0, 0.25 * 5.0 / 8.0];
        let rest = 0.1 * (own + other) / 3.0;
        let expected = [0.9 * own + rest, rest, 0.9 * other + rest];
        assert!(rows.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{rows:?}");
    }
}
