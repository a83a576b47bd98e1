//! A short training on every GPU of this machine, beside the CPU's.

use crate::draw::idx_folder;
use crate::lab::Lab;

/// The share by which losses may differ: a GPU adds in another order.
const TOLERANCE: f64 = 1e-3;

/// Any Vulkan driver serves, also one in software (Debian: `mesa-vulkan-drivers` has llvmpipe).
/// `TINDERBOX_TEST_GPU_MODELS` names other models than the `mlp`.
#[test]
#[ignore = "needs a GPU and `--features gpu`"]
fn every_gpu_trains_as_the_cpu_does() {
    let lab = Lab::new();
    idx_folder(&lab, "rows");
    let tuning = lab.path("tuning");
    // A driver in software would tune for minutes.
    let variables =
        [("CUBECL_AUTOTUNE_LEVEL", "minimal"), ("TINDERBOX_TUNING", tuning.to_str().unwrap())];
    let losses = |model: &str, device: &str| -> Vec<f64> {
        let line = format!("train rows --model {model} --device {device} --epochs 2 --batch 16");
        let json =
            lab.run_with(&format!("{line} --lr 0.001 --json"), &variables, b"").good().json();
        let epochs = json["epochs"].as_array().unwrap().iter();
        epochs
            .flat_map(|epoch| ["train_loss", "val_loss"].map(|key| epoch[key].as_f64().unwrap()))
            .collect()
    };
    let devices = lab.run("devices --json").good().json();
    let gpus = devices["gpus"].as_array().unwrap();
    assert!(!gpus.is_empty(), "no Vulkan device: install your card's driver, or one in software");
    let models = std::env::var("TINDERBOX_TEST_GPU_MODELS").unwrap_or("mlp".to_owned());
    for model in models.split_whitespace() {
        let on_cpu = losses(model, "cpu");
        for gpu in gpus {
            let device = format!("gpu:{}", gpu["number"]);
            let on_gpu = losses(model, &device);
            eprintln!("{model}: losses {on_cpu:?} on the CPU, {on_gpu:?} on {device}");
            assert_eq!(on_cpu.len(), on_gpu.len());
            for (cpu, gpu) in on_cpu.iter().zip(&on_gpu) {
                assert!((cpu - gpu).abs() <= TOLERANCE * cpu.abs().max(1.0));
            }
        }
    }
}
