//! What goes where, and how it looks when nobody watches.

use crate::draw::{colours, trained};
use crate::lab::{Answer, Lab};

/// Nothing but text, line ends and tabs.
fn clean(answer: &Answer) {
    for text in [&answer.stdout, &answer.stderr] {
        let bad = text.chars().find(|c| c.is_control() && *c != '\n' && *c != '\t');
        assert!(bad.is_none(), "{}: {bad:?} in\n{text}", answer.command);
    }
}

#[test]
fn no_control_characters_reach_a_pipe() {
    let lab = trained();
    for line in [
        "--help",
        "train --help",
        "train colours --model mlp --epochs 2",
        "train colours --model mlp --epochs 1 -v",
        "evaluate base",
        "predict base datasets/colours/test",
        "predict base datasets/colours/test --csv",
        "runs list",
        "runs show base",
        "models",
        "models resnet18",
        "datasets list",
        "devices",
        "completions bash",
        "train nothing",
        "train colours --epochs 0",
        "train --no-such-flag",
        "predict base missing.png",
    ] {
        clean(&lab.run(line));
    }
}

#[test]
fn results_go_to_stdout_and_progress_to_stderr() {
    let lab = colours();
    let answer = lab.train("colours --model mlp --epochs 2");
    for text in ["done in", "test top-1", "models/colours-mlp-001/model.safetensors", "next:"] {
        assert!(answer.stdout.contains(text), "no `{text}` in\n{}", answer.stdout);
    }
    for text in ["colours", "epoch 1/2", "epoch 2/2", "val", "lr"] {
        assert!(answer.stderr.contains(text), "no `{text}` in\n{}", answer.stderr);
    }
    assert!(!answer.stdout.contains("epoch 1/2"));
}

#[test]
fn json_is_the_only_thing_on_stdout_and_quiet_says_nothing() {
    let lab = colours();
    let answer = lab.train("colours --model mlp --epochs 1 --json -q");
    assert_eq!(answer.stdout.lines().count(), 1);
    assert_eq!(answer.stderr, "");
    let json = answer.json();
    for key in ["run", "models", "images", "val", "test", "images_per_second", "seconds"] {
        assert!(!json[key].is_null(), "no `{key}` in {json}");
    }
    assert_eq!(json["models"], "models/colours-mlp-001");
    assert_eq!(json["images"], "images/colours-mlp-001");
    assert_eq!(json["interrupted"], false);
}

#[test]
fn verbose_says_where_each_setting_came_from() {
    let lab = colours();
    let answer = lab.train("colours --model mlp --epochs 1 -v");
    assert!(answer.stderr.contains("setting epochs from flag"), "{}", answer.stderr);
}

#[test]
fn an_error_is_on_stderr_and_stdout_stays_empty() {
    let lab = Lab::new();
    for line in ["train nothing --json", "evaluate nothing --json", "runs show nothing --json"] {
        let answer = lab.run(line);
        assert_eq!(answer.code, 3, "{line}");
        assert_eq!(answer.stdout, "", "{line}");
        assert!(answer.stderr.starts_with("error: "), "{}", answer.stderr);
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_error() {
    use std::process::Stdio;
    let lab = Lab::new();
    let mut child = lab.program(["models", "resnet18"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}
