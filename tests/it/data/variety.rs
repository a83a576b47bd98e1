//! How images are varied and classes are balanced, as people ask for it.

use crate::draw::{COLOURS, colours, encode, picture};
use crate::lab::Lab;

const LINE: &str =
    "train colours --model mlp --epochs 1 --batch 8 --threads 1 --overwrite --name x";

#[test]
fn parts_of_an_augmentation_come_from_a_flag_or_a_file_and_are_recorded() {
    let lab = colours();
    lab.run(&format!("{LINE} --augment light --augmentation mixup=0.2,policy=rand")).good();
    let settings = lab.settings("x");
    assert_eq!(settings["augmentation"]["mixup"].as_float(), Some(0.2));
    let all = settings["record"]["augmentation"].as_table().unwrap();
    assert_eq!(all["policy"].as_str(), Some("rand"));
    assert_eq!(all["shift"].as_float(), Some(0.07), "of the preset");
    assert_eq!(all["erase"].as_float(), Some(0.0));
    let by_flag = lab.weights("x");
    let table = "augment = \"light\"\n[augmentation]\nmixup = 0.2\npolicy = \"rand\"\n";
    lab.write("my.toml", table);
    lab.run(&format!("{LINE} --config my.toml")).good();
    assert!(lab.weights("x") == by_flag);
    lab.write("again.toml", lab.read("models/x/run.toml"));
    lab.run("train --config again.toml --name y --threads 1").good();
    assert!(lab.weights("y") == by_flag, "a run's own file does it again");
    lab.run(&format!("{LINE} --augmentation mixup=0.3")).good();
    assert!(lab.weights("x") != by_flag);
}

#[test]
fn what_is_wrong_with_a_part_is_named() {
    let lab = colours();
    for (parts, said, hint) in [
        ("mixupp=1", "no part `mixupp`", "`mixup`"),
        ("flip=7", "`flip` is 7", "0 to 1"),
        ("policy=best", "best", "auto-imagenet"),
        ("flip", "mixup=0.2", "--help"),
    ] {
        lab.run(&format!("{LINE} --augmentation {parts}")).fails(2, &[said], hint);
    }
    lab.write("my.toml", "augmentation = 3\n");
    lab.run(&format!("{LINE} --config my.toml")).fails(2, &["`augmentation`"], "--help");
}

#[test]
fn a_picture_shows_images_with_and_without() {
    let lab = colours();
    let shown = lab.run("datasets show colours --augment strong --json").good().json();
    assert_eq!(shown["picture"], "images/colours-augmented.png");
    assert_eq!(shown["augmentation"]["policy"], "trivial");
    assert!(lab.read("images/colours-augmented.png").len() > 10_000);
    assert_eq!(lab.names("models"), Vec::<String>::new(), "nothing is trained");
    lab.run("datasets show colours --augment none").good().shows(&["hint: nothing is varied"]);
    lab.run("datasets show colours --resume x").fails_usage("--resume");
}

#[test]
fn the_speed_of_a_data_set_is_measured_with_a_trainings_settings() {
    let lab = colours();
    let found = lab.run("datasets speed colours --batch 5 --augment light --json").good().json();
    assert_eq!((&found["images"], &found["batch"]), (&36.into(), &5.into()));
    assert_eq!(found["images_per_second"].as_array().unwrap().len(), 2);
    assert!(found["first_batch_seconds"].as_f64() >= found["ready_seconds"].as_f64());
    lab.run("datasets speed colours").good().shows(&["36 training images", "epoch 2"]);
}

/// A data set with so many images of each class.
fn unequal(counts: [usize; 3]) -> Lab {
    let lab = Lab::new();
    for (class, count) in counts.into_iter().enumerate() {
        for number in 0..count {
            let bytes = encode(&picture(class, number, 8, 8), "png");
            lab.write(format!("datasets/d/train/{}/{number}.png", COLOURS[class]), bytes);
        }
        let bytes = encode(&picture(class, 500, 8, 8), "png");
        lab.write(format!("datasets/d/val/{}/500.png", COLOURS[class]), bytes);
    }
    lab
}

#[test]
fn unequal_classes_are_balanced_and_that_is_said() {
    let line = "train d --model mlp --epochs 1 --batch 8 --threads 1 --overwrite --name x";
    for (counts, said) in [
        ([10, 12, 30], None),
        (
            [10, 40, 30],
            Some("rare classes count more in the loss: `green` has 40 images, `blue` has 10"),
        ),
        (
            [4, 120, 30],
            Some("rare classes are shown more often: `green` has 120 images, `blue` has 4"),
        ),
    ] {
        let lab = unequal(counts);
        let answer = lab.run(line).good();
        match said {
            Some(said) => assert!(answer.stderr.contains(said), "{}", answer.stderr),
            None => assert!(!answer.stderr.contains("rare classes"), "{}", answer.stderr),
        }
        let by_itself = lab.weights("x");
        let none = lab.run(&format!("{line} --class-weights none")).good();
        assert!(!none.stderr.contains("rare classes"));
        assert_eq!(lab.weights("x")[0] == by_itself[0], said.is_none());
    }
}
