//! How fast; run with `cargo test --release -p tinderbox-kernels norm::timing -- --ignored
//! --nocapture --test-threads 1`.

use super::*;
use crate::Isa;
use crate::conv::Activation;
use crate::testing::{floats, report_speed};

#[test]
#[ignore = "a measurement"]
fn speed() {
    for (rows, channels) in
        [(128 * 32 * 32, 64), (128 * 14 * 14, 96), (64 * 56 * 56, 24), (32 * 49, 1280), (4096, 67)]
    {
        let len = rows * channels;
        let (x, z) = (floats(1, len), floats(2, len));
        let (mut y, mut dx) = (floats(3, len), vec![0.0; len]);
        let of_channels = floats(4, channels);
        let (mut a, mut b) = (vec![0.0; channels], vec![0.0; channels]);
        for isa in Isa::available() {
            let report = |what: &str, passes: usize, work: &mut dyn FnMut()| {
                report_speed(&format!("{what} [{rows}, {channels}]"), isa, passes * len * 4, work);
            };
            report("copy", 2, &mut || dx.copy_from_slice(&x));
            report("statistics", 1, &mut || statistics(isa, &x, channels, &mut a, &mut b));
            report("sum_rows", 1, &mut || sum_rows(isa, &x, channels, &mut a));
            for add in [None, Some(&z[..])] {
                let args = Apply {
                    x: &x,
                    scale: &of_channels,
                    shift: &of_channels,
                    add,
                    activation: Activation::Relu,
                };
                let passes = 2 + usize::from(add.is_some());
                report("apply", passes, &mut || apply(isa, args, &mut dx));
            }
            let args = Backward {
                x: &x,
                z: Some(&z),
                activation: Activation::Relu,
                mean: &of_channels,
                inv_std: &of_channels,
                gamma: &of_channels,
            };
            report("backward", 7, &mut || backward(isa, args, &mut y, None, &mut a, &mut b));
            report("backward, add", 7, &mut || {
                backward(isa, args, &mut y, Some(&mut dx), &mut a, &mut b);
            });
            report("mask", 3, &mut || mask(isa, &mut y, &z, Activation::Relu));
            report("bias_act", 2, &mut || {
                bias_act(isa, &mut y, Some(&of_channels), None, Activation::Relu);
            });
            report("add_assign", 3, &mut || add_assign(isa, &mut dx, &z));
        }
    }
}
