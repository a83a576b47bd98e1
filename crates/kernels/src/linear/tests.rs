//! The dense layer against its reference.

use proptest::prelude::*;

use super::{LinearShape, backward_data, backward_weights, forward, reference};
use crate::conv::{Activation, Finish};
use crate::simd::Isa;
use crate::testing::{Trial, assert_close, assert_same_bits, cases, floats, sizes};

/// Every pass in every trial.
fn check(shape: &LinearShape) {
    let &LinearShape { n, inputs, outputs } = shape;
    let (x, w) = (floats(1, n * inputs), floats(2, inputs * outputs));
    let (dy, bias) = (floats(3, n * outputs), floats(4, outputs));
    let (sx, sw, sdy) = (sizes(&x), sizes(&w), sizes(&dy));
    let add = |y: Vec<f64>, bias: &[f32], residual: &[f32]| -> Vec<f64> {
        let more = |i: usize| f64::from(bias[i % outputs]) + f64::from(residual[i]);
        y.iter().enumerate().map(|(i, y)| y + more(i)).collect()
    };
    let y_exact = add(reference::forward(shape, &x, &w), &bias, &dy);
    let y_exact: Vec<f64> = y_exact.into_iter().map(|y| y.max(0.0)).collect();
    let y_size = add(reference::forward(shape, &sx, &sw), &sizes(&bias), &sdy);
    let dx_exact = reference::backward_data(shape, &dy, &w);
    let dx_size = reference::backward_data(shape, &sdy, &sw);
    let dw_exact = reference::backward_weights(shape, &x, &dy);
    let dw_size = reference::backward_weights(shape, &sx, &sdy);
    for trial in Trial::all() {
        let isa = trial.isa;
        let what = |pass: &str| format!("{pass} {} {shape:?}", isa.name());
        let [x, w, dy, bias] = trial.copies([&x, &w, &dy, &bias]);

        let mut y = trial.output(n * outputs);
        let (bias, residual) = (Some(&bias[..]), Some(&dy[..]));
        let finish = Finish { bias, residual, activation: Activation::Relu, memo: None };
        forward(isa, shape, &x, &w, finish, &mut y);
        assert_close(&what("forward"), &y, &y_exact, &y_size, 4 + inputs);

        let mut dx = trial.output(n * inputs);
        backward_data(isa, shape, &dy, &w, &mut dx);
        assert_close(&what("data"), &dx, &dx_exact, &dx_size, 4 + outputs);

        let mut dw = trial.output(inputs * outputs);
        backward_weights(isa, shape, &x, &dy, &mut dw);
        assert_close(&what("weights"), &dw, &dw_exact, &dw_size, 4 + n);
    }
}

proptest! {
    #![proptest_config(cases())]
    #[test]
    fn dense_layers_agree_with_the_reference(
        n in 0..130usize, inputs in 1..120usize, outputs in 1..90usize
    ) {
        check(&LinearShape { n, inputs, outputs });
    }
}

#[test]
fn large_dense_layers_agree_with_the_reference() {
    check(&LinearShape { n: 50, inputs: 1300, outputs: 130 });
    check(&LinearShape { n: 390, inputs: 40, outputs: 530 });
}

#[test]
fn dense_layers_give_the_same_bits_for_any_number_of_threads() {
    let shape = LinearShape { n: 200, inputs: 600, outputs: 90 };
    let (x, w, dy) = (floats(1, 200 * 600), floats(2, 600 * 90), floats(3, 200 * 90));
    assert_same_bits("linear", || {
        let mut out = vec![0.0; y_len(&shape) + x.len() + w.len()];
        let (y, rest) = out.split_at_mut(y_len(&shape));
        let (dx, dw) = rest.split_at_mut(x.len());
        forward(Isa::best(), &shape, &x, &w, Finish::default(), y);
        backward_data(Isa::best(), &shape, &dy, &w, dx);
        backward_weights(Isa::best(), &shape, &x, &dy, dw);
        out
    });
}

fn y_len(shape: &LinearShape) -> usize {
    shape.n * shape.outputs
}
