//! `evaluate`

use crate::draw::{encode, picture, trained, tree, tree_from};
use crate::lab::Lab;

#[test]
fn the_test_split_is_evaluated_unless_another_is_asked_for() {
    let lab = trained();
    let json = |line: &str| lab.run(&format!("evaluate base {line} --json")).good().json();
    for (line, split, images) in [
        ("", "test", 9),
        ("--split test", "test", 9),
        ("--split val", "val", 9),
        ("--split train", "train", 36),
        ("--split all", "all", 54),
        ("colours --split all", "all", 54),
        ("datasets/colours", "test", 9),
    ] {
        let json = json(line);
        assert_eq!(json["split"], split, "{line}");
        assert_eq!(json["scores"]["images"], images, "{line}");
        assert_eq!(json["dataset"], "colours");
        assert_eq!(json["scores"]["top1"], 1.0);
    }
}

#[test]
fn the_json_has_every_figure() {
    let lab = trained();
    let json = lab.run("evaluate base --json").good().json();
    let scores = &json["scores"];
    for key in ["loss", "top1", "top5", "macro_f1", "calibration_error"] {
        assert!(scores[key].is_f64(), "{key}: {scores}");
    }
    assert_eq!(scores["top1_interval"].as_array().unwrap().len(), 2);
    let low = scores["top1_interval"][0].as_f64().unwrap();
    assert!((low - 0.7008).abs() < 1e-3, "Wilson's lower end of 9 of 9 is {low}");
    let classes = scores["classes"].as_array().unwrap();
    assert_eq!(classes.len(), 3);
    for class in classes {
        for key in ["precision", "recall", "f1"] {
            assert_eq!(class[key], 1.0, "{class}");
        }
        assert_eq!(class["support"], 3);
    }
    assert_eq!(json["bad"], 0);
}

#[test]
fn the_table_names_the_classes_and_figures() {
    let lab = trained();
    lab.run("evaluate base").good().shows(&[
        "colours, test: 9 images",
        "top-1  100.0%",
        "top-5",
        "loss",
        "macro F1",
        "calibration error",
        "PRECISION",
        "green",
    ]);
}

#[test]
fn the_figures_are_those_that_training_gave() {
    let lab = Lab::new();
    tree(&lab, "datasets/d", 20);
    // One step at a tiny rate: a model with figures that are not all the same.
    let trained = lab.train("d --model mlp --epochs 1 --lr 1e-4 --seed 9 --name x --json").json();
    for (split, key) in [("val", "val"), ("test", "test")] {
        let line = format!("evaluate x --split {split} --threads 1 --json");
        let evaluated = lab.run(&line).good().json();
        assert_eq!(evaluated["scores"], trained[key], "{split}");
    }
}

#[test]
fn another_folder_is_evaluated_as_a_whole() {
    let lab = trained();
    tree_from(&lab, "fresh", 30..34);
    let json = lab.run("evaluate base fresh --json").good().json();
    assert_eq!(json["split"], "all");
    assert_eq!(json["scores"]["images"], 12);
    assert_eq!(json["scores"]["top1"], 1.0);
}

#[test]
fn labels_follow_the_names_of_the_classes() {
    let lab = trained();
    for (class, name) in [(1, "green"), (2, "red")] {
        for number in 40..44 {
            let bytes = encode(&picture(class, number, 12, 12), "png");
            lab.write(format!("fewer/{name}/{number}.png"), bytes);
        }
    }
    let json = lab.run("evaluate base fewer --json").good().json();
    assert_eq!(json["scores"]["top1"], 1.0, "green is class 1 for the model, 0 in the folder");
    lab.write("fewer/violet/1.png", encode(&picture(0, 1, 12, 12), "png"));
    lab.run("evaluate base fewer").fails(
        3,
        &["the model does not know the class `violet`", "`blue`, `green`, `red`"],
        "classes that it was trained on",
    );
}

#[test]
fn a_run_is_a_name_a_folder_or_a_file() {
    let lab = trained();
    let moved = lab.read("models/base/model.safetensors");
    lab.write("elsewhere/mine.safetensors", moved);
    let scores = |run: &str| lab.run(&format!("evaluate {run} colours --json")).good().json();
    let expected = scores("base")["scores"].clone();
    for run in ["models/base", "models/base/model.safetensors", "elsewhere/mine.safetensors"] {
        assert_eq!(scores(run)["scores"], expected, "{run}");
    }
    lab.run("evaluate elsewhere/mine.safetensors").fails(
        2,
        &["which data set?"],
        "tinderbox evaluate RUN DATASET",
    );
}

#[test]
fn a_split_that_is_not_there_is_named() {
    let lab = trained();
    tree(&lab, "datasets/d/train", 6);
    lab.run("evaluate base d --split test").fails(3, &["`d` has no split `test`", "`train`"], "");
}
