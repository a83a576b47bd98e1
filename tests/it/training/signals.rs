//! Signals end a training in good order.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::draw::colours;
use crate::lab::Lab;

/// Starts a training that would take minutes and waits until an epoch is complete.
fn started(lab: &Lab) -> Child {
    let line = "train colours --model mlp --epochs 100000 --batch 4 --threads 1 --name x --json";
    let mut child = lab
        .program(line.split(' '))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    let events = lab.path("models/x/events.jsonl");
    loop {
        let text = std::fs::read_to_string(&events).unwrap_or_default();
        if text.contains("epoch_finished") {
            return child;
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        assert!(start.elapsed() < Duration::from_mins(1), "no epoch in a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

fn ends_in_good_order(name: &str, number: i32) {
    let lab = colours();
    let child = started(&lab);
    signal(&child, name);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(128 + number), "{stderr}");
    assert!(stderr.contains("interrupted after"), "{stderr}");
    assert!(stderr.contains("models/x/checkpoint.safetensors"), "{stderr}");
    assert!(stderr.contains("tinderbox train --resume x"), "{stderr}");
    assert_eq!(lab.names("models/x").len(), 5, "{:?}", lab.names("models/x"));
    assert_eq!(lab.names("images/x").len(), 5, "{:?}", lab.names("images/x"));
    let stdout = String::from_utf8(output.stdout).unwrap();
    let json: serde_json::Value = serde_json::from_str(stdout.trim()).unwrap();
    assert_eq!(json["interrupted"], true);
    let events = lab.events("x");
    let interrupted = events.iter().find(|event| event["event"] == "interrupted").unwrap();
    assert_eq!(interrupted["signal"], number);
    let trained = lab.run("evaluate x --json").good().json();
    assert_eq!(trained["scores"]["images"], 9, "the model that was saved can be used");
}

#[test]
fn ctrl_c_leaves_the_best_model_and_the_pictures() {
    ends_in_good_order("-INT", 2);
}

#[test]
fn docker_stop_leaves_the_best_model_and_the_pictures() {
    ends_in_good_order("-TERM", 15);
}
