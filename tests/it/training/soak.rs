//! A long training holds no more memory and files at its end than at its beginning.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use crate::draw::colours;

/// Memory of a process in bytes, and its open files; none where it has ended.
fn look(process: u32) -> Option<[u64; 2]> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let memory: u64 = line.split_whitespace().next()?.parse().ok()?;
    let files = fs::read_dir(format!("/proc/{process}/fd")).ok()?.count();
    (files > 0).then_some([memory * 1024, files as u64])
}

fn median(values: impl Iterator<Item = u64>) -> u64 {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values[values.len() / 2]
}

#[test]
fn memory_and_open_files_stay_flat_over_many_epochs() {
    let epochs = if std::env::var_os("TINDERBOX_LONG_TESTS").is_some() { 3000 } else { 150 };
    let lab = colours();
    let line =
        format!("train colours --model lenet --size 16 --batch 8 --epochs {epochs} --name x");
    let mut program = lab.program(line.split(' '));
    let mut child = program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut samples = Vec::new();
    while child.try_wait().unwrap().is_none() {
        // From the first epoch on: before it the program is still growing.
        let has_begun = lab.exists("models/x/checkpoint.safetensors");
        samples.extend(look(child.id()).filter(|_| has_begun));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(
        lab.events("x").iter().filter(|event| event["event"] == "epoch_finished").count(),
        epochs
    );
    let quarter = samples.len() / 4;
    assert!(quarter >= 10, "only {} looks", samples.len());
    let (first, last) = (&samples[..quarter], &samples[samples.len() - quarter..]);
    // Each epoch adds a line to the history: with its copies, while a checkpoint is made, some 1 kB.
    let [before, after] = [first, last].map(|looks| median(looks.iter().map(|look| look[0])));
    assert!(after < before + (4 << 20), "{before} bytes in the first quarter, {after} in the last");
    // A slow disk can keep a file or two open at every look of a quarter; a file left open by each
    // epoch is a hundred more.
    let [before, after] = [first, last].map(|looks| looks.iter().map(|look| look[1]).min());
    let (before, after) = (before.unwrap(), after.unwrap());
    assert!(after <= before + 3, "{before} open files in the first quarter, {after} in the last");
    for folder in ["models/x", "images/x"] {
        assert_eq!(lab.names(folder).len(), 5, "{:?}", lab.names(folder));
    }
}
