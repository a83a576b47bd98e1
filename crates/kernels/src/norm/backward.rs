//! The way back through `z = activation(normalised(x) * gamma + beta + add)` in training.

use super::gate::{AllPass, Backward, ByInput, ByOutput, Gate, MatrixPlace, Rule};
use super::statistics::total;
use crate::Isa;
use crate::parallel::{Shared, for_each, with_scratch};
use crate::rows::{Rows, load, padded, store};
use crate::simd::{Kernel, LANES, Simd};

/// From the gradient `dz` `[R, C]` of the output, the gradients of `x`, `gamma` and `beta`, and of
/// what was added before the activation.
///
/// With `dx`, it becomes the gradient of `x`, and `dz` becomes the gradient g of the addend: `dz`
/// where the activation lets it pass, else zero. Without `dx`, the gradient of `x` takes the place
/// of `dz`, and g is not kept.
///
/// `dbeta = sum(g)`, `dgamma = sum(g * n)` and
/// `dx = gamma * inv_std * (g - mean(g) - n * mean(g * n))`, where n is the normalised x and sums
/// and means are over rows (Ioffe and Szegedy 2015, section 3). Two passes over memory: sums first,
/// then `dx`.
///
/// # Panics
/// If there is no channel, or a length does not fit.
pub fn backward(
    isa: Isa,
    args: Backward,
    dz: &mut [f32],
    dx: Option<&mut [f32]>,
    dgamma: &mut [f32],
    dbeta: &mut [f32],
) {
    let channels = args.mean.len();
    let matrix = Rows::new(dz.len(), channels);
    assert_eq!(args.x.len(), dz.len(), "input");
    assert!(dx.as_ref().is_none_or(|dx| dx.len() == dz.len()), "gradient of the input");
    assert!(args.z.is_none_or(|z| z.len() == dz.len()), "output");
    for of_channels in [args.scale, args.shift, args.inv_std, args.gamma, dgamma, dbeta] {
        assert_eq!(of_channels.len(), channels, "channels");
    }
    let width = padded(channels);
    with_scratch(4 * width, |coefficients| {
        let dz = Shared::new(dz);
        with_scratch(matrix.chunks() * 2 * width, |partials| {
            let shared = Shared::new(partials);
            for_each(matrix.chunks(), |i| {
                let range = matrix.chunk(i);
                let sums = i * 2 * width..(i + 1) * 2 * width;
                // SAFETY: chunks have no float in common, and sums of their own.
                let (g, sums) = unsafe { (dz.part(range.clone()), shared.part(sums)) };
                isa.run(Reduce { args: args.part(range), g, keep: dx.is_some(), sums });
            });
            combine(&args, matrix.count, partials, coefficients, [dgamma, dbeta]);
        });
        let coefficients = &*coefficients;
        let dx = dx.map(Shared::new);
        matrix.for_each_backwards(|i| {
            let range = matrix.chunk(i);
            // SAFETY: chunks have no float in common.
            let (g, dx) =
                unsafe { (dz.part(range.clone()), dx.as_ref().map(|dx| dx.part(range.clone()))) };
            isa.run(SpreadGradient { args: args.part(range), g, dx, coefficients });
        });
    });
}

/// The coefficients `[4, padded]` of the second pass, and the gradients of `gamma` and `beta`, from
/// the sums `[chunks, 2, padded]` of the first.
fn combine(
    args: &Backward,
    rows: usize,
    partials: &[f32],
    coefficients: &mut [f32],
    [dgamma, dbeta]: [&mut [f32]; 2],
) {
    let channels = args.mean.len();
    let width = padded(channels);
    coefficients.fill(0.0);
    let mut c = 0;
    while c < channels {
        let sum = total(partials, 2 * width, c);
        let moment = total(partials, 2 * width, width + c);
        for lane in 0..LANES.min(channels - c) {
            let c = c + lane;
            let inv_std = f64::from(args.inv_std[c]);
            dbeta[c] = sum[lane] as f32;
            dgamma[c] = (moment[lane] * inv_std) as f32;
            coefficients[c] = args.mean[c];
            coefficients[width + c] = (sum[lane] / rows as f64) as f32;
            coefficients[2 * width + c] = (-moment[lane] * inv_std * inv_std / rows as f64) as f32;
            coefficients[3 * width + c] = (f64::from(args.gamma[c]) * inv_std) as f32;
        }
        c += LANES;
    }
}

/// First pass: sums of g and of g * (x - mean) per channel, four rows at a time, and, to keep, g in
/// the place of the output's gradient.
struct Reduce<'a> {
    args: Backward<'a>,
    /// `[rows, channels]`
    g: &'a mut [f32],
    keep: bool,
    /// `[2, padded]`
    sums: &'a mut [f32],
}

impl Reduce<'_> {
    /// # Safety
    /// `args.x` and `args.z`, if any, must be as long as `g`, in whole rows.
    #[inline(always)]
    unsafe fn rows<S: Simd, const KEEP: bool>(&mut self, gate: impl Gate) {
        let channels = self.args.mean.len();
        let rows = self.g.len() / channels;
        let mut row = 0;
        // SAFETY: rows below `rows` exist.
        unsafe {
            while row + 4 <= rows {
                self.some_rows::<S, 4, KEEP>(row, gate);
                row += 4;
            }
            while row < rows {
                self.some_rows::<S, 1, KEEP>(row, gate);
                row += 1;
            }
        }
    }

    #[inline(always)]
    unsafe fn some_rows<S: Simd, const COUNT: usize, const KEEP: bool>(
        &mut self,
        row: usize,
        gate: impl Gate,
    ) {
        let channels = self.args.mean.len();
        let mut c = 0;
        // SAFETY: the caller's rows; each block ends within its row.
        unsafe {
            while c + LANES <= channels {
                self.block::<S, COUNT, KEEP, true>(row, c, gate);
                c += LANES;
            }
            if c < channels {
                self.block::<S, COUNT, KEEP, false>(row, c, gate);
            }
        }
    }

    #[inline(always)]
    unsafe fn block<S: Simd, const COUNT: usize, const KEEP: bool, const ALL: bool>(
        &mut self,
        row: usize,
        c: usize,
        gate: impl Gate,
    ) {
        let channels = self.args.mean.len();
        let n = channels - c;
        // SAFETY: the caller has `COUNT` rows, and channels from `c` on: sixteen where `ALL`, else
        // `n`. The sums are whole vectors.
        unsafe {
            let mean = load::<S, ALL>(self.args.mean.as_ptr().add(c), n);
            let mut at = row * channels + c;
            let mut sum = S::splat(0.0);
            let mut moment = S::splat(0.0);
            let mut i = 0;
            while i < COUNT {
                let mut g = load::<S, ALL>(self.g.as_ptr().add(at), n);
                g = gate.passed::<S, ALL>(&self.args, g, MatrixPlace { at, c, n });
                if KEEP {
                    store::<S, ALL>(self.g.as_mut_ptr().add(at), g, n);
                }
                let x = load::<S, ALL>(self.args.x.as_ptr().add(at), n);
                sum = S::add(sum, g);
                moment = S::fma(g, S::sub(x, mean), moment);
                at += channels;
                i += 1;
            }
            let sums = self.sums.as_mut_ptr().add(c);
            let moments = sums.add(padded(channels));
            S::store(sums, S::add(S::load(sums), sum));
            S::store(moments, S::add(S::load(moments), moment));
        }
    }
}

impl Kernel for Reduce<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        assert!(self.sums.len() == 2 * padded(self.args.mean.len()));
        self.sums.fill(0.0);
        // SAFETY: `backward` has checked the lengths, and parts are cut alike.
        unsafe {
            match (self.args.rule(), self.keep) {
                // Gradients that all pass are in their place already.
                (Rule::AllPass, _) => self.rows::<S, false>(AllPass),
                (Rule::ByOutput(z), false) => self.rows::<S, false>(ByOutput(z)),
                (Rule::ByOutput(z), true) => self.rows::<S, true>(ByOutput(z)),
                (Rule::ByInput, false) => self.rows::<S, false>(ByInput),
                (Rule::ByInput, true) => self.rows::<S, true>(ByInput),
            }
        }
    }
}

/// Second pass: `dx = a * (g - mean(g) + b * (x - mean))`.
struct SpreadGradient<'a> {
    args: Backward<'a>,
    /// `[rows, channels]`; masked already where there is a `dx`.
    g: &'a mut [f32],
    dx: Option<&'a mut [f32]>,
    /// `[4, padded]`: mean, mean(g), b, a
    coefficients: &'a [f32],
}

impl SpreadGradient<'_> {
    /// # Safety
    /// `dx` must point at as many floats as `g` has, possibly the same; `args.x` and `args.z`, if
    /// any, must be as long, in whole rows.
    #[inline(always)]
    unsafe fn rows<S: Simd>(&self, gate: impl Gate, g: *const f32, dx: *mut f32) {
        let channels = self.args.mean.len();
        let mut row = 0;
        while row < self.g.len() {
            let mut c = 0;
            // SAFETY: each block ends within its row, and rows are whole.
            unsafe {
                while c + LANES <= channels {
                    self.block::<S, true>(gate, (row + c, c), g, dx);
                    c += LANES;
                }
                if c < channels {
                    self.block::<S, false>(gate, (row + c, c), g, dx);
                }
            }
            row += channels;
        }
    }

    #[inline(always)]
    unsafe fn block<S: Simd, const ALL: bool>(
        &self,
        gate: impl Gate,
        (at, c): (usize, usize),
        g: *const f32,
        dx: *mut f32,
    ) {
        let channels = self.args.mean.len();
        let n = channels - c;
        let width = padded(channels);
        // SAFETY: the caller has floats from `at` and channels from `c` on: sixteen where `ALL`,
        // else `n`. The coefficients are whole vectors.
        unsafe {
            let coefficients = self.coefficients.as_ptr().add(c);
            let mut g = load::<S, ALL>(g.add(at), n);
            g = gate.passed::<S, ALL>(&self.args, g, MatrixPlace { at, c, n });
            let x = load::<S, ALL>(self.args.x.as_ptr().add(at), n);
            let x = S::sub(x, S::load(coefficients));
            let g = S::sub(g, S::load(coefficients.add(width)));
            let v = S::fma(x, S::load(coefficients.add(2 * width)), g);
            let v = S::mul(v, S::load(coefficients.add(3 * width)));
            store::<S, ALL>(dx.add(at), v, n);
        }
    }
}

impl Kernel for SpreadGradient<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        let g = self.g.as_mut_ptr();
        let elsewhere = self.dx.as_mut().map(|dx| dx.as_mut_ptr());
        // SAFETY: `backward` has checked the lengths, and parts are cut alike.
        unsafe {
            match (elsewhere, self.args.rule()) {
                // The first pass has kept what passes in the place of `g`.
                (Some(dx), _) => self.rows::<S>(AllPass, g, dx),
                (None, Rule::AllPass) => self.rows::<S>(AllPass, g, g),
                (None, Rule::ByOutput(z)) => self.rows::<S>(ByOutput(z), g, g),
                (None, Rule::ByInput) => self.rows::<S>(ByInput, g, g),
            }
        }
    }
}
