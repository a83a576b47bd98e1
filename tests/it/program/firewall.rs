//! Splits that keep apart what must be apart, and can be had again.

use crate::draw::{COLOURS, encode, picture, tree};
use crate::lab::Lab;

/// Pictures of persons, four each: `<class>/p<person>_<number>.png`.
fn persons(lab: &Lab) {
    for (class, name) in COLOURS.into_iter().enumerate() {
        for person in 0..8 {
            for number in 0..4 {
                let bytes = encode(&picture(class, person * 4 + number, 12, 12), "png");
                lab.write(format!("datasets/d/{name}/p{person}_{number}.png"), bytes);
            }
        }
    }
}

#[test]
fn a_group_is_never_in_two_splits() {
    let lab = Lab::new();
    persons(&lab);
    lab.train("d --model mlp --epochs 1 --name x --group ([a-z]+/p[0-9]+)_");
    let mut split_of = std::collections::HashMap::new();
    for (split, class, path) in lab.lock("x") {
        let person = path.split('_').next().unwrap().to_owned();
        assert_eq!(*split_of.entry(person).or_insert(split.clone()), split, "{class} {path}");
    }
    let splits: std::collections::HashSet<_> = split_of.values().collect();
    assert_eq!(splits.len(), 3);
    lab.run("train d --group patient").fails(2, &["`--group patient`"], "paths are like");
}

#[test]
fn a_lock_of_another_training_is_not_taken_for_the_models() {
    let lab = Lab::new();
    tree(&lab, "datasets/d", 10);
    for (name, seed) in [("x", 5), ("y", 6)] {
        lab.train(&format!("d --model mlp --epochs 1 --name {name} --seed {seed}"));
    }
    lab.run("evaluate x").good();
    lab.write("models/x/dataset.lock", lab.read("models/y/dataset.lock"));
    lab.run("evaluate x").fails(3, &["dataset.lock` is not that of the model"], "--allow-leak");
    lab.run("evaluate x --allow-leak").good();
}

#[test]
fn a_split_can_be_used_again_and_changes_are_named() {
    let lab = Lab::new();
    tree(&lab, "datasets/d", 10);
    lab.train("d --model mlp --epochs 1 --name x --seed 5");
    let text = lab.read_text("models/x/dataset.lock");
    assert!(text.lines().skip(2).all(|line| line.split('\t').nth(4).unwrap().len() == 32));
    lab.train("d --model mlp --epochs 1 --name y --seed 6");
    assert_ne!(lab.lock("x"), lab.lock("y"));
    lab.train("d --model mlp --epochs 1 --name z --seed 6 --lock x");
    assert_eq!(lab.lock("x"), lab.lock("z"));
    lab.write("datasets/d/red/new.png", encode(&picture(2, 77, 12, 12), "png"));
    let (old, other) = (lab.read("datasets/d/red/000.png"), lab.read("datasets/d/red/001.png"));
    let (old, mut other) = (old, other);
    other.resize(old.len(), 0);
    lab.write("datasets/d/red/000.png", &other);
    let again = lab.train("d --model mlp --epochs 1 --name again --lock x");
    assert!(again.stderr.contains("1 image is other than when"), "{}", again.stderr);
    assert!(again.stderr.contains("red/000.png"), "{}", again.stderr);
    assert!(
        again.stderr.contains("not in that split and left out: `red/new.png`"),
        "{}",
        again.stderr
    );
    lab.run("train d --lock nothing").fails(3, &["no run `nothing`"], "");
}

/// The groups of a run's lock, line by line.
fn groups(lab: &Lab, run: &str) -> Vec<String> {
    let text = lab.read_text(format!("models/{run}/dataset.lock"));
    text.lines().skip(2).map(|line| line.split('\t').nth(3).unwrap().to_owned()).collect()
}

#[test]
fn a_lock_keeps_its_groups() {
    let lab = Lab::new();
    persons(&lab);
    lab.train("d --model mlp --epochs 1 --name x --group ([a-z]+/p[0-9]+)_");
    let before = groups(&lab, "x");
    assert!(before.iter().all(|group| group != "-"));
    lab.train("d --model mlp --epochs 1 --name y --lock x");
    assert_eq!(groups(&lab, "y"), before);
    lab.run("train --resume x --epochs 2").good();
    assert_eq!(groups(&lab, "x"), before);
}

#[test]
fn groups_that_the_data_tear_are_told() {
    let lab = Lab::new();
    persons(&lab);
    for name in COLOURS {
        for (person, split) in ["train", "train", "train", "val", "test", "test"].iter().enumerate()
        {
            for number in 0..4 {
                let bytes = lab.read(format!("datasets/d/{name}/p{person}_{number}.png"));
                let to = if person == 0 && number == 0 { "test" } else { split };
                lab.write(format!("datasets/s/{to}/{name}/p{person}_{number}.png"), bytes);
            }
        }
    }
    let said = lab.train("s --model mlp --epochs 1 --name x --group ([a-z]+/p[0-9]+)_").stderr;
    assert!(said.contains("3 groups are in two splits, so that scores are too good"), "{said}");
}

#[test]
fn a_run_goes_on_with_the_same_files_only() {
    let lab = Lab::new();
    tree(&lab, "datasets/d", 10);
    lab.train("d --model mlp --epochs 1 --name x");
    let lock = lab.read("models/x/dataset.lock");
    let (old, mut other) = (lab.read("datasets/d/red/000.png"), lab.read("datasets/d/red/001.png"));
    other.resize(old.len(), 0);
    lab.write("datasets/d/red/000.png", &other);
    let resume = || lab.run("train --resume x --epochs 2");
    resume().fails(3, &["not those that the run was trained on", "red/000.png"], "new run");
    // One that looks older is noticed when it is read.
    let file = std::fs::File::options().write(true).open(lab.path("datasets/d/red/000.png"));
    file.unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    let late = lab.run("train --resume x --epochs 2 --max-bad 0.5").good();
    assert!(late.stderr.contains("red/000.png"), "{}", late.stderr);
    assert!(late.stderr.contains("changed since it was first read"), "{}", late.stderr);
    assert_eq!(lab.read("models/x/dataset.lock"), lock, "the lock tells what was trained on");
}

#[test]
fn images_that_were_learned_are_no_test() {
    let lab = Lab::new();
    tree(&lab, "datasets/d/train", 8);
    tree(&lab, "datasets/other", 3);
    lab.write("datasets/other/blue/mine.png", encode(&picture(0, 99, 12, 12), "png"));
    lab.train("d --model mlp --epochs 1 --name x");
    lab.run("evaluate x other").fails(
        3,
        &["trained on 9 of 10 images", "blue/000.png"],
        "--allow-leak",
    );
    let forced = lab.run("evaluate x other --allow-leak").good();
    assert!(forced.stdout.contains("no test: the model was trained on 9"), "{}", forced.stdout);
    let json = lab.run("evaluate x other --allow-leak --json").json();
    assert_eq!(json["leaks"].as_array().unwrap().len(), 9);
    lab.write("lonely.safetensors", lab.read("models/x/model.safetensors"));
    let lonely = lab.run("evaluate lonely.safetensors other --json").good();
    assert!(lonely.stderr.contains("no `dataset.lock` lies beside it"), "{}", lonely.stderr);
    assert!(lonely.json()["leaks"].is_null());
}

#[test]
fn what_is_nearly_the_same_stays_together_once_it_was_found() {
    let lab = Lab::new();
    for (class, name) in COLOURS.into_iter().enumerate() {
        for number in 0..12 {
            // Few large spots, which survive being saved as JPEG.
            let spots = picture(class, number, 7, 5);
            let image = image::imageops::resize(&spots, 64, 48, image::imageops::CatmullRom);
            lab.write(format!("datasets/d/{name}/{number}.png"), encode(&image, "png"));
            lab.write(format!("datasets/d/{name}/{number}-copy.jpg"), encode(&image, "jpg"));
        }
    }
    let found = lab.run("datasets check d --json").json();
    assert!(found["twins"].as_array().unwrap().len() >= 36, "{}", found["twins"]);
    assert!(lab.exists("models/.checked/d.tsv") && lab.exists("images/d-check.png"));
    lab.train("d --model mlp --epochs 1 --name x");
    let mut split_of = std::collections::HashMap::new();
    for (split, _, path) in lab.lock("x") {
        let stem = path.trim_end_matches(".png").trim_end_matches("-copy.jpg").to_owned();
        assert_eq!(*split_of.entry(stem).or_insert(split.clone()), split, "{path}");
    }
    assert_eq!(lab.run("runs list --json").json()["runs"].as_array().unwrap().len(), 1);
}

#[test]
fn an_evaluation_reads_a_table_with_columns_of_its_own() {
    let lab = Lab::new();
    tree(&lab, "datasets/d", 10);
    lab.train("d --model mlp --epochs 1 --name x");
    let mut table = "what,where\n".to_owned();
    for (class, name) in COLOURS.into_iter().enumerate() {
        let bytes = encode(&picture(class, 90, 12, 12), "png");
        lab.write(format!("datasets/t/{name}.png"), bytes);
        table += &format!("{name},{name}.png\n");
    }
    lab.write("datasets/t/list.csv", table);
    let line = "evaluate x datasets/t/list.csv --split all --json";
    lab.run(line).fails(3, &["no column of paths"], "--columns");
    let found = lab.run(&format!("{line} --columns path=where,label=what")).good().json();
    assert_eq!(found["scores"]["images"], 3);
}
