//! Batch normalisation that defines the result: plain loops in double precision.

use super::{Apply, Backward};

/// Mean and biased variance of each channel of `x` `[R, channels]`; zeros where there is no row.
#[must_use]
pub fn statistics(x: &[f32], channels: usize) -> (Vec<f64>, Vec<f64>) {
    let rows = (x.len() / channels).max(1) as f64;
    let (mut mean, mut variance) = (vec![0.0; channels], vec![0.0; channels]);
    for row in x.chunks_exact(channels) {
        mean.iter_mut().zip(row).for_each(|(m, &x)| *m += f64::from(x) / rows);
    }
    for row in x.chunks_exact(channels) {
        for ((v, m), &x) in variance.iter_mut().zip(&mean).zip(row) {
            *v += (f64::from(x) - m).powi(2) / rows;
        }
    }
    (mean, variance)
}

/// `x * scale + shift + add`, before the activation `[R, C]`.
#[must_use]
pub fn affine(args: &Apply) -> Vec<f64> {
    let channels = args.scale.len();
    (0..args.x.len())
        .map(|i| {
            f64::from(args.x[i]) * f64::from(args.scale[i % channels])
                + f64::from(args.shift[i % channels])
                + args.add.map_or(0.0, |add| f64::from(add[i]))
        })
        .collect()
}

/// What [`backward`] answers.
pub struct Gradients {
    /// Of the sum before the activation, `[R, C]`.
    pub g: Vec<f64>,
    /// Of the input, `[R, C]`.
    pub dx: Vec<f64>,
    /// Of the scale, `[C]`.
    pub dgamma: Vec<f64>,
    /// Of the shift, `[C]`.
    pub dbeta: Vec<f64>,
}

/// The gradients, for the gradient `dz` `[R, C]` of the output.
#[must_use]
pub fn backward(args: &Backward, dz: &[f32]) -> Gradients {
    let channels = args.mean.len();
    let rows = (dz.len() / channels) as f64;
    let g: Vec<f64> =
        (0..dz.len()).map(|i| if args.passes(i) { f64::from(dz[i]) } else { 0.0 }).collect();
    let normal: Vec<f64> = (0..dz.len())
        .map(|i| {
            (f64::from(args.x[i]) - f64::from(args.mean[i % channels]))
                * f64::from(args.inv_std[i % channels])
        })
        .collect();
    let (mut dgamma, mut dbeta) = (vec![0.0; channels], vec![0.0; channels]);
    for i in 0..dz.len() {
        dgamma[i % channels] += g[i] * normal[i];
        dbeta[i % channels] += g[i];
    }
    let dx = (0..dz.len())
        .map(|i| {
            let c = i % channels;
            f64::from(args.gamma[c])
                * f64::from(args.inv_std[c])
                * (g[i] - dbeta[c] / rows - normal[i] * dgamma[c] / rows)
        })
        .collect();
    Gradients { g, dx, dgamma, dbeta }
}
