//! Pooling against the reference, on every instruction set.

use proptest::prelude::*;

use super::*;
use crate::Isa;
use crate::testing::{Trial, assert_close, assert_same_bits, cases, floats, sizes};

/// Random shapes: windows that overlap, touch, and lie apart.
fn shapes() -> impl Strategy<Value = PoolShape> {
    let channels = prop_oneof![1usize..20, Just(32), 33usize..70];
    (0usize..4, 1usize..20, 1usize..20, channels, 1usize..6, 1usize..5, 0usize..5).prop_filter_map(
        "no place for the window",
        |(n, h, w, channels, kernel, stride, padding)| {
            let padding = padding % kernel;
            (kernel <= h.min(w) + 2 * padding).then_some(PoolShape {
                n,
                input: [h, w],
                channels,
                kernel,
                stride,
                padding,
            })
        },
    )
}

/// Numbers that are often equal.
fn coarse(seed: u32, len: usize) -> Vec<f32> {
    floats(seed, len).iter().map(|x| (x * 4.0).round()).collect()
}

fn fast_max(trial: Trial, shape: &PoolShape, x: &[f32]) -> (Vec<f32>, Vec<u8>) {
    let mut y = trial.output(shape.output_len());
    let mut slots = trial.copy(&vec![255; y.len()]);
    max_forward(trial.isa, shape, &trial.copy(x), &mut y, Some(&mut slots));
    (y.to_vec(), slots.to_vec())
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

fn check_max(shape: &PoolShape, x: &[f32], dy: &[f32]) {
    let (exact, places) = reference::max_forward(shape, x);
    let gradient = reference::max_backward(shape, dy, &places);
    let size = reference::max_backward(shape, &sizes(dy), &places);
    for trial in Trial::all() {
        let (y, slots) = fast_max(trial, shape, x);
        assert_eq!(bits(&y), bits(&exact));
        assert_eq!(slots.iter().map(|&slot| slot as usize).collect::<Vec<_>>(), places);
        let ([x, dy], slots) = (trial.copies([x, dy]), trial.copy(&slots));
        let mut only = trial.output(y.len());
        max_forward(trial.isa, shape, &x, &mut only, None);
        assert_eq!(bits(&only), bits(&exact));
        let mut dx = trial.output(x.len());
        max_backward(trial.isa, shape, &dy, &slots, &mut dx);
        assert_close("dx", &dx, &gradient, &size, shape.kernel.pow(2));
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn maxima_are_the_references(shape in shapes(), seed: u32) {
        let dy = floats(seed ^ 1, shape.output_len());
        check_max(&shape, &coarse(seed, shape.input_len()), &dy);
    }

    #[test]
    fn maxima_of_odd_numbers_are_the_references(shape in shapes(), seed: u32) {
        let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 0.0, 1.0, -1e38];
        let x: Vec<f32> = floats(seed, shape.input_len()).iter()
            .map(|x| if *x < 0.5 { f32::NEG_INFINITY } else { odd[(x * 999.0) as usize % 7] })
            .collect();
        check_max(&shape, &x, &floats(seed ^ 1, shape.output_len()));
    }

    #[test]
    fn averages_are_the_references(shape in shapes(), seed: u32) {
        let (x, dy) = (floats(seed, shape.input_len()), floats(seed ^ 1, shape.output_len()));
        let exact = reference::average_forward(&shape, &x);
        let size = reference::average_forward(&shape, &sizes(&x));
        let gradient = reference::average_backward(&shape, &dy);
        let gradient_size = reference::average_backward(&shape, &sizes(&dy));
        for trial in Trial::all() {
            let (isa, [x, dy]) = (trial.isa, trial.copies([&x, &dy]));
            let (mut y, mut dx) = (trial.output(dy.len()), trial.output(x.len()));
            average_forward(isa, &shape, &x, &mut y);
            assert_close("average", &y, &exact, &size, shape.kernel.pow(2) + 2);
            average_backward(isa, &shape, &dy, &mut dx);
            assert_close("dx", &dx, &gradient, &gradient_size, shape.kernel.pow(2) + 2);
        }
    }

    #[test]
    fn averages_of_images_are_the_references(
        n in 0usize..4, pixels in prop_oneof![1usize..70, 250usize..600], channels in 1usize..70,
        seed: u32,
    ) {
        let (x, dy) = (floats(seed, n * pixels * channels), floats(seed ^ 1, n * channels));
        let (mut exact, mut size) = (vec![0.0; dy.len()], vec![0.0; dy.len()]);
        for (i, &x) in x.iter().enumerate() {
            let out = i / channels / pixels * channels + i % channels;
            exact[out] += f64::from(x) / pixels as f64;
            size[out] += f64::from(x.abs()) / pixels as f64;
        }
        let of_pixel = |dy: &[f32], i: usize| {
            f64::from(dy[i / channels / pixels * channels + i % channels]) / pixels as f64
        };
        let gradient: Vec<f64> = (0..x.len()).map(|i| of_pixel(&dy, i)).collect();
        let gradient_size: Vec<f64> = gradient.iter().map(|g| g.abs()).collect();
        for trial in Trial::all() {
            let (isa, [x, dy]) = (trial.isa, trial.copies([&x, &dy]));
            let (mut y, mut dx) = (trial.output(dy.len()), trial.output(x.len()));
            global_average_forward(isa, n, pixels, channels, &x, &mut y);
            assert_close("average", &y, &exact, &size, 80);
            global_average_backward(isa, n, pixels, channels, &dy, &mut dx);
            assert_close("dx", &dx, &gradient, &gradient_size, 3);
        }
    }
}

#[test]
fn large_windows_have_their_slots() {
    let shape =
        PoolShape { n: 1, input: [17, 16], channels: 18, kernel: 15, stride: 1, padding: 7 };
    let dy = floats(1, shape.output_len());
    check_max(&shape, &floats(2, shape.input_len()), &dy);
}

#[test]
fn a_gradient_that_is_not_a_number_goes_to_its_place_only() {
    let shape = PoolShape { n: 1, input: [4, 4], channels: 17, kernel: 2, stride: 2, padding: 0 };
    let x = floats(3, shape.input_len());
    for trial in Trial::all() {
        let slots = fast_max(trial, &shape, &x).1;
        let mut dx = vec![9.0; x.len()];
        max_backward(trial.isa, &shape, &vec![f32::NAN; slots.len()], &slots, &mut dx);
        assert_eq!(dx.iter().filter(|x| x.is_nan()).count(), slots.len());
        assert_eq!(dx.iter().filter(|&&x| x == 0.0).count(), dx.len() - slots.len());
    }
}

#[test]
fn slots_of_other_shapes_are_harmless() {
    let shape = PoolShape { n: 2, input: [7, 5], channels: 19, kernel: 3, stride: 2, padding: 1 };
    let dy = floats(4, shape.output_len());
    for trial in Trial::all() {
        let mut dx = vec![9.0; shape.input_len()];
        max_backward(trial.isa, &shape, &dy, &vec![200; dy.len()], &mut dx);
        assert!(dx.iter().all(|&dx| dx == 0.0));
    }
}

#[test]
#[should_panic(expected = "more padding than window")]
fn windows_outside_the_image_are_refused() {
    PoolShape { n: 1, input: [4, 4], channels: 1, kernel: 2, stride: 1, padding: 2 }.check();
}

#[test]
#[should_panic(expected = "no memory")]
fn sizes_that_overflow_are_refused() {
    let shape = PoolShape {
        n: 1 << 40,
        input: [1 << 12, 1 << 12],
        channels: 1,
        kernel: 1,
        stride: 1,
        padding: 0,
    };
    max_forward(Isa::best(), &shape, &[], &mut [], None);
}

#[test]
fn threads_do_not_change_a_bit() {
    let shape = PoolShape { n: 3, input: [23, 29], channels: 35, kernel: 3, stride: 2, padding: 1 };
    let (x, dy) = (coarse(5, shape.input_len()), floats(6, shape.output_len()));
    for trial in Trial::all() {
        assert_same_bits("pool", || {
            let isa = trial.isa;
            let (mut y, slots) = fast_max(trial, &shape, &x);
            let mut dx = vec![0.0; x.len()];
            max_backward(isa, &shape, &dy, &slots, &mut dx);
            let mut all = [y.clone(), dx.clone()].concat();
            average_forward(isa, &shape, &x, &mut y);
            average_backward(isa, &shape, &dy, &mut dx);
            all.extend(y.iter().chain(&dx));
            let mut image = vec![0.0; 3 * 35];
            global_average_forward(isa, 3, 23 * 29, 35, &x, &mut image);
            global_average_backward(isa, 3, 23 * 29, 35, &image, &mut dx);
            all.extend(image.iter().chain(&dx));
            all
        });
    }
}
