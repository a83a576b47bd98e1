//! Every instruction set against the reference.

use proptest::prelude::*;

use super::{Adam, PIECE, Sgd, adam, reference, sgd, sum_of_squares};
use crate::Isa;
use crate::testing::{At, Trial, assert_same_bits, cases, floats};

fn adam_step(decays: [bool; 2], fresh: bool) -> Adam {
    Adam {
        scale: 0.75,
        shrink: if decays[0] { 0.999 } else { 1.0 },
        decay: if decays[1] { 0.01 } else { 0.0 },
        beta1: 0.9,
        rest1: 0.1,
        beta2: 0.999,
        rest2: 0.001,
        correction: 0.07,
        epsilon: 1e-8,
        rate: 0.003,
        fresh,
    }
}

fn sgd_step(decay: f32, fresh: bool) -> Sgd {
    Sgd { scale: 0.75, decay, momentum: 0.9, rate: 0.05, fresh }
}

/// Param, gradient, first and second moment of `len` elements.
fn state(seed: u32, len: usize) -> [Vec<f32>; 4] {
    let second = floats(seed + 3, len).iter().map(|v| v * v).collect();
    [floats(seed, len), floats(seed + 1, len), floats(seed + 2, len), second]
}

fn run_adam(trial: Trial, step: &Adam, [p, g, m, v]: &[Vec<f32>; 4]) -> Vec<f32> {
    let [mut p, g, mut m, mut v] = trial.copies([p, g, m, v]);
    adam(trial.isa, step, &mut p, &g, [&mut m, &mut v]);
    [&p[..], &m, &v].concat()
}

fn run_sgd(trial: Trial, step: &Sgd, [p, g, v, _]: &[Vec<f32>; 4]) -> Vec<f32> {
    let [mut p, g, mut v] = trial.copies([p, g, v]);
    sgd(trial.isa, step, &mut p, &g, &mut v);
    [&p[..], &v].concat()
}

fn run_squares(trial: Trial, values: &[f32]) -> f64 {
    sum_of_squares(trial.isa, &trial.copy(values))
}

/// All others give its bits.
const PORTABLE: Trial = Trial { isa: Isa::PORTABLE, at: At::End };

/// Moments add numbers of one size below 2, and the step is below the rate over the correction;
/// `more` is what else an error may come from.
fn close(fast: f32, exact: f64, more: f64) -> bool {
    (f64::from(fast) - exact).abs() <= 16.0 * 2f64.powi(-24) * (1.0 + exact.abs()) + more
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn adam_is_the_reference(
        len in prop_oneof![0usize..200, PIECE - 20..3 * PIECE],
        seed in 0u32..1000,
        decays in any::<[bool; 2]>(),
        fresh in any::<bool>(),
    ) {
        let step = adam_step(decays, fresh);
        let before = state(seed, len);
        let plain = run_adam(PORTABLE, &step, &before);
        for i in 0..len {
            let [p, g, m, v] = [0, 1, 2, 3].map(|part| f64::from(before[part][i]));
            let exact = reference::adam(&step, p, g, [m, v]);
            for (part, exact) in exact.into_iter().enumerate() {
                let fast = plain[part * len + i];
                // The step has the size of the rate however small the gradient is: where the
                // gradient and the decay cancel, their rounding counts for as much more.
                let gradient = f64::from(step.scale) * g + f64::from(step.decay) * p;
                let lost = f64::from(step.scale) * g.abs() / gradient.abs() * 2f64.powi(-22);
                let moved = exact - p * f64::from(step.shrink);
                let cancelled = if part == 0 && decays[1] { lost * moved.abs() } else { 0.0 };
                let fits = close(fast, exact, cancelled);
                prop_assert!(fits, "part {part} of {i}: {fast}, not {exact}");
            }
        }
        for trial in Trial::all() {
            let fast = run_adam(trial, &step, &before);
            prop_assert!(bits(&fast) == bits(&plain), "{}", trial.isa.name());
        }
    }

    #[test]
    fn sgd_is_the_reference(
        len in prop_oneof![0usize..200, PIECE - 20..3 * PIECE],
        seed in 0u32..1000,
        decay in prop_oneof![Just(0.0f32), Just(0.01)],
        fresh in any::<bool>(),
    ) {
        let step = sgd_step(decay, fresh);
        let before = state(seed, len);
        let plain = run_sgd(PORTABLE, &step, &before);
        for i in 0..len {
            let [p, g, v] = [0, 1, 2].map(|part| f64::from(before[part][i]));
            for (part, exact) in reference::sgd(&step, p, g, v).into_iter().enumerate() {
                let fast = plain[part * len + i];
                prop_assert!(close(fast, exact, 0.0), "part {part} of {i}: {fast}, not {exact}");
            }
        }
        for trial in Trial::all() {
            let fast = run_sgd(trial, &step, &before);
            prop_assert!(bits(&fast) == bits(&plain), "{}", trial.isa.name());
        }
    }

    #[test]
    fn the_sum_of_squares_is_the_reference(
        len in prop_oneof![0usize..200, PIECE - 20..3 * PIECE],
        seed in 0u32..1000,
    ) {
        let values = floats(seed, len);
        let exact = reference::sum_of_squares(&values);
        let plain = run_squares(PORTABLE, &values);
        prop_assert!((plain - exact).abs() <= 1e-12 * exact, "{plain}, not {exact}");
        for trial in Trial::all() {
            prop_assert!(run_squares(trial, &values).to_bits() == plain.to_bits());
        }
    }
}

#[test]
fn updates_are_the_same_bits_for_any_number_of_threads() {
    let before = state(7, 5 * PIECE + 3);
    for trial in Trial::all() {
        let step = adam_step([true, false], false);
        assert_same_bits("adam", || run_adam(trial, &step, &before));
        let step = sgd_step(0.01, false);
        assert_same_bits("sgd", || run_sgd(trial, &step, &before));
        assert_same_bits("squares", || {
            let sum = run_squares(trial, &before[0]).to_bits();
            vec![f32::from_bits((sum >> 32) as u32), f32::from_bits(sum as u32)]
        });
    }
}

#[test]
fn a_gradient_that_is_no_number_spoils_its_own_element_only() {
    for trial in Trial::all() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for place in [0, 20, 36] {
                let mut before = state(3, 37);
                before[1][place] = bad;
                let after = run_adam(trial, &adam_step([true, false], false), &before);
                let moved = run_sgd(trial, &sgd_step(0.0, false), &before);
                for i in 0..37 {
                    // Infinity over infinity is no number.
                    assert_eq!(after[i].is_nan(), i == place, "{} {i} {bad}", trial.isa.name());
                    assert_eq!(moved[i].is_finite(), i != place, "{} {i} {bad}", trial.isa.name());
                }
                assert!(!run_squares(trial, &before[1]).is_finite());
            }
        }
    }
}

#[test]
#[should_panic(expected = "lengths differ")]
fn slices_of_different_lengths_are_refused() {
    sgd(Isa::best(), &sgd_step(0.0, true), &mut [0.0; 4], &[0.0; 4], &mut [0.0; 3]);
}
