//! What resizing is: sums in double precision over the filter itself, no rounding in between.

use super::Resize;

/// The result `[H, W, C]` before it is rounded to bytes.
#[must_use]
pub fn resize(how: &Resize, source: &[u8]) -> Vec<f64> {
    let [left, top, width, height] = how.area;
    let channels = how.channels;
    let weights = |start: f64, length: f64, from: usize, to: usize, result: usize| -> Vec<f64> {
        let scale = length / to as f64;
        let center = start + (result as f64 + 0.5) * scale;
        let at = |x: usize| how.filter.weight((x as f64 + 0.5 - center) / scale.max(1.0));
        let sum: f64 = (0..from).map(at).sum();
        (0..from).map(|x| at(x) / sum).collect()
    };
    let mut result = Vec::with_capacity(how.to[0] * how.to[1] * channels);
    for y in 0..how.to[0] {
        let down = weights(top, height, how.from[0], how.to[0], y);
        for x in 0..how.to[1] {
            let across = weights(left, width, how.from[1], how.to[1], x);
            for channel in 0..channels {
                let mut sum = 0.0;
                for (row, &d) in down.iter().enumerate() {
                    for (column, &a) in across.iter().enumerate() {
                        let pixel = (row * how.from[1] + column) * channels + channel;
                        sum += d * a * f64::from(source[pixel]);
                    }
                }
                result.push(sum);
            }
        }
    }
    result
}
