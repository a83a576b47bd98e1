//! The loss that defines the result, in double precision.

/// The loss, and its gradient `[N, classes]`.
#[must_use]
pub fn cross_entropy(classes: usize, scores: &[f32], targets: &[f32]) -> (f64, Vec<f64>) {
    let (mut loss, mut gradient) = (0.0, Vec::with_capacity(scores.len()));
    for (scores, targets) in scores.chunks(classes).zip(targets.chunks(classes)) {
        let largest = scores.iter().fold(f64::NEG_INFINITY, |m, &x| m.max(f64::from(x)));
        let sum: f64 = scores.iter().map(|&x| (f64::from(x) - largest).exp()).sum();
        let weight: f64 = targets.iter().map(|&t| f64::from(t)).sum();
        for (&x, &t) in scores.iter().zip(targets) {
            let log = f64::from(x) - largest - sum.ln();
            loss -= f64::from(t) * log;
            gradient.push(log.exp() * weight - f64::from(t));
        }
    }
    (loss, gradient)
}
