use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;
use crate::conv::reference;
use crate::testing::{Trial, assert_close, assert_same_bits, cases, floats};

/// Roundings that an error may be worth, of what all products of whole tiles may come to. An
/// output's own products would be too little: its error comes from all that its tile and the nine
/// taps mix, also where most of them meet padding.
///
/// An empirical bound, for uniform random numbers: `measure_errors` finds up to 10 over random
/// shapes; one channel without fused multiply-add is worst, with 15 in 77 million outputs. What
/// could happen at worst is more: the transforms enlarge sizes by up to 63.
const ROUNDINGS: usize = 24;

fn shape(n: usize, size: usize, ci: usize, co: usize, padding: usize) -> ConvShape {
    ConvShape {
        n,
        input: [size, size],
        ci,
        co,
        kernel: [3, 3],
        stride: [1, 1],
        padding: [[padding, padding]; 2],
        dilation: [1, 1],
        groups: 1,
    }
}

fn shapes() -> impl Strategy<Value = ConvShape> {
    let padding = prop::array::uniform2(prop::array::uniform2(0..4usize));
    let channels = prop_oneof![1..20usize, 1..70usize];
    (1..4usize, prop::array::uniform2(1..15usize), channels.clone(), channels, padding)
        .prop_filter_map("no place for the kernel", |(n, input, ci, co, padding)| {
            let shape = ConvShape { input, ci, co, padding, ..shape(n, 1, 1, 1, 0) };
            (shape.padded(0) >= 3 && shape.padded(1) >= 3).then_some(shape)
        })
}

/// The three results, and the two images and weights they are made from.
struct WinogradCase {
    shape: ConvShape,
    x: Vec<f32>,
    weights: Vec<f32>,
    bias: Vec<f32>,
    dy: Vec<f32>,
}

impl WinogradCase {
    fn new(shape: ConvShape) -> Self {
        Self {
            shape,
            x: floats(1, shape.input_len()),
            weights: floats(2, shape.weights_len()),
            bias: floats(3, shape.co),
            dy: floats(4, shape.output_len()),
        }
    }

    fn forward(&self, trial: Trial, bias: Option<&[f32]>, activation: Activation) -> Vec<f32> {
        let [x, weights] = trial.copies([&self.x, &self.weights]);
        let bias = bias.map(|bias| trial.copy(bias));
        let mut y = trial.output(self.shape.output_len());
        let memo = Memo::default();
        let parameters =
            Parameters { weights: &weights, bias: bias.as_deref(), activation, memo: None };
        forward(trial.isa, &self.shape, &x, parameters, &mut y);
        // Nor does it matter whether the transformed weights are kept or were.
        for _ in 0..2 {
            let mut again = trial.output(y.len());
            let parameters = Parameters { memo: Some(&memo), ..parameters };
            forward(trial.isa, &self.shape, &x, parameters, &mut again);
            assert!(y.iter().zip(&*again).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
        y.to_vec()
    }

    fn plain(&self, trial: Trial) -> Vec<f32> {
        self.forward(trial, None, Activation::None)
    }

    fn data(&self, trial: Trial) -> Vec<f32> {
        let [dy, weights] = trial.copies([&self.dy, &self.weights]);
        let mut dx = trial.output(self.shape.input_len());
        backward_data(trial.isa, &self.shape, &dy, &weights, &mut dx);
        dx.to_vec()
    }

    fn weights(&self, trial: Trial) -> Vec<f32> {
        let [x, dy] = trial.copies([&self.x, &self.dy]);
        let mut dw = trial.output(self.shape.weights_len());
        backward_weights(trial.isa, &self.shape, &x, &dy, &mut dw);
        dw.to_vec()
    }

    /// The exact result of each pass, with the number of products in whole tiles times the largest
    /// product.
    fn exact(&self) -> [(Vec<f64>, f64); 3] {
        let Self { shape, x, weights, dy, .. } = self;
        let most = |x: &[f32]| f64::from(x.iter().fold(0.0f32, |most, x| most.max(x.abs())));
        let size = |products: usize, a: &[f32], b: &[f32]| products as f64 * most(a) * most(b);
        let outputs = Tiles::over(shape.n, shape.output()).count() * 16;
        [
            (reference::forward(shape, x, weights), size(9 * shape.ci, x, weights)),
            (reference::backward_data(shape, dy, weights), size(9 * shape.co, dy, weights)),
            (reference::backward_weights(shape, x, dy), size(outputs, x, dy)),
        ]
    }

    /// The largest error of each pass, in roundings.
    fn errors(&self, trial: Trial) -> [f64; 3] {
        let fast = [self.plain(trial), self.data(trial), self.weights(trial)];
        let mut most = [0.0f64; 3];
        for (i, (exact, size)) in self.exact().iter().enumerate() {
            for (fast, exact) in fast[i].iter().zip(exact) {
                most[i] = most[i].max((f64::from(*fast) - exact).abs() * 2f64.powi(24) / size);
            }
        }
        most
    }

    fn check(&self) {
        let exact = self.exact();
        for trial in Trial::all() {
            let fast = [self.plain(trial), self.data(trial), self.weights(trial)];
            for (i, what) in ["forward", "data", "weights"].into_iter().enumerate() {
                let (exact, size) = &exact[i];
                let what = format!("{what}, {}, {:?}", trial.isa.name(), self.shape);
                assert_close(&what, &fast[i], exact, &vec![*size; exact.len()], ROUNDINGS);
            }
        }
    }
}

#[test]
fn every_pass_is_close_to_the_reference() {
    TestRunner::new(cases())
        .run(&shapes(), |shape| {
            WinogradCase::new(shape).check();
            Ok(())
        })
        .unwrap();
}

#[test]
fn many_blocks_are_close_to_the_reference() {
    // More tiles than one block of any pass takes: blocks by one thread each, blocks by all.
    for shape in [shape(18, 23, 33, 20, 1), shape(100, 4, 1, 1100, 1), shape(110, 4, 700, 2, 1)] {
        WinogradCase::new(shape).check();
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    for shape in [shape(18, 23, 33, 20, 1), shape(110, 4, 700, 2, 1), shape(1, 1, 3, 5, 1)] {
        let case = WinogradCase::new(shape);
        for trial in Trial::all() {
            assert_same_bits("forward", || case.plain(trial));
            assert_same_bits("data", || case.data(trial));
            assert_same_bits("weights", || case.weights(trial));
        }
    }
}

#[test]
fn bias_and_activation_are_those_of_single_values() {
    let case = WinogradCase::new(shape(2, 9, 7, 21, 1));
    for trial in Trial::all() {
        let plain = case.plain(trial);
        for activation in [Activation::None, Activation::Relu, Activation::Relu6] {
            let expected: Vec<f32> = (plain.iter().zip(case.bias.iter().cycle()))
                .map(|(y, bias)| activation.apply(y + bias))
                .collect();
            assert_eq!(case.forward(trial, Some(&case.bias), activation), expected);
        }
    }
}

#[test]
fn nan_and_infinity_are_never_lost() {
    for bad in [f32::NAN, f32::INFINITY] {
        let mut case = WinogradCase::new(shape(2, 11, 5, 18, 1));
        case.x[700] = bad;
        case.dy[1500] = bad;
        let exact = case.exact();
        for trial in Trial::all() {
            let relu = case.forward(trial, None, Activation::Relu6);
            for (fast, exact) in relu.iter().zip(&exact[0].0) {
                assert!(!exact.is_nan() || fast.is_nan());
            }
            for (i, fast) in
                [case.plain(trial), case.data(trial), case.weights(trial)].iter().enumerate()
            {
                for (fast, exact) in fast.iter().zip(&exact[i].0) {
                    assert!(exact.is_finite() || !fast.is_finite(), "{bad} is lost in pass {i}");
                }
            }
        }
    }
}

#[test]
fn an_empty_batch_has_no_gradient() {
    let case = WinogradCase::new(shape(0, 8, 3, 4, 1));
    for trial in Trial::all() {
        assert!(case.plain(trial).is_empty() && case.data(trial).is_empty());
        assert_eq!(case.weights(trial), vec![0.0; case.shape.weights_len()]);
    }
}

#[test]
fn only_three_by_three_in_steps_of_one_applies() {
    let good = shape(1, 8, 4, 4, 1);
    assert!(applies(&good));
    assert!(!applies(&ConvShape { kernel: [3, 1], ..good }));
    assert!(!applies(&ConvShape { stride: [1, 2], ..good }));
    assert!(!applies(&ConvShape { dilation: [2, 1], ..good }));
    assert!(!applies(&ConvShape { groups: 2, ..good }));
    assert!(wins(&shape(128, 32, 64, 64, 1)) && wins(&shape(128, 4, 512, 512, 1)));
    assert!(!wins(&shape(128, 32, 1, 16, 1)) && !wins(&shape(1, 4, 512, 512, 1)));
}

#[test]
#[ignore = "prints how many roundings the errors are worth"]
#[allow(clippy::print_stdout)]
fn measure_errors() {
    for trial in Trial::all() {
        let most = std::cell::Cell::new([0.0f64; 3]);
        TestRunner::new(cases())
            .run(&shapes(), |shape| {
                let (errors, old) = (WinogradCase::new(shape).errors(trial), most.get());
                most.set([0, 1, 2].map(|i| errors[i].max(old[i])));
                Ok(())
            })
            .unwrap();
        println!("{}: {:.2?} roundings, of each pass at most", trial.isa.name(), most.get());
    }
}
