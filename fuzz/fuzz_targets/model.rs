//! What a model and a checkpoint say of themselves, in a file whose hashes are right: a JSON array of an
//! object of texts and an object of shapes.
#![no_main]

use std::collections::BTreeMap;

use burn::tensor::Device;
use libfuzzer_sys::fuzz_target;
use tinderbox::format::{File, Package, Tensor, encode};
use tinderbox::train::Saved;
use tinderbox_fuzz::LAB;

/// A tensor of zeros, where it is a small one.
fn zeros((name, shape): (String, Vec<usize>)) -> Option<Tensor> {
    let len = shape.iter().try_fold(1usize, |len, &side| len.checked_mul(side))?;
    (len <= 4096).then(|| Tensor { name, shape, values: vec![0.0; len] })
}

fuzz_target!(|bytes: &[u8]| {
    type Input = (BTreeMap<String, String>, BTreeMap<String, Vec<usize>>);
    let Ok((metadata, shapes)) = serde_json::from_slice::<Input>(bytes) else { return };
    let file = File { metadata, tensors: shapes.into_iter().filter_map(zeros).collect() };
    if let Ok(package) = Package::read(&LAB.write("model.safetensors", &encode(&file))) {
        let _ = package.network(&Device::flex());
    }
    let _ = Saved::new(file);
});
