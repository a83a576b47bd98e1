//! What a model answers to images.

use burn::tensor::{Device, Tensor, TensorData};

use tinderbox_base::{Error, Result};
use tinderbox_data::{BadSample, Loader, Work};
use tinderbox_nn::images_at_once;
use tinderbox_nn::{Classifier, Pass};

/// What a model said to one image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// The true class.
    pub label: u32,
    /// The class with the highest score; the first of equals.
    pub guess: u32,
    /// The probability that the model gave its guess.
    pub confidence: f32,
    /// The cross entropy, in nats.
    pub loss: f64,
    /// How many classes scored higher than the true one, or the same and come before it.
    pub rank: u32,
}

/// The probabilities, `[N, classes]` row by row, that `model` gives to normalised images,
/// `[N, C, H, W]` with `input` = `[C, H, W]`.
///
/// # Errors
/// If the device fails.
pub fn answer<M: Classifier>(
    model: &M,
    images: Vec<f32>,
    input: [usize; 3],
    device: &Device,
) -> Result<Vec<Vec<f64>>> {
    let [c, h, w] = input;
    let n = images.len() / (c * h * w);
    let images = Tensor::<4>::from_data(TensorData::new(images, [n, c, h, w]), device);
    let mut answers = Vec::with_capacity(n);
    let slices = n.div_ceil(images_at_once(device)).max(1);
    let most = n.div_ceil(slices).max(1);
    for start in (0..n).step_by(most) {
        let some = images.clone().narrow(0, start, most.min(n - start));
        let scores = model.forward(some, &Pass::inference());
        let classes = scores.dims()[1];
        let failed = |cause: String| Error::failed("the device failed to answer").cause(cause);
        let data = scores.try_into_data().map_err(|cause| failed(format!("{cause:?}")))?;
        let scores = data.try_into_vec::<f32>().map_err(|cause| failed(format!("{cause:?}")))?;
        answers.extend(scores.chunks_exact(classes).map(softmax));
    }
    Ok(answers)
}

fn softmax(scores: &[f32]) -> Vec<f64> {
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> =
        scores.iter().map(|&s| (f64::from(s) - f64::from(highest)).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

/// The answers of `model` (without autodiff) to every sample of `work`, in its order, and the
/// samples that had to be replaced. `goes_on` is asked before each batch, and while one is waited for
/// every second with the seconds so far; none where it says no.
///
/// # Errors
/// If a class has no image that decodes, or the device fails.
pub fn answer_split<M: Classifier>(
    model: &M,
    work: &Work,
    threads: usize,
    device: &Device,
    mut goes_on: impl FnMut(u64) -> bool,
) -> Result<Option<(Vec<Answer>, Vec<BadSample>)>> {
    let mut answers = Vec::with_capacity(work.order.samples);
    let mut bad = Vec::new();
    let steps = work.order.steps_per_epoch();
    let mut loader = Loader::start(work, 0, steps, threads)?;
    for _ in 0..steps {
        let batch = if goes_on(0) { loader.wait(&mut goes_on) } else { None };
        let Some(batch) = batch.transpose()? else { return Ok(None) };
        let rows = answer(model, batch.images, work.preprocessing.input(), device)?;
        answers.extend(rows.iter().zip(batch.labels).map(|(row, label)| judge(row, label)));
        bad.extend(batch.bad);
    }
    Ok(Some((answers, bad)))
}

#[allow(clippy::float_cmp)] // a tie is a tie
fn judge(probabilities: &[f64], label: u32) -> Answer {
    let truth = probabilities[label as usize];
    let mut guess = 0;
    for (class, &p) in probabilities.iter().enumerate() {
        if p > probabilities[guess] {
            guess = class;
        }
    }
    Answer {
        label,
        guess: guess as u32,
        confidence: probabilities[guess] as f32,
        loss: if truth.is_nan() { f64::NAN } else { -truth.max(f64::MIN_POSITIVE).ln() },
        rank: probabilities
            .iter()
            .enumerate()
            .filter(|&(class, &p)| p > truth || (p == truth && class < label as usize))
            .count() as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_knows_guess_rank_and_loss() {
        let row = softmax(&[1.0, 3.0, 2.0]);
        let answer = judge(&row, 2);
        assert_eq!((answer.guess, answer.rank), (1, 1));
        let expected = -(2f64.exp() / (1f64.exp() + 2f64.exp() + 3f64.exp())).ln();
        assert!((answer.loss - expected).abs() < 1e-12);
    }

    #[test]
    fn huge_scores_do_not_overflow() {
        assert!(softmax(&[1e30, -1e30])[0] > 1.0 - 1e-12);
        assert!(judge(&softmax(&[1e30, -1e30]), 1).loss.is_finite());
    }
}
