//! Floors that a broken gradient, a wrong label or a wrong normalisation cannot pass.

use crate::draw::{COLOURS, encode, picture};
use crate::lab::Lab;

#[test]
fn the_first_command_of_the_readme_learns_and_leaves_its_files() {
    let lab = Lab::new();
    let json = lab.run("train --json").good().json();
    let top1 = json["test"]["top1"].as_f64().unwrap();
    assert!(top1 >= 0.87, "test top-1 {top1}");
    let [low, high] = [0, 1].map(|i| json["test"]["top1_interval"][i].as_f64().unwrap());
    assert!(low < top1 && top1 < high && high - low < 0.05);
    assert!(json["images_per_second"].as_f64().unwrap() > 0.0);
    assert!(json["seconds"].as_f64().unwrap() > 0.0);
    let run = "fashion-mnist-mini-cnn-001";
    assert!(lab.exists(&format!("models/{run}/model.safetensors")));
    for picture in ["batch", "predictions", "mistakes", "curves", "confusion"] {
        assert!(lab.exists(&format!("images/{run}/{picture}.png")), "no {picture}.png");
    }
}

/// Colours at 24x24, 16 training and 6 validation pictures of each.
fn photos() -> Lab {
    let lab = Lab::new();
    for (class, name) in COLOURS.into_iter().enumerate() {
        for number in 0..22 {
            let split = if number < 16 { "train" } else { "val" };
            let bytes = encode(&picture(class, number, 16, 16), "png");
            lab.write(format!("datasets/d/{split}/{name}/{number}.png"), bytes);
        }
    }
    lab
}

fn learns(model: &str, rest: &str) {
    let lab = photos();
    let json = lab.run(&format!("train d --model {model} {rest} --name x --json")).good().json();
    let top1 = json["val"]["top1"].as_f64().unwrap();
    assert!(top1 >= 0.95, "{model}: validation top-1 {top1}");
    let json = lab.run("evaluate x --split train --json").good().json();
    let top1 = json["scores"]["top1"].as_f64().unwrap();
    assert!(top1 >= 0.95, "{model}: training top-1 {top1}");
}

#[test]
fn resnet18_learns_colours() {
    learns("resnet18", "--epochs 4 --batch 8 --lr 0.001");
}

#[test]
fn mobilenet_v2_learns_colours() {
    learns("mobilenet_v2", "--epochs 12 --batch 8 --lr 0.003");
}
