//! Normalisation and pointwise work against the reference, on every instruction set.

use proptest::prelude::*;

use super::*;
use crate::conv::Activation;
use crate::testing::{Trial, assert_close, assert_same_bits, cases, floats, sizes};

const ACTIVATIONS: [Activation; 3] = [Activation::None, Activation::Relu, Activation::Relu6];

/// A random matrix's rows, channels and seed: rows beyond one chunk, channels around whole vectors.
fn matrices() -> impl Strategy<Value = (usize, usize, u32)> {
    let rows = prop_oneof![1usize..40, 40usize..2500];
    let channels = prop_oneof![1usize..20, Just(32), 33usize..70, Just(1280)];
    (rows, channels, any::<u32>()).prop_map(|(rows, c, seed)| (rows.min(200_000 / c), c, seed))
}

fn fast_statistics(trial: Trial, x: &[f32], channels: usize) -> (Vec<f32>, Vec<f32>) {
    let (mut mean, mut variance) = (trial.output(channels), trial.output(channels));
    statistics(trial.isa, &trial.copy(x), channels, &mut mean, &mut variance);
    (mean.to_vec(), variance.to_vec())
}

fn check_statistics(x: &[f32], channels: usize) {
    let (mean, variance) = reference::statistics(x, channels);
    // Deviations are summed 256 times four rows, about a shift that costs a factor of eight.
    let deviation: Vec<f64> = variance.iter().map(|v| v.sqrt() * 1000.0).collect();
    let mean_size: Vec<f64> = mean.iter().zip(deviation).map(|(m, d)| m.abs() + d).collect();
    for trial in Trial::all() {
        let fast = fast_statistics(trial, x, channels);
        assert_close("mean", &fast.0, &mean, &mean_size, 2);
        assert_close("variance", &fast.1, &variance, &variance, 2200);
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn statistics_are_the_references((rows, channels, seed) in matrices(), mean in -9f32..9.0) {
        let x: Vec<f32> = floats(seed, rows * channels).iter().map(|x| x + mean).collect();
        check_statistics(&x, channels);
    }

    #[test]
    fn column_sums_are_the_references((rows, channels, seed) in matrices()) {
        let x = floats(seed, rows * channels);
        let (mut exact, mut size) = (vec![0.0; channels], vec![0.0; channels]);
        for (i, &x) in x.iter().enumerate() {
            exact[i % channels] += f64::from(x);
            size[i % channels] += f64::from(x.abs());
        }
        for trial in Trial::all() {
            let mut out = trial.output(channels);
            sum_rows(trial.isa, &trial.copy(&x), channels, &mut out);
            assert_close("sum", &out, &exact, &size, 262);
        }
    }

    #[test]
    fn apply_is_the_references((rows, channels, seed) in matrices(), with_add: bool) {
        let x = floats(seed, rows * channels);
        let other = floats(seed ^ 1, rows * channels);
        let scale = floats(seed ^ 2, channels);
        let shift: Vec<f32> = floats(seed ^ 3, channels).iter().map(|x| x * 7.0).collect();
        for activation in ACTIVATIONS {
            let args = Apply {
                x: &x, scale: &scale, shift: &shift, add: with_add.then_some(&other), activation,
            };
            let (low, high) = activation.bounds();
            let exact: Vec<f64> = reference::affine(&args).into_iter()
                .map(|y| y.clamp(f64::from(low), f64::from(high))).collect();
            let of_sizes = [sizes(&x), sizes(&scale), sizes(&shift), sizes(&other)];
            let size = reference::affine(&Apply {
                x: &of_sizes[0], scale: &of_sizes[1], shift: &of_sizes[2],
                add: with_add.then_some(&of_sizes[3]), activation,
            });
            for trial in Trial::all() {
                let [x, scale, shift, other] = trial.copies([&x, &scale, &shift, &other]);
                let args = Apply {
                    x: &x, scale: &scale, shift: &shift, add: with_add.then_some(&other), ..args
                };
                let mut y = trial.output(x.len());
                apply(trial.isa, args, &mut y);
                assert_close("apply", &y, &exact, &size, 4);
            }
        }
    }

    #[test]
    fn pointwise_work_is_exact((rows, channels, seed) in matrices(), bias: bool, add: bool) {
        let x: Vec<f32> = floats(seed, rows * channels).iter().map(|x| x * 9.0).collect();
        let other = floats(seed ^ 1, rows * channels);
        let of_channels = floats(seed ^ 2, channels);
        for activation in ACTIVATIONS {
            let exact: Vec<f32> = (0..x.len()).map(|i| {
                let biased = if bias { x[i] + of_channels[i % channels] } else { x[i] };
                activation.apply(if add { biased + other[i] } else { biased })
            }).collect();
            let masked: Vec<f32> = (0..x.len())
                .map(|i| if activation.passes(exact[i]) { other[i] } else { 0.0 }).collect();
            let sum: Vec<f32> = masked.iter().zip(&other).map(|(a, b)| a + b).collect();
            for trial in Trial::all() {
                let [mut y, other, of_channels] = trial.copies([&x, &other, &of_channels]);
                let bias = bias.then_some(&of_channels[..]);
                bias_act(trial.isa, &mut y, bias, add.then_some(&other[..]), activation);
                prop_assert_eq!(&y[..], &exact);
                let mut dy = trial.copy(&other);
                mask(trial.isa, &mut dy, &y, activation);
                prop_assert_eq!(&dy[..], &masked);
                add_assign(trial.isa, &mut dy, &other);
                prop_assert_eq!(&dy[..], &sum);
            }
        }
    }

    #[test]
    fn backward_is_the_references(
        (rows, channels, seed) in matrices(),
        apart: bool,
        with_output: bool,
    ) {
        for activation in ACTIVATIONS {
            let case = NormCase { with_output, ..NormCase::new(rows, channels, seed, activation) };
            prop_assume!(with_output || case.is_decided());
            case.check(apart);
        }
    }
}

/// All that the way back reads.
struct NormCase {
    x: Vec<f32>,
    z: Vec<f32>,
    dz: Vec<f32>,
    mean: Vec<f32>,
    inv_std: Vec<f32>,
    gamma: Vec<f32>,
    shift: Vec<f32>,
    activation: Activation,
    /// Whether `z` is passed on, not computed again from `x`.
    with_output: bool,
}

impl NormCase {
    fn new(rows: usize, channels: usize, seed: u32, activation: Activation) -> Self {
        let x: Vec<f32> = floats(seed, rows * channels).iter().map(|x| x * 2.0 + 3.0).collect();
        let (mean, variance) = reference::statistics(&x, channels);
        let mean = mean.iter().map(|&mean| mean as f32).collect();
        let z = floats(seed ^ 1, x.len()).iter().map(|z| activation.apply(z * 8.0)).collect();
        Self {
            dz: floats(seed ^ 2, x.len()),
            gamma: floats(seed ^ 3, channels),
            shift: floats(seed ^ 4, channels),
            inv_std: variance.iter().map(|v| (1.0 / (v + 1e-5).sqrt()) as f32).collect(),
            x,
            z,
            mean,
            activation,
            with_output: true,
        }
    }

    /// Whether no output lies so close to a bound of the activation that rounding decides.
    fn is_decided(&self) -> bool {
        let (low, high) = self.activation.bounds();
        let channels = self.mean.len();
        self.x.iter().enumerate().all(|(i, x)| {
            let z = x.mul_add(self.gamma[i % channels], self.shift[i % channels]);
            (z - low).abs() > 1e-6 && (z - high).abs() > 1e-6
        })
    }

    fn args(&self) -> Backward<'_> {
        Backward {
            x: &self.x,
            z: self.with_output.then_some(&self.z),
            scale: &self.gamma,
            shift: &self.shift,
            activation: self.activation,
            mean: &self.mean,
            inv_std: &self.inv_std,
            gamma: &self.gamma,
        }
    }

    /// dz or what took its place, dx if apart, dgamma, dbeta.
    fn run(&self, trial: Trial, apart: bool) -> [Vec<f32>; 4] {
        let args = self.args();
        let z = args.z.map(|z| trial.copy(z));
        let [x, mean, inv_std, gamma] = trial.copies([args.x, args.mean, args.inv_std, args.gamma]);
        let [scale, shift] = trial.copies([args.scale, args.shift]);
        let args = Backward {
            x: &x,
            z: z.as_deref(),
            mean: &mean,
            inv_std: &inv_std,
            gamma: &gamma,
            scale: &scale,
            shift: &shift,
            ..args
        };
        let mut g = trial.copy(&self.dz);
        let mut dx = trial.output(if apart { g.len() } else { 0 });
        let [mut dgamma, mut dbeta] = [0, 1].map(|_| trial.output(mean.len()));
        let elsewhere = apart.then_some(&mut dx[..]);
        backward(trial.isa, args, &mut g, elsewhere, &mut dgamma, &mut dbeta);
        [g, dx, dgamma, dbeta].map(|values| values.to_vec())
    }

    fn check(&self, apart: bool) {
        let channels = self.mean.len();
        let rows = self.x.len() / channels;
        let exact = reference::backward(&self.args(), &self.dz);
        let normal = |i: usize| {
            let c = i % channels;
            (f64::from(self.x[i] - self.mean[c]) * f64::from(self.inv_std[c])).abs()
        };
        let (mut moment, mut sum) = (vec![0.0; channels], vec![0.0; channels]);
        for (i, g) in exact.g.iter().enumerate() {
            moment[i % channels] += g.abs() * normal(i);
            sum[i % channels] += g.abs();
        }
        let size: Vec<f64> = (0..self.x.len())
            .map(|i| {
                let c = i % channels;
                let inside = exact.g[i].abs() + (sum[c] + normal(i) * moment[c]) / rows as f64;
                f64::from(self.gamma[c].abs() * self.inv_std[c]) * inside
            })
            .collect();
        for trial in Trial::all() {
            let [g, dx, dgamma, dbeta] = self.run(trial, apart);
            assert_close("dgamma", &dgamma, &exact.dgamma, &moment, 270);
            assert_close("dbeta", &dbeta, &exact.dbeta, &sum, 270);
            assert_close("dx", if apart { &dx } else { &g }, &exact.dx, &size, 280);
            if apart {
                let kept: Vec<f64> = g.iter().map(|&g| f64::from(g)).collect();
                assert_eq!(kept, exact.g);
            }
        }
    }
}

#[test]
fn variance_stands_a_large_mean() {
    for (mean, deviation) in [(1000.0, 0.1), (-30_000.0, 0.1), (1e-3, 1e-6), (0.0, 1e4)] {
        let x: Vec<f32> = floats(5, 33 * 4000).iter().map(|x| x * deviation + mean).collect();
        check_statistics(&x, 33);
    }
}

#[test]
fn variance_stands_odd_first_rows() {
    for odd in [1usize, 3, 130, 2000] {
        let mut x: Vec<f32> = floats(6, 17 * 3000).iter().map(|x| x * 0.01).collect();
        x[..odd * 17].iter_mut().for_each(|x| *x += 5000.0);
        check_statistics(&x, 17);
    }
}

#[test]
fn equal_rows_have_no_variance() {
    for trial in Trial::all() {
        for rows in [1, 2, 7, 3000] {
            let x: Vec<f32> =
                floats(7, 19).iter().map(|x| x * 1e3).cycle().take(19 * rows).collect();
            let (mean, variance) = fast_statistics(trial, &x, 19);
            assert!(variance.iter().all(|&v| (0.0..1e-12).contains(&v)), "{variance:?}");
            assert!(rows > 1 || (mean == x[..19] && variance == [0.0; 19]));
        }
    }
}

#[test]
fn one_row_gives_its_input_no_gradient() {
    let case = NormCase::new(1, 21, 8, Activation::None);
    for trial in Trial::all() {
        let [dx, _, dgamma, dbeta] = case.run(trial, false);
        assert_eq!((dx, dgamma), (vec![0.0; 21], vec![0.0; 21]));
        assert_eq!(dbeta, case.dz);
    }
}

#[test]
fn no_rows_give_zeros() {
    for trial in Trial::all() {
        assert_eq!(fast_statistics(trial, &[], 5), (vec![0.0; 5], vec![0.0; 5]));
        let isa = trial.isa;
        let mut sums = [9.0; 5];
        sum_rows(isa, &[], 5, &mut sums);
        assert!(sums.iter().all(|&sum| sum == 0.0));
        for apart in [false, true] {
            let [g, dx, dgamma, dbeta] = NormCase::new(0, 5, 1, Activation::Relu).run(trial, apart);
            assert!(g.is_empty() && dx.is_empty());
            assert_eq!((dgamma, dbeta), (vec![0.0; 5], vec![0.0; 5]));
        }
        let no =
            Apply { x: &[], scale: &[1.0], shift: &[0.0], add: None, activation: Activation::Relu };
        apply(isa, no, &mut []);
        bias_act(isa, &mut [], Some(&[1.0]), None, Activation::Relu);
        add_assign(isa, &mut [], &[]);
        mask(isa, &mut [], &[], Activation::Relu);
    }
}

#[test]
fn what_is_not_a_number_stays_in_its_channel() {
    for trial in Trial::all() {
        for bad in [f32::NAN, f32::INFINITY] {
            for row in [0, 5, 999, 1999] {
                let mut x = floats(9, 2000 * 18);
                x[row * 18 + 17] = bad;
                let (mean, variance) = fast_statistics(trial, &x, 18);
                assert!(!mean[17].is_finite() && !variance[17].is_finite());
                assert!(mean[..17].iter().chain(&variance[..17]).all(|v| v.is_finite()));
                let mut case = NormCase::new(2000, 18, 9, Activation::Relu);
                case.dz[row * 18 + 17] = bad;
                case.z[row * 18 + 17] = 1.0;
                let [dx, _, dgamma, dbeta] = case.run(trial, false);
                assert!(!dgamma[17].is_finite() && !dbeta[17].is_finite());
                for (i, dx) in dx.iter().enumerate() {
                    assert_eq!(dx.is_finite(), i % 18 != 17, "{i}");
                }
            }
        }
        let isa = trial.isa;
        let mut x = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0, 7.0];
        bias_act(isa, &mut x, None, None, Activation::Relu6);
        assert!(x[0].is_nan());
        assert_eq!(x[1..], [6.0, 0.0, 0.0, 6.0]);
        let mut dy = [f32::NAN, f32::INFINITY, 1.0, f32::NAN];
        mask(isa, &mut dy, &[0.0, 6.0, 3.0, 3.0], Activation::Relu6);
        assert!(dy[..3] == [0.0, 0.0, 1.0] && dy[3].is_nan());
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let case = NormCase::new(3001, 67, 10, Activation::Relu);
    for trial in Trial::all() {
        assert_same_bits("norm", || {
            let (mean, variance) = fast_statistics(trial, &case.x, 67);
            let isa = trial.isa;
            let mut y = vec![0.0; case.x.len()];
            let args = Apply {
                x: &case.x,
                scale: &mean,
                shift: &variance,
                add: None,
                activation: case.activation,
            };
            apply(isa, args, &mut y);
            bias_act(isa, &mut y, Some(&mean), Some(&case.z), Activation::Relu6);
            mask(isa, &mut y, &case.z, Activation::Relu);
            let mut sums = vec![0.0; 67];
            sum_rows(isa, &y, 67, &mut sums);
            let [together, apart] = [false, true].map(|apart| case.run(trial, apart).concat());
            [mean, variance, y, sums, together, apart].concat()
        });
    }
}
