//! Every instruction set against the reference: all bits.

use proptest::prelude::*;

use super::{DropoutShape, Mask, Order, dropout, reference};
use crate::Isa;
use crate::testing::{Trial, assert_same_bits, cases, floats};

fn mask(seed: u32, rate: f64) -> Mask {
    Mask {
        key: [seed, seed ^ 0x5555],
        address: [seed.wrapping_mul(7), 5 << 16 | 3],
        first_sample: seed % 3,
        threshold: (rate * 4_294_967_296.0) as u32,
        keep: (1.0 / (1.0 - rate)) as f32,
    }
}

fn run(trial: Trial, mask: &Mask, shape: &DropoutShape, x: &[f32]) -> Vec<f32> {
    let mut y = trial.output(x.len());
    dropout(trial.isa, mask, shape, &trial.copy(x), &mut y);
    y.to_vec()
}

fn check(mask: &Mask, shape: &DropoutShape) {
    let factors = reference::factors(mask, shape);
    let x = floats(mask.key[0], factors.len());
    for trial in Trial::all() {
        let y = run(trial, mask, shape, &x);
        for (i, ((y, x), factor)) in y.iter().zip(&x).zip(&factors).enumerate() {
            assert!(y.to_bits() == (x * factor).to_bits(), "{} {i} {shape:?}", trial.isa.name());
        }
    }
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![Just(Order::ChannelsFirst), Just(Order::ChannelsLast)]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn small_images_lose_the_elements_of_the_reference(
        (samples, channels, pixels) in (0usize..5, 1usize..70, 0usize..90),
        order in order(),
        seed in 0u32..1000,
        rate in prop_oneof![Just(0.0), Just(0.2), Just(0.5), Just(0.999)],
    ) {
        check(&mask(seed, rate), &DropoutShape { samples, channels, pixels, order });
    }

    #[test]
    fn large_images_lose_the_elements_of_the_reference(
        (samples, channels, pixels) in (1usize..3, 20usize..50, 700usize..1700),
        order in order(),
        seed in 0u32..1000,
    ) {
        check(&mask(seed, 0.3), &DropoutShape { samples, channels, pixels, order });
    }
}

#[test]
fn dropout_is_the_same_bits_for_any_number_of_threads() {
    for order in [Order::ChannelsFirst, Order::ChannelsLast] {
        let shape = DropoutShape { samples: 3, channels: 33, pixels: 1025, order };
        let x = floats(1, 3 * 33 * 1025);
        for trial in Trial::all() {
            assert_same_bits("dropout", || run(trial, &mask(4, 0.4), &shape, &x));
        }
    }
}

#[test]
fn what_is_no_number_stays_none_even_where_it_is_dropped() {
    let order = Order::ChannelsLast;
    let shape = DropoutShape { samples: 2, channels: 5, pixels: 7, order };
    for trial in Trial::all() {
        let y = run(trial, &mask(2, 0.5), &shape, &[f32::NAN; 70]);
        assert!(y.iter().all(|y| y.is_nan()), "{}", trial.isa.name());
        let y = run(trial, &mask(2, 0.5), &shape, &[f32::INFINITY; 70]);
        assert!(y.iter().all(|y| !y.is_finite()), "{}", trial.isa.name());
    }
}

#[test]
#[should_panic(expected = "lengths")]
fn a_slice_of_another_length_is_refused() {
    let shape = DropoutShape { samples: 1, channels: 4, pixels: 4, order: Order::ChannelsFirst };
    dropout(Isa::best(), &mask(1, 0.5), &shape, &[0.0; 16], &mut [0.0; 15]);
}
