//! Every way of convolving against the reference, on shapes that hurt.

use proptest::prelude::*;

use super::direct::{self, Finish};
use super::{Activation, ConvShape, reference};
use crate::simd::Isa;
use crate::testing::{assert_close, assert_same_bits, cases, floats, sizes};

prop_compose! {
    /// Any convolution that fits.
    fn shapes()(
        n in 0..4usize, groups in prop_oneof![3 => Just(1usize), 1 => 2..4usize],
        ci in 1..24usize, co in 1..71usize,
        kernel in [1..6usize, 1..6usize], stride in [1..4usize, 1..4usize],
        padding in [[0..4usize, 0..4usize], [0..4usize, 0..4usize]],
        dilation in [1..3usize, 1..3usize], extra in [0..12usize, 0..12usize],
    ) -> ConvShape {
        let reach = [0, 1].map(|a| (kernel[a] - 1) * dilation[a] + 1);
        let input = [0, 1].map(|a: usize| {
            (reach[a] + extra[a]).saturating_sub(padding[a][0] + padding[a][1]).max(1)
        });
        let (ci, co) = (ci.div_ceil(groups) * groups, co.div_ceil(groups) * groups);
        ConvShape { n, input, ci, co, kernel, stride, padding, dilation, groups }
    }
}

fn terms(k: usize) -> usize {
    4 + k
}

fn check(isa: Isa, shape: &ConvShape) {
    let what = format!("{} {shape:?}", isa.name());
    let (x, w) = (floats(1, shape.input_len()), floats(2, shape.weights_len()));
    let dy = floats(3, shape.output_len());
    let depth = shape.weights_len() / shape.co;

    let mut y = vec![f32::NAN; shape.output_len()];
    direct::forward(isa, shape, &x, &w, Finish::default(), &mut y);
    let size = reference::forward(shape, &sizes(&x), &sizes(&w));
    let exact = reference::forward(shape, &x, &w);
    assert_close(&format!("forward {what}"), &y, &exact, &size, terms(depth));

    let bias = floats(4, shape.co);
    let finish = Finish { bias: Some(&bias), residual: Some(&dy), activation: Activation::Relu6 };
    direct::forward(isa, shape, &x, &w, finish, &mut y);
    let added = |exact: &[f64], sign: fn(f32) -> f32| -> Vec<f64> {
        let more = |i: usize| f64::from(sign(bias[i % shape.co])) + f64::from(sign(dy[i]));
        exact.iter().enumerate().map(|(i, y)| y + more(i)).collect()
    };
    let exact: Vec<f64> = added(&exact, |x| x).into_iter().map(|y| y.clamp(0.0, 6.0)).collect();
    let size = added(&size, f32::abs);
    assert_close(&format!("finished {what}"), &y, &exact, &size, terms(depth));

    let mut dx = vec![f32::NAN; shape.input_len()];
    direct::backward_data(isa, shape, &dy, &w, &mut dx);
    let size = reference::backward_data(shape, &sizes(&dy), &sizes(&w));
    let exact = reference::backward_data(shape, &dy, &w);
    assert_close(&format!("data {what}"), &dx, &exact, &size, terms(depth * shape.co));

    let mut dw = vec![f32::NAN; shape.weights_len()];
    direct::backward_weights(isa, shape, &x, &dy, &mut dw);
    let size = reference::backward_weights(shape, &sizes(&x), &sizes(&dy));
    let exact = reference::backward_weights(shape, &x, &dy);
    assert_close(&format!("weights {what}"), &dw, &exact, &size, 4 + shape.output_len());
}

proptest! {
    #![proptest_config(cases())]
    #[test]
    fn the_direct_way_agrees_with_the_reference(shape in shapes()) {
        for isa in Isa::available() {
            check(isa, &shape);
        }
    }
}

/// Shapes that are cut into several bands, blocks of the reduction and parts of the sums.
fn large() -> [ConvShape; 3] {
    let plain = ConvShape {
        n: 3,
        input: [19, 23],
        ci: 70,
        co: 150,
        kernel: [3, 3],
        stride: [1, 1],
        padding: [[1, 1], [1, 1]],
        dilation: [1, 1],
        groups: 1,
    };
    [
        plain,
        ConvShape { stride: [2, 2], kernel: [1, 1], padding: [[0; 2]; 2], ci: 600, ..plain },
        ConvShape { input: [4, 4], n: 40, ci: 33, ..plain },
    ]
}

#[test]
fn large_shapes_agree_with_the_reference() {
    for shape in large() {
        for isa in Isa::available() {
            check(isa, &shape);
        }
    }
}

#[test]
fn the_direct_way_gives_the_same_bits_for_any_number_of_threads() {
    for shape in large() {
        let (x, w) = (floats(1, shape.input_len()), floats(2, shape.weights_len()));
        let dy = floats(3, shape.output_len());
        assert_same_bits("direct", || {
            let isa = Isa::best();
            let mut out = vec![0.0; shape.output_len() + shape.input_len() + shape.weights_len()];
            let (y, rest) = out.split_at_mut(shape.output_len());
            let (dx, dw) = rest.split_at_mut(shape.input_len());
            direct::forward(isa, &shape, &x, &w, Finish::default(), y);
            direct::backward_data(isa, &shape, &dy, &w, dx);
            direct::backward_weights(isa, &shape, &x, &dy, dw);
            out
        });
    }
}
