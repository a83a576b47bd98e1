//! Two files of the MNIST family: labels and images.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tinderbox::data::Reading;
use tinderbox_fuzz::{LAB, two_parts};

fuzz_target!(|bytes: &[u8]| {
    let (labels, images) = two_parts(bytes);
    LAB.write("datasets/d/train-labels-idx1-ubyte", labels);
    LAB.check_dataset("train-images-idx3-ubyte", images, &Reading::default());
});
