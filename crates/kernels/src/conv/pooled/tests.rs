//! Every pass against plain loops and the reference convolution.

use proptest::prelude::*;

use super::*;
use crate::Options;
use crate::conv::{Activation, Memo, forward_pooled, reference, winograd};
use crate::testing::{Trial, assert_close, assert_same_bits, cases, floats, sizes};

/// Shapes with everything that may differ.
fn shapes() -> impl Strategy<Value = PooledShape> {
    let sizes = (0usize..4, 1usize..20, 1usize..20, prop_oneof![1usize..6, 6usize..40]);
    let outputs = (prop_oneof![1usize..6, 6usize..40, 60usize..80], 1usize..5);
    let kernel =
        ([1usize..6, 1usize..8], [1usize..3, 1usize..4], [[0usize..3, 0..3], [0..3, 0..3]]);
    (sizes, outputs, kernel).prop_filter_map("no place", |(sizes, outputs, kernel)| {
        let ((n, h, w, ci), (co, pool)) = (sizes, outputs);
        let (kernel, stride, padding) = kernel;
        let conv = ConvShape {
            n,
            input: [h, w],
            ci,
            co,
            kernel,
            stride,
            padding,
            dilation: [1; 2],
            groups: 1,
        };
        let shape = PooledShape { conv, pool };
        let fits = (0..2).all(|axis| conv.reach(axis) <= conv.padded(axis));
        (fits && conv.output().iter().all(|&len| len >= pool)).then_some(shape)
    })
}

/// A shape without padding, of square images.
fn square(n: usize, size: [usize; 2], channels: [usize; 2], padding: usize) -> PooledShape {
    let conv = ConvShape {
        n,
        input: [size[0]; 2],
        ci: channels[0],
        co: channels[1],
        kernel: [size[1]; 2],
        stride: [1; 2],
        padding: [[padding; 2]; 2],
        dilation: [1; 2],
        groups: 1,
    };
    PooledShape { conv, pool: 2 }
}

/// Slots of all kinds; about one in eight is dead.
fn slots(shape: &PooledShape) -> Vec<u8> {
    let names = shape.pool * shape.pool;
    let random = floats(7, 2 * shape.pooled_len());
    let pick = |pair: &[f32]| {
        let slot = ((pair[0] + 1.0) * 0.5 * names as f32) as u8;
        if pair[1] > 0.75 { DEAD } else { slot.min(names as u8 - 1) }
    };
    random.chunks_exact(2).map(pick).collect()
}

fn activations() -> impl Strategy<Value = Activation> {
    prop_oneof![Just(Activation::None), Just(Activation::Relu), Just(Activation::Relu6)]
}

/// Where the output of the convolution lies that is in this slot under pooled element `i`.
fn place(shape: &PooledShape, i: usize, slot: usize) -> usize {
    let [oh, ow] = shape.conv.output();
    let (ph, pw, co, pool) = (shape.ph(), shape.pw(), shape.conv.co, shape.pool);
    let (n, r, c, o) = (i / (ph * pw * co), i / (pw * co) % ph, i / co % pw, i % co);
    let (r, c) = (r * pool + slot / pool, c * pool + slot % pool);
    ((n * oh + r) * ow + c) * co + o
}

/// The gradient of the convolution's outputs.
fn dense(shape: &PooledShape, dy: &[f32], slots: &[u8]) -> Vec<f32> {
    let mut dense = vec![0.0; shape.conv.output_len()];
    for (i, (&dy, &slot)) in dy.iter().zip(slots).enumerate() {
        if slot != DEAD {
            dense[place(shape, i, usize::from(slot))] = dy;
        }
    }
    dense
}

fn data(trial: Trial, shape: &PooledShape, dy: &[f32], slots: &[u8], w: &[f32]) -> Vec<f32> {
    let ([dy, w], slots) = (trial.copies([dy, w]), trial.copy(slots));
    let mut dx = trial.output(shape.conv.input_len());
    backward_data(trial.isa, shape, &dy, &slots, &w, &mut dx);
    dx.to_vec()
}

fn weights(trial: Trial, shape: &PooledShape, x: &[f32], dy: &[f32], slots: &[u8]) -> Vec<f32> {
    let ([x, dy], slots) = (trial.copies([x, dy]), trial.copy(slots));
    let mut dw = trial.output(shape.conv.weights_len());
    backward_weights(trial.isa, shape, &x, &dy, &slots, &mut dw);
    dw.to_vec()
}

fn bias(trial: Trial, shape: &PooledShape, dy: &[f32], slots: &[u8]) -> Vec<f32> {
    let (dy, slots) = (trial.copy(dy), trial.copy(slots));
    let mut db = trial.output(shape.conv.co);
    backward_bias(trial.isa, shape, &dy, &slots, &mut db);
    db.to_vec()
}

/// Checks `forward_pooled` with and without slots: each result is the largest of its pool, to
/// rounding, and each slot names an output that is as large.
fn forward_agrees(shape: &PooledShape, activation: Activation) {
    let conv = &shape.conv;
    let (x, w) = (floats(1, conv.input_len()), floats(2, conv.weights_len()));
    let bias = floats(5, conv.co);
    let with_bias = |conv: Vec<f64>, bias: &[f32]| -> Vec<f64> {
        conv.iter().zip(bias.iter().cycle()).map(|(y, &b)| y + f64::from(b)).collect()
    };
    let exact = with_bias(reference::forward(conv, &x, &w), &bias);
    let size = with_bias(reference::forward(conv, &sizes(&x), &sizes(&w)), &sizes(&bias));
    // Where Winograd's form is taken, 24 roundings of all products, which are below 1.
    let depth = (conv.ci * conv.kernel[0] * conv.kernel[1]) as f64;
    let bound = |size: f64| (size * (depth + 5.0)).max(24.0 * depth) * 2f64.powi(-24);
    for trial in Trial::all() {
        let [x, weights, bias] = trial.copies([&x, &w, &bias]);
        let options = Options { isa: trial.isa, winograd: true };
        let mut y = trial.output(shape.pooled_len());
        let mut slots = trial.copy(&vec![99; y.len()]);
        let operands =
            Operands { x: &x, weights: &weights, bias: Some(&bias), activation, memo: None };
        forward_pooled(options, shape, operands, &mut y, Some(&mut slots));
        let memo = Memo::default();
        for _ in 0..2 {
            let mut alone = trial.output(y.len());
            let operands = Operands { memo: Some(&memo), ..operands };
            forward_pooled(options, shape, operands, &mut alone, None);
            assert_eq!(*y, *alone, "{trial:?}: slots and kept weights change nothing");
        }
        for (i, (&y, &slot)) in y.iter().zip(&slots[..]).enumerate() {
            let places = (0..shape.pool.pow(2)).map(|slot| place(shape, i, slot));
            let bound = places.clone().map(|place| bound(size[place])).fold(0.0, f64::max);
            let best = places.map(|place| exact[place]).fold(f64::NEG_INFINITY, f64::max);
            let (low, high) = activation.bounds();
            let error = f64::from(y) - best.clamp(low.into(), high.into());
            assert!(error.abs() <= bound, "{trial:?}: {i} is {y}, off by {error}");
            assert_eq!(slot == DEAD, !activation.passes(y));
            let kept = slot != DEAD;
            let chosen = kept.then(|| exact[place(shape, i, usize::from(slot))]);
            assert!(chosen.is_none_or(|chosen| chosen >= best - 2.0 * bound));
        }
    }
}

/// Sums per channel of a dense gradient.
fn channel_sums(shape: &PooledShape, dense: &[f32]) -> Vec<f64> {
    let mut sums = vec![0.0; shape.conv.co];
    for (i, &dy) in dense.iter().enumerate() {
        sums[i % shape.conv.co] += f64::from(dy);
    }
    sums
}

/// Roundings in a sum of as many products as an element of each gradient has.
fn terms(shape: &PooledShape) -> [usize; 3] {
    let conv = &shape.conv;
    let pixels = conv.n * shape.ph() * shape.pw();
    [conv.co * conv.kernel[0] * conv.kernel[1] + 4, pixels + 20, pixels + 20]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn gradients_are_those_of_the_dense_convolution(shape in shapes()) {
        let (x, w) = (floats(1, shape.conv.input_len()), floats(2, shape.conv.weights_len()));
        let (dy, slots) = (floats(3, shape.pooled_len()), slots(&shape));
        let dense = dense(&shape, &dy, &slots);
        let (ax, aw, ad) = (sizes(&x), sizes(&w), sizes(&dense));
        let dx = reference::backward_data(&shape.conv, &dense, &w);
        let dx_size = reference::backward_data(&shape.conv, &ad, &aw);
        let dw = reference::backward_weights(&shape.conv, &x, &dense);
        let dw_size = reference::backward_weights(&shape.conv, &ax, &ad);
        let (db, db_size) = (channel_sums(&shape, &dense), channel_sums(&shape, &ad));
        let terms = terms(&shape);
        for trial in Trial::all() {
            let name = trial.isa.name();
            let fast = data(trial, &shape, &dy, &slots, &w);
            assert_close(&format!("{name} dx"), &fast, &dx, &dx_size, terms[0]);
            let fast = weights(trial, &shape, &x, &dy, &slots);
            assert_close(&format!("{name} dw"), &fast, &dw, &dw_size, terms[1]);
            let fast = bias(trial, &shape, &dy, &slots);
            assert_close(&format!("{name} db"), &fast, &db, &db_size, terms[2]);
        }
    }

    #[test]
    fn forward_pools_the_reference(shape in shapes(), activation in activations()) {
        forward_agrees(&shape, activation);
    }

    /// Shapes for which Winograd's form wins.
    #[test]
    fn forward_pools_winograds_form(
        n in 3usize..9,
        size in [8usize..19, 8..19],
        channels in [16usize..40, 16..70],
        padding in [[0usize..3, 0..3], [0..3, 0..3]],
        activation in activations(),
    ) {
        let mut shape = square(n, [8, 3], channels, 0);
        (shape.conv.input, shape.conv.padding) = (size, padding);
        prop_assume!(winograd::wins(&shape.conv));
        forward_agrees(&shape, activation);
    }

    #[test]
    fn pooling_keeps_the_first_of_the_largest(shape in shapes(), activation in activations()) {
        let [oh, ow] = shape.conv.output();
        let (co, pool) = (shape.conv.co, shape.pool);
        let (rows, pw) = (oh / pool, ow / pool);
        // Few values, so that there are equal ones, at and beyond the bounds too, and not-a-numbers.
        let few = [-7.0, -0.0, 0.0, 3.5, 6.0, 7.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        let conv: Vec<f32> = floats(4, rows * pool * ow * co)
            .iter()
            .map(|x| few[((x + 1.0) * 5.0) as usize % few.len()])
            .collect();
        for trial in Trial::all() {
            let conv = trial.copy(&conv);
            let mut y = trial.output(rows * pw * co);
            let mut slots = trial.copy(&vec![99; y.len()]);
            let pooling = Pooling { pool, ow, co, activation };
            pool_rows(trial.isa, pooling, &conv, &mut y, Some(&mut slots));
            for i in 0..y.len() {
                let (r, c, o) = (i / (pw * co), i / co % pw, i % co);
                let mut best = (f32::NEG_INFINITY, 0);
                for slot in 0..pool * pool {
                    let (r, c) = (r * pool + slot / pool, c * pool + slot % pool);
                    let x = conv[(r * ow + c) * co + o];
                    if x > best.0 || x.is_nan() && !best.0.is_nan() {
                        best = (x, slot as u8);
                    }
                }
                let (low, high) = activation.bounds();
                let flat = activation != Activation::None && (best.0 <= low || best.0 >= high);
                let expected = activation.apply(best.0);
                let same = y[i].to_bits() == expected.to_bits();
                prop_assert!(same || y[i].is_nan() && expected.is_nan());
                let flat = if activation == Activation::Relu { best.0 <= low } else { flat };
                prop_assert_eq!(slots[i], if flat { DEAD } else { best.1 });
            }
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    for shape in [square(37, [9, 3], [5, 7], 1), square(5, [13, 3], [32, 70], 0)] {
        let (x, w) = (floats(1, shape.conv.input_len()), floats(2, shape.conv.weights_len()));
        let (dy, slots) = (floats(3, shape.pooled_len()), slots(&shape));
        for trial in Trial::all() {
            let name = trial.isa.name();
            assert_same_bits(&format!("{name} dx"), || data(trial, &shape, &dy, &slots, &w));
            assert_same_bits(&format!("{name} dw"), || weights(trial, &shape, &x, &dy, &slots));
            assert_same_bits(&format!("{name} db"), || bias(trial, &shape, &dy, &slots));
        }
    }
}

#[test]
fn dead_elements_contribute_nothing_and_nan_goes_where_it_belongs() {
    let shape = square(2, [8, 3], [3, 20], 1);
    let (mut x, mut w) = (floats(1, shape.conv.input_len()), floats(2, shape.conv.weights_len()));
    let mut slots = slots(&shape);
    let mut dy = floats(3, shape.pooled_len());
    dy[0] = f32::NAN;
    slots[0] = 3; // row 1, column 1: its window is rows and columns 0 to 2
    dy[25] = f32::NAN;
    slots[25] = DEAD;
    // All of channel 4 is dead, all of channel 6 has infinite gradients, below a zero of the input.
    for i in (0..dy.len()).step_by(20) {
        slots[i + 4] = DEAD;
        dy[i + 4] = f32::INFINITY;
    }
    let one = 7 * 20 + 6; // row 1, column 3 of the pooled image
    (dy[one], slots[one]) = (f32::INFINITY, 0); // window: rows 1 to 3, columns 5 to 7
    x[(7 * 8 + 7) * 3] = f32::INFINITY;
    w[4 * 27..5 * 27].fill(f32::NAN);
    for trial in Trial::all() {
        let dx = data(trial, &shape, &dy, &slots, &w);
        for (i, dx) in dx.iter().enumerate() {
            let (n, r, c) = (i / 192, i / 24 % 8, i / 3 % 8);
            let hit = n == 0 && r <= 2 && c <= 2;
            assert_eq!(dx.is_nan(), hit, "{} dx of image {n}, {r}, {c}: {dx}", trial.isa.name());
            let far = n == 0 && (1..4).contains(&r) && (5..8).contains(&c);
            assert_eq!(
                dx.is_infinite(),
                far,
                "{} dx of image {n}, {r}, {c}: {dx}",
                trial.isa.name()
            );
        }
        let dw = weights(trial, &shape, &x, &dy, &slots);
        assert!(dw[..27].iter().all(|dw| dw.is_nan()));
        assert!(dw[27..6 * 27].iter().all(|dw| !dw.is_nan()));
        assert!(dw[4 * 27..5 * 27].iter().all(|&dw| dw == 0.0));
        let db = bias(trial, &shape, &dy, &slots);
        assert!(db[0].is_nan() && db[6].is_infinite() && db[4] == 0.0);
        assert!(db.iter().filter(|db| db.is_finite()).count() == 18);
    }
}

#[test]
fn bytes_that_are_no_slots_have_no_gradient() {
    let shape = square(2, [9, 3], [4, 18], 0);
    let (x, w) = (floats(1, shape.conv.input_len()), floats(2, shape.conv.weights_len()));
    let dy = floats(3, shape.pooled_len());
    let slots = vec![200; dy.len()];
    for trial in Trial::all() {
        assert!(data(trial, &shape, &dy, &slots, &w).iter().all(|&dx| dx == 0.0));
        assert!(weights(trial, &shape, &x, &dy, &slots).iter().all(|&dw| dw == 0.0));
    }
}
