//! What a model says to one image that shows one class.

/// What a model said to one image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// The true class.
    pub truth: u32,
    /// The class with the highest logit; the first of equals.
    pub predicted: u32,
    /// The probability that the model gave its prediction.
    pub confidence: f32,
    /// The cross entropy, in nats.
    pub loss: f64,
    /// How many classes scored higher than the true one, or the same and come before it.
    pub rank: u32,
}

/// The softmax of logits.
#[must_use]
pub fn probabilities(logits: &[f32]) -> Vec<f64> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> =
        logits.iter().map(|&s| (f64::from(s) - f64::from(highest)).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

/// What the probabilities of one image say, which shows the class `truth`.
#[allow(clippy::float_cmp)] // a tie is a tie
pub(super) fn judge(probabilities: &[f64], truth: u32) -> Prediction {
    let probability = probabilities[truth as usize];
    let mut predicted = 0;
    for (class, &p) in probabilities.iter().enumerate() {
        if p > probabilities[predicted] {
            predicted = class;
        }
    }
    let loss = -probability.max(f64::MIN_POSITIVE).ln();
    let above = probabilities
        .iter()
        .enumerate()
        .filter(|&(class, &p)| p > probability || (p == probability && class < truth as usize));
    Prediction {
        truth,
        predicted: predicted as u32,
        confidence: probabilities[predicted] as f32,
        loss: if probability.is_nan() { f64::NAN } else { loss },
        rank: above.count() as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prediction_knows_class_rank_and_loss() {
        let prediction = judge(&probabilities(&[1.0, 3.0, 2.0]), 2);
        assert_eq!((prediction.predicted, prediction.rank), (1, 1));
        let expected = -(2f64.exp() / (1f64.exp() + 2f64.exp() + 3f64.exp())).ln();
        assert!((prediction.loss - expected).abs() < 1e-12);
    }

    #[test]
    fn huge_scores_do_not_overflow() {
        assert!(probabilities(&[1e30, -1e30])[0] > 1.0 - 1e-12);
        assert!(judge(&probabilities(&[1e30, -1e30]), 1).loss.is_finite());
    }
}
