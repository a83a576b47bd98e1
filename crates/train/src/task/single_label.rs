//! One class an image: softmax cross entropy, top-1.

use burn::tensor::{Device, Tensor, TensorData};
use tinderbox_data::{Label, Labels};
use tinderbox_nn::{Kernels, ops};

use super::metrics::{Scores, scores};
use super::prediction::{Prediction, judge, probabilities};
use super::{Task, Verdict};

/// Each image shows one of several classes.
#[derive(Clone, Debug)]
pub struct SingleLabel {
    /// The names of the classes.
    pub classes: Vec<String>,
    /// The share of a label that is spread over all classes.
    pub smoothing: f64,
    /// How much a sample of each class counts in the loss.
    pub class_weights: Vec<f32>,
}

impl SingleLabel {
    /// Every class counts the same, and labels are taken as they are.
    #[must_use]
    pub fn new(classes: &[String]) -> Self {
        let class_weights = vec![1.0; classes.len()];
        Self { classes: classes.to_vec(), smoothing: 0.0, class_weights }
    }

    /// The weight of each class in each sample's loss, `[N, classes]`: that of its label, and where less
    /// than the whole of an image is the image itself, for the rest that of the label before it; smoothed,
    /// times the classes' weights, and all together 1.
    fn weights(&self, labels: &[u32], mixing: f32) -> Vec<f32> {
        let classes = self.class_weights.len();
        let weight = |label: u32| f64::from(self.class_weights[label as usize]);
        // Each label is the share of one image and the rest of another: the shares add up to 1.
        let total: f64 = labels.iter().map(|&label| weight(label)).sum();
        let scale = 1.0 / total.max(f64::MIN_POSITIVE);
        let mut values = vec![0.0f32; labels.len() * classes];
        let before = labels.iter().cycle().skip(labels.len().saturating_sub(1));
        for ((row, &label), &other) in values.chunks_exact_mut(classes).zip(labels).zip(before) {
            let mixing = f64::from(mixing);
            let shares = [(label, mixing), (other, 1.0 - mixing)]
                .map(|(label, share)| (label as usize, share * weight(label) * scale));
            let sum: f64 = shares.iter().map(|(_, share)| share).sum();
            row.fill((sum * self.smoothing / classes as f64) as f32);
            for (label, share) in shares {
                row[label] += (share * (1.0 - self.smoothing)) as f32;
            }
        }
        values
    }
}

/// The class of an image that shows one.
fn class(label: &Label) -> u32 {
    label.classes().first().copied().unwrap_or(0)
}

impl Task for SingleLabel {
    type Prediction = Prediction;
    type Scores = Scores;

    fn outputs(&self) -> usize {
        self.class_weights.len()
    }

    fn targets(&self, labels: &Labels, mixing: f32, device: &Device) -> Tensor<2> {
        let labels: Vec<u32> = labels.iter().map(class).collect();
        let values = self.weights(&labels, mixing);
        Tensor::from_data(TensorData::new(values, [labels.len(), self.outputs()]), device)
    }

    fn loss(&self, logits: Tensor<2>, targets: Tensor<2>, kernels: Kernels) -> Tensor<1> {
        ops::cross_entropy(logits, targets, kernels)
    }

    fn prediction(&self, logits: &[f32], label: &Label) -> Prediction {
        judge(&probabilities(logits), class(label))
    }

    fn scores(&self, predictions: &[Prediction]) -> Scores {
        scores(predictions, &self.classes)
    }

    fn verdict(&self, scores: &Scores) -> Verdict {
        Verdict { name: "top1", score: scores.top1, loss: scores.loss }
    }

    fn guessing_loss(&self) -> f64 {
        (self.class_weights.len() as f64).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(smoothing: f64, class_weights: &[f32]) -> SingleLabel {
        let classes = ["a", "b", "c"].map(str::to_owned).to_vec();
        SingleLabel { classes, smoothing, class_weights: class_weights.to_vec() }
    }

    fn loss(smoothing: f64, class_weights: [f32; 3], mixing: f32) -> f32 {
        let device = Device::flex();
        let scores = Tensor::<2>::from_data([[1.0, 2.0, 3.0], [0.5, -1.0, 0.0]], &device);
        let task = task(smoothing, &class_weights);
        let targets = task.targets(&Labels::one_each([2, 1]), mixing, &device);
        task.loss(scores, targets, Kernels::On).into_scalar()
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
        let task = task(0.1, &[1.0, 2.0, 5.0]);
        let labels = Labels::one_each([0, 1, 2]);
        let rows = task.targets(&labels, 0.75, &Device::flex()).into_data();
        let rows: Vec<f32> = rows.iter::<f32>().collect();
        assert!((rows.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        // The first image is 3/4 of class 0 and 1/4 of class 2, in eighths of the weights' sum.
        let [own, other] = [0.75 * 1.0 / 8.0, 0.25 * 5.0 / 8.0];
        let rest = 0.1 * (own + other) / 3.0;
        let expected = [0.9 * own + rest, rest, 0.9 * other + rest];
        assert!(rows.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{rows:?}");
    }
}
