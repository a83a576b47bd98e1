//! `tinderbox doctor`, and what it tells a training.

use crate::draw::colours;
use crate::lab::Lab;

#[test]
fn a_workstation_is_ready_to_train() {
    let lab = colours();
    let answer = lab.run("doctor").good();
    answer.shows(&[
        "datasets",
        "`colours`",
        "models",
        "will be made",
        "cpu",
        "memory",
        "ready to train",
    ]);
    assert!(!lab.exists("models"), "nothing is made");
    let json = lab.run("doctor --json").good().json();
    assert_eq!(json["ready"], true);
    let subjects: Vec<_> =
        json["checks"].as_array().unwrap().iter().map(|check| check["subject"].clone()).collect();
    assert_eq!(
        subjects,
        [
            "datasets", "models", "images", "disk", "cpu", "memory", "gpu", "clock", "locale",
            "terminal"
        ]
    );
}

#[test]
fn what_would_fail_is_told_with_its_fix_and_exit_code_4() {
    let lab = colours();
    lab.write("models", "a file");
    let answer = lab.run("doctor");
    assert_eq!(answer.code, 4);
    assert!(answer.stdout.contains("`models` is a file, not a folder"), "{}", answer.stdout);
    assert!(answer.stdout.contains("--models"), "{}", answer.stdout);
    assert!(answer.stderr.contains("1 problem"), "{}", answer.stderr);
    let answer = lab.run("doctor --json");
    assert!(answer.code == 4 && answer.json()["ready"] == false);
}

#[cfg(target_os = "linux")]
#[test]
fn an_image_of_ours_without_mounts_refuses_to_train() {
    let lab = Lab::new();
    // The lab lies on the machine's root or on a file system of its own; `/` is never a mount of ours.
    let image = [("TINDERBOX_IMAGE", "cpu")];
    let line = "train --models /models-of-nobody --images /images-of-nobody";
    let answer = lab.run_with(line, &image, b"");
    assert_eq!(answer.code, 4, "{}", answer.stderr);
    assert!(answer.stderr.contains("vanish with the container"), "{}", answer.stderr);
    assert!(answer.stderr.contains("-v \"$PWD/models:/models-of-nobody\""), "{}", answer.stderr);
}

#[test]
fn a_data_set_one_level_deeper_is_found() {
    let lab = Lab::new();
    lab.write("datasets/datasets/pets/cat/1.png", "");
    lab.write("datasets/datasets/pets/dog/1.png", "");
    lab.run("train pets").fails(
        3,
        &["no data set `pets`", "holds only a folder `datasets`"],
        "--datasets datasets/datasets",
    );
}
