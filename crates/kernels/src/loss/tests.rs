//! Every instruction set against the reference.

use proptest::prelude::*;

use super::exp::exp;
use super::{cross_entropy, reference};
use crate::Isa;
use crate::simd::{Kernel, LANES, Simd};
use crate::testing::{Trial, assert_same_bits, cases, floats};

/// The exponentials of sixteen numbers.
struct Exp([f32; LANES]);

impl Kernel for Exp {
    type Output = [f32; LANES];

    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) -> Self::Output {
        let p = self.0.as_mut_ptr();
        // SAFETY: there are sixteen floats.
        unsafe { S::store(p, exp::<S>(S::load(p))) };
        self.0
    }
}

#[test]
fn exp_is_right_within_two_units_in_the_last_place() {
    for isa in Isa::available() {
        let mut worst = 0.0f64;
        let places = 400_000;
        for start in (0..places).step_by(LANES) {
            let mut x = [0.0; LANES];
            for (i, x) in x.iter_mut().enumerate() {
                *x = -110.0 + 205.0 * (start + i) as f32 / places as f32;
            }
            for (x, fast) in x.into_iter().zip(isa.run(Exp(x))) {
                let exact = f64::from(x).exp();
                if (exact as f32).is_infinite() {
                    assert!(fast.is_infinite() || x < 88.73, "{} e^{x}: {fast}", isa.name());
                    continue;
                }
                // The distance of two floats at the exact result; 2^-149 where it is subnormal.
                let unit = 2f64.powf(exact.log2().floor().max(-126.0) - 23.0);
                worst = worst.max((f64::from(fast) - exact).abs() / unit);
            }
        }
        assert!(worst <= 2.0, "{}: {worst} units", isa.name());
    }
}

#[test]
fn exp_of_what_is_no_finite_number() {
    for isa in Isa::available() {
        let mut x = [0.0f32; LANES];
        x[..7].copy_from_slice(&[
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            0.0,
            -0.0,
            1e30,
            -1e30,
        ]);
        let e = isa.run(Exp(x));
        assert!(e[0].is_nan(), "{}", isa.name());
        assert_eq!(e[1..8], [f32::INFINITY, 0.0, 1.0, 1.0, f32::INFINITY, 0.0, 1.0]);
    }
}

fn run(trial: Trial, classes: usize, scores: &[f32], targets: &[f32]) -> (f64, Vec<f32>) {
    let [scores, targets] = trial.copies([scores, targets]);
    let mut gradient = trial.output(scores.len());
    let loss = cross_entropy(trial.isa, classes, &scores, &targets, &mut gradient);
    (loss, gradient.to_vec())
}

fn inputs(seed: u32, rows: usize, classes: usize, range: f32) -> [Vec<f32>; 2] {
    let scores = floats(seed, rows * classes).iter().map(|x| x * range).collect();
    let targets = floats(seed + 1, rows * classes).iter().map(|t| t.abs()).collect();
    [scores, targets]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn loss_and_gradient_are_the_reference(
        rows in 0usize..70,
        classes in prop_oneof![1usize..70, 900usize..1100],
        seed in 0u32..1000,
        range in prop_oneof![Just(0.1f32), Just(5.0), Just(60.0), Just(1e4)],
    ) {
        let [scores, targets] = inputs(seed, rows, classes, range);
        let (exact, gradient) = reference::cross_entropy(classes, &scores, &targets);
        // Sums of `classes` terms in sixteen lanes; the differences of scores round once more.
        let terms = (classes / LANES + 16) as f64 * 2f64.powi(-24);
        for trial in Trial::all() {
            let (loss, fast) = run(trial, classes, &scores, &targets);
            let bound = terms * exact.abs() + 1e-30;
            prop_assert!((loss - exact).abs() <= bound, "{}: {loss}, not {exact}", trial.isa.name());
            for (row, (fast, exact)) in fast.chunks(classes).zip(gradient.chunks(classes)).enumerate() {
                let targets = &targets[row * classes..][..classes];
                let weight: f64 = targets.iter().map(|&t| f64::from(t)).sum();
                for ((&fast, &exact), &t) in fast.iter().zip(exact).zip(targets) {
                    // The probability is off by the rounding of its exponent, up to 2 * range.
                    let size = (exact + f64::from(t)).abs().max(1e-30 * weight);
                    let bound = (terms + 2f64.powi(-23) * f64::from(range)) * size
                        + 2f64.powi(-24) * exact.abs() + 1e-30;
                    let error = (f64::from(fast) - exact).abs();
                    prop_assert!(error <= bound, "{}: {fast}, not {exact}", trial.isa.name());
                }
            }
        }
    }
}

#[test]
fn the_loss_is_the_same_bits_for_any_number_of_threads() {
    let [scores, targets] = inputs(5, 700, 37, 5.0);
    for trial in Trial::all() {
        assert_same_bits("loss", || {
            let (loss, mut gradient) = run(trial, 37, &scores, &targets);
            let bits = loss.to_bits();
            gradient.extend([f32::from_bits((bits >> 32) as u32), f32::from_bits(bits as u32)]);
            gradient
        });
    }
}

#[test]
fn a_score_that_is_no_number_spoils_the_loss_and_its_own_row() {
    for trial in Trial::all() {
        for bad in [f32::NAN, f32::INFINITY] {
            for (classes, place) in [(1, 0), (10, 3), (16, 15), (35, 0), (35, 17), (35, 34)] {
                let [mut scores, targets] = inputs(1, 3, classes, 2.0);
                scores[classes + place] = bad;
                let (loss, gradient) = run(trial, classes, &scores, &targets);
                assert!(loss.is_nan(), "{} {classes} {place}", trial.isa.name());
                for (i, g) in gradient.iter().enumerate() {
                    assert_eq!(
                        g.is_nan(),
                        i / classes == 1,
                        "{} {classes} {place}",
                        trial.isa.name()
                    );
                }
            }
        }
    }
}

#[test]
fn a_class_that_is_impossible_has_no_gradient_but_its_target() {
    for trial in Trial::all() {
        let (loss, gradient) = run(trial, 3, &[f32::NEG_INFINITY, 1.0, 1.0], &[0.5, 0.5, 0.0]);
        assert!(loss == f64::INFINITY, "{loss}");
        assert_eq!(gradient, [-0.5, 0.0, 0.5]);
    }
}

#[test]
#[should_panic(expected = "no whole number of rows")]
fn half_a_row_is_refused() {
    let _ = cross_entropy(Isa::best(), 3, &[0.0; 4], &[0.0; 4], &mut [0.0; 4]);
}
