//! What a model and a checkpoint say of themselves, in a file whose hashes are right: a JSON array of an
//! object of texts and an object of shapes. A text `decides` makes it a checkpoint of version 2.
#![no_main]

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use burn::tensor::Device;
use libfuzzer_sys::fuzz_target;
use tinderbox::nn::io::{File, Format, Tensor, encode};
use tinderbox::nn::{Kernels, Network, Params, Spec};
use tinderbox::train::{Learning, Optimizer, Package, Saved, Settings, learning};
use tinderbox_fuzz::LAB;

/// Texts, and shapes of tensors.
type Input = (BTreeMap<String, String>, BTreeMap<String, Vec<usize>>);

/// A tensor of zeros, where it is a small one.
fn zeros((name, shape): (String, Vec<usize>)) -> Option<Tensor> {
    let len = shape.iter().try_fold(1usize, |len, &side| len.checked_mul(side))?;
    (len <= 4096).then(|| Tensor { name, shape, values: vec![0.0; len] })
}

fuzz_target!(|bytes: &[u8]| {
    let Ok((metadata, shapes)) = serde_json::from_slice::<Input>(bytes) else { return };
    let format = if metadata.contains_key("decides") { Format::V2 } else { Format::V1 };
    let tensors = shapes.into_iter().filter_map(zeros).collect();
    let file = File { format, metadata, tensors };
    if let Ok(package) = Package::read(&LAB.write("model.safetensors", &encode(&file))) {
        let _ = package.network(&Device::flex());
    }
    if let Ok(saved) = Saved::new(file) {
        let (network, learning) = &*TRAINED;
        let params = Arc::new(Params::of(network));
        let optimizer = Optimizer::new(learning.rule.clone(), params, Kernels::On);
        let _ = saved.restore(network, optimizer, &learning.schedule, &Device::flex());
    }
});

/// The network of the seeds, and how it learns.
static TRAINED: LazyLock<(Network, Learning)> = LazyLock::new(|| {
    let (texts, _): Input =
        serde_json::from_str(include_str!("../seeds/model/checkpoint.json")).expect("an input");
    let spec: Spec = serde_json::from_str(&texts["spec"]).expect("an architecture");
    let network = Network::new(&spec, 0, &Device::flex()).expect("a network");
    (network, learning(&Settings::default(), [2, 2], 8))
});
