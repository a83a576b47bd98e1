//! How fast; run with `cargo test --release -p tinderbox-kernels pool::timing -- --ignored
//! --nocapture --test-threads 1`.

use super::*;
use crate::Isa;
use crate::testing::{floats, report_speed};

#[test]
#[ignore = "a measurement"]
fn speed() {
    for (n, size, channels, kernel) in
        [(128, 32, 64, 2), (128, 32, 64, 3), (128, 32, 16, 2), (128, 32, 67, 3), (128, 14, 480, 3)]
    {
        let padding = kernel - 2;
        let shape = PoolShape { n, input: [size; 2], channels, kernel, stride: 2, padding };
        let (x, dy) = (floats(1, shape.input_len()), floats(2, shape.output_len()));
        let (mut y, mut dx) = (dy.clone(), vec![0.0; x.len()]);
        let mut slots = vec![0; y.len()];
        let mut means = vec![0.0; n * channels];
        let bytes = 4 * (x.len() + y.len());
        for isa in Isa::available() {
            let report = |what: &str, bytes: usize, work: &mut dyn FnMut()| {
                let what = format!("{what} [{n}, {size}, {size}, {channels}] k{kernel}");
                report_speed(&what, isa, bytes, work);
            };
            report("max", bytes, &mut || max_forward(isa, &shape, &x, &mut y, None));
            report("max, slots", bytes + y.len(), &mut || {
                max_forward(isa, &shape, &x, &mut y, Some(&mut slots));
            });
            report("max back", bytes + dy.len(), &mut || {
                max_backward(isa, &shape, &dy, &slots, &mut dx);
            });
            report("average", bytes, &mut || average_forward(isa, &shape, &x, &mut y));
            report("average back", bytes, &mut || average_backward(isa, &shape, &dy, &mut dx));
            let pixels = size * size;
            report("global average", 4 * x.len(), &mut || {
                global_average_forward(isa, n, pixels, channels, &x, &mut means);
            });
            report("global average back", 4 * x.len(), &mut || {
                global_average_backward(isa, n, pixels, channels, &means, &mut dx);
            });
        }
    }
}
