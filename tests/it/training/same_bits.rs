//! Equal trainings have equal files.

use crate::draw::{colours, encode, picture, tree_from};
use crate::lab::Lab;

const LINE: &str = "train colours --model cnn --epochs 2 --batch 8 --threads 1";

#[test]
fn neither_loader_threads_nor_the_name_change_a_bit() {
    let lab = colours();
    let mut all = Vec::new();
    for (threads, name) in [(1, "one"), (2, "a-longer-name"), (7, "ß")] {
        lab.run(&format!("{LINE} --loader-threads {threads} --name {name}")).good();
        all.push(lab.weights(name));
    }
    assert!(all[0] == all[1], "loader threads 1 and 2 differ");
    assert!(all[0] == all[2], "loader threads 1 and 7 differ");
}

#[test]
fn strong_augmentation_and_bad_images_are_the_same_for_any_loader_threads() {
    let lab = Lab::new();
    for class in 0..2 {
        for number in 0..20 {
            let bytes = encode(&picture(class, number, 30 + number as u32, 28), "jpg");
            let bytes = if number % 10 == 3 { &bytes[..200] } else { &bytes };
            lab.write(format!("datasets/d/{class}/{number}.jpg"), bytes);
        }
    }
    let line = "train d --model lenet --size 24 --epochs 2 --batch 8 --augment standard --max-bad 0.5 --threads 1";
    let mut all = Vec::new();
    for threads in [1, 2, 7] {
        lab.run(&format!("{line} --loader-threads {threads} --name t{threads}")).good();
        let bad: Vec<_> = lab.events(&format!("t{threads}"));
        let bad = bad.into_iter().filter(|event| event["event"] == "sample_quarantined");
        let bad: Vec<String> = bad.map(|event| event["path"].to_string()).collect();
        assert!(!bad.is_empty());
        all.push((lab.weights(&format!("t{threads}")), bad));
    }
    assert!(all[0] == all[1], "loader threads 1 and 2 differ");
    assert!(all[0] == all[2], "loader threads 1 and 7 differ");
}

#[test]
fn where_decoded_images_are_kept_changes_no_bit() {
    let lab = Lab::new();
    for class in 0..3 {
        for number in 0..24 {
            let bytes = encode(&picture(class, number, 90 + number as u32, 80), "jpg");
            lab.write(format!("datasets/d/{class}/{number}.jpg"), bytes);
        }
    }
    let line = "train d --model lenet --size 20 --epochs 3 --batch 8 --augment strong --threads 1 \
         --augmentation mixup=0.2,noise=0.05,rotate=9,hue=0.1,blur=0.3";
    let mut all = Vec::new();
    for (cache, threads) in [("none", 1), ("ram", 2), ("auto", 3), ("disk", 2), ("disk", 3)] {
        let name = format!("{cache}{threads}");
        lab.run(&format!("{line} --cache {cache} --loader-threads {threads} --name {name}")).good();
        all.push((lab.weights(&name), name));
    }
    for (weights, name) in &all {
        assert!(*weights == all[0].0, "{name} and {} differ", all[0].1);
    }
    let kept = lab.names("models/.cache/1").len();
    assert!(kept > 20, "{kept} of 256 folders");
    let known = lab.names("datasets");
    assert_eq!(known, ["d"], "nothing is written beside the data");
}

#[test]
fn compute_threads_change_no_bit_of_any_network() {
    let lab = Lab::new();
    tree_from(&lab, "datasets/d/train", 0..4);
    tree_from(&lab, "datasets/d/val", 4..5);
    let zoo = lab.run("models --json").good().json();
    let zoo: Vec<&str> = zoo["models"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["name"].as_str().unwrap())
        .collect();
    assert_eq!(zoo, ["mlp", "lenet", "cnn", "resnet18", "mobilenet_v2"]);
    for model in zoo {
        // Two steps: the second sees what the first made of weights, moments and running statistics.
        let line = format!("train d --model {model} --size 20 --epochs 1 --batch 6");
        let mut all = Vec::new();
        for threads in [1, 2, 3] {
            lab.run(&format!("{line} --threads {threads} --name {model}-{threads}")).good();
            all.push(lab.weights(&format!("{model}-{threads}")));
        }
        assert!(all[0] == all[1], "{model}: 1 and 2 threads differ");
        assert!(all[0] == all[2], "{model}: 1 and 3 threads differ");
    }
}

#[test]
fn another_seed_gives_another_model() {
    let lab = colours();
    lab.run(&format!("{LINE} --seed 1 --name one")).good();
    lab.run(&format!("{LINE} --seed 2 --name two")).good();
    lab.run(&format!("{LINE} --seed 1 --name again")).good();
    assert!(lab.weights("one") == lab.weights("again"));
    let [one, two] = ["one", "two"].map(|name| lab.weights(name));
    assert!(one[0] != two[0], "the models are equal");
    assert!(one[1] != two[1], "the checkpoints are equal");
}
