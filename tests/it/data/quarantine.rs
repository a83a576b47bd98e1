//! Images that do not decode: replaced, named and counted.

use serde_json::Value;

use crate::draw::{COLOURS, colours, tree};
use crate::lab::Lab;

/// Makes half of a picture's file of each of these.
fn break_pictures(lab: &Lab, below: &[&str]) {
    for path in below {
        let path = format!("datasets/colours/{path}");
        let whole = lab.read(&path);
        lab.write(&path, &whole[..whole.len() / 2]);
    }
}

fn quarantined(lab: &Lab, run: &str) -> Vec<Value> {
    let bad = |event: &Value| event["event"] == "sample_quarantined";
    lab.events(run).into_iter().filter(bad).collect()
}

#[test]
fn an_image_that_does_not_decode_is_replaced_and_named() {
    let lab = colours();
    break_pictures(&lab, &["train/red/004.png"]);
    let answer = lab.train("colours --model mlp --epochs 3 --batch 12 --name x --json");
    assert_eq!(answer.json()["test"]["top1"], 1.0);
    assert!(answer.stderr.contains("warning: skipped `train/red/004.png`"), "{}", answer.stderr);
    let bad = quarantined(&lab, "x");
    assert_eq!(bad.len(), 1, "once, not once an epoch: {bad:?}");
    assert_eq!(bad[0]["path"], "train/red/004.png");
    assert_eq!(bad[0]["split"], "train");
    assert!(bad[0]["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
}

#[test]
fn a_bad_validation_image_is_named_too() {
    let lab = colours();
    break_pictures(&lab, &["val/green/013.png"]);
    lab.train("colours --model mlp --epochs 2 --name x");
    let bad = quarantined(&lab, "x");
    assert_eq!(bad.len(), 1, "{bad:?}");
    assert_eq!(bad[0]["path"], "val/green/013.png");
    assert_eq!(bad[0]["split"], "val");
}

#[test]
fn a_bad_test_image_is_named_too() {
    let lab = colours();
    break_pictures(&lab, &["test/green/016.png"]);
    let answer = lab.train("colours --model mlp --epochs 2 --name x");
    let bad = quarantined(&lab, "x");
    assert_eq!(bad.len(), 1, "{bad:?}");
    assert_eq!(bad[0]["path"], "test/green/016.png");
    assert_eq!(bad[0]["split"], "test");
    assert!(answer.stderr.contains("warning: skipped `test/green/016.png`"), "{}", answer.stderr);
    let answer = lab.run("evaluate x --json").good();
    assert_eq!(answer.json()["bad"], 1);
    assert!(answer.stderr.contains("test/green/016.png"), "{}", answer.stderr);
}

#[test]
fn empty_files_and_text_are_bad_images() {
    let lab = colours();
    lab.write("datasets/colours/train/red/004.png", "");
    lab.write("datasets/colours/train/blue/004.png", "<html>not found</html>");
    lab.train("colours --model mlp --epochs 1 --name x --max-bad 0.1");
    let reasons: Vec<String> =
        quarantined(&lab, "x").iter().map(|event| event["reason"].to_string()).collect();
    assert_eq!(reasons.len(), 2);
    assert!(reasons.iter().any(|reason| reason.contains("empty")), "{reasons:?}");
    assert!(reasons.iter().any(|reason| reason.contains("not an image")), "{reasons:?}");
}

#[test]
fn many_bad_images_are_counted_and_a_few_named() {
    let lab = colours();
    let paths: Vec<String> = (0..6).map(|i| format!("train/red/{i:03}.png")).collect();
    break_pictures(&lab, &paths.iter().map(String::as_str).collect::<Vec<_>>());
    let answer = lab.train("colours --model mlp --epochs 1 --max-bad 0.5 --name x");
    let named = answer.stderr.matches("warning: skipped").count();
    assert_eq!(named, 3, "{}", answer.stderr);
    assert!(answer.stderr.contains("6 images were skipped"), "{}", answer.stderr);
    assert!(answer.stderr.contains("events.jsonl"), "{}", answer.stderr);
    assert_eq!(quarantined(&lab, "x").len(), 6, "all are in the log");
}

#[test]
fn too_many_bad_images_end_the_run() {
    let lab = colours();
    break_pictures(&lab, &["train/red/001.png", "train/blue/002.png", "train/green/003.png"]);
    lab.run("train colours --model mlp --epochs 1 --threads 1 --name x").fails(
        3,
        &["more than 5.0% of the images cannot be read", ".png`"],
        "`--max-bad`",
    );
    lab.train("colours --model mlp --epochs 1 --name y --max-bad 0.1");
    lab.run("train colours --model mlp --epochs 1 --threads 1 --name z --max-bad 0").fails(
        3,
        &["more than 0.0% of the images"],
        "`--max-bad`",
    );
    assert!(!lab.exists("models/x/model.safetensors"));
}

#[test]
fn a_class_with_no_image_left_ends_the_run() {
    let lab = Lab::new();
    tree(&lab, "datasets/colours", 8);
    let paths: Vec<String> = (0..8).map(|i| format!("{}/{i:03}.png", COLOURS[1])).collect();
    break_pictures(&lab, &paths.iter().map(String::as_str).collect::<Vec<_>>());
    lab.run("train colours --model mlp --epochs 1 --threads 1 --max-bad 1").fails(
        3,
        &["no image of the class of `green/00", "can be read"],
        "replace the files or remove the class",
    );
}
