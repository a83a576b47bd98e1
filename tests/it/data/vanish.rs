//! A data set that goes away or changes while it is trained on.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::draw::{COLOURS, colours, encode, picture};
use crate::lab::Lab;

const LINE: &str = "colours --model lenet --size 16 --batch 4 --cache none";

/// Starts a training and waits until it has been at work for some epochs.
fn started(lab: &Lab, run: &str, rest: &str) -> Child {
    let line = format!("train {LINE} --threads 1 --name {run} {rest}");
    let child = lab
        .program(line.split(' '))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for(lab, run, "epoch_finished", 2);
    child
}

/// Waits until a run's log has so many of an event.
fn wait_for(lab: &Lab, run: &str, event: &str, count: usize) {
    let start = Instant::now();
    let path = lab.path(format!("models/{run}/events.jsonl"));
    while std::fs::read_to_string(&path).unwrap_or_default().matches(event).count() < count {
        assert!(start.elapsed() < Duration::from_mins(1), "no `{event}` in a minute");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_data_set_that_goes_away_ends_the_training_which_goes_on_when_it_is_back() {
    let lab = colours();
    let child = started(&lab, "x", "--epochs 400");
    let (here, away) = (lab.path("datasets/colours"), lab.path("datasets/away"));
    std::fs::rename(&here, &away).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("colours` is gone"), "{said}");
    assert!(said.contains("train --resume"), "{said}");
    assert!(!said.contains("quarantined"), "no image is to blame: {said}");
    std::fs::rename(&away, &here).unwrap();
    lab.train("--resume x --epochs 400");
    lab.train(&format!("{LINE} --epochs 400 --name whole"));
    assert!(lab.weights("x") == lab.weights("whole"), "not a step is lost");
}

#[test]
fn a_file_that_changes_is_quarantined_and_named() {
    let lab = colours();
    let mut child = started(&lab, "x", "--epochs 100000");
    let other = encode(&picture(0, 77, 12, 12), "png");
    lab.write(format!("datasets/colours/train/{}/003.png", COLOURS[1]), other);
    wait_for(&lab, "x", "sample_quarantined", 1);
    child.kill().unwrap();
    child.wait().unwrap();
    let events = lab.events("x");
    let event = events.iter().find(|event| event["event"] == "sample_quarantined").unwrap();
    assert_eq!(event["path"], format!("train/{}/003.png", COLOURS[1]));
    assert_eq!(event["reason"], "it was changed since it was first read");
}

/// Whoever opens a pipe that nobody writes waits, as for a network's storage that does not answer.
#[test]
fn storage_that_does_not_answer_costs_no_step() {
    let lab = colours();
    lab.train(&format!("{LINE} --epochs 400 --name whole"));
    for split in ["train", "val"] {
        let mut child = started(&lab, split, "--epochs 400");
        let pipe = lab.path("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let folder = lab.path(format!("datasets/colours/{split}/{}", COLOURS[0]));
        let image = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
        let away = lab.path("away.png");
        std::fs::copy(&image, &away).unwrap();
        std::fs::rename(&pipe, &image).unwrap();
        std::thread::sleep(Duration::from_millis(500));
        assert!(child.try_wait().unwrap().is_none(), "it waits");
        let start = Instant::now();
        Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(143), "{said}");
        assert!(said.contains("everything is saved"), "{said}");
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        std::fs::rename(&away, &image).unwrap();
        lab.train(&format!("--resume {split} --epochs 400"));
        assert!(lab.weights(split) == lab.weights("whole"), "{split}");
    }
}
