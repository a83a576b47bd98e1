//! What a model and a checkpoint say of themselves, in a file whose hashes are right: a JSON array of an
//! object of texts and an object of shapes.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use burn::tensor::Device;
use libfuzzer_sys::fuzz_target;
use tinderbox::image::{Augment, Augmentation};
use tinderbox::train::{ClassWeights, Plan, Settings};
use tinderbox::nn::io::{File, Tensor, encode};
use tinderbox::train::{Package};
use tinderbox::nn::{Network, Spec};
use tinderbox::train::Saved;
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
    let file = File { metadata, tensors: shapes.into_iter().filter_map(zeros).collect() };
    if let Ok(package) = Package::read(&LAB.write("model.safetensors", &encode(&file))) {
        let _ = package.network(&Device::flex());
    }
    if let Ok(saved) = Saved::new(file) {
        let _ = saved.restore(&TRAINED.0, &TRAINED.1, &Device::flex());
    }
});

/// The network of the seeds, and a plan for it.
static TRAINED: LazyLock<(Network, Plan)> = LazyLock::new(|| {
    let (texts, _): Input =
        serde_json::from_str(include_str!("../seeds/model/checkpoint.json")).expect("an input");
    let preprocessing = serde_json::from_str(&texts["preprocessing"]).expect("a preprocessing");
    let spec: Spec = serde_json::from_str(&texts["spec"]).expect("an architecture");
    let plan = Plan {
        settings: Settings::default(),
        model: spec.name.clone(),
        preprocessing,
        augment: Augment::None,
        augmentation: Augmentation::preset(Augment::None, false),
        loader_threads: 1,
        classes: vec!["red".to_owned(), "green".to_owned()],
        balance: ClassWeights::None,
        class_weights: vec![1.0; 2],
        batch: 2,
        micro_batch: 2,
        steps_per_epoch: 4,
        dataset_hash: "0".repeat(64),
    };
    (Network::new(&spec, 0, &Device::flex()).expect("a network"), plan)
});
