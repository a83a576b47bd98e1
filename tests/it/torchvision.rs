//! torchvision loads our weights by its own names and answers as we do. It needs a Python with
//! torch and torchvision, named by `TINDERBOX_TEST_PYTHON`.

use std::process::Command;

use serde_json::Value;

use crate::draw::{COLOURS, encode, picture, tree_from};
use crate::lab::Lab;

const SCRIPT: &str = include_str!("torchvision.py");

/// The interpreter, where it is there and has what is needed.
fn python() -> Option<String> {
    let python = std::env::var("TINDERBOX_TEST_PYTHON").ok()?;
    let check = Command::new(&python).args(["-c", "import torch, torchvision"]).output().ok()?;
    check.status.success().then_some(python)
}

fn answers_alike(model: &str) {
    let Some(python) = python() else {
        eprintln!("skipped: TINDERBOX_TEST_PYTHON names no Python with torch and torchvision");
        return;
    };
    let lab = Lab::new();
    tree_from(&lab, "datasets/d/train", 0..6);
    tree_from(&lab, "datasets/d/val", 6..8);
    lab.run(&format!("train d --model {model} --size 32 --epochs 1 --batch 6 --name x")).good();
    let photo = picture(1, 90, 32, 32);
    lab.write("photo.png", encode(&photo, "png"));
    lab.write("pixels.raw", photo.as_raw());
    lab.write("check.py", SCRIPT);
    let ours = lab.run("predict x photo.png --top 3 --json").good().json_lines();
    let output = Command::new(python)
        .args(["check.py", model, "models/x/model.safetensors", "pixels.raw"])
        .current_dir(lab.path(""))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let theirs: Value = serde_json::from_slice(&output.stdout).unwrap();
    for answer in ours[0]["classes"].as_array().unwrap() {
        let class = COLOURS.iter().position(|name| answer["class"] == *name).unwrap();
        let ours = answer["probability"].as_f64().unwrap();
        let theirs = theirs[class].as_f64().unwrap();
        assert!((ours - theirs).abs() < 1e-4, "{model}, class {class}: {ours} and {theirs}");
    }
}

#[test]
fn resnet18_is_torchvisions() {
    answers_alike("resnet18");
}

#[test]
fn mobilenet_v2_is_torchvisions() {
    answers_alike("mobilenet_v2");
}
