use proptest::prelude::*;

use super::*;
use crate::conv::reference;
use crate::testing::{Trial, assert_close, assert_same_bits, cases, floats, sizes};

fn shapes() -> impl Strategy<Value = ConvShape> {
    let channels = prop_oneof![1..16usize, 16..50usize, Just(64), Just(330)];
    let kernel = prop_oneof![Just(3usize), Just(5), 1..9usize];
    let axis = (1..24usize, kernel, prop_oneof![Just(1usize), Just(2), 1..5usize])
        .prop_flat_map(|(len, kernel, stride)| {
            let dilation = prop_oneof![3 => Just(1usize), 1 => 1..4usize];
            (Just((len, kernel, stride)), dilation, 0..kernel + 2, 0..kernel + 2)
        })
        .prop_map(|((len, kernel, stride), dilation, before, after)| {
            let reach = (kernel - 1) * dilation + 1;
            (
                len.max(reach.saturating_sub(before + after)).max(1),
                kernel,
                stride,
                dilation,
                [before, after],
            )
        });
    (0..4usize, channels, axis.clone(), axis).prop_map(|(n, c, rows, columns)| ConvShape {
        n,
        input: [rows.0, columns.0],
        ci: c,
        co: c,
        kernel: [rows.1, columns.1],
        stride: [rows.2, columns.2],
        padding: [rows.4, columns.4],
        dilation: [rows.3, columns.3],
        groups: c,
    })
}

fn run_forward(trial: Trial, shape: &ConvShape, input: Input, activation: Activation) -> Vec<f32> {
    let [x, weights] = trial.copies([input.x, input.weights]);
    let bias = input.bias.map(|bias| trial.copy(bias));
    let mut y = trial.output(shape.output_len());
    let input = Input { x: &x, weights: &weights, bias: bias.as_deref() };
    forward(trial.isa, shape, input, activation, &mut y);
    y.to_vec()
}

fn run_data(trial: Trial, shape: &ConvShape, dy: &[f32], weights: &[f32]) -> Vec<f32> {
    let [dy, weights] = trial.copies([dy, weights]);
    let mut dx = trial.output(shape.input_len());
    backward_data(trial.isa, shape, &dy, &weights, &mut dx);
    dx.to_vec()
}

fn run_weights(trial: Trial, shape: &ConvShape, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let [x, dy] = trial.copies([x, dy]);
    let mut dw = trial.output(shape.weights_len());
    backward_weights(trial.isa, shape, &x, &dy, &mut dw);
    dw.to_vec()
}

/// x, weights, bias and dy of a shape.
fn data(shape: &ConvShape) -> [Vec<f32>; 4] {
    let lens = [shape.input_len(), shape.weights_len(), shape.co, shape.output_len()];
    [0, 1, 2, 3].map(|i| floats(i as u32, lens[i]))
}

fn plain(n: usize, c: usize, size: usize, kernel: usize, stride: usize) -> ConvShape {
    ConvShape {
        n,
        input: [size; 2],
        ci: c,
        co: c,
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding: [[kernel / 2; 2]; 2],
        dilation: [1; 2],
        groups: c,
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn forward_is_the_reference(shape in shapes()) {
        let [x, weights, bias, _] = data(&shape);
        let mut exact = reference::forward(&shape, &x, &weights);
        let mut size = reference::forward(&shape, &sizes(&x), &sizes(&weights));
        for (i, (exact, size)) in exact.iter_mut().zip(&mut size).enumerate() {
            *exact += f64::from(bias[i % shape.co]);
            *size += f64::from(bias[i % shape.co].abs());
        }
        let terms = shape.kernel[0] * shape.kernel[1] + 2;
        for trial in Trial::all() {
            let input = Input { x: &x, weights: &weights, bias: Some(&bias) };
            let y = run_forward(trial, &shape, input, Activation::None);
            assert_close("y", &y, &exact, &size, terms);
            for activation in [Activation::Relu, Activation::Relu6] {
                let active = run_forward(trial, &shape, input, activation);
                let expected: Vec<f32> = y.iter().map(|&y| activation.apply(y)).collect();
                prop_assert_eq!(active, expected);
            }
            let free = run_forward(trial, &shape, Input { bias: None, ..input }, Activation::None);
            let zero = vec![0.0; shape.co];
            let zero = Input { bias: Some(&zero), ..input };
            prop_assert_eq!(free, run_forward(trial, &shape, zero, Activation::None));
        }
    }

    #[test]
    fn backward_data_is_the_reference(shape in shapes()) {
        let [_, weights, _, dy] = data(&shape);
        let exact = reference::backward_data(&shape, &dy, &weights);
        let size = reference::backward_data(&shape, &sizes(&dy), &sizes(&weights));
        let terms = shape.kernel[0] * shape.kernel[1] + 1;
        for trial in Trial::all() {
            assert_close("dx", &run_data(trial, &shape, &dy, &weights), &exact, &size, terms);
        }
    }

    #[test]
    fn backward_weights_is_the_reference(shape in shapes()) {
        let [x, _, _, dy] = data(&shape);
        let exact = reference::backward_weights(&shape, &x, &dy);
        let size = reference::backward_weights(&shape, &sizes(&x), &sizes(&dy));
        let terms = shape.n * shape.output().iter().product::<usize>() + 2;
        for trial in Trial::all() {
            assert_close("dw", &run_weights(trial, &shape, &x, &dy), &exact, &size, terms);
        }
    }

    #[test]
    fn infinities_go_where_the_reference_sends_them(shape in shapes(), seed in 0..1000u32) {
        let [mut x, mut weights, _, mut dy] = data(&shape);
        for (i, values) in [&mut x, &mut weights, &mut dy].into_iter().enumerate() {
            for special in [f32::NAN, f32::INFINITY] {
                if !values.is_empty() {
                    let at = seed as usize * (31 + i) % values.len();
                    values[at] = special;
                }
            }
        }
        // Sums that are not finite are the same in any order, unless rounding makes one.
        let same = |what: &str, fast: Vec<f32>, exact: Vec<f64>| {
            for (i, (fast, exact)) in fast.into_iter().zip(exact).enumerate() {
                let same = if exact.is_finite() {
                    fast.is_finite()
                } else {
                    fast.is_nan() == exact.is_nan()
                        && (fast.is_nan() || f64::from(fast).total_cmp(&exact).is_eq())
                };
                assert!(same, "{what}: element {i} is {fast}, should be {exact}");
            }
        };
        for trial in Trial::all() {
            let input = Input { x: &x, weights: &weights, bias: None };
            let y = run_forward(trial, &shape, input, Activation::None);
            same("y", y, reference::forward(&shape, &x, &weights));
            let dx = run_data(trial, &shape, &dy, &weights);
            same("dx", dx, reference::backward_data(&shape, &dy, &weights));
            let dw = run_weights(trial, &shape, &x, &dy);
            same("dw", dw, reference::backward_weights(&shape, &x, &dy));
        }
    }
}

#[test]
fn threads_change_no_bit() {
    for shape in [plain(9, 40, 33, 3, 1), plain(5, 96, 30, 3, 2), plain(3, 330, 14, 5, 1)] {
        let [x, weights, bias, dy] = data(&shape);
        for trial in Trial::all() {
            let input = Input { x: &x, weights: &weights, bias: Some(&bias) };
            assert_same_bits("y", || run_forward(trial, &shape, input, Activation::Relu));
            assert_same_bits("dx", || run_data(trial, &shape, &dy, &weights));
            assert_same_bits("dw", || run_weights(trial, &shape, &x, &dy));
        }
    }
}

#[test]
fn an_empty_batch_has_no_gradient() {
    let shape = plain(0, 20, 8, 3, 1);
    for trial in Trial::all() {
        assert_eq!(run_weights(trial, &shape, &[], &[]), vec![0.0; 180]);
        assert!(run_data(trial, &shape, &[], &floats(0, 180)).is_empty());
    }
}

#[test]
#[should_panic(expected = "not depthwise")]
fn other_groups_are_refused() {
    let shape = ConvShape { groups: 4, ..plain(1, 8, 4, 3, 1) };
    backward_data(Isa::best(), &shape, &floats(0, 144), &floats(0, 36), &mut [0.0; 128]);
}
