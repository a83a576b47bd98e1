//! The example of the library: `cargo test` builds it, this runs it.

use std::process::Command;

#[test]
fn a_hand_written_network_is_trained_by_the_same_learner() {
    let mut program = std::env::current_exe().unwrap();
    program.pop();
    program.pop();
    let program = program.join("examples").join("custom_model");
    let output = Command::new(program).arg("2").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    let top1 = text.split("validation top-1 ").nth(1).unwrap().trim_end_matches("%\n");
    assert!(top1.parse::<f64>().unwrap() > 70.0, "{text}");
}
