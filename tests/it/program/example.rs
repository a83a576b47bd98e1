//! The examples of the library: `cargo test` builds them, this runs them.

use std::process::Command;

/// What an example says.
fn run(name: &str, args: &[&str]) -> String {
    let mut program = std::env::current_exe().unwrap();
    program.pop();
    program.pop();
    let program = program.join("examples").join(name);
    let output = Command::new(program).args(args).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    text
}

/// The number after `what`.
fn figure(text: &str, what: &str) -> f64 {
    let rest = text.split(what).nth(1).unwrap_or_else(|| panic!("no `{what}` in {text}"));
    rest.trim_start().split(['%', '\n']).next().unwrap().parse().unwrap()
}

#[test]
fn a_hand_written_network_is_trained_evaluated_saved_and_asked() {
    let text = run("custom_model", &["2"]);
    assert!(figure(&text, "test top-1") > 70.0, "{text}");
    assert!(text.contains("test#0 is `"), "{text}");
}

#[test]
fn a_task_of_ones_own_learns_several_labels_an_image() {
    let text = run("multi_label", &[]);
    assert!(figure(&text, "mean average precision") > 0.9, "{text}");
}
