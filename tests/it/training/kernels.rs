//! `--kernels off` runs burn's operators: the same training but for the last bits.

use crate::draw::colours;
use crate::lab::Lab;

/// The mean training loss of every epoch. With one step an epoch they are the losses of the steps.
fn losses(lab: &Lab, run: &str) -> Vec<f64> {
    let epochs = lab.events(run).into_iter().filter(|event| event["event"] == "epoch_finished");
    epochs.map(|event| event["train_loss"].as_f64().unwrap()).collect()
}

#[test]
fn our_kernels_and_burns_operators_train_alike() {
    let lab = colours();
    for (model, optimizer) in [("mlp", "sgd"), ("cnn", "adamw"), ("cnn", "adam")] {
        for extra in ["", "--clip 0.5 --label-smoothing 0.1 --class-weights balanced"] {
            let line = format!(
                "colours --model {model} --optimizer {optimizer} --epochs 4 --batch 36 {extra}"
            );
            let runs = ["on", "direct", "off"].map(|kernels| {
                lab.train(&format!("{line} --kernels {kernels} --name run --overwrite"));
                losses(&lab, "run")
            });
            assert_eq!(runs[0].len(), 4);
            for (step, off) in runs[2].iter().enumerate() {
                for on in [runs[0][step], runs[1][step]] {
                    let difference = (on - off).abs() / off.abs();
                    assert!(
                        difference < 1e-3,
                        "{line}: step {step}: {on} with kernels, {off} without"
                    );
                }
            }
        }
    }
}

#[test]
fn the_switch_is_in_run_toml_and_read_again() {
    let lab = colours();
    lab.train("colours --model mlp --epochs 1 --batch 12 --kernels off --name off");
    assert_eq!(lab.settings("off")["kernels"].as_str(), Some("off"));
    lab.run("train --config models/off/run.toml --name again").good();
    assert_eq!(lab.settings("again")["kernels"].as_str(), Some("off"));
    assert_eq!(lab.weights("off"), lab.weights("again"));
    let model = lab.read("models/off/model.safetensors");
    let model = String::from_utf8_lossy(&model);
    assert!(!model.contains("kernels"), "the switch is no part of a model");
}

#[test]
fn evaluate_predict_and_bench_have_the_switch() {
    let lab = colours();
    lab.train("colours --model cnn --epochs 1 --batch 12 --name base");
    let picture = "datasets/colours/test/red/015.png";
    for kernels in ["on", "direct", "off"] {
        lab.run(&format!("evaluate base --kernels {kernels}")).good();
        lab.run(&format!("predict base {picture} --kernels {kernels}")).good();
        let line =
            format!("bench --model mlp --size 8 --batch 2 --steps 1 --kernels {kernels} --json");
        assert_eq!(lab.run(&line).good().json()["kernels"], kernels);
    }
    let answer = lab.run_with("evaluate base", &[("TINDERBOX_KERNELS", "some")], b"");
    assert_eq!(answer.code, 2, "{answer:?}");
}
