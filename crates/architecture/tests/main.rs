//! The shape of the workspace: the table of crates in ARCHITECTURE.md, modules without circles, and
//! the paths that ARCHITECTURE.md names. The text of a failure lists everything that was found.

#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)] // only tests

mod circles;
mod crates;
mod made_up;
mod modules;
mod paths;
mod words;

use std::path::PathBuf;

use serde_json::Value;

/// The root of the workspace: the folder of `Cargo.lock`. It is looked up when the tests run, because
/// checkouts that share a target folder also share the compiled tests.
fn root() -> PathBuf {
    let here = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap());
    here.ancestors().find(|folder| folder.join("Cargo.lock").is_file()).unwrap().to_owned()
}

fn architecture() -> String {
    std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap()
}

/// The packages of the workspace.
fn metadata() -> Value {
    let output = std::process::Command::new(std::env::var("CARGO").unwrap())
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Fails with all `faults`, one a line.
fn expect_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn crates_use_only_what_the_table_allows() {
    expect_none(&crates::faults(&architecture(), &metadata()));
}

#[test]
fn sibling_modules_form_no_circles() {
    let mut found = Vec::new();
    let mut count = 0;
    for (name, file) in crates::root_files(&metadata()) {
        let tree = modules::Tree::read(&name, &file);
        count += tree.modules.len();
        found.extend(circles::circles(&tree, &root()));
    }
    assert!(count > 150, "only {count} modules were read");
    expect_none(&found);
}

#[test]
fn paths_that_the_document_names_exist() {
    let paths = paths::named(&architecture());
    assert!(paths.len() > 20, "only {} paths were found", paths.len());
    let missing = paths.into_iter().filter(|path| !root().join(path).exists());
    expect_none(&missing.map(|path| format!("`{path}` does not exist")).collect::<Vec<_>>());
}

#[test]
fn the_way_of_a_batch_lists_at_most_ten_files() {
    let files = paths::files_of_a_batch(&architecture());
    assert!((5..=10).contains(&files.len()), "{} files: {files:?}", files.len());
}
