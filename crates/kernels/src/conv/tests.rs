//! Every way of convolving against the reference, on shapes that hurt.

use proptest::prelude::*;

use super::direct::{self, Finish};
use super::{Activation, ConvShape, Memo, pooled, reference, winograd};
use crate::Options;
use crate::simd::Isa;
use crate::testing::{Trial, assert_close, assert_same_bits, cases, floats, sizes};

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

/// Every pass in every trial.
fn check(shape: &ConvShape) {
    let lens = [shape.input_len(), shape.weights_len(), shape.output_len(), shape.co];
    let [x, w, dy, bias] = [0, 1, 2, 3].map(|i| floats(i as u32 + 1, lens[i]));
    let [ax, aw, ady, abias] = [&x, &w, &dy, &bias].map(|values| sizes(values));
    let plain = reference::forward(shape, &x, &w);
    let plain_size = reference::forward(shape, &ax, &aw);
    let add = |y: &[f64], bias: &[f32], residual: &[f32]| -> Vec<f64> {
        let more = |i: usize| f64::from(bias[i % shape.co]) + f64::from(residual[i]);
        y.iter().enumerate().map(|(i, y)| y + more(i)).collect()
    };
    let finished: Vec<f64> =
        add(&plain, &bias, &dy).into_iter().map(|y| y.clamp(0.0, 6.0)).collect();
    let finished_size = add(&plain_size, &abias, &ady);
    let dx_exact = reference::backward_data(shape, &dy, &w);
    let dx_size = reference::backward_data(shape, &ady, &aw);
    let dw_exact = reference::backward_weights(shape, &x, &dy);
    let dw_size = reference::backward_weights(shape, &ax, &ady);
    let depth = shape.weights_len() / shape.co;
    for trial in Trial::all() {
        let isa = trial.isa;
        let what = |pass: &str| format!("{pass} {} {shape:?}", isa.name());
        let [x, w, dy, bias] = trial.copies([&x, &w, &dy, &bias]);

        let mut y = trial.output(shape.output_len());
        direct::forward(isa, shape, &x, &w, Finish::default(), &mut y);
        assert_close(&what("forward"), &y, &plain, &plain_size, terms(depth));

        let (bias, residual) = (Some(&bias[..]), Some(&dy[..]));
        let finish = Finish { bias, residual, activation: Activation::Relu6, memo: None };
        direct::forward(isa, shape, &x, &w, finish, &mut y);
        assert_close(&what("finished"), &y, &finished, &finished_size, terms(depth));
        let memo = Memo::default();
        for _ in 0..2 {
            let mut again = trial.output(shape.output_len());
            let finish = Finish { memo: Some(&memo), ..finish };
            direct::forward(isa, shape, &x, &w, finish, &mut again);
            assert_eq!(*y, *again, "{}", what("with weights that were kept"));
        }

        let mut dx = trial.output(shape.input_len());
        direct::backward_data(isa, shape, &dy, &w, &mut dx);
        assert_close(&what("data"), &dx, &dx_exact, &dx_size, terms(depth * shape.co));

        let mut dw = trial.output(shape.weights_len());
        direct::backward_weights(isa, shape, &x, &dy, &mut dw);
        assert_close(&what("weights"), &dw, &dw_exact, &dw_size, 4 + shape.output_len());
    }
}

proptest! {
    #![proptest_config(cases())]
    #[test]
    fn the_direct_way_agrees_with_the_reference(shape in shapes()) {
        check(&shape);
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
        check(&shape);
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

/// `[n, oh, ow, co]`, its gradients and, of the same convolution with pools of 2 x 2, the output.
type Passes = [Vec<f32>; 4];

/// The operands of a convolution and of one that is pooled.
struct DirectCase {
    shape: ConvShape,
    x: Vec<f32>,
    weights: Vec<f32>,
    dy: Vec<f32>,
}

impl DirectCase {
    fn pooled_shape(&self) -> pooled::PooledShape {
        pooled::PooledShape { conv: self.shape, pool: 2 }
    }

    fn operands(&self) -> pooled::Operands<'_> {
        let Self { x, weights, .. } = self;
        pooled::Operands { x, weights, bias: None, activation: Activation::None, memo: None }
    }

    fn outputs(&self) -> Passes {
        let shape = &self.shape;
        let lens = [shape.output_len(), shape.input_len(), shape.weights_len()];
        let [y, dx, dw] = lens.map(|len| vec![f32::NAN; len]);
        [y, dx, dw, vec![f32::NAN; self.pooled_shape().pooled_len()]]
    }

    /// By the functions that choose.
    fn chosen(&self, options: Options) -> Passes {
        let Self { shape, x, weights, dy } = self;
        let [mut y, mut dx, mut dw, mut pooled] = self.outputs();
        super::forward(options, shape, x, weights, Finish::default(), &mut y);
        super::backward_data(options, shape, dy, weights, &mut dx);
        super::backward_weights(options, shape, x, dy, &mut dw);
        super::forward_pooled(options, &self.pooled_shape(), self.operands(), &mut pooled, None);
        [y, dx, dw, pooled]
    }

    fn direct(&self, isa: Isa) -> Passes {
        let Self { shape, x, weights, dy } = self;
        let [mut y, mut dx, mut dw, mut pooled] = self.outputs();
        direct::forward(isa, shape, x, weights, Finish::default(), &mut y);
        direct::backward_data(isa, shape, dy, weights, &mut dx);
        direct::backward_weights(isa, shape, x, dy, &mut dw);
        let (shape, operands) = (self.pooled_shape(), self.operands());
        let results = pooled::Results::new(&shape, &operands, &mut pooled, None);
        pooled::in_registers(isa, &shape, operands, &results);
        [y, dx, dw, pooled]
    }
}

#[test]
fn without_winograd_all_passes_are_the_direct_ones() {
    let shape = ConvShape { input: [16, 16], n: 4, ci: 32, co: 48, ..large()[0] };
    assert!(winograd::wins(&shape), "the test needs a shape of Winograd's");
    let case = DirectCase {
        shape,
        x: floats(1, shape.input_len()),
        weights: floats(2, shape.weights_len()),
        dy: floats(3, shape.output_len()),
    };
    for isa in Isa::available() {
        let direct = case.direct(isa);
        assert!(case.chosen(Options { isa, winograd: false }) == direct, "{}", isa.name());
        let winograd = case.chosen(Options { isa, winograd: true });
        for (pass, direct) in direct.iter().enumerate() {
            assert!(winograd[pass] != *direct, "pass {pass} is not Winograd's, {}", isa.name());
        }
    }
}
