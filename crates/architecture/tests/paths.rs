//! The paths that a document names between backticks.

use std::collections::BTreeSet;
use std::path::Path;

/// What begins with one of these is a path in the repository; other paths are those of a user, or
/// relative to a folder that the text names.
const FOLDERS: [&str; 11] = [
    ".ci/",
    "assets/",
    "benches/",
    "crates/",
    "docs/",
    "examples/",
    "fuzz/",
    "kernels/",
    "scripts/",
    "src/",
    "tests/",
];

/// The paths in `text`. A pattern like `crates/*/src` is none.
pub fn named(text: &str) -> BTreeSet<String> {
    let spans = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let words = spans.filter_map(|span| span.split_whitespace().next());
    // `README.md`, `Cargo.toml`, but not a user's `run.toml`
    let is_at_the_root = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_uppercase())
            && !word.contains('/')
            && (ends_in(word, "md") || ends_in(word, "toml"))
    };
    let is_path = |word: &&str| {
        let in_folder = FOLDERS.iter().any(|folder| word.starts_with(folder));
        (in_folder || is_at_the_root(word)) && !word.contains(['*', '{', '<', '$'])
    };
    words.filter(is_path).map(str::to_owned).collect()
}

fn ends_in(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|end| end == extension)
}

/// The files of the first section, "The way of a batch".
pub fn files_of_a_batch(text: &str) -> BTreeSet<String> {
    let section = text.split("\n## ").find(|part| part.starts_with("The way of a batch\n"));
    named(section.unwrap_or("")).into_iter().filter(|path| ends_in(path, "rs")).collect()
}
