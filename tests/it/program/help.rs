//! Help, completions, and typical errors word for word.

use crate::draw::{colours, idx};
use crate::lab::Lab;

const VERBS: [&str; 11] = [
    "train",
    "verify-resume",
    "evaluate",
    "predict",
    "datasets",
    "models",
    "runs",
    "devices",
    "doctor",
    "bench",
    "completions",
];

/// The verbs that a help text lists.
fn listed(help: &str) -> Vec<&str> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    lines.map_while(|line| line.split_whitespace().next()).collect()
}

#[test]
fn help_lists_exactly_what_is_built() {
    let lab = Lab::new();
    let help = lab.run("--help").good().stdout;
    assert_eq!(listed(&help), VERBS);
    for verb in VERBS {
        lab.run(&format!("{verb} --help")).good().shows(&["Usage: tinderbox", verb]);
    }
    for absent in ["export", "serve", "resume"] {
        assert_eq!(lab.run(absent).code, 2, "{absent}");
    }
}

#[test]
fn the_help_reads_as_it_should() {
    let lab = Lab::new();
    insta::assert_snapshot!("help", lab.run("--help").good().stdout);
    insta::assert_snapshot!("help_train", lab.run("train --help").good().stdout);
    insta::assert_snapshot!("help_fetch", lab.run("datasets fetch --help").good().stdout);
    insta::assert_snapshot!("help_predict", lab.run("predict --help").good().stdout);
}

#[test]
fn the_version_is_the_packages() {
    let version = Lab::new().run("--version").good().stdout;
    assert_eq!(version, format!("tinderbox {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_know_the_verbs_and_flags() {
    let lab = Lab::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = lab.run(&format!("completions {shell}")).good().stdout;
        for word in ["tinderbox", "evaluate", "loader-threads", "mosaic"] {
            assert!(script.contains(word), "no `{word}` for {shell}");
        }
    }
}

#[test]
fn typical_errors_read_as_they_should() {
    let lab = colours();
    lab.write("mine.toml", "epoch = 3\n");
    lab.write("datasets/broken/train-images-idx3-ubyte", idx(&[2, 28, 28], &[0; 1000]));
    lab.write("datasets/broken/train-labels-idx1-ubyte", idx(&[2], &[0, 1]));
    let lines = [
        "train colors",
        "train colours --epochs 0",
        "train colours --model resnet-18",
        "train colours --device tpu",
        "train colours --batch 500",
        "train colours --config mine.toml",
        "train broken",
        "evaluate nothing",
    ];
    let mut text = String::new();
    for line in lines {
        let answer = lab.run(line);
        text += &format!("$ tinderbox {line}\n{}exit code {}\n\n", answer.stderr, answer.code);
    }
    let folder = lab.path("").display().to_string();
    insta::assert_snapshot!("errors", text.replace(&folder, "LAB/"));
}
