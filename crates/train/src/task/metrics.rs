//! Metrics: pure functions of predictions.

use serde::{Deserialize, Serialize};

use super::prediction::Prediction;

/// Figures of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassScores {
    /// Its name.
    pub class: String,
    /// Of the images said to be of the class, the share that is.
    pub precision: f64,
    /// Of the images of the class, the share that was said to be.
    pub recall: f64,
    /// The harmonic mean of both.
    pub f1: f64,
    /// How many images of the class there are.
    pub support: usize,
}

/// Figures of a whole split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scores {
    /// How many images there are.
    pub images: usize,
    /// Mean cross entropy in nats.
    pub loss: f64,
    /// The share of images whose class was said first.
    pub top1: f64,
    /// Lower and upper end of the 95% interval of `top1` (Wilson).
    pub top1_interval: [f64; 2],
    /// The share of images whose class was among the first five; the same as 1 for up to 5 classes.
    pub top5: f64,
    /// The mean of the classes' F1, over classes that have images.
    pub macro_f1: f64,
    /// Expected calibration error over 15 bins of equal width (Guo et al., 2017).
    pub calibration_error: f64,
    /// Each class in the order of the labels.
    pub classes: Vec<ClassScores>,
}

/// The figures of `predictions`.
#[must_use]
pub fn scores(predictions: &[Prediction], classes: &[String]) -> Scores {
    let images = predictions.len();
    let share = |count: usize| ratio(count, images);
    let right = predictions.iter().filter(|a| a.rank == 0 && a.predicted == a.truth).count();
    let matrix = confusion(predictions, classes.len());
    let classes: Vec<ClassScores> =
        classes.iter().enumerate().map(|(i, name)| class_scores(i, name, &matrix)).collect();
    let supported: Vec<f64> = classes.iter().filter(|c| c.support > 0).map(|c| c.f1).collect();
    Scores {
        images,
        loss: predictions.iter().map(|a| a.loss).sum::<f64>() / (images as f64).max(1.0),
        top1: share(right),
        top1_interval: wilson(right, images),
        top5: share(predictions.iter().filter(|a| a.rank < 5).count()),
        macro_f1: supported.iter().sum::<f64>() / (supported.len() as f64).max(1.0),
        calibration_error: calibration_error(predictions),
        classes,
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn class_scores(class: usize, name: &str, matrix: &[Vec<u64>]) -> ClassScores {
    let hits = matrix[class][class] as usize;
    let support = matrix[class].iter().sum::<u64>() as usize;
    let said = matrix.iter().map(|row| row[class]).sum::<u64>() as usize;
    ClassScores {
        class: name.to_owned(),
        precision: ratio(hits, said),
        recall: ratio(hits, support),
        f1: ratio(2 * hits, support + said),
        support,
    }
}

/// How often class `[true][said]`.
#[must_use]
pub fn confusion(predictions: &[Prediction], classes: usize) -> Vec<Vec<u64>> {
    let mut matrix = vec![vec![0; classes]; classes];
    for prediction in predictions {
        matrix[prediction.truth as usize][prediction.predicted as usize] += 1;
    }
    matrix
}

/// The 95% interval of a share (Wilson, 1927).
#[must_use]
pub fn wilson(hits: usize, of: usize) -> [f64; 2] {
    if of == 0 {
        return [0.0, 1.0];
    }
    let (n, p, z) = (of as f64, ratio(hits, of), 1.959_963_984_540_054);
    let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let reach = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    [(middle - reach).max(0.0), (middle + reach).min(1.0)]
}

fn calibration_error(predictions: &[Prediction]) -> f64 {
    const BINS: usize = 15;
    let mut bins = [(0.0, 0usize); BINS];
    for prediction in predictions {
        // Bins are open at their lower end: confidence 1 is in the last.
        let bin =
            ((f64::from(prediction.confidence) * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        let hit = f64::from(u8::from(prediction.predicted == prediction.truth));
        bins[bin].0 += hit - f64::from(prediction.confidence);
        bins[bin].1 += 1;
    }
    let gap: f64 = bins.iter().map(|(gap, _)| gap.abs()).sum();
    gap / (predictions.len() as f64).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn predictions() -> Vec<Prediction> {
        // labels 0 0 0 1 1 2, guesses 0 0 1 1 2 2
        [(0, 0), (0, 0), (0, 1), (1, 1), (1, 2), (2, 2)]
            .map(|(label, guess)| Prediction {
                truth: label,
                predicted: guess,
                confidence: 0.8,
                loss: 0.5,
                rank: u32::from(label != guess),
            })
            .to_vec()
    }

    /// scikit-learn 1.9: `precision_recall_fscore_support` of the same labels.
    #[test]
    fn figures_are_those_of_scikit_learn() {
        let scores = scores(&predictions(), &["a", "b", "c"].map(str::to_owned));
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
        close(scores.top1, 4.0 / 6.0);
        close(scores.classes[0].precision, 1.0);
        close(scores.classes[0].recall, 2.0 / 3.0);
        close(scores.classes[1].f1, 0.5);
        close(scores.macro_f1, (0.8 + 0.5 + 2.0 / 3.0) / 3.0);
        close(scores.calibration_error, f64::from(0.8f32) - 4.0 / 6.0);
        close(scores.top5, 1.0);
        close(scores.loss, 0.5);
    }

    /// scipy 1.17: `binomtest(85, 100).proportion_ci(method="wilson")`
    #[test]
    fn the_wilson_interval_is_the_known_one() {
        let [low, high] = wilson(85, 100);
        assert!(
            (low - 0.767_164_404).abs() < 1e-8 && (high - 0.906_940_147).abs() < 1e-8,
            "{low} {high}"
        );
        assert!(wilson(0, 0)[0] < 1e-12 && wilson(0, 0)[1] > 1.0 - 1e-12);
        assert!(wilson(0, 10)[0] < 1e-12);
    }

    #[test]
    fn no_predictions_give_no_nan() {
        let scores = scores(&[], &["a".to_owned()]);
        assert!(
            scores.top1.abs() < 1e-12 && scores.macro_f1.abs() < 1e-12 && scores.loss.abs() < 1e-12
        );
    }
}
