//! The dense layer against its reference.

use proptest::prelude::*;

use super::{LinearShape, backward_data, backward_weights, forward, reference};
use crate::conv::{Activation, Finish};
use crate::simd::Isa;
use crate::testing::{assert_close, assert_same_bits, cases, floats, sizes};

fn check(isa: Isa, shape: &LinearShape) {
    let &LinearShape { n, inputs, outputs } = shape;
    let what = format!("{} {shape:?}", isa.name());
    let (x, w) = (floats(1, n * inputs), floats(2, inputs * outputs));
    let (dy, bias) = (floats(3, n * outputs), floats(4, outputs));
    let (sx, sw, sdy) = (sizes(&x), sizes(&w), sizes(&dy));

    let mut y = vec![f32::NAN; n * outputs];
    let finish = Finish { bias: Some(&bias), activation: Activation::Relu, ..Finish::default() };
    forward(isa, shape, &x, &w, finish, &mut y);
    let add = |y: Vec<f64>, bias: &[f32]| -> Vec<f64> {
        y.iter().enumerate().map(|(i, y)| y + f64::from(bias[i % outputs])).collect()
    };
    let exact: Vec<f64> =
        add(reference::forward(shape, &x, &w), &bias).into_iter().map(|y| y.max(0.0)).collect();
    let size = add(reference::forward(shape, &sx, &sw), &sizes(&bias));
    assert_close(&format!("forward {what}"), &y, &exact, &size, 4 + inputs);

    let mut dx = vec![f32::NAN; n * inputs];
    backward_data(isa, shape, &dy, &w, &mut dx);
    let exact = reference::backward_data(shape, &dy, &w);
    let size = reference::backward_data(shape, &sdy, &sw);
    assert_close(&format!("data {what}"), &dx, &exact, &size, 4 + outputs);

    let mut dw = vec![f32::NAN; inputs * outputs];
    backward_weights(isa, shape, &x, &dy, &mut dw);
    let exact = reference::backward_weights(shape, &x, &dy);
    let size = reference::backward_weights(shape, &sx, &sdy);
    assert_close(&format!("weights {what}"), &dw, &exact, &size, 4 + n);
}

proptest! {
    #![proptest_config(cases())]
    #[test]
    fn dense_layers_agree_with_the_reference(
        n in 0..130usize, inputs in 1..120usize, outputs in 1..90usize
    ) {
        for isa in Isa::available() {
            check(isa, &LinearShape { n, inputs, outputs });
        }
    }
}

#[test]
fn large_dense_layers_agree_with_the_reference() {
    for isa in Isa::available() {
        check(isa, &LinearShape { n: 50, inputs: 1300, outputs: 130 });
        check(isa, &LinearShape { n: 390, inputs: 40, outputs: 530 });
    }
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
